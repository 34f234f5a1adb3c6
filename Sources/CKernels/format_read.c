// ggml's block layouts, read into the plain form. Source of the layouts: ggml-common.h and ggml-quants.c of ggml.
#include "format_block.h"

// Nibbles of blocks of 32: byte i holds value i and value i + 16. `high` is null or 32 bits, bit i for value i.
static void read_32(const uint8_t *nibbles, const uint8_t *high, uint8_t *values) {
    for (int i = 0; i < 16; i++) {
        values[i] = nibbles[i] & 15;
        values[i + 16] = nibbles[i] >> 4;
    }
    if (high == NULL) return;
    for (int i = 0; i < 32; i++) values[i] |= (uint8_t)(((high[i / 8] >> (i % 8)) & 1) << 4);
}

// Twelve bytes of 8 scales and 8 minimums of 6 bits (Q4_K, Q5_K).
static void read_scales_and_minimums(const uint8_t *packed, uint8_t *scales, uint8_t *minimums) {
    for (int i = 0; i < 4; i++) {
        scales[i] = packed[i] & 63;
        minimums[i] = packed[i + 4] & 63;
        scales[i + 4] = (uint8_t)((packed[i + 8] & 15) | (packed[i] >> 6) << 4);
        minimums[i + 4] = (uint8_t)((packed[i + 8] >> 4) | (packed[i + 4] >> 6) << 4);
    }
}

// Two-bit fields of blocks of 256 (Q2_K, Q3_K): per 128 values 32 bytes, field f holding values 32 f ..< 32 f + 32.
static void read_two_bits(const uint8_t *packed, uint8_t *values) {
    for (int part = 0; part < 8; part++) {
        for (int i = 0; i < 32; i++) values[part * 32 + i] = (packed[part / 4 * 32 + i] >> (part % 4 * 2)) & 3;
    }
}

// Nibbles of blocks of 256 (Q4_K, Q5_K): per 64 values 32 bytes, low nibbles first.
static void read_nibbles(const uint8_t *packed, uint8_t *values) {
    for (int part = 0; part < 8; part++) {
        for (int i = 0; i < 32; i++) values[part * 32 + i] = (packed[part / 2 * 32 + i] >> (part % 2 * 4)) & 15;
    }
}

// One more bit for blocks of 256 (Q3_K, Q5_K): bit p of byte i belongs to value 32 p + i.
static void read_upper_bit(const uint8_t *packed, uint8_t *values, int at) {
    for (int part = 0; part < 8; part++) {
        for (int i = 0; i < 32; i++) values[part * 32 + i] |= (uint8_t)(((packed[i] >> part) & 1) << at);
    }
}

static void read_q2_k(const uint8_t *source, phalanx_block *block) {
    for (int i = 0; i < 16; i++) {
        block->sub_scales[i] = source[i] & 15;
        block->sub_minimums[i] = source[i] >> 4;
    }
    read_two_bits(source + 16, block->values);
    block->scale = phalanx_load_u16(source + 80);
    block->minimum = phalanx_load_u16(source + 82);
}

static void read_q3_k(const uint8_t *source, phalanx_block *block) {
    const uint8_t *scales = source + 96;
    read_two_bits(source + 32, block->values);
    read_upper_bit(source, block->values, 2);
    for (int i = 0; i < 16; i++) {
        const int low = i < 8 ? scales[i] & 15 : scales[i - 8] >> 4;
        const int high = (scales[8 + i % 4] >> (i / 4 * 2)) & 3;
        block->sub_scales[i] = (uint8_t)(low | high << 4);
    }
    block->scale = phalanx_load_u16(source + 108);
}

static void read_q5_k(const uint8_t *source, phalanx_block *block) {
    block->scale = phalanx_load_u16(source);
    block->minimum = phalanx_load_u16(source + 2);
    read_scales_and_minimums(source + 4, block->sub_scales, block->sub_minimums);
    read_nibbles(source + 48, block->values);
    read_upper_bit(source + 16, block->values, 4);
}

static void read_q6_k(const uint8_t *source, phalanx_block *block) {
    const uint8_t *high = source + 128;
    for (int part = 0; part < 8; part++) {
        const int half = part / 4, quarter = part % 4;
        for (int i = 0; i < 32; i++) {
            const int nibble = (source[half * 64 + quarter % 2 * 32 + i] >> (quarter / 2 * 4)) & 15;
            const int top = (high[half * 32 + i] >> (quarter * 2)) & 3;
            block->values[part * 32 + i] = (uint8_t)(nibble | top << 4);
        }
    }
    memcpy(block->sub_scales, source + 192, 16);
    block->scale = phalanx_load_u16(source + 208);
}

void phalanx_block_read(phalanx_format format, const uint8_t *source, phalanx_block *block) {
    memset(block, 0, sizeof *block);
    switch (format) {
    case PHALANX_F32:
    case PHALANX_F16:
    case PHALANX_BF16:
        break; // no blocks
    case PHALANX_Q8_0:
        block->scale = phalanx_load_u16(source);
        for (int i = 0; i < 32; i++) block->values[i] = source[2 + i] ^ 128;
        break;
    case PHALANX_Q4_0:
        block->scale = phalanx_load_u16(source);
        read_32(source + 2, NULL, block->values);
        break;
    case PHALANX_Q4_1:
        block->scale = phalanx_load_u16(source);
        block->minimum = phalanx_load_u16(source + 2);
        read_32(source + 4, NULL, block->values);
        break;
    case PHALANX_Q5_0:
        block->scale = phalanx_load_u16(source);
        read_32(source + 6, source + 2, block->values);
        break;
    case PHALANX_Q5_1:
        block->scale = phalanx_load_u16(source);
        block->minimum = phalanx_load_u16(source + 2);
        read_32(source + 8, source + 4, block->values);
        break;
    case PHALANX_Q2_K:
        read_q2_k(source, block);
        break;
    case PHALANX_Q3_K:
        read_q3_k(source, block);
        break;
    case PHALANX_Q4_K:
        block->scale = phalanx_load_u16(source);
        block->minimum = phalanx_load_u16(source + 2);
        read_scales_and_minimums(source + 4, block->sub_scales, block->sub_minimums);
        read_nibbles(source + 16, block->values);
        break;
    case PHALANX_Q5_K:
        read_q5_k(source, block);
        break;
    case PHALANX_Q6_K:
        read_q6_k(source, block);
        break;
    }
}
