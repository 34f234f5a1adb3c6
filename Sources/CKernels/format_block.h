// One quantisation block of one matrix row in a plain form, between file layout, panel layout and scalar arithmetic.
#ifndef PHALANX_FORMAT_BLOCK_H
#define PHALANX_FORMAT_BLOCK_H

#include "phalanx_matrix.h"

#include <string.h>

enum { PHALANX_BLOCK_MAXIMUM = 256, PHALANX_SUB_MAXIMUM = 16, PHALANX_COLUMNS_MAXIMUM = 1 << 24 };

// In a header, so that kernels made for one format see constants.
static const phalanx_format_traits phalanx_format_table[PHALANX_FORMAT_COUNT] = {
    [PHALANX_F32] = {PHALANX_ACTIVATION_F32, PHALANX_SUB_NONE, 1, 4, 1, 0, 0, 0, 0},
    [PHALANX_F16] = {PHALANX_ACTIVATION_F32, PHALANX_SUB_NONE, 1, 2, 1, 0, 0, 0, 0},
    [PHALANX_BF16] = {PHALANX_ACTIVATION_F32, PHALANX_SUB_NONE, 1, 2, 1, 0, 0, 0, 0},
    [PHALANX_Q8_0] = {PHALANX_ACTIVATION_INT8_32, PHALANX_SUB_NONE, 32, 34, 32, 8, 0, 128, 0},
    [PHALANX_Q4_0] = {PHALANX_ACTIVATION_INT8_32, PHALANX_SUB_NONE, 32, 18, 32, 4, 0, 8, 0},
    [PHALANX_Q4_1] = {PHALANX_ACTIVATION_INT8_32, PHALANX_SUB_NONE, 32, 20, 32, 4, 0, 0, 1},
    [PHALANX_Q5_0] = {PHALANX_ACTIVATION_INT8_32, PHALANX_SUB_NONE, 32, 22, 32, 4, 1, 16, 0},
    [PHALANX_Q5_1] = {PHALANX_ACTIVATION_INT8_32, PHALANX_SUB_NONE, 32, 24, 32, 4, 1, 0, 1},
    [PHALANX_Q2_K] = {PHALANX_ACTIVATION_INT8_256, PHALANX_SUB_MIN_4, 256, 84, 16, 2, 0, 0, 1},
    [PHALANX_Q3_K] = {PHALANX_ACTIVATION_INT8_256, PHALANX_SUB_SIGNED_6, 256, 110, 16, 2, 1, 4, 0},
    [PHALANX_Q4_K] = {PHALANX_ACTIVATION_INT8_256, PHALANX_SUB_MIN_6, 256, 144, 32, 4, 0, 0, 1},
    [PHALANX_Q5_K] = {PHALANX_ACTIVATION_INT8_256, PHALANX_SUB_MIN_6, 256, 176, 32, 4, 1, 0, 1},
    [PHALANX_Q6_K] = {PHALANX_ACTIVATION_INT8_256, PHALANX_SUB_SIGNED_8, 256, 210, 16, 4, 2, 32, 0},
};

// Values are unsigned here: a weight is (value - traits.offset) times its scales. Sub-scales are as stored, so 6-bit
// signed ones lack their -32, and 8-bit ones are bit patterns of int8.
typedef struct phalanx_block {
    uint16_t scale;   // f16
    uint16_t minimum; // f16
    uint8_t sub_scales[PHALANX_SUB_MAXIMUM];
    uint8_t sub_minimums[PHALANX_SUB_MAXIMUM];
    uint8_t values[PHALANX_BLOCK_MAXIMUM];
} phalanx_block;

// From the file's bytes of one block.
void phalanx_block_read(phalanx_format format, const uint8_t *source, phalanx_block *block);

// To the file's bytes of one block: the inverse.
void phalanx_block_write(phalanx_format format, const phalanx_block *block, uint8_t *target);

// To and from block number `index` of row `row` (0 ..< 16) of a panel of `blocks` blocks.
void phalanx_block_pack(phalanx_format format, const phalanx_block *block, uint8_t *panel, size_t blocks, size_t index,
                        int row);
void phalanx_block_unpack(phalanx_format format, phalanx_block *block, const uint8_t *panel, size_t blocks,
                          size_t index, int row);

// A panel holds for each block: its sub-scales, then chunks of 32 values x 16 rows (low bits, then high bits); then,
// after the last block, for each block 16 f16 scales and, where the format has them, 16 f16 minimums.
static inline size_t phalanx_sub_bytes(phalanx_sub_scales kind) {
    switch (kind) {
    case PHALANX_SUB_NONE:
        return 0;
    case PHALANX_SUB_MIN_4:
    case PHALANX_SUB_SIGNED_8:
        return 256;
    case PHALANX_SUB_MIN_6:
    case PHALANX_SUB_SIGNED_6:
        return 192;
    }
    return 0;
}

static inline size_t phalanx_chunk_bytes(const phalanx_format_traits *traits) {
    return 64u * (unsigned)(traits->low_bits + traits->high_bits);
}

static inline size_t phalanx_body_bytes(const phalanx_format_traits *traits) {
    return phalanx_sub_bytes(traits->sub_scales) + (unsigned)traits->block / 32 * phalanx_chunk_bytes(traits);
}

static inline size_t phalanx_scale_bytes(const phalanx_format_traits *traits) { return traits->has_minimum ? 64 : 32; }

// The signed factor that a stored sub-scale stands for (1 where there are none).
static inline int phalanx_sub_factor(phalanx_sub_scales kind, uint8_t stored) {
    switch (kind) {
    case PHALANX_SUB_NONE:
        return 1;
    case PHALANX_SUB_MIN_4:
    case PHALANX_SUB_MIN_6:
        return stored;
    case PHALANX_SUB_SIGNED_6:
        return (int)stored - 32;
    case PHALANX_SUB_SIGNED_8:
        return stored < 128 ? stored : (int)stored - 256;
    }
    return 1;
}

// f16 -> f32, exact; NaN payloads are kept.
static inline float phalanx_widen_f16(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t exponent = (half >> 10) & 31;
    uint32_t fraction = half & 1023;
    uint32_t bits;
    if (exponent == 31) {
        bits = sign | 0x7f800000u | (fraction << 13);
    } else if (exponent != 0) {
        bits = sign | ((exponent + 112) << 23) | (fraction << 13);
    } else if (fraction == 0) {
        bits = sign;
    } else {
        uint32_t shifted = 113;
        while (!(fraction & 1024)) {
            fraction <<= 1;
            shifted--;
        }
        bits = sign | (shifted << 23) | ((fraction & 1023) << 13);
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float phalanx_widen_bf16(uint16_t upper) {
    const uint32_t bits = (uint32_t)upper << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint16_t phalanx_load_u16(const uint8_t *bytes) {
    return (uint16_t)(bytes[0] | (unsigned)bytes[1] << 8);
}

static inline void phalanx_store_u16(uint8_t *bytes, uint16_t value) {
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

static inline float phalanx_load_f32(const uint8_t *bytes) {
    float value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

#endif
