"""Writes a checkpoint of `train.py` as a GGUF file: matrices Q8_0, norms F32, the tokenizer, and the model card.

The names and keys are those of llama.cpp's converter for Phi-3, plus `phalanx.model_card` (Markdown).
"""

import argparse
import os

import gguf
import torch

import tokens
from model import Config

# Phi-3-mini's own template.
TEMPLATE = ("{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\\n' + message['content'] + "
            "'<|end|>\\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\\n' + message['content'] + '<|end|>\\n'}}"
            "{% elif message['role'] == 'assistant' %}{{'<|assistant|>\\n' + message['content'] + '<|end|>\\n'}}"
            "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}"
            "{% endif %}")
DESCRIPTION = "A very small chat model that answers a few kinds of question; made to show and test Phalanx."

NAMES = {
    "embed_tokens.weight": "token_embd.weight", "norm.weight": "output_norm.weight", "lm_head.weight": "output.weight",
    "input_layernorm.weight": "attn_norm.weight", "self_attn.qkv_proj.weight": "attn_qkv.weight",
    "self_attn.o_proj.weight": "attn_output.weight", "post_attention_layernorm.weight": "ffn_norm.weight",
    "mlp.gate_up_proj.weight": "ffn_up.weight", "mlp.down_proj.weight": "ffn_down.weight",
}


def gguf_name(name):
    if name.startswith("layers."):
        _, number, rest = name.split(".", 2)
        return f"blk.{number}.{NAMES[rest]}"
    return NAMES[name]


def add_tokenizer(writer, tokenizer):
    kind = gguf.TokenType
    pieces = tokenizer.pieces
    names, scores, types = [], [], []
    for i in range(tokenizer.base):
        names.append(pieces.id_to_piece(i).encode())
        scores.append(pieces.get_score(i))
        types.append(kind.UNKNOWN if pieces.is_unknown(i) else kind.CONTROL if pieces.is_control(i)
                     else kind.BYTE if pieces.is_byte(i) else kind.NORMAL)
    for name in tokens.SPECIALS:
        names.append(name.encode())
        scores.append(-1000.0)
        types.append(kind.CONTROL)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(names)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_bos_token_id(pieces.bos_id())
    writer.add_eos_token_id(tokenizer.end_of_text)
    writer.add_eot_token_id(tokenizer.end)
    writer.add_unk_token_id(pieces.unk_id())
    writer.add_pad_token_id(tokenizer.end_of_text)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(True)
    writer.add_chat_template(TEMPLATE)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--card", help="the model card, Markdown")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    state = torch.load(options.checkpoint)
    c = Config(**state["config"])
    tokenizer = tokens.Tokenizer(options.tokenizer)

    writer = gguf.GGUFWriter(options.out + ".part", "phi3")
    writer.add_type("model")
    writer.add_name("Phalanx demo")
    writer.add_size_label(f"{sum(w.numel() for w in state['averaged'].values()) / 1e6:.1f}M")
    writer.add_license("apache-2.0")
    writer.add_description(DESCRIPTION)
    writer.add_languages(["en"])
    if options.card:
        with open(options.card, encoding="utf-8") as file:
            writer.add_string("phalanx.model_card", file.read())
    writer.add_context_length(c.context)
    writer.add_rope_scaling_orig_ctx_len(c.context)
    writer.add_embedding_length(c.hidden)
    writer.add_feed_forward_length(c.feed_forward)
    writer.add_block_count(c.layers)
    writer.add_head_count(c.heads)
    writer.add_head_count_kv(c.kv_heads)
    writer.add_layer_norm_rms_eps(c.epsilon)
    writer.add_rope_dimension_count(c.head_size)
    writer.add_rope_freq_base(c.rope_theta)
    writer.add_vocab_size(tokenizer.size)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_tokenizer(writer, tokenizer)
    for name, weight in state["averaged"].items():
        data = weight.float().numpy()
        if data.ndim == 2:
            q8 = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(gguf_name(name), gguf.quants.quantize(data, q8), raw_dtype=q8)
        else:
            writer.add_tensor(gguf_name(name), data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(options.out + ".part", options.out)
    print(options.out, os.path.getsize(options.out), "bytes")


if __name__ == "__main__":
    main()
