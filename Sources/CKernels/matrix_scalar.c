// The definition of activation quantisation and of the matrix products. Every SIMD version equals it bit for bit.
#include "format_block.h"
#include "matrix_table.h"

#include <math.h>

#pragma STDC FP_CONTRACT OFF

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// Half to even, for magnitudes below 2^22: at 1.5 x 2^23 the last bit of a float is worth 1.
static int round_half_even(float value) {
    const float shifted = value + 12582912.0f;
    return (int)(bits_of(shifted) - bits_of(12582912.0f));
}

// One block of `count` values; returns its scale.
float phalanx_scalar_quantize_block(size_t count, const float *values, int8_t *quantized) {
    uint32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t magnitude = bits_of(values[i]) & 0x7fffffffu;
        if (magnitude > largest) largest = magnitude;
    }
    if (largest < PHALANX_ZERO_BELOW || largest >= PHALANX_INFINITE) {
        memset(quantized, 0, count);
        return largest < PHALANX_ZERO_BELOW ? 0.0f : float_of(PHALANX_NAN);
    }
    const float inverse = 127.0f / float_of(largest);
    for (size_t i = 0; i < count; i++) quantized[i] = (int8_t)round_half_even(values[i] * inverse);
    return float_of(largest) / 127.0f;
}

static int sum_of(const int8_t *values, int count) {
    int sum = 0;
    for (int i = 0; i < count; i++) sum += values[i];
    return sum;
}

void phalanx_scalar_quantize(phalanx_activation activation, size_t columns, const float *values, uint8_t *row) {
    const phalanx_activation_layout parts = phalanx_activation_parts(activation, columns);
    int8_t *quantized = (int8_t *)row;
    float *scales = (float *)(row + parts.scales);
    if (activation == PHALANX_ACTIVATION_F32) {
        memcpy(row, values, columns * sizeof(float));
    } else if (activation == PHALANX_ACTIVATION_INT8_32) {
        int32_t *sums = (int32_t *)(row + parts.sums);
        for (size_t b = 0; b < columns / 32; b++) {
            scales[b] = phalanx_scalar_quantize_block(32, values + b * 32, quantized + b * 32);
            sums[b] = sum_of(quantized + b * 32, 32);
        }
    } else {
        int16_t *sums16 = (int16_t *)(row + parts.sums), *sums32 = (int16_t *)(row + parts.sums32);
        for (size_t b = 0; b < columns / 256; b++) {
            scales[b] = phalanx_scalar_quantize_block(256, values + b * 256, quantized + b * 256);
        }
        for (size_t i = 0; i < columns / 16; i++) sums16[i] = (int16_t)sum_of(quantized + i * 16, 16);
        for (size_t i = 0; i < columns / 32; i++) sums32[i] = (int16_t)sum_of(quantized + i * 32, 32);
    }
}

static void store(float *output, float value) { *output = value != value ? float_of(PHALANX_NAN) : value; }

// The block's part of one output: one fused multiply-add, or two.
static float add_block(const phalanx_format_traits *traits, const phalanx_block *block, const int8_t *activations,
                       float activation_scale, float accumulator) {
    int32_t dot = 0, minimums = 0;
    for (int first = 0, sub = 0; first < traits->block; first += traits->sub_block, sub++) {
        int32_t products = 0, sum = 0;
        for (int i = first; i < first + traits->sub_block; i++) {
            products += block->values[i] * activations[i];
            sum += activations[i];
        }
        dot += phalanx_sub_factor(traits->sub_scales, block->sub_scales[sub]) * (products - traits->offset * sum);
        minimums += traits->sub_scales == PHALANX_SUB_NONE ? sum : -(block->sub_minimums[sub] * sum);
    }
    accumulator = fmaf((float)dot, phalanx_widen_f16(block->scale) * activation_scale, accumulator);
    if (traits->has_minimum) {
        accumulator = fmaf((float)minimums, phalanx_widen_f16(block->minimum) * activation_scale, accumulator);
    }
    return accumulator;
}

// All activation rows with one row of a panel of quantised blocks.
static void multiply_blocks(const phalanx_product *product, const uint8_t *panel, int lane, float *output) {
    const phalanx_format_traits *traits = phalanx_traits(product->format);
    const size_t blocks = product->columns / (size_t)traits->block;
    const size_t scales = phalanx_activation_parts(traits->activation, product->columns).scales;
    for (size_t r = 0; r < product->rows; r++) output[r * product->output_stride] = 0;
    for (size_t b = 0; b < blocks; b++) {
        phalanx_block block;
        phalanx_block_unpack(product->format, &block, panel, blocks, b, lane);
        for (size_t r = 0; r < product->rows; r++) {
            const uint8_t *row = product->activations + r * product->activation_stride;
            const int8_t *values = (const int8_t *)row + b * (size_t)traits->block;
            const float scale = ((const float *)(row + scales))[b];
            float *sum = output + r * product->output_stride;
            *sum = add_block(traits, &block, values, scale, *sum);
        }
    }
    for (size_t r = 0; r < product->rows; r++) {
        store(output + r * product->output_stride, output[r * product->output_stride]);
    }
}

static float weight_at(phalanx_format format, const uint8_t *panel, size_t k, int lane) {
    const size_t index = k * PHALANX_PANEL_ROWS + (size_t)lane;
    switch (format) {
    case PHALANX_F16:
        return phalanx_widen_f16(phalanx_load_u16(panel + index * 2));
    case PHALANX_BF16:
        return phalanx_widen_bf16(phalanx_load_u16(panel + index * 2));
    default:
        return phalanx_load_f32(panel + index * 4);
    }
}

static void multiply_floats(const phalanx_product *product, const uint8_t *panel, int lane, float *output) {
    for (size_t r = 0; r < product->rows; r++) {
        const float *row = (const float *)(product->activations + r * product->activation_stride);
        float sum = 0;
        for (size_t k = 0; k < product->columns; k++) {
            sum = fmaf(weight_at(product->format, panel, k, lane), row[k], sum);
        }
        store(output + r * product->output_stride, sum);
    }
}

void phalanx_scalar_multiply(const phalanx_product *product, size_t first, size_t end) {
    const phalanx_format_traits *traits = phalanx_traits(product->format);
    const size_t panel_bytes = phalanx_panel_bytes(product->format, product->columns);
    for (size_t p = first; p < end; p++) {
        const uint8_t *panel = product->panels + p * panel_bytes;
        for (int lane = 0; lane < PHALANX_PANEL_ROWS; lane++) {
            const size_t o = p * PHALANX_PANEL_ROWS + (size_t)lane;
            if (o >= product->matrix_rows) break;
            if (traits->block == 1) {
                multiply_floats(product, panel, lane, product->output + o);
            } else {
                multiply_blocks(product, panel, lane, product->output + o);
            }
        }
    }
}
