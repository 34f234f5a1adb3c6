"""Trains the demo model from scratch on the corpus, within a given number of minutes.

The learning rate follows the clock (or, with --steps, the step), so that the run ends annealed however busy the
machine is; a checkpoint every few minutes holds the averaged weights, from which `export.py` can make a file.
The work is shared by single-threaded processes that average their gradients: on a machine that has other work too
this is several times faster than threads, which wait for one another in every operation.
"""

import argparse
import json
import os
import random
import time

import torch
import torch.distributed as dist
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


def mean_over_processes(tensors):
    """Replaces each tensor by its mean over the processes, in one exchange."""
    flat = torch.cat([t.reshape(-1) for t in tensors])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors])):
        tensor.copy_(part.view_as(tensor))


def exchange(optimiser):
    """Every process gets the matrices that the others have updated."""
    for rank in range(dist.get_world_size()):
        owned = optimiser.owned(rank)
        flat = torch.cat([t.reshape(-1) for t in owned])
        dist.broadcast(flat, rank)
        if rank != optimiser.rank:
            for tensor, part in zip(owned, flat.split([t.numel() for t in owned])):
                tensor.copy_(part.view_as(tensor))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", required=True, help="directory of the checkpoints")
    parser.add_argument("--minutes", type=float, default=80, help="wall-clock budget of the whole run")
    parser.add_argument("--steps", type=int, help="a number of steps instead: repeatable on a machine")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rows", type=int, default=24, help="rows of 128 tokens per process and step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", help="a checkpoint to go on from")
    parser.add_argument("--mix", help="a JSON file with weights of the kinds of question, else corpus.MIX")
    parser.add_argument("--anneal-from", type=float, default=0.45, help="share of the run after which the rate falls")
    parser.add_argument("--every", type=float, default=4, help="minutes between checkpoints")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    store = os.path.join(os.path.abspath(options.out), f"rendezvous-{os.getpid()}")
    torch.multiprocessing.spawn(train, (options, store), options.processes)


def train(rank, options, store):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method="file://" + store, rank=rank, world_size=options.processes)
    torch.manual_seed(options.seed)
    tokenizer = tokens.Tokenizer(options.tokenizer)
    model = Phi3(Config(vocabulary=tokenizer.size))
    averaged = Phi3(model.c)
    optimiser = Muon(model, rank=rank, ranks=options.processes)
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
    batches = Batches(tokenizer, options.seed * 1_000_003 + step * 64 + rank, mix)
    if rank == 0:
        print(json.dumps({"parameters": sum(p.numel() for p in model.parameters()), "mix": mix}), flush=True)

    def loss_of(ids, targets, weights, positions, mask):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(ids, positions, mask)
        losses = F.cross_entropy(logits.reshape(-1, logits.shape[-1]).float(), targets.reshape(-1), reduction="none")
        return (losses * weights.reshape(-1)).sum() / weights.sum()

    compiled = torch.compile(loss_of, dynamic=False)
    started = time.monotonic() - spent
    saved = logged = time.monotonic()
    running, logged_tokens = 0.0, 0
    parameters, averages = list(model.parameters()), list(averaged.parameters())
    report = torch.tensor([spent, 0.0, 0.0])  # seconds, loss and tokens of a step, averaged over the processes
    while True:
        progress = step / options.steps if options.steps else report[0].item() / (options.minutes * 60)
        finished = progress >= 1
        if rank == 0 and (finished or time.monotonic() - saved > options.every * 60):
            saved = time.monotonic()
            state = {"model": model.state_dict(), "averaged": averaged.state_dict(), "optimiser": optimiser.state(),
                     "config": model.c.__dict__, "step": step, "spent": report[0].item(), "seen": seen}
            path = os.path.join(options.out, "final.pt" if finished else f"step-{step:05d}.pt")
            torch.save(state, path + ".part")
            os.replace(path + ".part", path)
            accuracy = held_out_accuracy(averaged, tokenizer)
            print(json.dumps({"checkpoint": path, "minutes": round(report[0].item() / 60, 1), "seen": seen,
                              "held_out": accuracy}), flush=True)
        if finished:
            break
        scale = min(1.0, (step + 1) / 100) * min(1.0, max(0.0, (1 - progress) / (1 - options.anneal_from)))
        long = step % 16 == 15
        rows = options.rows // 4 if long else options.rows
        ids, targets, weights, positions, documents = batches.next(rows, 512 if long else 128, long)
        # The long rows are few: not worth the minutes that compiling for their shape takes.
        loss = (loss_of if long else compiled)(ids, targets, weights, positions, document_mask(documents).bfloat16())
        loss.backward()
        report = torch.tensor([time.monotonic() - started, loss.item(), float((documents >= 0).sum())])
        mean_over_processes([p.grad for p in parameters] + [report])
        optimiser.step(scale)
        exchange(optimiser)
        for p in parameters:
            p.grad = None
        step += 1
        tokens_now = round(report[2].item() * options.processes)
        seen, logged_tokens = seen + tokens_now, logged_tokens + tokens_now
        running += (report[1].item() - running) * (1 if step == 1 else 0.05)
        if rank == 0:
            with torch.no_grad():
                torch._foreach_lerp_(averages, parameters, 1 - min(0.995, (step + 1) / (step + 20)))
            if step % 20 == 0:
                now = time.monotonic()
                print(f"step {step} progress {progress:.3f} loss {running:.4f} scale {scale:.3f} "
                      f"tokens/s {logged_tokens / (now - logged):.0f} seen {seen}", flush=True)
                logged, logged_tokens = now, 0
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
