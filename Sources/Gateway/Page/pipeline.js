// The workers in the order in which activations pass them, and the layers that each holds.

import { layersText } from "./changes.js";
import { element, reconcile, setText } from "./dom.js";
import { bytes, count, otherFigures, percent, rate, Sparkline } from "./figures.js";

/** How many looks back the drawing of a worker's load goes. */
const HISTORY = 60;
const KNOWN = new Set([
  "id", "address", "processID", "state", "layers", "threadCount", "memoryLimitByteCount", "memoryByteCount",
  "loadedFraction", "load", "tokensPerSecond", "busyFraction", "bubbleFraction", "detail", "replica",
]);
const ACTIVITIES = { packing: "packing", readingCache: "reading cache", comparing: "comparing with cache",
  hashing: "model is hashed", fetching: "fetching" };

/** What a worker does, in words; colour alone never tells it. */
function stateText(worker) {
  if (worker.state !== "loading") return worker.layers || worker.state !== "ready" ? worker.state : "spare";
  return `${ACTIVITIES[worker.load?.activity] ?? "loading"} ${percent(worker.loadedFraction)}`;
}

export class Pipeline {
  constructor(strips, workers) {
    this.strips = strips;
    this.workers = workers;
    this.rows = new Map();
    this.cards = new Map();
  }

  update(status) {
    const replicas = [...new Set(status.workers.filter(({ layers }) => layers).map(({ replica }) => replica ?? 0))].sort();
    const rows = replicas.map((replica) => ({ replica, isOnly: replicas.length === 1, status }));
    reconcile(this.strips, this.rows, rows, ({ replica }) => replica, () => new Strip());
    reconcile(this.workers, this.cards, status.workers, ({ id }) => id, () => new Card(status.model.layerCount));
  }
}

/** The layers of one replica as a bar: who holds which, and which nobody holds. */
class Strip {
  constructor() {
    this.name = element("span", { class: "strip-name" });
    this.bar = element("div", { class: "strip-bar", role: "img" });
    this.node = element("div", { class: "strip" }, this.name, this.bar);
  }

  update({ replica, isOnly, status }) {
    const total = status.model.layerCount;
    const holders = status.workers.filter((worker) => worker.layers && (worker.replica ?? 0) === replica);
    const segments = [];
    let next = 0;
    for (const { id, layers, state } of holders.toSorted((left, right) => left.layers.first - right.layers.first)) {
      if (layers.first > next) segments.push({ layers: { first: next, end: layers.first }, state: "missing" });
      segments.push({ id, layers, state });
      next = Math.max(next, layers.end);
    }
    if (next < total) segments.push({ layers: { first: next, end: total }, state: "missing" });
    setText(this.name, isOnly ? "" : `Replica ${replica}`);
    const text = segments.map(({ id, layers, state }) => `${layersText(layers)}: ${id ? `${id}, ${state}` : "held by nobody"}`);
    const label = text.join("; ");
    if (this.bar.getAttribute("aria-label") === label) return;
    this.bar.setAttribute("aria-label", label);
    this.bar.title = text.join("\n");
    const nodes = segments.map(({ id, layers, state }) => {
      const node = element("span", { class: "segment", "data-state": state }, id ?? "nobody");
      node.style.flexGrow = layers.end - layers.first;
      return node;
    });
    this.bar.replaceChildren(...nodes);
  }
}

/** One worker. */
class Card {
  constructor(layerCount) {
    this.layerCount = layerCount;
    this.name = element("h4");
    this.state = element("span", { class: "state" });
    this.holds = element("p", { class: "holds" });
    this.busy = element("span", { class: "busy" });
    this.bubbles = element("span", { class: "bubbles" });
    this.load = element("div", { class: "meter", role: "img" }, this.busy, this.bubbles);
    this.history = new Sparkline(HISTORY);
    this.figures = element("dl", { class: "figures" });
    this.detail = element("p", { class: "error" });
    this.values = new Map();
    this.node = element(
      "li",
      { class: "worker" },
      element("div", { class: "worker-head" }, this.name, this.state),
      this.holds,
      this.load,
      this.history.node,
      this.figures,
      this.detail,
    );
  }

  update(worker) {
    this.node.dataset.state = worker.state;
    this.state.dataset.state = worker.state;
    setText(this.name, worker.id);
    setText(this.state, stateText(worker));
    const threads = `${worker.threadCount} thread${worker.threadCount === 1 ? "" : "s"}`;
    const place = `${worker.address} · pid ${worker.processID}`;
    setText(this.holds, `${layersText(worker.layers)} of ${this.layerCount} · ${threads}\n${place}`);
    const isLoading = worker.state === "loading";
    this.busy.style.width = percent(isLoading ? worker.loadedFraction : worker.busyFraction);
    this.bubbles.style.width = percent(isLoading ? 0 : worker.bubbleFraction);
    const label = isLoading
      ? `${percent(worker.loadedFraction)} loaded`
      : `busy ${percent(worker.busyFraction)}, bubbles ${percent(worker.bubbleFraction)}`;
    this.load.setAttribute("aria-label", label);
    this.history.add(worker.busyFraction, 1);
    setText(this.detail, worker.detail ?? "");
    const isGone = worker.state === "lost" || worker.state === "failed";
    const pairs = isGone ? [] : [
      ["busy", percent(worker.busyFraction)],
      ["bubbles", percent(worker.bubbleFraction)],
      ["rows/s", rate(worker.tokensPerSecond)],
      ["memory", `${bytes(worker.memoryByteCount)} of ${bytes(worker.memoryLimitByteCount)}`],
      ...otherFigures(worker, KNOWN),
    ];
    reconcile(this.figures, this.values, pairs, ([name]) => name, () => new Figure());
  }
}

/** A figure with its name, for a list of them. */
export class Figure {
  constructor() {
    this.label = element("dt");
    this.text = element("dd");
    this.node = element("div", {}, this.label, this.text);
  }

  update([label, text]) {
    setText(this.label, label);
    setText(this.text, typeof text === "number" ? count(text) : text);
  }
}
