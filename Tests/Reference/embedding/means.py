"""The means of the golden models' last hidden states, by transformers: the numbers of Tests/PhiTests/GoldenEmbeddingTests.swift.

Needs torch 2.13.0 and transformers 5.23.0: python means.py ../shared/fixtures/models
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

PROMPTS = {"phi3-medium-like": "long", "phi3-mini-like": "far-beyond-window", "phi4-mini-like": "bytes", "phi3-128k-like": "bytes"}

for name, prompt in PROMPTS.items():
    folder = Path(sys.argv[1]) / name
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    entries = json.loads((folder / "expected.json").read_text())["prompts"]
    ids = next(entry["prompt_ids"] for entry in entries if entry["name"] == prompt)
    with torch.no_grad():
        # transformers' decoder ends with the final norm.
        states = model.model(torch.tensor([ids])).last_hidden_state[0]
    mean = states.double().mean(0)
    print(name, prompt, len(ids), float(mean.norm()), [round(float(number), 6) for number in mean[:6]])
