"""The talk on the web page: streaming, stopping, asking again, parameters, keys, what is kept.

Needs a running gateway, any model: PHALANX_URL=http://127.0.0.1:8080 pytest test_chat.py
"""

import json
import time

from selenium.webdriver.common.keys import Keys


def test_a_real_model_answers(real_page):
    real_page.ask("What is the capital of France?")
    assert real_page.finished(60)
    assert "token" in real_page.find(".answer .foot").text
    assert real_page.find(".answer h3").text == real_page.text("model-name")


def test_an_answer_is_shown_while_it_comes(page, toy):
    toy.pieces, toy.pause = [f"word{number} " for number in range(40)], 0.05
    page.ask("Count.")
    page.wait(lambda: "word3" in page.answers()[-1])
    assert page.is_busy() and "word39" not in page.answers()[-1]
    assert page.finished().endswith("word39")
    assert "40 tokens" in page.find(".answer .foot").text


def test_stop_ends_the_answer_and_the_computation(page, toy):
    toy.pieces, toy.pause = ["word "] * 1000, 0.02
    page.ask("Talk.")
    page.wait(lambda: page.answers() and "word" in page.answers()[-1])
    page.find("#stop").click()
    kept = page.finished()
    assert kept.startswith("word") and "stopped" in page.find(".answer .foot").text
    page.wait(lambda: toy.abandoned == 1)
    # The next question goes on from what was kept.
    toy.pieces, toy.pause = ["Well."], 0
    page.ask("And now?")
    page.wait(lambda: len(page.answers()) == 2)
    assert page.finished() == "Well."
    sent = toy.requests[-1]["body"]["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"].startswith("word")


def test_escape_stops_too(page, toy):
    toy.pieces, toy.pause = ["word "] * 1000, 0.02
    page.ask("Talk.")
    page.wait(lambda: page.answers() and "word" in page.answers()[-1])
    page.press(Keys.ESCAPE)
    assert page.finished()
    page.wait(lambda: toy.abandoned == 1)


def test_regenerate_asks_the_same_again(page, toy):
    page.ask("Hello?")
    assert page.finished() == "Hello there."
    toy.pieces = ["Another."]
    page.find(".foot .actions :last-child").click()
    page.wait(lambda: page.answers() == ["Another."])
    page.finished()
    first, second = (request["body"] for request in toy.requests)
    assert first == second and len(second["messages"]) == 1


def test_parameters_are_sent_as_they_are_set(page, toy):
    page.find("#parameters summary").click()
    values = {"temperature": "0.5", "top-p": "0.9", "max-tokens": "77", "seed": "-3", "system-prompt": "Be brief."}
    for name, value in values.items():
        page.find("#" + name).send_keys(value)
    page.ask("Hi")
    page.finished()
    body = toy.requests[-1]["body"]
    assert (body["temperature"], body["top_p"], body["max_tokens"], body["seed"]) == (0.5, 0.9, 77, -3)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    # They stay, and unset ones leave the choice to the gateway.
    page.load()
    assert page.find("#temperature").get_attribute("value") == "0.5"
    page.find("#parameters summary").click()
    page.find("#reset-parameters").click()
    page.ask("Hi again")
    page.wait(lambda: len(toy.requests) == 2)
    assert not {"temperature", "top_p", "max_tokens", "seed"} & toy.requests[-1]["body"].keys()


def test_a_wrong_parameter_is_not_sent(page, toy):
    page.find("#parameters summary").click()
    page.find("#temperature").send_keys("7")
    page.ask("Hi")
    assert page.script("return document.activeElement.id") == "temperature"
    assert toy.requests == [] and page.find("#prompt").get_attribute("value") == "Hi"


def test_a_refusal_is_shown_and_can_be_tried_again(page, toy):
    toy.refusal = (429, "Too many requests are waiting; try again in a second.")
    page.ask("Hi")
    page.finished()
    assert "Too many requests" in page.find(".answer .error").text
    toy.refusal = None
    page.find(".foot .actions :last-child").click()
    page.wait(lambda: page.answers() == ["Hello there."])


def test_a_key_that_is_asked_for_is_sent_and_forgotten_with_the_tab(page, toy):
    toy.refusal = (401, "This gateway needs an API key.")
    page.ask("Hi")
    page.wait(lambda: page.script("return document.activeElement.id") == "api-key")
    page.press("secret")
    toy.refusal = None
    page.ask("Hi again")
    page.wait(lambda: len(toy.requests) == 2 and not page.is_busy())
    assert toy.requests[-1]["key"] == "Bearer secret"
    assert "secret" not in page.script("return JSON.stringify(localStorage)")


def test_conversations_are_kept_in_the_browser_until_they_are_cleared(page, toy):
    page.ask("First question")
    page.finished()
    page.find("#new").click()
    assert page.answers() == []
    page.ask("Second question")
    page.finished()
    page.load()
    titles = [entry.text for entry in page.all(".entry")]
    assert titles == ["Second question", "First question"]
    page.all(".entry")[1].click()
    assert page.find(".question .body").text == "First question"
    page.find("#clear").click()
    page.driver.switch_to.alert.accept()
    page.wait(lambda: page.all(".entry") == [] and page.answers() == [])
    assert not [key for key in page.script("return Object.keys(localStorage)") if "conversation" in key]


def test_no_more_than_fifty_conversations_are_kept(page, toy):
    page.script("""
      for (let number = 0; number < 60; number += 1) localStorage.setItem(`phalanx.conversation.c${number}`,
        JSON.stringify({ id: `c${number}`, updated: number, messages: [{ role: "user", content: `Talk ${number}` }] }));
      localStorage.setItem("phalanx.conversation.bad", "{ no JSON");
    """)
    page.load()
    page.find("#new").click()
    page.ask("The newest")
    page.finished()
    page.wait(lambda: len(page.all(".entry")) == 50)
    assert [entry.text for entry in page.all(".entry")][:2] == ["The newest", "Talk 59"]


def test_a_screen_reader_hears_sentences_not_tokens(page, toy):
    page.script("""
      window.spoken = [];
      new MutationObserver((records) => records.forEach((record) =>
        record.addedNodes.forEach((node) => spoken.push(node.textContent)))).observe(
          document.getElementById("spoken"), { childList: true });
    """)
    toy.pieces, toy.pause = [word + " " for word in ("This is one sentence. " * 12).split()], 0.08
    page.ask("Talk.")
    text = page.finished()
    page.wait(lambda: "".join(page.script("return spoken")).count("sentence") == 12)
    spoken = page.script("return spoken")
    assert len(spoken) < 8 and all(part.endswith(".") for part in spoken), json.dumps(spoken)
    assert text.count("sentence") == 12


def test_the_page_follows_the_answer_unless_the_reader_scrolled_away(page, toy):
    toy.pieces, toy.pause = [f"Line {number}.\n\n" for number in range(120)], 0.02
    page.ask("Talk.")
    at_end = "const log = document.getElementById('messages'); return log.scrollHeight - log.scrollTop - log.clientHeight < 90"
    page.wait(lambda: "Line 40." in page.answers()[-1])
    assert page.script(at_end)
    page.script("document.getElementById('messages').scrollTop = 0")
    time.sleep(0.5)
    assert page.script("return document.getElementById('messages').scrollTop") == 0
    page.finished()
