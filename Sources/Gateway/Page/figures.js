// Figures of the status as people read them, also those that this page does not know by name.

import { drawing } from "./dom.js";

const grouped = new Intl.NumberFormat("en");
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
/** Ends of names, what they mean, and how such a value is written. */
const ENDINGS = [
  ["ByteCount", (value) => bytes(value)],
  ["TokenCount", (value) => count(value), "tokens"],
  ["PageCount", (value) => count(value), "pages"],
  ["RequestCount", (value) => count(value), "requests"],
  ["Count", (value) => count(value)],
  ["Fraction", (value) => percent(value)],
  ["PerSecond", (value) => `${rate(value)}/s`],
  ["Milliseconds", (value) => `${rate(value)} ms`],
  ["Seconds", (value) => duration(value)],
];
/** Deeper and longer than this, a status is not looked through. */
const DEEPEST = 3;
const MOST = 40;

export const count = (value) => (Number.isFinite(value) ? grouped.format(value) : "–");
export const percent = (value) => (Number.isFinite(value) ? `${Math.round(value * 100)}%` : "–");
export const rate = (value) => (Number.isFinite(value) ? (value < 100 ? value.toFixed(1) : count(Math.round(value))) : "–");

/** "7.2 MiB". */
export function bytes(value) {
  if (!Number.isFinite(value)) return "–";
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** "3 h 20 min". */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(seconds)} s`;
}

/** "freePageCount" and its value as ["free pages", "12"]. */
function worded(name, value) {
  const found = typeof value === "number" && ENDINGS.find(([ending]) => name.endsWith(ending) && name !== ending);
  const stem = found ? name.slice(0, -found[0].length) : name;
  const words = stem.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replaceAll("_", " ").toLowerCase();
  const label = found?.[2] ? `${words} ${found[2]}` : words;
  if (typeof value === "boolean") return [label, value ? "yes" : "no"];
  if (typeof value === "number") return [label, found ? found[1](value) : rate(value).replace(/\.0$/, "")];
  return [label, String(value).slice(0, 200)];
}

/**
 * The figures of an object besides the `known` ones, as pairs of label and text.
 *
 * What a newer gateway adds to its status is shown without this page knowing of it.
 */
export function otherFigures(object, known, prefix = "", depth = 0) {
  const pairs = [];
  for (const [name, value] of Object.entries(object)) {
    if (known.has(name) || value === null || Array.isArray(value)) continue;
    if (typeof value !== "object") {
      const [label, text] = worded(name, value);
      pairs.push([prefix ? `${prefix} ${label}` : label, text]);
    } else if (depth < DEEPEST) {
      pairs.push(...otherFigures(value, new Set(), prefix ? `${prefix} ${worded(name, "")[0]}` : worded(name, "")[0], depth + 1));
    }
    if (pairs.length >= MOST) return pairs.slice(0, MOST);
  }
  return pairs;
}

/** A small drawing of a figure's latest values. It only repeats what stands beside it in words. */
export class Sparkline {
  /** @param {number} length how many values are kept */
  constructor(length, height = 28) {
    this.values = [];
    this.length = length;
    this.height = height;
    this.area = drawing("path", { class: "area" });
    this.line = drawing("path", { class: "line" });
    this.node = drawing(
      "svg",
      { class: "sparkline", viewBox: `0 0 ${length - 1} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
      this.area,
      this.line,
    );
  }

  /** @param {number} top the value that is drawn at the upper edge, unless a larger one is there */
  add(value, top) {
    this.values.push(Number.isFinite(value) ? Math.max(0, value) : 0);
    if (this.values.length > this.length) this.values.shift();
    const highest = Math.max(top, ...this.values) || 1;
    const first = this.length - this.values.length;
    const points = this.values.map(
      (each, index) => `${first + index} ${(this.height - 1 - (each / highest) * (this.height - 2)).toFixed(2)}`,
    );
    this.line.setAttribute("d", `M${points.join("L")}`);
    this.area.setAttribute("d", `M${first} ${this.height}L${points.join("L")}L${this.length - 1} ${this.height}Z`);
  }
}
