"""The Phi-3 graph in a form that trains quickly on a CPU, and the optimiser (Muon with AdamW).

The parameters have the names and shapes of transformers' Phi3ForCausalLM: fused `qkv_proj` (rows q, k, v), fused
`gate_up_proj` (rows gate, up), no biases, RMSNorm, rotary embedding in the halves convention.
"""

import dataclasses
import math

import torch
import torch.nn.functional as F
from torch import nn


@dataclasses.dataclass
class Config:
    vocabulary: int = 1792
    hidden: int = 256
    layers: int = 4
    heads: int = 8
    kv_heads: int = 2
    feed_forward: int = 512
    context: int = 512
    rope_theta: float = 10000.0
    epsilon: float = 1e-5

    @property
    def head_size(self):
        return self.hidden // self.heads


class RMSNorm(nn.Module):
    def __init__(self, size, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, x):
        x = x.float()
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


def rotate(x, cos, sin):
    """x: [batch, heads, time, head size]; cos, sin: [batch, 1, time, head size / 2]."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.qkv_proj = nn.Linear(c.hidden, (c.heads + 2 * c.kv_heads) * c.head_size, bias=False)
        self.o_proj = nn.Linear(c.heads * c.head_size, c.hidden, bias=False)

    def forward(self, x, cos, sin, mask):
        c = self.c
        batch, time, _ = x.shape
        kv_size = c.kv_heads * c.head_size
        q, k, v = self.qkv_proj(x).split((c.hidden, kv_size, kv_size), dim=-1)
        q = rotate(q.view(batch, time, c.heads, c.head_size).transpose(1, 2), cos, sin)
        k = rotate(k.view(batch, time, c.kv_heads, c.head_size).transpose(1, 2), cos, sin)
        v = v.view(batch, time, c.kv_heads, c.head_size).transpose(1, 2)
        group = c.heads // c.kv_heads
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        # Written out: the fused kernel's backward pass takes longer than this on a CPU at these short lengths.
        scores = (q.to(v.dtype) / math.sqrt(c.head_size)) @ k.to(v.dtype).mT
        out = torch.softmax(scores + mask, dim=-1).to(v.dtype) @ v
        return self.o_proj(out.transpose(1, 2).reshape(batch, time, c.hidden))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_up_proj = nn.Linear(c.hidden, 2 * c.feed_forward, bias=False)
        self.down_proj = nn.Linear(c.feed_forward, c.hidden, bias=False)

    def forward(self, x):
        gate, up = self.gate_up_proj(x).chunk(2, dim=-1)
        return self.down_proj(F.silu(gate) * up)


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = RMSNorm(c.hidden, c.epsilon)
        self.self_attn = Attention(c)
        self.post_attention_layernorm = RMSNorm(c.hidden, c.epsilon)
        self.mlp = MLP(c)

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Phi3(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embed_tokens = nn.Embedding(c.vocabulary, c.hidden)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.layers))
        self.norm = RMSNorm(c.hidden, c.epsilon)
        self.lm_head = nn.Linear(c.hidden, c.vocabulary, bias=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                std = 0.5 / math.sqrt(p.shape[1]) / (math.sqrt(2 * c.layers) if residual else 1)
                nn.init.normal_(p, std=0.02 if "embed" in name or "lm_head" in name else std)
        inverse = c.rope_theta ** (-torch.arange(0, c.head_size, 2).float() / c.head_size)
        angles = torch.arange(4096).float()[:, None] * inverse[None, :]
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, ids, positions, mask):
        """ids, positions: [batch, time]; mask: [batch, 1, time, time], 0 where position i may see j, else -inf.

        Returns the logits, [batch, time, vocabulary], before any loss."""
        cos, sin = self.cos[positions][:, None], self.sin[positions][:, None]
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return self.lm_head(self.norm(x))


def document_mask(documents):
    """documents: [batch, time] numbers of the document that each token is of. Returns the causal mask within each."""
    time = documents.shape[1]
    causal = torch.ones(time, time, dtype=torch.bool).tril()
    allowed = (documents[:, :, None] == documents[:, None, :]) & causal
    return torch.zeros(allowed.shape).masked_fill_(~allowed, float("-inf"))[:, None]


def orthogonalise(g, steps=5):
    """Newton-Schulz iteration of Muon (Keller Jordan, 2024); g: [n, rows, columns]."""
    transposed = g.shape[1] > g.shape[2]
    x = g.mT if transposed else g
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(steps):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    x = x.float()
    return x.mT if transposed else x


class Muon:
    """Muon for the matrices of the layers, each part of a fused matrix by itself; AdamW for everything else."""

    def __init__(self, model, muon_rate=0.02, adam_rate=3e-3, momentum=0.95, decay=0.01, rank=0, ranks=1):
        """Of `ranks` processes each updates the matrices of its own layers; `owned(rank)` go to the others."""
        self.muon_rate, self.adam_rate, self.momentum, self.decay = muon_rate, adam_rate, momentum, decay
        self.rank, self.ranks = rank, ranks
        c = model.c
        kv = c.kv_heads * c.head_size
        self.parts = []
        self.matrices = {}
        others = []
        for name, p in model.named_parameters():
            if p.dim() == 2 and "layers." in name:
                if "qkv_proj" in name:
                    sizes = [c.hidden, kv, kv]
                elif "gate_up_proj" in name:
                    sizes = [c.feed_forward] * 2
                else:
                    sizes = [p.shape[0]]
                self.matrices[name] = p
                start = 0
                for size in sizes:
                    self.parts.append((name, start, size))
                    start += size
            else:
                others.append(p)
        self.buffers = {name: torch.zeros_like(p) for name, p in self.matrices.items()}
        self.groups = {}
        for name, start, size in self.parts:
            if self.owner(name) == rank:
                self.groups.setdefault((size, self.matrices[name].shape[1]), []).append((name, start, size))
        self.adam = torch.optim.AdamW(others, lr=adam_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True)

    def owner(self, name):
        return int(name.split(".")[1]) % self.ranks

    def owned(self, rank):
        return [p.data for name, p in self.matrices.items() if self.owner(name) == rank]

    @torch.no_grad()
    def step(self, scale):
        for group in self.adam.param_groups:
            group["lr"] = self.adam_rate * scale
        self.adam.step()
        rate = self.muon_rate * scale
        for name, p in self.matrices.items():
            self.buffers[name].lerp_(p.grad, 1 - self.momentum)
        for (rows, columns), parts in self.groups.items():
            g = torch.stack([
                torch.lerp(self.matrices[n].grad[s:s + z], self.buffers[n][s:s + z], self.momentum) for n, s, z in parts
            ])
            update = orthogonalise(g) * max(1.0, rows / columns) ** 0.5
            for (name, start, size), u in zip(parts, update):
                p = self.matrices[name][start:start + size]
                p.mul_(1 - rate * self.decay).add_(u, alpha=-rate)

    def state(self):
        return {"buffers": self.buffers, "adam": self.adam.state_dict()}

    def load(self, state):
        for name, buffer in state["buffers"].items():
            self.buffers[name].copy_(buffer)
        self.adam.load_state_dict(state["adam"])
