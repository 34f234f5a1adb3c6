// The live picture of the cluster: asks the gateway every second how it is.

import { clusterStatus, GatewayError } from "./api.js";
import { changes } from "./changes.js";
import { byID, element, reconcile, setText } from "./dom.js";
import { count, duration, otherFigures, rate, Sparkline } from "./figures.js";
import { Figure, Pipeline } from "./pipeline.js";

const INTERVAL = 1000;
const LONGEST_INTERVAL = 8000;
/** A gateway that says nothing for so long, in milliseconds, is not there. */
const PATIENCE = 5000;
const MOST_EVENTS = 100;
/** The window of the pace, and of its drawing, in looks. */
const PACE_WINDOW = 3;
const HISTORY = 120;
const KNOWN = new Set([
  "state", "reason", "epoch", "model", "workers", "runningRequestCount", "waitingRequestCount",
  "completedRequestCount", "generatedTokenCount", "uptimeSeconds",
]);

export class ClusterPanel {
  /**
   * @param {(model: object) => void} onModel told which model is served
   * @param {() => void} onKeyMissing told once, when the gateway wants a key
   */
  constructor(onModel, onKeyMissing) {
    this.onModel = onModel;
    this.onKeyMissing = onKeyMissing;
    this.status = null;
    this.failure = null;
    this.interval = INTERVAL;
    this.samples = [];
    this.figures = new Map();
    this.others = new Map();
    this.history = new Sparkline(HISTORY, 40);
    byID("pace").append(this.history.node);
    this.pipeline = new Pipeline(byID("strips"), byID("workers"));
    document.addEventListener("visibilitychange", () => document.hidden || this.look());
    this.look();
  }

  /** Looks once and arranges for the next time; a page that nobody sees does not look. */
  async look() {
    clearTimeout(this.timer);
    if (document.hidden || this.isLooking) return;
    this.isLooking = true;
    try {
      this.show(await clusterStatus(AbortSignal.timeout(PATIENCE)));
      this.interval = INTERVAL;
    } catch (error) {
      if (error.status === 401 && !this.failure) this.onKeyMissing();
      this.fail(error instanceof GatewayError ? error.message : "The gateway does not answer.");
      this.interval = Math.min(this.interval * 2, LONGEST_INTERVAL);
    }
    this.isLooking = false;
    this.timer = setTimeout(() => this.look(), this.interval);
  }

  show(status) {
    if (this.failure) this.tell({ kind: "recovery", text: "the gateway answers again" });
    this.failure = null;
    for (const change of changes(this.status, status)) this.tell(change);
    this.status = status;
    this.onModel(status.model);
    setText(byID("model-name"), status.model.id);
    this.showState(status.state, status.state);
    setText(byID("cluster-reason"), status.reason ?? "");
    const pace = this.pace(status.generatedTokenCount);
    this.history.add(pace, 1);
    setText(byID("pace-value"), rate(pace));
    const pairs = [
      ["running", status.runningRequestCount],
      ["waiting", status.waitingRequestCount],
      ["answered", status.completedRequestCount],
      ["tokens", status.generatedTokenCount],
    ];
    reconcile(byID("figures"), this.figures, pairs, ([name]) => name, () => new Figure());
    setText(byID("uptime"), `up ${duration(status.uptimeSeconds)}`);
    const { model, epoch } = status;
    const others = [
      ["layers", count(model.layerCount)],
      ["parameters", count(model.parameterCount)],
      ["context", `${count(model.contextLength)} tokens`],
      ["epoch", `${epoch.term}.${epoch.plan}`],
      ["fingerprint", model.systemFingerprint],
      ...otherFigures(status, KNOWN),
    ];
    reconcile(byID("others"), this.others, others, ([name]) => name, () => new Figure());
    this.pipeline.update(status);
  }

  fail(message) {
    if (message !== this.failure) this.tell({ kind: "failure", text: message });
    this.failure = message;
    this.samples = [];
    this.showState("unreachable", "no answer");
    setText(byID("cluster-reason"), `${message} Below is what was seen last.`);
  }

  showState(state, text) {
    const node = byID("cluster-state");
    node.dataset.state = state;
    setText(node, text);
  }

  /** Tokens per second over the latest looks. */
  pace(tokens) {
    this.samples.push({ tokens, at: performance.now() });
    if (this.samples.length > PACE_WINDOW + 1) this.samples.shift();
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    // A coordinator that began anew counts from zero.
    if (last.tokens < first.tokens) this.samples = [last];
    const seconds = (last.at - first.at) / 1000;
    return seconds > 0 ? Math.max(0, last.tokens - first.tokens) / seconds : 0;
  }

  tell({ kind, text }) {
    const log = byID("events");
    const now = new Date();
    const time = element("time", { datetime: now.toISOString() }, now.toLocaleTimeString("en-GB"));
    log.prepend(element("li", { "data-kind": kind }, time, element("span", {}, text)));
    while (log.children.length > MOST_EVENTS) log.lastChild.remove();
    byID("no-events").hidden = true;
  }
}
