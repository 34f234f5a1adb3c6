"""The exported GGUF file read back: its Q8_0 weights in the PyTorch model, and its own tokenizer."""

import gguf
import torch

from model import Config, Phi3, document_mask
from export import gguf_name

SPACE = "\u2581"


class FileTokenizer:
    """SentencePiece-BPE from the file's tokens and scores alone: the best-scored merge first, then byte fallback."""

    def __init__(self, fields):
        self.tokens = fields["tokenizer.ggml.tokens"].contents()
        scores = fields["tokenizer.ggml.scores"].contents()
        types = fields["tokenizer.ggml.token_type"].contents()
        self.types = types
        normal = int(gguf.TokenType.NORMAL)
        self.score = {t: s for t, s, k in zip(self.tokens, scores, types) if k == normal}
        self.id = {t: i for i, t in enumerate(self.tokens)}
        self.end = self.id["<|end|>"]
        self.stops = {self.end, self.id["<|endoftext|>"]}

    def encode(self, text):
        if not text:
            return []
        parts = list((" " + text).replace(" ", SPACE))
        while True:
            best, at = None, -1
            for i in range(len(parts) - 1):
                score = self.score.get(parts[i] + parts[i + 1])
                if score is not None and (best is None or score > best):
                    best, at = score, i
            if best is None:
                break
            parts[at:at + 2] = [parts[at] + parts[at + 1]]
        ids = []
        for part in parts:
            ids += [self.id[part]] if part in self.score else [self.id[f"<0x{b:02X}>"] for b in part.encode()]
        return ids

    def prompt(self, turns):
        """turns: (role, text). The special tokens swallow the white space after them."""
        ids = []
        for role, text in turns:
            ids += [self.id[f"<|{role}|>"], *self.encode(text.lstrip()), self.end]
        return ids + [self.id["<|assistant|>"]]

    def decode(self, ids):
        data = b""
        for i in ids:
            if self.types[i] == gguf.TokenType.BYTE:
                data += bytes([int(self.tokens[i][3:5], 16)])
            elif self.types[i] == gguf.TokenType.NORMAL:
                data += self.tokens[i].replace(SPACE, " ").encode()
        return data.decode(errors="replace").removeprefix(" ")


def load(path):
    """Returns the model with the file's dequantised weights, its tokenizer, and the reader."""
    reader = gguf.GGUFReader(path)
    value = lambda key: reader.fields[key].contents()  # noqa: E731
    config = Config(
        vocabulary=len(value("tokenizer.ggml.tokens")), hidden=value("phi3.embedding_length"),
        layers=value("phi3.block_count"), heads=value("phi3.attention.head_count"),
        kv_heads=value("phi3.attention.head_count_kv"), feed_forward=value("phi3.feed_forward_length"),
        context=value("phi3.context_length"), rope_theta=value("phi3.rope.freq_base"),
        epsilon=value("phi3.attention.layer_norm_rms_epsilon"))
    model = Phi3(config)
    tensors = {t.name: t for t in reader.tensors}
    state = {}
    for name in model.state_dict():
        tensor = tensors[gguf_name(name)]
        data = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        state[name] = torch.from_numpy(data.copy()).float()
    model.load_state_dict(state)
    return model.eval(), FileTokenizer(reader.fields), reader


@torch.no_grad()
def generate(model, tokenizer, prompts, limit, temperature=0.0, seed=0):
    """Continues each prompt (a list of ids) greedily, or sampled, to a stop token. Returns ids and whether
    each one stopped."""
    generator = torch.Generator().manual_seed(seed)
    sequences = [list(p) for p in prompts]
    stopped = [False] * len(prompts)
    for _ in range(limit):
        active = [i for i, s in enumerate(stopped) if not s]
        if not active:
            break
        length = max(len(sequences[i]) for i in active)
        ids = torch.zeros(len(active), length, dtype=torch.long)
        for row, i in enumerate(active):
            ids[row, :len(sequences[i])] = torch.tensor(sequences[i])
        logits = model(ids, torch.arange(length).expand_as(ids), document_mask(torch.zeros_like(ids)))
        for row, i in enumerate(active):
            last = logits[row, len(sequences[i]) - 1]
            if temperature > 0:
                token = int(torch.multinomial(torch.softmax(last / temperature, -1), 1, generator=generator))
            else:
                token = int(last.argmax())
            sequences[i].append(token)
            stopped[i] = token in tokenizer.stops
    return [s[len(p):] for s, p in zip(sequences, prompts)], stopped
