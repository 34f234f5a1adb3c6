// The talk: sends what is typed, shows the answer as it comes, stops it, asks again.

import { GatewayError, streamChat } from "./api.js";
import * as conversations from "./conversations.js";
import { byID, element, setText } from "./dom.js";
import { MessageView } from "./message.js";
import { Reader } from "./reader.js";
import * as settings from "./settings.js";

/** How often a growing answer is drawn and kept, in milliseconds. */
const DRAW_INTERVAL = 80;
const KEEP_INTERVAL = 2000;
/** So near to the end, in pixels, the page follows the answer. */
const NEAR = 80;

export class Chat {
  /** @param {() => void} onOpen called when a conversation is shown */
  constructor(onOpen) {
    this.onOpen = onOpen;
    this.model = "Model";
    this.conversation = conversations.begin();
    this.views = [];
    /** Those that must not be kept again when their answer ends. */
    this.forgotten = new WeakSet();
    /** Ends the answer that is on its way; null when there is none. */
    this.abort = null;
    this.reader = new Reader(byID("spoken"));
    this.log = byID("messages");
    this.prompt = byID("prompt");
    this.actions = { copy: (text, node) => this.copy(text, node), regenerate: () => this.regenerate() };

    byID("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    byID("stop").addEventListener("click", () => this.stop());
    byID("new").addEventListener("click", () => this.open(conversations.begin()));
    byID("clear").addEventListener("click", () => this.clear());
    this.prompt.addEventListener("input", () => this.fit());
    this.prompt.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.send();
    });
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.abort) this.stop();
    });
    conversations.watch(() => this.showList());
    this.open(conversations.list()[0] ?? this.conversation, false);
  }

  /** The name under which answers are shown from now on. */
  setModel(name) {
    this.model = name;
  }

  open(conversation, takesFocus = true) {
    this.stop();
    this.conversation = conversation;
    this.views = conversation.messages.map((message) => new MessageView(message, message.model ?? this.model, this.actions));
    this.log.replaceChildren(...this.views.map(({ node }) => node));
    this.views.forEach((view, index) => view.finish(index === this.views.length - 1));
    this.showList();
    this.log.scrollTop = this.log.scrollHeight;
    this.onOpen();
    if (takesFocus) this.prompt.focus();
  }

  send() {
    const text = this.prompt.value.trim();
    if (!text) return;
    if (this.abort) return this.say("An answer is on its way. Escape stops it.");
    const parameters = settings.parameters();
    if (!parameters) return;
    this.prompt.value = "";
    this.fit();
    this.add({ role: "user", content: text });
    this.answer(parameters);
  }

  regenerate() {
    const parameters = settings.parameters();
    if (this.abort || !parameters) return;
    if (this.conversation.messages.at(-1)?.role === "assistant") {
      this.conversation.messages.pop();
      this.views.pop().node.remove();
    }
    this.prompt.focus();
    this.answer(parameters);
  }

  stop() {
    this.abort?.abort();
  }

  add(message) {
    this.views.at(-1)?.finish(false);
    this.conversation.messages.push(message);
    const view = new MessageView(message, this.model, this.actions);
    this.views.push(view);
    this.log.append(view.node);
    this.log.scrollTop = this.log.scrollHeight;
    setText(byID("greeting"), "");
    return view;
  }

  /** Asks for an answer to what was said and shows it until it ends, one way or another. */
  async answer(parameters) {
    const conversation = this.conversation;
    const said = conversation.messages.filter(({ content }) => content).map(({ role, content }) => ({ role, content }));
    const system = settings.systemPrompt();
    const messages = system ? [{ role: "system", content: system }, ...said] : said;
    const message = { role: "assistant", content: "", model: this.model };
    const view = this.add(message);
    const abort = new AbortController();
    this.abort = abort;
    this.showBusy(true);
    view.wait("Waiting for the first token…");
    this.say("The answer is on its way.");
    const drawing = this.draw(view, conversation);
    try {
      await this.receive(streamChat({ ...parameters, messages }, abort.signal), message);
    } catch (error) {
      if (abort.signal.aborted) message.end = "stopped";
      else this.fail(message, error);
    }
    clearInterval(drawing);
    this.abort = null;
    this.follow(() => {
      view.update();
      view.finish(view === this.views.at(-1));
    });
    this.showBusy(false);
    this.reader.end(message.content);
    this.say(message.error ?? (message.end === "stopped" ? "Stopped." : "The answer is complete."));
    this.keep(conversation);
  }

  /** Takes the stream's chunks into the message, with what they tell of the pace. */
  async receive(chunks, message) {
    const began = performance.now();
    let first;
    let last = began;
    for await (const { choices, usage } of chunks) {
      const choice = choices?.[0];
      if (choice?.delta?.content) {
        last = performance.now();
        first ??= last;
        message.content += choice.delta.content;
      }
      if (choice?.finish_reason) message.end = choice.finish_reason;
      if (usage) {
        const tokens = usage.completion_tokens;
        message.figures = {
          tokens,
          firstSeconds: first === undefined ? undefined : (first - began) / 1000,
          // What comes all at once says nothing of the pace.
          perSecond: last - first > 50 && tokens > 1 ? ((tokens - 1) * 1000) / (last - first) : undefined,
          cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
        };
      }
    }
  }

  fail(message, error) {
    message.end = "failed";
    // What is not the gateway's own word is the browser's: no connection.
    message.error = error instanceof GatewayError ? error.message : "The gateway cannot be reached. Is it still running?";
    if (error.status === 401 || error.status === 403) settings.askForKey();
  }

  draw(view, conversation) {
    let shown = "";
    let kept = performance.now();
    return setInterval(() => {
      const { content } = view.message;
      if (content === shown) return;
      shown = content;
      this.follow(() => {
        view.update();
        view.wait("Answering…");
      });
      this.reader.hear(content);
      if (performance.now() - kept < KEEP_INTERVAL) return;
      kept = performance.now();
      if (!this.forgotten.has(conversation)) conversations.keep(conversation);
    }, DRAW_INTERVAL);
  }

  /** Changes the log and stays at its end, unless the reader has scrolled away from it. */
  follow(change) {
    const isNear = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR;
    change();
    if (isNear) this.log.scrollTop = this.log.scrollHeight;
  }

  keep(conversation) {
    if (this.forgotten.has(conversation)) return;
    conversation.updated = Date.now();
    if (!conversations.keep(conversation)) this.say("This conversation is too long to be kept in the browser.");
    this.showList();
  }

  clear() {
    if (!confirm("Forget all conversations in this browser?")) return;
    conversations.clear();
    this.forgotten.add(this.conversation);
    this.open(conversations.begin());
    this.say("All conversations are forgotten.");
  }

  async copy(text, node) {
    try {
      await navigator.clipboard.writeText(text);
      this.say("Copied.");
    } catch {
      // Browsers give the clipboard to secure pages only.
      getSelection().selectAllChildren(node);
      this.say("Selected: press Ctrl-C to copy.");
    }
  }

  showBusy(isBusy) {
    const [send, stop] = [byID("send"), byID("stop")];
    const hadFocus = [send, stop].includes(document.activeElement);
    send.hidden = isBusy;
    stop.hidden = !isBusy;
    this.log.setAttribute("aria-busy", String(isBusy));
    if (hadFocus) this.prompt.focus();
  }

  showList() {
    const entries = conversations.list();
    const items = entries.map((entry) => {
      const name = conversations.title(entry);
      const isOpen = entry.id === this.conversation.id;
      return element(
        "li",
        {},
        element(
          "button",
          { type: "button", class: "entry", "aria-current": isOpen && "true", onclick: () => isOpen || this.open(entry) },
          name,
        ),
        element("button", { type: "button", class: "quiet", "aria-label": `Forget: ${name}`, onclick: () => this.forget(entry) }, "×"),
      );
    });
    byID("conversations").replaceChildren(...items);
    byID("clear").hidden = entries.length === 0;
    const isNew = this.conversation.messages.length === 0;
    setText(byID("greeting"), isNew ? "Ask something. What you say and hear stays in this browser." : "");
  }

  forget(entry) {
    conversations.remove(entry.id);
    if (entry.id === this.conversation.id) {
      this.forgotten.add(this.conversation);
      this.open(conversations.begin(), false);
    }
    this.showList();
    byID("new").focus();
  }

  /** The message field is as high as its text, within bounds that the style sets. */
  fit() {
    this.prompt.style.height = "auto";
    this.prompt.style.height = `${this.prompt.scrollHeight + 2}px`;
  }

  /** Tells everybody: on the page, and through the screen reader. */
  say(text) {
    setText(byID("announcement"), text);
  }
}
