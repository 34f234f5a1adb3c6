"""What a hostile model, worker or server may say, and that none of it runs or loads anything.

Needs a running gateway, any model: PHALANX_URL=http://127.0.0.1:8080 pytest test_hostile.py
"""

import time

from toy import status, worker

MARKUP = [
    "<img src=x onerror=\"window.pwned=1\">",
    "<script>window.pwned=1</script>",
    "<svg onload=window.pwned=1><a xlink:href=\"javascript:window.pwned=1\"><text>x</text></a></svg>",
    "<iframe srcdoc=\"<script>parent.pwned=1</script>\"></iframe>",
    "<style>@import url(https://evil.example/x.css);</style>",
    "![x](https://evil.example/pixel.png) ![y](x\" onerror=\"window.pwned=1)",
    "<form action=https://evil.example><button>Send</button></form>",
    "</li></ol><h1>Not ours</h1>",
]
LINKS = [
    "[a](javascript:window.pwned=1)", "[b](JaVaScRiPt:window.pwned=1)", "[c](java\nscript:window.pwned=1)",
    "[d](data:text/html,<script>window.pwned=1</script>)", "[e](vbscript:x)", "[f](file:///etc/passwd)",
    "[g](//evil.example)", "[h](https://bank.example@evil.example/)", "<javascript:window.pwned=1>",
    "[i](&#106;avascript:window.pwned=1)", "[j](\\javascript:window.pwned=1)", "[k](http:evil.example)",
]
GOOD_LINKS = ["[ok](https://example.org/a?b=c#d)", "<https://example.org/bracketed>", "see https://example.org/bare."]


def answer(page, toy, text):
    # In pieces that cut markup in two.
    toy.pieces, toy.pause = [text[start:start + 7] for start in range(0, len(text), 7)], 0
    page.ask("Be bad.")
    page.finished()


def run_everything(page):
    """Clicks whatever can be clicked in the answer, links aside."""
    for button in page.all(".answer .body button"):
        button.click()
    time.sleep(0.3)
    assert page.script("return window.pwned") == 0


def test_markup_of_an_answer_is_text(page, toy):
    answer(page, toy, "\n\n".join(MARKUP + [f"* {line}" for line in MARKUP] + [f"> {line}" for line in MARKUP]))
    tags = page.script("return [...document.querySelectorAll('.answer .body *')].map((node) => node.localName)")
    assert not set(tags) & {"img", "script", "svg", "iframe", "style", "form", "input", "object", "embed", "link", "h1"}
    assert "<script>window.pwned=1</script>" in page.answers()[-1]
    run_everything(page)


def test_no_attribute_of_an_answer_listens(page, toy):
    answer(page, toy, "\n\n".join(MARKUP + LINKS + GOOD_LINKS + ["```js\" onclick=\"x\n" + MARKUP[0] + "\n```"]))
    names = page.script("""
      return [...new Set([...document.querySelectorAll('.answer .body *')].flatMap((node) => node.getAttributeNames()))]
    """)
    allowed = {"href", "title", "target", "rel", "class", "role", "aria-level", "aria-label", "tabindex", "start", "type"}
    assert set(names) <= allowed


def test_only_web_addresses_become_links(page, toy):
    answer(page, toy, "\n\n".join(LINKS + GOOD_LINKS))
    links = page.script("""
      return [...document.querySelectorAll('.answer .body a')].map((a) => [a.href, a.rel, a.target])
    """)
    addresses = [address for address, _, _ in links]
    assert addresses == ["https://example.org/a?b=c#d", "https://example.org/bracketed", "https://example.org/bare"]
    assert all("noopener" in rel and "noreferrer" in rel and target == "_blank" for _, rel, target in links)
    run_everything(page)


def test_what_the_user_types_and_reloads_is_text(page, toy):
    page.ask(MARKUP[0] + MARKUP[1])
    page.finished()
    page.load()
    assert page.all("#messages img, #conversations img") == []
    assert page.find(".question .body").text == MARKUP[0] + MARKUP[1]
    assert page.script("return window.pwned") == 0


def test_names_and_reasons_of_a_cluster_are_text(page, toy):
    bad = MARKUP[0]
    toy.status = status([worker(bad, 0, 8, state="failed", detail=bad, address=bad)], state="waiting", reason=bad)
    toy.status["model"]["id"] = bad
    toy.status[bad] = bad
    page.wait(lambda: page.text("model-name") == bad)
    assert page.find(".worker h4").text == bad
    page.wait(lambda: bad in page.text("events"))
    assert page.all("#cluster img, .top .served img") == []
    assert page.script("return window.pwned") == 0


def test_a_refusal_is_text(page, toy):
    toy.refusal = (400, MARKUP[0])
    page.ask("Hi")
    page.finished()
    assert page.find(".answer .error").text == MARKUP[0]


def test_the_policy_stops_what_a_script_would_try(page):
    """The second line of defence, were the first to fail."""
    page.later("""
      const add = (name, set) => { const node = document.createElement(name); set(node); document.body.append(node); };
      add('script', (node) => { node.append('window.pwned = 1'); });
      add('img', (node) => { node.src = 'https://evil.example/pixel.png'; });
      add('iframe', (node) => { node.src = 'https://evil.example/'; });
      try { document.body.insertAdjacentHTML('beforeend', '<b>x</b>'); window.pwned = 2; } catch {}
      try { await fetch('https://evil.example/'); window.pwned = 3; } catch {}
      await new Promise((resolve) => setTimeout(resolve, 200));
    """)
    assert page.script("return window.pwned") == 0
    stopped = " ".join(page.complaints())
    for directive in ("img-src", "connect-src", "frame-src", "require-trusted-types-for"):
        assert directive in stopped
    page.script("violations.length = 0")
