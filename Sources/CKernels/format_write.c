// ggml's block layouts, written from the plain form: the inverse of format_read.c.
#include "format_block.h"
#include "phalanx_quantize.h"

static void write_32(const uint8_t *values, uint8_t *nibbles, uint8_t *high) {
    for (int i = 0; i < 16; i++) nibbles[i] = (uint8_t)((values[i] & 15) | (values[i + 16] & 15) << 4);
    if (high == NULL) return;
    memset(high, 0, 4);
    for (int i = 0; i < 32; i++) high[i / 8] |= (uint8_t)(((values[i] >> 4) & 1) << (i % 8));
}

static void write_scales_and_minimums(const uint8_t *scales, const uint8_t *minimums, uint8_t *packed) {
    for (int i = 0; i < 4; i++) {
        packed[i] = (uint8_t)((scales[i] & 63) | (scales[i + 4] >> 4) << 6);
        packed[i + 4] = (uint8_t)((minimums[i] & 63) | (minimums[i + 4] >> 4) << 6);
        packed[i + 8] = (uint8_t)((scales[i + 4] & 15) | (minimums[i + 4] & 15) << 4);
    }
}

static void write_two_bits(const uint8_t *values, uint8_t *packed) {
    for (int half = 0; half < 2; half++) {
        const uint8_t *v = values + half * 128;
        for (int i = 0; i < 32; i++) {
            const int low = (v[i] & 3) | (v[i + 32] & 3) << 2, high = (v[i + 64] & 3) | (v[i + 96] & 3) << 2;
            packed[half * 32 + i] = (uint8_t)(low | high << 4);
        }
    }
}

static void write_nibbles(const uint8_t *values, uint8_t *packed) {
    for (int quarter = 0; quarter < 4; quarter++) {
        const uint8_t *v = values + quarter * 64;
        for (int i = 0; i < 32; i++) packed[quarter * 32 + i] = (uint8_t)((v[i] & 15) | (v[i + 32] & 15) << 4);
    }
}

static void write_upper_bit(const uint8_t *values, uint8_t *packed, int at) {
    memset(packed, 0, 32);
    for (int part = 0; part < 8; part++) {
        for (int i = 0; i < 32; i++) packed[i] |= (uint8_t)(((values[part * 32 + i] >> at) & 1) << part);
    }
}

static void write_q2_k(const phalanx_block *block, uint8_t *target) {
    for (int i = 0; i < 16; i++) {
        target[i] = (uint8_t)((block->sub_scales[i] & 15) | (block->sub_minimums[i] & 15) << 4);
    }
    write_two_bits(block->values, target + 16);
    phalanx_store_u16(target + 80, block->scale);
    phalanx_store_u16(target + 82, block->minimum);
}

static void write_q3_k(const phalanx_block *block, uint8_t *target) {
    uint8_t *scales = target + 96;
    write_upper_bit(block->values, target, 2);
    write_two_bits(block->values, target + 32);
    memset(scales, 0, 12);
    for (int i = 0; i < 16; i++) {
        scales[i % 8] |= (uint8_t)((block->sub_scales[i] & 15) << (i / 8 * 4));
        scales[8 + i % 4] |= (uint8_t)(((block->sub_scales[i] >> 4) & 3) << (i / 4 * 2));
    }
    phalanx_store_u16(target + 108, block->scale);
}

static void write_q6_k(const phalanx_block *block, uint8_t *target) {
    for (int half = 0; half < 2; half++) {
        const uint8_t *v = block->values + half * 128;
        for (int i = 0; i < 64; i++) target[half * 64 + i] = (uint8_t)((v[i] & 15) | (v[i + 64] & 15) << 4);
        for (int i = 0; i < 32; i++) {
            const int low = (v[i] >> 4 & 3) | (v[i + 32] >> 4 & 3) << 2;
            const int high = (v[i + 64] >> 4 & 3) | (v[i + 96] >> 4 & 3) << 2;
            target[128 + half * 32 + i] = (uint8_t)(low | high << 4);
        }
    }
    memcpy(target + 192, block->sub_scales, 16);
    phalanx_store_u16(target + 208, block->scale);
}

void phalanx_block_write(phalanx_format format, const phalanx_block *block, uint8_t *target) {
    switch (format) {
    case PHALANX_F32:
    case PHALANX_F16:
    case PHALANX_BF16:
        break; // no blocks
    case PHALANX_Q8_0:
        phalanx_store_u16(target, block->scale);
        for (int i = 0; i < 32; i++) target[2 + i] = block->values[i] ^ 128;
        break;
    case PHALANX_Q4_0:
        phalanx_store_u16(target, block->scale);
        write_32(block->values, target + 2, NULL);
        break;
    case PHALANX_Q4_1:
        phalanx_store_u16(target, block->scale);
        phalanx_store_u16(target + 2, block->minimum);
        write_32(block->values, target + 4, NULL);
        break;
    case PHALANX_Q5_0:
        phalanx_store_u16(target, block->scale);
        write_32(block->values, target + 6, target + 2);
        break;
    case PHALANX_Q5_1:
        phalanx_store_u16(target, block->scale);
        phalanx_store_u16(target + 2, block->minimum);
        write_32(block->values, target + 8, target + 4);
        break;
    case PHALANX_Q2_K:
        write_q2_k(block, target);
        break;
    case PHALANX_Q3_K:
        write_q3_k(block, target);
        break;
    case PHALANX_Q4_K:
    case PHALANX_Q5_K:
        phalanx_store_u16(target, block->scale);
        phalanx_store_u16(target + 2, block->minimum);
        write_scales_and_minimums(block->sub_scales, block->sub_minimums, target + 4);
        if (format == PHALANX_Q5_K) write_upper_bit(block->values, target + 16, 4);
        write_nibbles(block->values, target + (format == PHALANX_Q5_K ? 48 : 16));
        break;
    case PHALANX_Q6_K:
        write_q6_k(block, target);
        break;
    }
}

void phalanx_encode_row(phalanx_format format, size_t columns, const phalanx_plain_row *parts, uint8_t *row) {
    const phalanx_format_traits *traits = phalanx_traits(format);
    const size_t length = (size_t)traits->block;
    const size_t subs = length / (size_t)traits->sub_block;
    for (size_t index = 0; index < columns / length; index++) {
        phalanx_block block;
        memset(&block, 0, sizeof block);
        block.scale = parts->scales[index];
        if (traits->has_minimum) block.minimum = parts->minimums[index];
        if (traits->sub_scales != PHALANX_SUB_NONE) {
            memcpy(block.sub_scales, parts->sub_scales + index * subs, subs);
            if (traits->has_minimum) memcpy(block.sub_minimums, parts->sub_minimums + index * subs, subs);
        }
        memcpy(block.values, parts->values + index * length, length);
        phalanx_block_write(format, &block, row + index * (size_t)traits->block_bytes);
    }
}
