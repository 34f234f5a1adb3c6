"""Trains the demo model from scratch on the corpus, within a given number of minutes.

The learning rate follows the clock (or, with --steps, the step), so that the run ends annealed however busy the
machine is; a checkpoint every few minutes holds the averaged weights, from which `export.py` can make a file.
"""

import argparse
import json
import os
import random
import time

import torch
import torch.nn.functional as F

import corpus
import questions
import tokens
from model import Config, Muon, Phi3, document_mask


class Batches:
    """Documents packed into rows, each at positions from 0 and blind to its neighbours."""

    def __init__(self, tokenizer, seed, mix):
        self.tokenizer, self.random, self.mix = tokenizer, random.Random(seed), mix
        self.short, self.long = [], []

    def _fill(self, pool, long, count):
        while len(pool) < count:
            ids, weights = self.tokenizer.training(corpus.document(self.random, self.mix, long))
            if len(ids) > 512:
                continue
            (pool if long or len(ids) <= 128 else self.long).append((ids, weights))

    def next(self, rows, time, long):
        """Returns ids, targets, weights, positions, document numbers, each [rows, time]."""
        pool = self.long if long else self.short
        shape = (5, rows, time)
        batch = torch.zeros(shape, dtype=torch.long)
        weights = torch.zeros(rows, time)
        batch[4] = -1
        for row in range(rows):
            self._fill(pool, long, 64 if long else 300)
            pool.sort(key=lambda d: len(d[0])) if row == 0 else None
            at, number = 0, 0
            while True:
                room = time - at
                fits = [i for i in range(min(len(pool), 40)) if len(pool[-1 - i][0]) <= room]
                if at == 0:
                    index = self.random.randrange(len(pool))
                elif fits:
                    index = len(pool) - 1 - fits[0]
                else:
                    fits = [i for i, d in enumerate(pool) if len(d[0]) <= room]
                    if not fits:
                        break
                    index = max(fits, key=lambda i: len(pool[i][0]))
                ids, w = pool.pop(index)
                n = len(ids)
                batch[0, row, at:at + n] = torch.tensor(ids)
                batch[1, row, at:at + n - 1] = torch.tensor(ids[1:])
                weights[row, at:at + n - 1] = torch.tensor(w[1:])
                batch[3, row, at:at + n] = torch.arange(n)
                batch[4, row, at:at + n] = number
                at, number = at + n, number + 1
        return batch[0], batch[1], weights, batch[3], batch[4]


@torch.no_grad()
def held_out_accuracy(model, tokenizer, count=48):
    """The share of held-out questions whose answer, to `<|end|>`, is the greedy one at every position."""
    r = random.Random(99)
    result = {}
    for name, function in questions.CLOSED.items():
        sequences = []
        for _ in range(count):
            q, a = function(r, True)
            prompt = tokenizer.prompt([(q, None)])
            sequences.append((prompt, tokenizer.message("assistant", a)[1:]))
        length = max(len(p) + len(a) for p, a in sequences)
        ids = torch.zeros(count, length, dtype=torch.long)
        for i, (p, a) in enumerate(sequences):
            ids[i, :len(p) + len(a)] = torch.tensor(p + a)
        mask = document_mask(torch.zeros_like(ids))
        guess = model(ids, torch.arange(length).expand(count, length), mask).argmax(-1)
        right = sum(guess[i, len(p) - 1:len(p) + len(a) - 1].tolist() == a for i, (p, a) in enumerate(sequences))
        result[name] = round(right / count, 3)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", required=True, help="directory of the checkpoints")
    parser.add_argument("--minutes", type=float, default=80, help="wall-clock budget of the whole run")
    parser.add_argument("--steps", type=int, help="a number of steps instead: repeatable on a machine")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", help="a checkpoint to go on from")
    parser.add_argument("--mix", help="a JSON file with weights of the kinds of question, else corpus.MIX")
    parser.add_argument("--anneal-from", type=float, default=0.45, help="share of the run after which the rate falls")
    parser.add_argument("--every", type=float, default=4, help="minutes between checkpoints")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    tokenizer = tokens.Tokenizer(options.tokenizer)
    model = Phi3(Config(vocabulary=tokenizer.size))
    averaged = Phi3(model.c)
    optimiser = Muon(model)
    step, spent, seen = 0, 0.0, 0
    if options.resume:
        state = torch.load(options.resume)
        model.load_state_dict(state["model"])
        averaged.load_state_dict(state["averaged"])
        optimiser.load(state["optimiser"])
        step, spent, seen = state["step"], state["spent"], state["seen"]
    else:
        averaged.load_state_dict(model.state_dict())
    mix = json.load(open(options.mix)) if options.mix else corpus.MIX
    batches = Batches(tokenizer, options.seed * 1_000_003 + step, mix)
    print(json.dumps({"parameters": sum(p.numel() for p in model.parameters()), "mix": mix}), flush=True)

    def loss_of(ids, targets, weights, positions, mask):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(ids, positions, mask)
        losses = F.cross_entropy(logits.reshape(-1, logits.shape[-1]).float(), targets.reshape(-1), reduction="none")
        return (losses * weights.reshape(-1)).sum() / weights.sum()

    compiled = torch.compile(loss_of, dynamic=False)
    started = time.monotonic() - spent
    saved = time.monotonic()
    logged, running, logged_tokens = time.monotonic(), None, 0
    while True:
        spent = time.monotonic() - started
        progress = step / options.steps if options.steps else spent / (options.minutes * 60)
        finished = progress >= 1
        if finished or time.monotonic() - saved > options.every * 60:
            saved = time.monotonic()
            os.makedirs(options.out, exist_ok=True)
            state = {"model": model.state_dict(), "averaged": averaged.state_dict(), "optimiser": optimiser.state(),
                     "config": model.c.__dict__, "step": step, "spent": spent, "seen": seen}
            path = os.path.join(options.out, "final.pt" if finished else f"step-{step:05d}.pt")
            torch.save(state, path + ".part")
            os.replace(path + ".part", path)
            accuracy = held_out_accuracy(averaged, tokenizer)
            print(json.dumps({"checkpoint": path, "minutes": round(spent / 60, 1), "seen": seen,
                              "held_out": accuracy}), flush=True)
        if finished:
            break
        scale = min(1.0, (step + 1) / 100) * min(1.0, max(0.0, (1 - progress) / (1 - options.anneal_from)))
        long = step % 16 == 15
        ids, targets, weights, positions, documents = batches.next(8 if long else 32, 512 if long else 128, long)
        # The long rows are few: not worth the minutes that compiling for their shape takes.
        loss = (loss_of if long else compiled)(ids, targets, weights, positions, document_mask(documents).bfloat16())
        loss.backward()
        optimiser.step(scale)
        for p in model.parameters():
            p.grad = None
        step += 1
        seen += int((documents >= 0).sum())
        logged_tokens += ids.numel()
        decay = min(0.995, (step + 1) / (step + 20))
        with torch.no_grad():
            for a, p in zip(averaged.parameters(), model.parameters()):
                a.lerp_(p, 1 - decay)
        running = loss.item() if running is None else 0.95 * running + 0.05 * loss.item()
        if step % 50 == 0:
            now = time.monotonic()
            print(f"step {step} progress {progress:.3f} loss {running:.4f} scale {scale:.3f} "
                  f"tokens/s {logged_tokens / (now - logged):.0f} seen {seen}", flush=True)
            logged, logged_tokens = now, 0


if __name__ == "__main__":
    main()
