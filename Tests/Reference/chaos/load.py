"""Streams through the HTTP API, and whether their answers are those of an undisturbed run."""

import http.client
import json
import random
import threading
import time
from dataclasses import dataclass, field

# A stream that is silent for longer is lost: everything that goes wrong here is to be mended long before.
SILENCE_SECONDS = 90

_QUESTIONS = [
    "What is the capital of France?", "What is 17 + 25?", "What is 81 - 46?", "What day comes after Monday?",
    "Which month comes before May?", "Write 47 in words.", "How many minutes are in 3 hours?", "Who are you?",
    "Ottawa is the capital of which country?", "What is the capital of Japan?",
]
_STORIES = ["Tell me a story.", "Tell me a story about a fox.", "Tell me a story about a girl and a boat.",
            "Once upon a time", "There was a small house"]


def requests(count=24):
    """Requests of several kinds: short and long, greedy and seeded, chats and completions, streamed or whole."""
    rng = random.Random(1)
    made = []
    for index in range(count):
        sampling = {"temperature": 0} if index % 2 else {"temperature": 1, "seed": rng.randrange(1 << 31), "top_p": 0.95}
        body = {"model": "demo", "stream": index % 6 != 5, **sampling}
        if index % 3 == 0:
            body |= {"messages": [{"role": "user", "content": rng.choice(_QUESTIONS)}], "max_tokens": 60}
            path = "/v1/chat/completions"
        elif index % 3 == 1:
            body |= {"messages": [{"role": "user", "content": rng.choice(_STORIES)}], "max_tokens": 440,
                     "ignore_eos": True}
            path = "/v1/chat/completions"
        else:
            # A long prompt, so that prefill is hit, too.
            prompt = " ".join(rng.choice(_QUESTIONS) for _ in range(rng.randrange(1, 16)))
            body |= {"prompt": prompt, "max_tokens": rng.randrange(40, 240), "ignore_eos": True}
            path = "/v1/completions"
        made.append((path, body))
    return made


@dataclass
class Answer:
    """What came back: its text, why it ended, and when its pieces came (seconds on the monotonic clock)."""

    request: int
    began: float
    text: str = ""
    finish: str = None
    problem: str = None  # "failed: ..." or "lost: ..."
    times: list = field(default_factory=list)

    @property
    def ended(self):
        return self.times[-1] if self.times else self.began

    def gaps(self):
        """(beginning, end) of every wait for a piece, the first from the request on."""
        times = [self.began, *self.times]
        return zip(times, times[1:])


def ask(address, index, request):
    """One request, to its end. Never throws what a server can cause."""
    path, body = request
    answer = Answer(index, time.monotonic())
    connection = http.client.HTTPConnection(*address, timeout=SILENCE_SECONDS)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            answer.problem = f"failed: HTTP {response.status} {response.read(400).decode(errors='replace')}"
        elif body["stream"]:
            _read_stream(response, answer)
        else:
            _take(json.load(response), answer)
    except (OSError, http.client.HTTPException) as error:
        answer.problem = f"lost: {type(error).__name__} {error} after {len(answer.times)} pieces"
    except (ValueError, KeyError, IndexError, TypeError) as error:
        answer.problem = f"failed: an answer that cannot be read: {type(error).__name__} {error}"
    finally:
        connection.close()
    return answer


def _take(message, answer):
    choice = message["choices"][0]
    part = choice.get("delta") or choice.get("message") or choice
    answer.text += part.get("content") or part.get("text") or ""
    answer.finish = choice.get("finish_reason") or answer.finish
    answer.times.append(time.monotonic())


def _read_stream(response, answer):
    for line in response:
        if not line.startswith(b"data: "):
            continue
        data = line[6:].strip()
        if data == b"[DONE]":
            return
        message = json.loads(data)
        if "error" in message:
            answer.problem = f"failed: {message['error'].get('message')}"
            return
        _take(message, answer)
    answer.problem = f"lost: the stream ended without [DONE] after {len(answer.times)} pieces"


class Load:
    """So many streams at once, one request after the other, until it is stopped."""

    def __init__(self, address, streams, seed, expected, long_only=False):
        self.address, self.expected = address, expected
        self.answers, self.wrong = [], []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._requests = requests()
        self._choices = [index for index, (_, body) in enumerate(self._requests)
                         if not long_only or body["stream"] and body["max_tokens"] >= 440]
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(f"{seed} {number}"),), daemon=True)
            for number in range(streams)
        ]

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        """Lets the running requests end."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, rng):
        while not self._over.is_set():
            index = rng.choice(self._choices)
            answer = ask(self.address, index, self._requests[index])
            expected = self.expected[index]
            with self._lock:
                self.answers.append(answer)
                if not answer.problem and (answer.text, answer.finish) != expected:
                    self.wrong.append((answer, expected))
            if answer.problem:
                # No storm of refused requests.
                self._over.wait(0.2)


def undisturbed(address, streams):
    """(text, finish reason) of every request, from a cluster that nothing happens to."""
    made = requests()
    answers = [None] * len(made)

    def run(start):
        for index in range(start, len(made), streams):
            answers[index] = ask(address, index, made[index])

    threads = [threading.Thread(target=run, args=(start,)) for start in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer in answers:
        if answer.problem:
            raise RuntimeError(f"the undisturbed run has no answer to request {answer.request}: {answer.problem}")
    return [(answer.text, answer.finish) for answer in answers]
