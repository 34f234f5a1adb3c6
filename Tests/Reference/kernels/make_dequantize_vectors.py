"""Writes the golden vectors of Tests/KernelsTests/Resources/dequantize.bin.

For each weight format: a few blocks of random bytes and what gguf's reference dequantisation makes of them.

    python3 -m venv venv && venv/bin/pip install gguf==0.19.0 numpy==2.4.6
    venv/bin/python make_dequantize_vectors.py ../../KernelsTests/Resources/dequantize.bin

Made with Python 3.11, gguf 0.19.0, numpy 2.4.6, seed 20240607. The file is little-endian:
    u32 number of entries; per entry: u32 ggml type, u32 columns, columns' bytes in file layout, columns x f32.
Scales are finite (a NaN has no one bit pattern); every other bit pattern may occur.
"""

import struct
import sys

import gguf
import numpy as np
from gguf.quants import dequantize

SEED = 20240607
COLUMNS = {1: 96, 32: 384, 256: 768}
# Byte offsets of the f16 scales and minimums in a block.
SCALES = {
    "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "F16": [0],
}
FORMATS = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]


def make_entry(name: str, random: np.random.Generator) -> bytes:
    kind = gguf.GGMLQuantizationType[name]
    block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    columns = COLUMNS[block]
    data = random.integers(0, 256, size=(columns // block, block_bytes), dtype=np.uint8)
    for offset in SCALES.get(name, []):
        scales = data[:, offset : offset + 2].copy().view(np.uint16)
        not_finite = (scales & 0x7C00) == 0x7C00
        scales[not_finite] &= 0xBFFF
        data[:, offset : offset + 2] = scales.view(np.uint8)
    if name in ("F32", "BF16"):
        upper = data[:, -1].copy()
        data[:, -1] = np.where((upper & 0x7F) == 0x7F, upper & 0xBF, upper)
    row = data.reshape(1, -1)
    if name == "F32":
        values = row.view(np.float32)
    elif name == "F16":
        values = row.view(np.float16).astype(np.float32)
    else:
        values = dequantize(row, kind)
    values = np.ascontiguousarray(values, dtype="<f4").reshape(-1)
    assert values.size == columns and np.isfinite(values).all(), name
    return struct.pack("<II", int(kind), columns) + row.tobytes() + values.tobytes()


def main() -> None:
    random = np.random.default_rng(SEED)
    with open(sys.argv[1], "wb") as file:
        file.write(struct.pack("<I", len(FORMATS)))
        for name in FORMATS:
            file.write(make_entry(name, random))


if __name__ == "__main__":
    main()
