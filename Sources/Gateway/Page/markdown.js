// Markdown as models write it: a safe part of CommonMark with GitHub's tables. Builds nodes, never markup.

import { element } from "./dom.js";
import { inline } from "./inline.js";

const DEEPEST = 8;
const MOST_COLUMNS = 32;
const FENCE = /^( {0,3})(`{3,}|~{3,})([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*)$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?:[ \t]+(.*)|)$/;
const isBlank = (line) => line.trim() === "";
const isRule = (line) => /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/.test(line);
const indentation = (line) => line.length - line.trimStart().length;

/** Shows a text that grows: blocks that have not changed keep their nodes. */
export class MarkdownView {
  /** @param {(text: string, node: Node) => void} copy what the button of a code block does */
  constructor(container, copy) {
    this.container = container;
    this.copy = copy;
    this.shown = [];
  }

  update(text) {
    const blocks = parse(text.split("\n"), 0);
    let same = 0;
    while (same < blocks.length && this.shown[same]?.source === blocks[same].source) same += 1;
    const [old, grown] = [this.shown[same], blocks[same]];
    if (old && grown?.type === "code" && old.type === "code" && old.info === grown.info) {
      old.node.querySelector("code").textContent = grown.text;
      this.shown[same] = { ...grown, node: old.node };
      same += 1;
    }
    for (const block of this.shown.splice(same)) block.node.remove();
    for (const block of blocks.slice(same)) {
      const node = render(block, this.copy);
      this.container.append(node);
      this.shown.push({ ...block, node });
    }
  }
}

/** The blocks of a text, each with the lines that it came from as `source`. */
function parse(lines, depth) {
  const blocks = [];
  let index = 0;
  while (index < lines.length) {
    if (isBlank(lines[index])) {
      index += 1;
      continue;
    }
    const block = read(lines, index, depth);
    block.source = lines.slice(index, block.end).join("\n");
    index = block.end;
    blocks.push(block);
  }
  return blocks;
}

function read(lines, start, depth) {
  const line = lines[start];
  const fence = FENCE.exec(line);
  if (fence) return readCode(lines, start, fence);
  const heading = HEADING.exec(line);
  if (heading) {
    return { type: "heading", level: heading[1].length, text: heading[2].replace(/[ \t]#+[ \t]*$/, ""), end: start + 1 };
  }
  if (isRule(line)) return { type: "rule", end: start + 1 };
  if (depth < DEEPEST) {
    if (/^ {0,3}>/.test(line)) return readQuote(lines, start, depth);
    if (ITEM.test(line)) return readList(lines, start, depth);
  }
  return readTable(lines, start) ?? readParagraph(lines, start, depth);
}

function readCode(lines, start, [, indent, marks, info]) {
  const closing = (line) => {
    const text = line.trim();
    return indentation(line) < 4 && text.length >= marks.length && text === marks[0].repeat(text.length);
  };
  let end = start + 1;
  while (end < lines.length && !closing(lines[end])) end += 1;
  const inner = lines.slice(start + 1, end);
  const text = inner.map((line) => line.slice(Math.min(indent.length, indentation(line)))).join("\n");
  return { type: "code", info: info.trim().split(/\s/, 1)[0].slice(0, 32), text, end: Math.min(end + 1, lines.length) };
}

function readQuote(lines, start, depth) {
  let end = start;
  while (end < lines.length && /^ {0,3}>/.test(lines[end])) end += 1;
  const inner = lines.slice(start, end).map((line) => line.replace(/^ {0,3}> ?/, ""));
  return { type: "quote", blocks: parse(inner, depth + 1), end };
}

function readList(lines, start, depth) {
  const [, firstIndent, marker] = ITEM.exec(lines[start]);
  const base = firstIndent.length;
  const kind = marker.at(-1);
  const items = [];
  let end = start;
  let sawBlank = false;
  for (; end < lines.length; end += 1) {
    const line = lines[end];
    if (isBlank(line)) {
      sawBlank = true;
      items.at(-1).push("");
      continue;
    }
    const item = ITEM.exec(line);
    if (indentation(line) >= base + 2) {
      items.at(-1).push(line.slice(Math.min(indentation(line), items.at(-1).width)));
    } else if (item && item[2].at(-1) === kind && !isRule(line)) {
      items.push(Object.assign([item[3] ?? ""], { width: base + item[2].length + 1 }));
    } else if (sawBlank || item || beginsBlock(line)) {
      break;
    } else {
      items.at(-1).push(line);
    }
    sawBlank = false;
  }
  while (end > start + 1 && isBlank(lines[end - 1])) end -= 1;
  const number = Number.parseInt(marker, 10);
  return {
    type: "list",
    number: Number.isNaN(number) ? null : number,
    items: items.map((item) => parse(item, depth + 1)),
    end,
  };
}

function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  return inner.split(/(?<!\\)\|/, MOST_COLUMNS).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function readTable(lines, start) {
  if (!lines[start].includes("|") || !lines[start + 1]?.includes("-")) return null;
  const heads = cells(lines[start]);
  const rules = cells(lines[start + 1]);
  if (heads.length !== rules.length || !rules.every((rule) => /^:?-+:?$/.test(rule))) return null;
  let end = start + 2;
  while (end < lines.length && lines[end].includes("|")) end += 1;
  const sides = rules.map((rule) => (rule.endsWith(":") ? (rule.startsWith(":") ? "center" : "end") : null));
  const rows = lines.slice(start + 2, end).map((line) => cells(line).slice(0, heads.length));
  return { type: "table", heads, sides, rows, end };
}

const beginsBlock = (line) =>
  FENCE.test(line) || HEADING.test(line) || isRule(line) || /^ {0,3}>/.test(line) || /^ {0,3}(?:[-*+]|1[.)])[ \t]/.test(line);

function readParagraph(lines, start) {
  let end = start + 1;
  while (end < lines.length && !isBlank(lines[end]) && !beginsBlock(lines[end]) && !readTable(lines, end)) end += 1;
  return { type: "paragraph", text: lines.slice(start, end).map((line) => line.trim()).join("\n"), end };
}

function render(block, copy) {
  const all = (blocks) => blocks.map((inner) => render(inner, copy));
  switch (block.type) {
    case "code":
      return renderCode(block, copy);
    case "heading":
      // The page's own headings come first; an answer's lie below them.
      return element("p", { role: "heading", "aria-level": block.level + 3, class: `h${block.level}` }, ...inline(block.text));
    case "rule":
      return element("hr");
    case "quote":
      return element("blockquote", {}, ...all(block.blocks));
    case "list":
      return renderList(block, copy);
    case "table":
      return renderTable(block);
    default:
      return element("p", {}, ...inline(block.text));
  }
}

function renderList(block, copy) {
  const items = block.items.map((blocks) => {
    // "Tight" items: a lone paragraph needs no paragraph around it.
    const nodes = blocks.flatMap((inner, index) =>
      index === 0 && inner.type === "paragraph" ? inline(inner.text) : [render(inner, copy)],
    );
    return element("li", {}, ...nodes);
  });
  return block.number === null
    ? element("ul", {}, ...items)
    : element("ol", { start: block.number === 1 ? null : block.number }, ...items);
}

function renderCode(block, copy) {
  const code = element("code", {}, block.text);
  const label = block.info || "text";
  return element(
    "div",
    { class: "code" },
    element(
      "div",
      { class: "code-bar" },
      element("span", {}, label),
      element("button", { type: "button", class: "quiet", onclick: () => copy(code.textContent, code) }, "Copy code"),
    ),
    element("pre", { tabindex: 0, role: "group", "aria-label": `Code, ${label}` }, code),
  );
}

function renderTable({ heads, sides, rows }) {
  const cell = (name, text, column) => element(name, { class: sides[column] && `to-${sides[column]}` }, ...inline(text));
  const row = (name, texts) => element("tr", {}, ...texts.map((text, column) => cell(name, text, column)));
  return element(
    "div",
    { class: "table", tabindex: 0, role: "group", "aria-label": "Table" },
    element("table", {}, element("thead", {}, row("th", heads)), element("tbody", {}, ...rows.map((texts) => row("td", texts)))),
  );
}
