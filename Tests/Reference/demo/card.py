"""Writes the model card from the checkpoint's shape and the figures that `evaluate.py --json` measured."""

import argparse
import json

import torch

import facts
import questions
from model import Config

CARD = """# Phalanx demo

A very small chat model of the Phi-3 architecture, trained from scratch to show and test Phalanx. It answers a few
kinds of question in English and tells short stories. It is not a general assistant, and it is not a version of any
published model.

## What it is
- Architecture `phi3`: {layers} layers, hidden size {hidden}, {heads} heads of {head_size} in groups of {group} per
  key/value head, feed-forward size {feed_forward}, RMSNorm, rotary embedding (base {rope_theta:.0f}), fused QKV and
  gate/up matrices, no biases, separate output matrix. {parameters:.2f} million parameters, `Q8_0` (norms `F32`).
- Vocabulary: {base} SentencePiece-BPE pieces with byte fallback, one token per digit, and Phi-3's 11 special tokens.
- Phi-3-mini's chat format, no BOS token; an answer ends with `<|end|>`.
- Context: {context} positions, all of them seen in training. Longer contexts were never tried.
- Licence: Apache-2.0.

## What it was trained on
Text written by a seeded program (`Tests/Reference/demo` in the Phalanx repository) and nothing else: {millions:.0f}
million tokens. {countries} countries and their capitals, sums and differences of numbers from 0 to 99 (one difference
in ten has a negative result), days, months, numbers to 100 in words, unit conversions, greetings, lists, stories of a
small vocabulary, and refusals. Names are written without accents.

## How good it is
Greedy answers of these quantised weights to {count} questions of each kind, in phrasings that never occur in training;
for sums also with pairs of numbers that never occur. An answer counts only if the whole text is right.
The held-out phrasings were looked at during training, and other phrasings were added to the training text for kinds
that lagged; so a phrasing of your own may do somewhat worse. "Is it the capital" counts the stated fact; there is no
yes or no.

| kind of question | right |
|---|---|
{rows}

## Limits
- It knows only what is listed above. It is taught to decline other questions, but may instead answer wrongly and
  with confidence.
- It may give a real country's capital when asked for that of a country that does not exist.
- It adds and subtracts whole numbers up to 99, two at a time; it cannot multiply or divide, and has no sense of larger
  numbers.
- Capitals are as of 2025; for countries with several it names one. It understands English only.
- It remembers little of a conversation beyond the user's name and the last question.
- Stories are put together from few parts and repeat themselves.
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--figures", required=True)
    parser.add_argument("--count", type=int, default=200, help="questions per kind in the figures")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    state = torch.load(options.checkpoint)
    c = Config(**state["config"])
    with open(options.figures, encoding="utf-8") as file:
        figures = json.load(file)
    rows = [f"| {'**all of these**' if name == 'all closed' else name} | {100 * value:.1f} % |"
            for name, value in figures.items() if name in questions.CLOSED or name == "all closed"]
    rows += [f"| {name} | {100 * value:.0f} % |" for name, value in figures.items()
             if name not in questions.CLOSED and name != "all closed"]
    with open(options.out, "w", encoding="utf-8") as file:
        file.write(CARD.format(
            layers=c.layers, hidden=c.hidden, heads=c.heads, head_size=c.head_size, group=c.heads // c.kv_heads,
            feed_forward=c.feed_forward, rope_theta=c.rope_theta, context=c.context, base=c.vocabulary - 11,
            parameters=sum(w.numel() for w in state["averaged"].values()) / 1e6, millions=state["seen"] / 1e6,
            countries=len(facts.CAPITALS), count=options.count, rows="\n".join(rows)))


if __name__ == "__main__":
    main()
