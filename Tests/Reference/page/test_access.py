"""The page without a mouse, without sight, with either theme, and on small screens.

Needs a running gateway, any model: PHALANX_URL=http://127.0.0.1:8080 pytest test_access.py
"""

import pytest
from selenium.webdriver.common.keys import Keys

from toy import status, worker

ANSWER = "# Head\n\nText with `code` and [a link](https://example.org/).\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> quote\n\n```\nx\n```"
STATES = [
    worker("worker-0", 0, 3), worker("worker-1", 3, 5, state="lost", detail="no heartbeat"),
    worker("worker-2", 5, 7, state="loading", loadedFraction=0.4, load={"activity": "packing"}),
    worker("spare", None, None),
]

CONTRAST = """
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgba = (color) => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const light = ([r, g, b]) => {
  const linear = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
};
const ground = (node) => {
  for (let at = node; at; at = at.parentElement) {
    const style = getComputedStyle(at);
    const color = rgba(style.backgroundColor);
    if (color[3] === 255) return color;
  }
  return [255, 255, 255, 255];
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !node.checkVisibility({ visibilityProperty: true })) continue;
  const style = getComputedStyle(node);
  const [a, b] = [light(rgba(style.color)), light(ground(node))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  const size = parseFloat(style.fontSize);
  const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  if (ratio < (isLarge ? 3 : 4.5)) found.push(`${node.localName}.${node.className} "${node.textContent.slice(0, 30)}" ${ratio.toFixed(2)}`);
}
for (const node of document.querySelectorAll("input, textarea, select, button:not(.quiet):not(.entry)")) {
  if (!node.checkVisibility()) continue;
  const style = getComputedStyle(node);
  const [a, b] = [light(rgba(style.borderTopColor)), light(ground(node.parentElement))].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 3) found.push(`edge of ${node.id || node.textContent} ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
}
return found;
"""

STRUCTURE = """
const found = [];
const seen = new Set();
for (const { id } of document.querySelectorAll("[id]")) {
  if (seen.has(id)) found.push(`two of #${id}`);
  seen.add(id);
}
for (const node of document.querySelectorAll("[aria-labelledby], [aria-describedby], label[for], [aria-controls]")) {
  for (const name of ["aria-labelledby", "aria-describedby", "for", "aria-controls"]) {
    for (const id of (node.getAttribute(name) ?? "").split(/\\s+/).filter(Boolean)) if (!seen.has(id)) found.push(`no #${id}`);
  }
}
const levels = [...document.querySelectorAll("h1, h2, h3, h4, [role=heading]")]
  .map((node) => Number(node.getAttribute("aria-level") ?? node.localName[1]));
if (levels.filter((level) => level === 1).length !== 1) found.push("not one h1");
levels.reduce((before, level) => { if (level > before + 1) found.push(`heading ${level} below ${before}`); return level; }, 0);
if (document.querySelectorAll("main").length !== 1) found.push("not one main");
if (document.documentElement.lang !== "en" || !document.title) found.push("no language or title");
for (const node of document.querySelectorAll("[tabindex]")) if (node.tabIndex > 0) found.push("tab order by number");
for (const node of document.querySelectorAll("ol, ul")) {
  if ([...node.children].some((child) => child.localName !== "li")) found.push(`list with a ${node.firstElementChild.localName}`);
}
for (const node of document.querySelectorAll("img")) if (!node.hasAttribute("alt")) found.push("image without alt");
return found;
"""


def talk(page, toy):
    toy.status = status(STATES, state="loading", reason="worker-1 was lost", plan=2, freePageCount=12)
    toy.pieces = [ANSWER]
    page.find("#parameters summary").click()
    page.find("#cluster details summary").click()
    page.ask("Show me everything")
    page.finished()
    page.wait(lambda: page.text("cluster-state") == "loading")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_is_enough(page, toy, theme):
    page.media(prefers_color_scheme=theme, prefers_reduced_motion="reduce")
    talk(page, toy)
    assert page.script(CONTRAST) == []
    toy.refusal = (500, "It failed.")
    page.ask("And an error?")
    page.wait(lambda: "It failed." in page.find("#messages").text)
    assert page.script(CONTRAST) == []


def test_the_structure_is_sound(page, toy):
    assert page.script(STRUCTURE) == []
    talk(page, toy)
    assert page.script(STRUCTURE) == []


def test_everything_that_can_be_used_has_a_name(page, toy):
    talk(page, toy)
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    used = {"button", "textbox", "spinbutton", "combobox", "link", "img", "image", "list", "log", "group", "region",
            "navigation", "complementary", "main", "form", "DisclosureTriangle"}
    nameless = [
        node["role"]["value"] for node in tree
        if not node["ignored"] and node["role"]["value"] in used - {"list", "group"}
        and not node.get("name", {}).get("value")
    ]
    assert nameless == []
    names = {node["name"]["value"] for node in tree if node.get("name", {}).get("value")}
    assert {"Send", "Message", "Temperature", "Seed", "System prompt", "API key", "Theme", "Messages"} <= names
    assert any("held by nobody" in name or "worker-1, lost" in name for name in names)


