"""Checks an exported file against two programs that are not ours: transformers computes the same logits from its
weights, and sentencepiece with the trained model makes the same ids as the file's own tokens and scores."""

import argparse
import random

import torch
from transformers import Phi3Config, Phi3ForCausalLM

import corpus
import quantised
import tokens
from model import document_mask


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokenizer", required=True)
    options = parser.parse_args()
    model, tokenizer, _ = quantised.load(options.model)
    c = model.c
    reference = Phi3ForCausalLM(Phi3Config(
        vocab_size=c.vocabulary, hidden_size=c.hidden, intermediate_size=c.feed_forward, num_hidden_layers=c.layers,
        num_attention_heads=c.heads, num_key_value_heads=c.kv_heads, max_position_embeddings=c.context,
        original_max_position_embeddings=c.context, rope_theta=c.rope_theta, rms_norm_eps=c.epsilon, pad_token_id=0,
        attn_implementation="eager")).eval()
    weights = {name if name.startswith("lm_head") else "model." + name: w for name, w in model.state_dict().items()}
    reference.load_state_dict(weights)

    trained = tokens.Tokenizer(options.tokenizer)
    r = random.Random(5)
    worst, texts = 0.0, 0
    for i in range(60):
        document = corpus.document(r)
        for text in [document.text, *(part for turn in document.turns for part in turn)]:
            if text:
                texts += 1
                assert tokenizer.encode(text) == trained.pieces.encode(text), text
                assert tokenizer.decode(tokenizer.encode(text)) == text
        if i % 6 == 0:
            ids = torch.tensor([trained.training(document)[0]])
            with torch.no_grad():
                mine = model(ids, torch.arange(ids.shape[1])[None], document_mask(torch.zeros_like(ids)))
                theirs = reference(ids).logits
            worst = max(worst, (mine.log_softmax(-1) - theirs.log_softmax(-1)).abs().max().item())
    print(f"{texts} texts have sentencepiece's ids; log-probabilities are within {worst:.1e} of transformers'")
    assert worst < 1e-3


if __name__ == "__main__":
    main()
