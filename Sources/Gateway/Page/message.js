// One message of a conversation on the page.

import { element, setText } from "./dom.js";
import { MarkdownView } from "./markdown.js";

const ENDS = {
  length: "cut off: the most tokens were reached",
  content_filter: "cut off by the content filter",
  stopped: "stopped",
};

/** A message as an item of the list. */
export class MessageView {
  /**
   * @param {object} message `role`, `content`; of an answer also `end`, `error` and `figures`
   * @param {object} actions `copy(text, node)` and, for the latest answer, `regenerate()`
   */
  constructor(message, model, actions) {
    this.message = message;
    this.actions = actions;
    const isAnswer = message.role === "assistant";
    this.body = element("div", { class: "body" });
    this.foot = element("div", { class: "foot" });
    this.markdown = isAnswer ? new MarkdownView(this.body, actions.copy) : null;
    this.node = element(
      "li",
      { class: `message ${isAnswer ? "answer" : "question"}` },
      element("h3", {}, isAnswer ? model : "You"),
      this.body,
      isAnswer ? this.foot : null,
    );
    this.update();
  }

  /** Shows the message as it is now. */
  update() {
    const { content, error } = this.message;
    if (!this.markdown) {
      setText(this.body, content);
      return;
    }
    this.markdown.update(content);
    this.node.classList.toggle("failed", Boolean(error));
  }

  /** Shows that the answer is on its way, and nothing of it yet. */
  wait(text) {
    if (this.foot.textContent === text) return;
    this.foot.replaceChildren(element("p", { class: "note waiting" }, text));
  }

  /** What can be done with an answer that has ended, and how it went. */
  finish(isLast) {
    if (!this.markdown) return;
    const { content, error, end, figures } = this.message;
    const remarks = [];
    if (figures) {
      remarks.push(`${figures.tokens} token${figures.tokens === 1 ? "" : "s"}`);
      if (figures.perSecond) remarks.push(`${figures.perSecond.toFixed(1)} tokens/s`);
      if (figures.firstSeconds !== undefined) remarks.push(`first after ${figures.firstSeconds.toFixed(2)} s`);
      if (figures.cached) remarks.push(`${figures.cached} prompt tokens from cache`);
    }
    if (ENDS[end]) remarks.push(ENDS[end]);
    const button = (label, action) => element("button", { type: "button", class: "quiet", onclick: action }, label);
    this.foot.replaceChildren(
      ...[
        error ? element("p", { class: "error" }, error) : null,
        remarks.length > 0 ? element("p", { class: "note" }, remarks.join(" · ")) : null,
        element(
          "span",
          { class: "actions" },
          content ? button("Copy", () => this.actions.copy(content, this.body)) : null,
          isLast ? button("Regenerate", () => this.actions.regenerate()) : null,
        ),
      ].filter(Boolean),
    );
  }
}