def test_only_sentences_and_events_are_live(page):
    """Figures that change every second must not be read out."""
    live = page.script("""
      return [...document.querySelectorAll("[aria-live], [role=status], [role=log], [role=alert]")].map((node) => node.id)
    """)
    assert sorted(live) == ["announcement", "events", "spoken"]


def test_the_keyboard_reaches_everything_in_reading_order_and_shows_where_it_is(page, toy):
    talk(page, toy)
    page.script("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
    everything = page.script("""
      return [...document.querySelectorAll("a, button, input, select, textarea, summary, [tabindex='0']")]
        .filter((node) => node.checkVisibility()).length
    """)
    page.press(Keys.TAB)
    assert page.script("return document.activeElement.className") == "skip"
    order = []
    for _ in range(everything + 5):
        order.append(page.script("""
          const node = document.activeElement;
          const style = getComputedStyle(node);
          const rank = [...document.querySelectorAll("*")].indexOf(node);
          return [rank, node === document.body || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2)];
        """))
        page.press(Keys.TAB)
        if page.script("return document.activeElement === document.body || document.activeElement.className === 'skip'"):
            break
    ranks = [rank for rank, _ in order]
    assert ranks == sorted(ranks) and len(set(ranks)) == everything
    assert all(is_seen for _, is_seen in order)


def test_a_talk_by_keyboard_alone(page, toy):
    # The message field has the focus when the page is there.
    assert page.script("return document.activeElement.id") == "prompt"
    page.press("First line", Keys.SHIFT, Keys.ENTER, Keys.NULL)
    page.press("second line", Keys.ENTER)
    assert page.finished() == "Hello there."
    assert toy.requests[0]["body"]["messages"][0]["content"] == "First line\nsecond line"
    # Stop by its button, then ask again by "Regenerate"; the focus never gets lost.
    toy.pieces, toy.pause = ["word "] * 1000, 0.02
    page.press("Talk", Keys.ENTER)
    page.wait(lambda: page.is_busy() and page.answers()[-1].startswith("word"))
    page.press(Keys.TAB)
    assert page.script("return document.activeElement.id") == "stop"
    page.press(Keys.ENTER)
    page.wait(lambda: not page.is_busy())
    assert page.script("return document.activeElement.id") == "prompt"
    toy.pieces, toy.pause = ["Short."], 0
    page.script("[...document.querySelectorAll('.foot button')].at(-1).focus()")
    page.press(Keys.SPACE)
    page.wait(lambda: page.answers()[-1] == "Short." and not page.is_busy())
    assert page.script("return document.activeElement.id") == "prompt"


def test_the_theme_follows_the_system_until_one_is_chosen(page):
    ground = "return getComputedStyle(document.body).backgroundColor"
    page.media(prefers_color_scheme="light")
    light = page.script(ground)
    page.media(prefers_color_scheme="dark")
    dark = page.script(ground)
    assert light != dark
    page.find("#theme").send_keys("Light")
    assert page.script(ground) == light
    page.load()
    assert page.script(ground) == light and page.find("#theme").get_attribute("value") == "light"
    page.find("#theme").send_keys("System")
    assert page.script(ground) == dark


def test_nothing_moves_for_those_who_asked_for_that(page, toy):
    page.media(prefers_reduced_motion="reduce")
    toy.pieces, toy.pause = ["word "] * 1000, 0.02
    page.ask("Talk")
    page.wait(lambda: page.is_busy() and page.answers())
    assert page.script("return document.getAnimations().length") == 0
    moving = page.script("""
      return [...document.querySelectorAll("*")].filter((node) => parseFloat(getComputedStyle(node).transitionDuration) > 0).length
    """)
    assert moving == 0
    page.press(Keys.ESCAPE)
    page.finished()


@pytest.mark.parametrize("width", [320, 390, 820, 1000, 1181, 2400])
def test_every_width_shows_the_parts_without_scrolling_sideways(page, toy, width):
    talk(page, toy)
    page.size(width, 760)
    parts = {"chat", "history", "cluster"}
    for view in parts:
        buttons = [button for button in page.all(f"[data-show={view}]") if button.is_displayed()]
        for button in buttons:
            button.click()
        shown = {part for part in parts if page.find("#" + part).is_displayed()}
        assert view in shown, (width, view, shown)
        assert len(shown) == (1 if width <= 820 else 2 if width <= 1180 else 3)
        assert page.script("return document.documentElement.scrollWidth <= innerWidth"), (width, view)
        assert page.script("""
          return [...document.querySelectorAll("button, input, select, textarea")].filter((node) => {
            const box = node.getBoundingClientRect();
            return box.width > 0 && (box.left < 0 || box.right > innerWidth || box.height < 24);
          }).map((node) => node.id || node.textContent);
        """) == [], (width, view)
