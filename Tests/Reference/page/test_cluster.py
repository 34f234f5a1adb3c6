"""The live picture of the cluster.

Needs a running gateway of at least two workers on this machine, one of which dies in the last test:
PHALANX_URL=http://127.0.0.1:8080 pytest test_cluster.py
"""

import json
import os
import signal
import urllib.request

from toy import status, worker

from conftest import GATEWAY


def cards(page):
    """The text of each worker's card, by the worker's name; taken at once, since the page changes all the time."""
    return page.script("""
      return Object.fromEntries([...document.querySelectorAll(".worker")].map((card) =>
        [card.querySelector("h4").innerText, card.innerText]))
    """)


def segments(page):
    return page.script("return [...document.querySelectorAll('.segment')].map((n) => [n.textContent, n.dataset.state])")


def test_workers_and_their_layers_are_shown(page):
    page.wait(lambda: len(cards(page)) == 2)
    text = cards(page)["worker-1"]
    for expected in ("ready", "layers 4–7 of 8", "2 threads", "pid 4242", "62%", "11%", "120.5", "3.0 GiB of 8.0 GiB"):
        assert expected in text.replace("121", "120.5"), text
    assert segments(page) == [["worker-0", "ready"], ["worker-1", "ready"]]
    assert page.find(".strip-bar").get_attribute("aria-label") == "layers 0–3: worker-0, ready; layers 4–7: worker-1, ready"


def test_a_failure_and_the_recovery_are_told_as_they_happen(page, toy):
    page.wait(lambda: len(cards(page)) == 2)
    assert page.find("#no-events").is_displayed()
    toy.status = status(
        [worker("worker-0", 0, 4), worker("worker-1", 4, 8, state="lost", detail="no heartbeat for 3 s")],
        state="waiting", reason="too little memory")
    page.wait(lambda: "lost" in cards(page)["worker-1"])
    assert page.text("cluster-state") == "waiting" and page.text("cluster-reason") == "too little memory"
    assert segments(page)[1] == ["worker-1", "lost"]
    toy.status = status([worker("worker-0", 0, 4), worker("worker-2", 4, 8, state="loading", loadedFraction=0.25)],
                        state="loading", plan=2)
    page.wait(lambda: "loading 25%" in cards(page).get("worker-2", ""))
    toy.status = status([worker("worker-0", 0, 4), worker("worker-2", 4, 8)], plan=2)
    page.wait(lambda: page.text("cluster-state") == "ready")
    events = [entry.text.split("\n", 1)[-1] for entry in page.all("#events li")][::-1]
    told = " | ".join(events)
    steps = ["worker-1 was lost; it held layers 4–7", "worker-1: no heartbeat for 3 s", "does not serve: too little memory",
             "worker-2 joined", "worker-2 loads layers 4–7", "placed anew (plan 2)", "worker-2 serves layers 4–7",
             "the cluster serves"]
    positions = [told.find(step) for step in steps]
    assert -1 not in positions and positions == sorted(positions), told


def test_layers_that_nobody_holds_are_shown_as_such(page, toy):
    toy.status = status([worker("worker-1", 2, 6)], state="waiting", reason="two workers are missing")
    page.wait(lambda: len(cards(page)) == 1)
    assert segments(page) == [["nobody", "missing"], ["worker-1", "ready"], ["nobody", "missing"]]


def test_replicas_have_a_row_each(page, toy):
    toy.status = status([worker("a", 0, 4, replica=0), worker("b", 4, 8, replica=0), worker("c", 0, 8, replica=1)])
    page.wait(lambda: len(page.all(".strip")) == 2)
    assert [name.text for name in page.all(".strip-name")] == ["Replica 0", "Replica 1"]


def test_speed_is_what_was_generated_since_the_last_looks(page, toy):
    page.wait(lambda: page.text("pace-value") == "0.0")
    toy.status = dict(toy.status, generatedTokenCount=toy.status["generatedTokenCount"] + 500)
    page.wait(lambda: float(page.text("pace-value").replace(",", "")) > 50)


def test_figures_of_a_newer_gateway_are_shown(page, toy):
    toy.status = status([worker("worker-0", 0, 8, stepMilliseconds=12.34)], preemptionCount=7, freePageCount=1234,
                        pages={"usedFraction": 0.5, "reservedByteCount": 3 << 20}, notes=["x"], odd=None)
    page.find("#cluster details summary").click()
    page.wait(lambda: "preemption" in page.text("others"))
    text = page.find("#others").text
    for expected in ("preemption\n7", "free pages\n1,234", "pages used\n50%", "pages reserved\n3.0 MiB"):
        assert expected in text, text
    assert "12.3 ms" in cards(page)["worker-0"]


def test_a_gateway_that_goes_is_told_and_found_again(page, toy):
    page.wait(lambda: len(cards(page)) == 2)
    good, toy.status = toy.status, {"error": "not a status"}
    page.wait(lambda: page.text("cluster-state") == "no answer")
    assert len(cards(page)) == 2
    toy.status = good
    page.wait(lambda: page.text("cluster-state") == "ready")
    assert "answers again" in page.text("events")


def test_the_death_of_a_real_worker_changes_the_picture(real_page):
    """The last test: it kills a worker of the running cluster."""
    real_page.wait(lambda: real_page.text("cluster-state") == "ready")
    with urllib.request.urlopen(GATEWAY + "/status") as answer:
        workers = json.load(answer)["workers"]
    assert set(cards(real_page)) == {worker["id"] for worker in workers}
    victim = workers[-1]
    os.kill(victim["processID"], signal.SIGKILL)
    real_page.wait(lambda: victim["id"] in real_page.text("events"), 60)
    real_page.wait(lambda: f"{victim['id']} ready" not in cards(real_page).get(victim["id"], "").replace("\n", " "), 60)
    # The others take over and answer.
    real_page.wait(lambda: real_page.text("cluster-state") == "ready", 60)
    held = sum(worker["layers"]["end"] - worker["layers"]["first"] for worker in
               json.load(urllib.request.urlopen(GATEWAY + "/status"))["workers"]
               if worker.get("layers") and worker["state"] == "ready")
    assert held == json.load(urllib.request.urlopen(GATEWAY + "/status"))["model"]["layerCount"]
    real_page.ask("What is the capital of Italy?")
    assert real_page.finished(60)
