"""Measures the exported model on questions whose phrasing (and sums) it never saw in training.

`python evaluate.py --model demo.gguf` runs the file's quantised weights here; `--url http://127.0.0.1:8080/v1` asks a
running server instead, over OpenAI's API. Greedy; an answer counts only if the whole text is right. A quarter of the
questions come in lower case without a mark at the end, a quarter after a word of greeting.
"""

import argparse
import json
import random
import urllib.request

import corpus
import questions
import stories


def asked(r, category):
    """A held-out question of the category as somebody might type it, and its answer."""
    question, answer = questions.CLOSED[category](r, True)
    form = r.random()
    if form < 0.25:
        question = question.lower().rstrip("?.")
    elif form < 0.5:
        question = r.choice(["Hello! ", "Hi! ", "Hey! "]) + question
    return question, answer


def open_questions(r, count):
    """Wishes without one right answer: unknown things, and stories."""
    unknown = [corpus.questions.CAPITAL[0].format(c=corpus.made_up_name(r)) for _ in range(count)]
    wishes = [f"I would love to hear a story about {stories.article(h)}." for h in r.sample(stories.HEROES, 20)]
    return unknown, wishes


class Local:
    def __init__(self, path):
        import torch
        import quantised
        torch.set_num_threads(2)
        self.quantised = quantised
        self.model, self.tokenizer, _ = quantised.load(path)

    def ask(self, texts, limit):
        replies = []
        for start in range(0, len(texts), 64):
            prompts = [self.tokenizer.prompt([("user", t)]) for t in texts[start:start + 64]]
            ids, stopped = self.quantised.generate(self.model, self.tokenizer, prompts, limit)
            replies += [(self.tokenizer.decode(i), "stop" if s else "length") for i, s in zip(ids, stopped)]
        return replies


class Remote:
    def __init__(self, url, model):
        self.url, self.model = url.rstrip("/"), model
        if not model:
            with urllib.request.urlopen(self.url + "/models", timeout=60) as response:
                self.model = json.load(response)["data"][0]["id"]

    def ask(self, texts, limit):
        replies = []
        for text in texts:
            body = {"model": self.model, "messages": [{"role": "user", "content": text}], "max_tokens": limit,
                    "temperature": 0}
            request = urllib.request.Request(self.url + "/chat/completions", json.dumps(body).encode(),
                                             {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=120) as response:
                choice = json.load(response)["choices"][0]
            replies.append((choice["message"]["content"], choice["finish_reason"]))
        return replies


def main():
    parser = argparse.ArgumentParser()
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--model", help="the GGUF file")
    where.add_argument("--url", help="the base of an OpenAI API, with /v1")
    parser.add_argument("--name", help="the model's name at --url, else the first one there")
    parser.add_argument("--count", type=int, default=200, help="questions per category")
    parser.add_argument("--seed", type=int, default=2024)
    parser.add_argument("--errors", type=int, default=3, help="wrong answers to print per category")
    parser.add_argument("--json", help="write the figures here")
    options = parser.parse_args()
    engine = Local(options.model) if options.model else Remote(options.url, options.name)

    figures, total, right_total = {}, 0, 0
    for category in questions.CLOSED:
        r = random.Random(f"{options.seed} {category}")
        pairs = [asked(r, category) for _ in range(options.count)]
        replies = engine.ask([q for q, _ in pairs], 48)
        right = [reply == (answer, "stop") for reply, (_, answer) in zip(replies, pairs)]
        figures[category] = sum(right) / len(right)
        total, right_total = total + len(right), right_total + sum(right)
        print(f"{category:20} {100 * figures[category]:6.1f} %", flush=True)
        wrong = [(q, a, reply) for (q, a), reply, ok in zip(pairs, replies, right) if not ok]
        for q, a, (text, reason) in wrong[:options.errors]:
            print(f"    {q!r}: {text!r} ({reason}), not {a!r}")
    figures["all closed"] = right_total / total
    r = random.Random(options.seed)
    unknown, wishes = open_questions(r, min(options.count, 100))
    replies = engine.ask(unknown, 48)
    declined = sum(text == corpus.REFUSAL for text, _ in replies) / len(replies)
    figures["declines made-up countries, asked as in training"] = declined
    replies = engine.ask(wishes, 300)
    figures["stories about the hero asked for that end"] = sum(
        reason == "stop" and wish.split()[-1].rstrip(".") in text for wish, (text, reason) in zip(wishes, replies)
    ) / len(replies)
    for name in list(figures)[-3:]:
        print(f"{name:50} {100 * figures[name]:6.1f} %")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({name: round(value, 4) for name, value in figures.items()}, file, indent=1)


if __name__ == "__main__":
    main()
