// Rows of numbers -> rows in file layout, byte for byte as ggml's reference makes them (ggml_quantize_chunk without an
// importance matrix).
#include "phalanx_quantize.h"
#include "quantize_formats.h"

#include <float.h>
#include <math.h>

#pragma STDC FP_CONTRACT OFF

// The low byte of a float cut to 32 bits; what does not fit (or is no number) is 0, as on x86-64.
static int8_t cut(float x) { return x > -2147483648.f && x < 2147483648.f ? (int8_t)(int32_t)x : 0; }

// The same, rounded first: halves away from zero.
static int8_t cut_rounded(float x) {
    if (!(x > -8388608.f && x < 8388608.f)) return cut(x);
    const float whole = (float)(int32_t)x;
    const float rest = x - whole;
    return cut(rest >= 0.5f ? whole + 1 : rest <= -0.5f ? whole - 1 : whole);
}

static float inverse_of(float scale) { return scale != 0 ? 1.0f / scale : 0; }

// Q4_0, Q5_0: the element of the largest magnitude becomes -reach.
static void quantize_signed(const float *x, int reach, phalanx_block *block) {
    float peak = 0, magnitude = 0;
    for (int i = 0; i < 32; i++) {
        if (magnitude < fabsf(x[i])) {
            magnitude = fabsf(x[i]);
            peak = x[i];
        }
    }
    const float scale = peak / (float)-reach, inverse = inverse_of(scale);
    block->scale = phalanx_narrow_f16(scale);
    for (int i = 0; i < 32; i++) {
        const int8_t value = cut(x[i] * inverse + ((float)reach + 0.5f));
        block->values[i] = (uint8_t)(value < 2 * reach - 1 ? value : 2 * reach - 1);
    }
}

// Q4_1, Q5_1: from the least to the greatest element.
static void quantize_range(const float *x, int top, phalanx_block *block) {
    float low = FLT_MAX, high = -FLT_MAX;
    for (int i = 0; i < 32; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    const float scale = (high - low) / (float)top, inverse = inverse_of(scale);
    block->scale = phalanx_narrow_f16(scale);
    block->minimum = phalanx_narrow_f16(low);
    for (int i = 0; i < 32; i++) {
        const int8_t value = cut((x[i] - low) * inverse + 0.5f);
        block->values[i] = (uint8_t)(value < top ? value : top);
    }
}

static void quantize_q8_0(const float *x, phalanx_block *block) {
    float magnitude = 0;
    for (int i = 0; i < 32; i++) magnitude = fabsf(x[i]) > magnitude ? fabsf(x[i]) : magnitude;
    const float scale = magnitude / 127.f, inverse = inverse_of(scale);
    block->scale = phalanx_narrow_f16(scale);
    for (int i = 0; i < 32; i++) block->values[i] = (uint8_t)cut_rounded(x[i] * inverse) ^ 128;
}

static void quantize_block(phalanx_format format, const float *x, phalanx_block *block) {
    switch (format) {
    case PHALANX_F32:
    case PHALANX_F16:
    case PHALANX_BF16:
        break; // no blocks
    case PHALANX_Q8_0:
        quantize_q8_0(x, block);
        break;
    case PHALANX_Q4_0:
        quantize_signed(x, 8, block);
        break;
    case PHALANX_Q4_1:
        quantize_range(x, 15, block);
        break;
    case PHALANX_Q5_0:
        quantize_signed(x, 16, block);
        break;
    case PHALANX_Q5_1:
        quantize_range(x, 31, block);
        break;
    case PHALANX_Q2_K:
        phalanx_quantize_q2_k(x, block);
        break;
    case PHALANX_Q3_K:
        phalanx_quantize_q3_k(x, block);
        break;
    case PHALANX_Q4_K:
        phalanx_quantize_q4_k(x, block);
        break;
    case PHALANX_Q5_K:
        phalanx_quantize_q5_k(x, block);
        break;
    case PHALANX_Q6_K:
        phalanx_quantize_q6_k(x, block);
        break;
    }
}

static bool is_finite_f16(uint16_t half) { return (half & 0x7c00) != 0x7c00; }

// Round to nearest even; overflow to infinity.
static uint16_t narrow_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static bool quantize_floats(phalanx_format format, size_t columns, const float *values, uint8_t *row) {
    bool fits = true;
    switch (format) {
    case PHALANX_F16:
        for (size_t k = 0; k < columns; k++) {
            const uint16_t half = phalanx_narrow_f16(values[k]);
            fits &= is_finite_f16(half);
            phalanx_store_u16(row + 2 * k, half);
        }
        return fits;
    case PHALANX_BF16:
        for (size_t k = 0; k < columns; k++) {
            const uint16_t upper = narrow_bf16(values[k]);
            fits &= (upper & 0x7f80) != 0x7f80;
            phalanx_store_u16(row + 2 * k, upper);
        }
        return fits;
    default:
        memcpy(row, values, columns * sizeof(float));
        return true;
    }
}

bool phalanx_quantize_row(phalanx_format format, size_t columns, const float *values, uint8_t *row) {
    const phalanx_format_traits *traits = phalanx_traits(format);
    // No block's scale reaches as far as 2^40; beyond 2^63 squares overflow, and ggml would write zeros without a word.
    const float limit = traits->block == 1 ? FLT_MAX : 0x1p40f;
    bool fits = true;
    for (size_t k = 0; k < columns; k++) fits &= fabsf(values[k]) <= limit;
    if (!fits) return false;
    if (traits->block == 1) return quantize_floats(format, columns, values, row);
    for (size_t index = 0; index < columns / (size_t)traits->block; index++) {
        phalanx_block block;
        memset(&block, 0, sizeof block);
        quantize_block(format, values + index * (size_t)traits->block, &block);
        fits &= is_finite_f16(block.scale) && is_finite_f16(block.minimum);
        phalanx_block_write(format, &block, row + index * (size_t)traits->block_bytes);
    }
    return fits;
}
