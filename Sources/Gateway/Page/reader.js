// Lets a screen reader read an answer while it comes: whole sentences, a few at a time, never single tokens.

import { element } from "./dom.js";

/** How long sentences are gathered before they are handed over, in milliseconds. */
const INTERVAL = 2500;
/** How long what was handed over stays, in milliseconds: the answer itself is on the page to be read again. */
const LIFETIME = 20_000;

export class Reader {
  /** @param {Element} region a live region out of sight */
  constructor(region) {
    this.region = region;
    this.heard = 0;
    this.last = 0;
  }

  /** Takes the answer as far as it has come. */
  hear(text) {
    if (text.length < this.heard) this.heard = 0;
    if (performance.now() - this.last < INTERVAL) return;
    const end = lastSentenceEnd(text, this.heard);
    if (end > this.heard) this.speak(text, end);
  }

  /** Hands over the rest: the answer has ended. */
  end(text) {
    this.speak(text, text.length);
    this.heard = 0;
    this.last = 0;
  }

  speak(text, end) {
    const words = text.slice(this.heard, end).replace(/[`*_#|>~]+/g, " ").trim();
    this.heard = end;
    this.last = performance.now();
    if (!words) return;
    const paragraph = element("p", {}, words);
    this.region.append(paragraph);
    setTimeout(() => paragraph.remove(), LIFETIME);
  }
}

/** Where the last whole sentence or line after `start` ends. */
function lastSentenceEnd(text, start) {
  for (let index = text.length - 1; index > start; index -= 1) {
    const isEnd = ".!?:;。！？".includes(text[index - 1]) && /\s/.test(text[index]);
    if (text[index] === "\n" || isEnd) return index + 1;
  }
  return start;
}
