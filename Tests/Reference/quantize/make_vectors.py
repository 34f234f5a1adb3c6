"""Writes the golden vectors of the quantisers and of the choice of types, both from llama.cpp itself.

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 gguf==0.19.0
    pip download --no-deps --no-binary :all: llama-cpp-python==0.3.36  (unpack it; vendor/llama.cpp is 0c1e570)
    cmake -S vendor/llama.cpp -B build -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON && cmake --build build
    venv/bin/python make_vectors.py build/bin ../../

Made with Python 3.11, numpy 2.4.6, gguf 0.19.0, llama.cpp 0c1e570 built by GCC 12 for x86-64, seed 20241124.

KernelsTests/Resources/quantize.bin, little-endian: u32 rows, u32 columns, rows x columns f32; u32 number of formats;
per format: u32 ggml type, the rows as `ggml_quantize_chunk` makes them without an importance matrix. The rows are
hostile: zeros, constants, one sign, outliers, tiny and subnormal numbers, blocks of very different size.

CheckpointTests/Resources/mixtures.json: for models of several shapes, the types that `llama-quantize` gives the
tensors, in file order.
"""

import ctypes
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np

SEED = 20241124
COLUMNS = 512
FORMATS = ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
MIXTURES = [
    "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S",
    "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K",
]
# hidden, heads, KV heads, feed-forward, layers, tied
MODELS = [
    (256, 8, 2, 256, 40, False), (256, 8, 8, 512, 32, True), (192, 8, 4, 224, 3, False), (240, 8, 2, 96, 17, False),
]


def hostile_rows(random: np.random.Generator) -> np.ndarray:
    place = np.arange(COLUMNS)
    normal = lambda: random.standard_normal(COLUMNS)
    rows = [
        normal() * 0.02,
        np.where(random.integers(0, 4, COLUMNS) == 0, normal() * 0.02, 0),
        np.abs(normal()),
        -np.abs(normal()) * 1e-3,
        random.integers(-3, 4, COLUMNS) * 0.25,
        np.full(COLUMNS, -0.37),
        np.where(place // 16 % 3 == 0, 0, normal() * 0.1),
        normal() * 1e-30,
        normal() * np.where(place % 64 == 0, 50, 1) * 0.01,
        normal() ** 3 * 30,
        normal() * np.exp2(-random.integers(0, 149, COLUMNS).astype(float)),
        normal() * np.where(place // 32 % 2 == 1, 1e-14, 1),
        np.zeros(COLUMNS),
    ]
    return np.array(rows, dtype="<f4")


def quantize_vectors(library: Path) -> bytes:
    chunk = ctypes.CDLL(str(library)).ggml_quantize_chunk
    chunk.restype = ctypes.c_size_t
    chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [ctypes.c_void_p]
    rows = hostile_rows(np.random.default_rng(SEED))
    file = struct.pack("<II", *rows.shape) + rows.tobytes() + struct.pack("<I", len(FORMATS))
    for name in FORMATS:
        kind = gguf.GGMLQuantizationType[name]
        block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        target = np.zeros(rows.size // block * block_bytes, dtype=np.uint8)
        size = chunk(int(kind), rows.ctypes.data, target.ctypes.data, 0, rows.shape[0], COLUMNS, None)
        assert size == target.size, name
        file += struct.pack("<I", int(kind)) + target.tobytes()
    return file


def write_model(path: Path, hidden: int, heads: int, kv_heads: int, ff: int, layers: int, tied: bool) -> None:
    writer = gguf.GGUFWriter(path, "phi3")
    writer.add_context_length(128)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(ff)
    writer.add_block_count(layers)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)])
    writer.add_token_scores([0.0] * 259)
    writer.add_token_types([2, 3, 3] + [6] * 256)
    random = np.random.default_rng(SEED)
    matrix = lambda name, rows, columns: writer.add_tensor(
        name, random.standard_normal((rows, columns)).astype(np.float32))
    vector = lambda name: writer.add_tensor(name, np.ones(hidden, dtype=np.float32))
    matrix("token_embd.weight", 259, hidden)
    for layer in range(layers):
        vector(f"blk.{layer}.attn_norm.weight")
        matrix(f"blk.{layer}.attn_qkv.weight", hidden // heads * (heads + 2 * kv_heads), hidden)
        matrix(f"blk.{layer}.attn_output.weight", hidden, hidden)
        vector(f"blk.{layer}.ffn_norm.weight")
        matrix(f"blk.{layer}.ffn_up.weight", 2 * ff, hidden)
        matrix(f"blk.{layer}.ffn_down.weight", hidden, ff)
    vector("output_norm.weight")
    if not tied:
        matrix("output.weight", 259, hidden)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def mixtures(tool: Path) -> dict:
    models = []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.gguf", Path(folder) / "target.gguf"
        for shape in MODELS:
            write_model(source, *shape)
            types = {}
            for name in MIXTURES:
                for pure in (False, True):
                    arguments = [tool] + (["--pure"] if pure else []) + [source, target, name]
                    subprocess.run(arguments, check=True, capture_output=True)
                    found = [tensor.tensor_type.name for tensor in gguf.GGUFReader(target).tensors]
                    types[name + (" pure" if pure else "")] = " ".join(found)
            keys = ["hidden", "heads", "kvHeads", "feedForward", "layers", "tied"]
            names = " ".join(tensor.name for tensor in gguf.GGUFReader(target).tensors)
            models.append(dict(zip(keys, shape)) | {"names": names, "types": types})
    return {"models": models}


def main() -> None:
    build, tests = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    (tests / "KernelsTests/Resources/quantize.bin").write_bytes(quantize_vectors(build / "libggml-base.so"))
    text = json.dumps(mixtures(build / "llama-quantize"), indent=1)
    (tests / "CheckpointTests/Resources/mixtures.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
