// The inside of a Markdown paragraph: code, emphasis, links. Text becomes text nodes, markup of its own stays text.
// Every construct is looked for over a bounded distance, so that no text takes long.

import { element } from "./dom.js";

/** A longer paragraph is shown as it is written. */
const LONGEST = 20_000;
const LONGEST_LINK = 1_000;
const LOOK_BACK = 256;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
const SPACE = /\s/;

/** The address of a link that may be followed, or null: http and https alone, and none that hides its host. */
export function safeAddress(text) {
  if (!/^https?:\/\//i.test(text)) return null;
  try {
    const address = new URL(text);
    return address.username || address.password ? null : address.href;
  } catch {
    return null;
  }
}

/** The nodes for a text. */
export function inline(text, allowsLinks = true) {
  if (text.length > LONGEST) return [document.createTextNode(text)];
  const parts = new Scanner(text, allowsLinks).parts();
  return emphasised(parts).map((part) => (typeof part === "string" ? document.createTextNode(part) : part));
}

/** A run of `*`, `_` or `~` that may open or close emphasis. */
class Mark {
  constructor(character, count, before, after) {
    this.character = character;
    this.count = count;
    const opens = after !== "" && !SPACE.test(after) && (!PUNCTUATION.test(after) || !isWordPart(before));
    const closes = before !== "" && !SPACE.test(before) && (!PUNCTUATION.test(before) || !isWordPart(after));
    // snake_case has no emphasis in it.
    this.opens = opens && (character !== "_" || !closes || PUNCTUATION.test(before));
    this.closes = closes && (character !== "_" || !opens || PUNCTUATION.test(after));
  }

  get text() {
    return this.character.repeat(this.count);
  }
}

const isWordPart = (character) => character !== "" && !SPACE.test(character) && !PUNCTUATION.test(character);

/** Splits a text into strings, finished nodes and marks. */
class Scanner {
  constructor(text, allowsLinks) {
    this.text = text;
    this.allowsLinks = allowsLinks;
    this.position = 0;
    this.result = [];
    this.plain = "";
    /** Lengths of backquote runs that are known to have no partner. */
    this.unclosed = new Set();
  }

  parts() {
    while (this.position < this.text.length) this.step();
    this.flush();
    return this.result;
  }

  step() {
    const character = this.text[this.position];
    const next = this.text[this.position + 1] ?? "";
    if (character === "\\" && PUNCTUATION.test(next)) return this.literal(next, 2);
    if (character === "\n") return this.add(element("br"), 1);
    if (character === "`") return this.code();
    if (character === "*" || character === "_" || character === "~") return this.mark(character);
    if (this.allowsLinks) {
      if (character === "[") return this.link(this.position, 0);
      if (character === "!" && next === "[") return this.link(this.position + 1, 1);
      if (character === "<" || character === "h" || character === "H") return this.bareLink(character === "<");
    }
    this.literal(character, 1);
  }

  literal(text, length) {
    this.plain += text;
    this.position += length;
  }

  flush() {
    if (this.plain) this.result.push(this.plain);
    this.plain = "";
  }

  add(part, length) {
    this.flush();
    this.result.push(part);
    this.position += length;
  }

  run(character, start) {
    let end = start;
    while (this.text[end] === character) end += 1;
    return end - start;
  }

  code() {
    const count = this.run("`", this.position);
    const start = this.position + count;
    for (let from = start; !this.unclosed.has(count); ) {
      const end = this.text.indexOf("`", from);
      if (end < 0) {
        this.unclosed.add(count);
        break;
      }
      const length = this.run("`", end);
      if (length === count) {
        const inner = this.text.slice(start, end).replaceAll("\n", " ");
        const isPadded = inner.length > 2 && inner.startsWith(" ") && inner.endsWith(" ") && inner.trim() !== "";
        return this.add(element("code", {}, isPadded ? inner.slice(1, -1) : inner), end + count - this.position);
      }
      from = end + length;
    }
    this.literal("`".repeat(count), count);
  }

  mark(character) {
    const count = this.run(character, this.position);
    const before = this.text[this.position - 1] ?? "";
    const after = this.text[this.position + count] ?? "";
    if (count > 3 || (character === "~" && count !== 2)) return this.literal(character.repeat(count), count);
    this.add(new Mark(character, count, before, after), count);
  }

  /** `[label](address "title")`; `bracket` is where the label's bracket lies. */
  link(bracket, prefixLength) {
    const closing = this.matching(bracket, "[", "]");
    const end = closing > 0 && this.text[closing + 1] === "(" ? this.matching(closing + 1, "(", ")") : -1;
    const target = end > 0 ? this.text.slice(closing + 2, end).trim().split(/\s/, 1)[0] : "";
    const address = safeAddress(target.startsWith("<") && target.endsWith(">") ? target.slice(1, -1) : target);
    if (!address) return this.literal(this.text.slice(this.position, bracket + 1), prefixLength + 1);
    const label = this.text.slice(bracket + 1, closing);
    const content = label.trim() ? inline(label, false) : [address];
    // An image would be fetched from elsewhere: it is offered, not loaded.
    this.add(anchor(address, prefixLength ? ["Image: ", ...content] : content), end + 1 - this.position);
  }

  matching(start, opening, closing) {
    let depth = 0;
    const limit = Math.min(this.text.length, start + LONGEST_LINK);
    for (let index = start; index < limit; index += 1) {
      const character = this.text[index];
      if (character === "\\") index += 1;
      else if (character === "\n" && opening === "(") return -1;
      else if (character === opening) depth += 1;
      else if (character === closing && (depth -= 1) === 0) return index;
    }
    return -1;
  }

  /** `https://...` as it stands, or between angle brackets. */
  bareLink(isBracketed) {
    const start = this.position + (isBracketed ? 1 : 0);
    const found = /^https?:\/\/[^\s<>"`]+/i.exec(this.text.slice(start, start + LONGEST_LINK));
    const isInWord = !isBracketed && isWordPart(this.text[this.position - 1] ?? "");
    const closes = !isBracketed || (found && this.text[start + found[0].length] === ">");
    if (!found || isInWord || !closes) return this.literal(this.text[this.position], 1);
    let shown = found[0];
    while (!isBracketed && (/[.,:;!?'*_~]$/.test(shown) || (shown.endsWith(")") && !shown.includes("(")))) {
      shown = shown.slice(0, -1);
    }
    const address = safeAddress(shown);
    if (!address) return this.literal(this.text[this.position], 1);
    this.add(anchor(address, [shown]), shown.length + (isBracketed ? 2 : 0));
  }
}

function anchor(address, content) {
  const attributes = { href: address, title: address, target: "_blank", rel: "noopener noreferrer nofollow ugc" };
  return element("a", attributes, ...content);
}

/** Pairs the marks; those without a partner are text. */
function emphasised(parts) {
  for (let close = 0; close < parts.length; close += 1) {
    const closer = parts[close];
    if (!(closer instanceof Mark) || !closer.closes) continue;
    for (let open = close - 1; open >= Math.max(0, close - LOOK_BACK) && closer.count > 0; open -= 1) {
      const opener = parts[open];
      if (!(opener instanceof Mark) || !opener.opens || opener.character !== closer.character) continue;
      if (opener.count === 0 || open + 1 === close) continue;
      const width = Math.min(opener.count, closer.count, 2);
      const name = closer.character === "~" ? "del" : width === 2 ? "strong" : "em";
      const inner = parts.slice(open + 1, close).map((part) => (part instanceof Mark ? part.text : part));
      parts.splice(open + 1, close - open - 1, element(name, {}, ...inner));
      opener.count -= width;
      closer.count -= width;
      close = open + 2;
      open += 1;
    }
  }
  return parts.map((part) => (part instanceof Mark ? part.text : part)).filter((part) => part !== "");
}
