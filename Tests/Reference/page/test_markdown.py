"""Markdown as models write it becomes the elements that it should.

Needs a running gateway, any model: PHALANX_URL=http://127.0.0.1:8080 pytest test_markdown.py
"""

import pytest

# The text, and the elements in short: name(children), text in quotes; attributes that matter after a dot.
CASES = [
    ("plain", "p('plain')"),
    ("two\nlines", "p('two' br() 'lines')"),
    ("one\n\ntwo", "p('one') p('two')"),
    ("**bold** and *soft* and ***both***", "p(strong('bold') ' and ' em('soft') ' and ' em(strong('both')))"),
    ("snake_case_name and 2 * 3 * 4", "p('snake_case_name and 2 * 3 * 4')"),
    ("~~gone~~ ~kept~", "p(del('gone') ' ~kept~')"),
    ("`a*b*` ``x`y``", "p(code('a*b*') ' ' code('x`y'))"),
    ("\\*no\\*", "p('*no*')"),
    ("un**closed", "p('un**closed')"),
    ("## Head ##", "p.h2('Head')"),
    ("#nohead", "p('#nohead')"),
    ("- a\n- b", "ul(li('a') li('b'))"),
    ("1. a\n2. b", "ol(li('a') li('b'))"),
    ("3) a\n4) b", "ol.3(li('a') li('b'))"),
    ("1. a\n   - b\n   - c\n2. d", "ol(li('a' ul(li('b') li('c'))) li('d'))"),
    ("- a\n\n  more\n- b", "ul(li('a' p('more')) li('b'))"),
    ("1. a\n\n```\nx\n```", "ol(li('a')) div.code(text 'x')"),
    ("- a\n  ```py\n  x\n    y\n  ```\n- b", "ul(li('a' div.code(py 'x\n  y')) li('b'))"),
    ("text\n- a", "p('text') ul(li('a'))"),
    ("a year\n1984. That is.", "p('a year' br() '1984. That is.')"),
    ("> a\n> > b", "blockquote(p('a') blockquote(p('b')))"),
    ("---", "hr()"),
    ("```\n<b>\n\n*x*\n```\nafter", "div.code(text '<b>\n\n*x*') p('after')"),
    ("````\n```\n````", "div.code(text '```')"),
    ("~~~c\nunclosed", "div.code(c 'unclosed')"),
    ("| a | b |\n|---|--:|\n| 1 | `2` |\n| x \\| y |", "table(th('a') th.end('b') td('1') td.end(code('2')) td('x | y'))"),
    ("a | b\nno table", "p('a | b' br() 'no table')"),
    ("[x *y*](https://e.org/a_(b))", "p(a.https://e.org/a_(b)('x ' em('y')))"),
    ("(https://e.org/x_y).", "p('(' a.https://e.org/x_y('https://e.org/x_y') ').')"),
    ("![pic](https://e.org/p.png)", "p(a.https://e.org/p.png('Image: pic'))"),
    ("[no link]", "p('[no link]')"),
    ("日本**語**です", "p('日本' strong('語') 'です')"),
]

SHORTEN = """
const { MarkdownView } = await import("/page/markdown.js");
const quote = (text) => `'${text}'`;
const shorten = (node) => {
  if (node.nodeType === Node.TEXT_NODE) return quote(node.data);
  const all = (nodes) => [...nodes].map(shorten).join(" ");
  if (node.className === "code") return `div.code(${node.querySelector("span").textContent} ${quote(node.querySelector("code").textContent)})`;
  if (node.className === "table") return `table(${all(node.querySelectorAll("th, td"))})`;
  const extra = node.getAttribute("href") ?? node.getAttribute("start") ?? node.className.replace("to-", "");
  return `${node.localName}${extra ? "." + extra : ""}(${all(node.childNodes)})`;
};
const show = (pieces) => {
  const container = document.createElement("div");
  const view = new MarkdownView(container, () => {});
  for (const piece of pieces) view.update(piece);
  container.normalize();
  return [...container.childNodes].map(shorten).join(" ");
};
const whole = show([args[0]]);
// However the text arrives, the end is the same.
const growing = show([...args[0]].map((_, index, all) => all.slice(0, index + 1).join("")));
if (growing !== whole) throw new Error(`whole ${whole}, growing ${growing}`);
return whole;
"""


@pytest.mark.parametrize("text, expected", CASES)
def test_markdown_becomes_elements(loaded_page, text, expected):
    assert loaded_page.later(SHORTEN, text) == expected


@pytest.mark.parametrize("text", [
    "*" * 30_000, "[" * 30_000, "`" * 15_000 + " " + "``" * 5_000, "> " * 5_000, "- " * 5_000 + "x",
    "\n".join("  " * depth + "- x" for depth in range(500)), "|" * 10_000 + "\n" + "|-" * 10_000, "**a " * 8_000,
    "#" * 30_000, "1. " * 9_000, "https://" * 4_000, "~~~\n" * 5_000, "_a_" * 9_000, "\\" * 30_000, "<" * 30_000,
    "[a](" * 8_000, "| a |\n| - |\n" * 4_000, "a\n" * 15_000,
])
def test_no_markdown_hangs_the_page(loaded_page, text):
    """A parser that takes quadratic time (or worse) runs into the driver's deadline."""
    shown = loaded_page.later("""
      const { MarkdownView } = await import("/page/markdown.js");
      const container = document.createElement("div");
      new MarkdownView(container, () => {}).update(args[0]);
      return container.children.length;
    """, text)
    assert shown > 0
