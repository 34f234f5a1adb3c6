// Activation rows -> int8 blocks with NEON; equal to matrix_scalar.c bit for bit.
#if defined(__aarch64__)

#include "matrix_table.h"

#include <arm_neon.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// The bits of the largest magnitude; as integers they order like the magnitudes, with infinity and NaN on top.
static uint32_t largest_magnitude(size_t count, const float *values) {
    uint32x4_t largest = vdupq_n_u32(0);
    for (size_t i = 0; i < count; i += 4) {
        const uint32x4_t bits = vreinterpretq_u32_f32(vld1q_f32(values + i));
        largest = vmaxq_u32(largest, vbicq_u32(bits, vdupq_n_u32(0x80000000u)));
    }
    return vmaxvq_u32(largest);
}

// Four values, rounded half to even.
static int32x4_t rounded(const float *values, float32x4_t inverse) {
    return vcvtnq_s32_f32(vmulq_f32(vld1q_f32(values), inverse));
}

static int16x8_t rounded_eight(const float *values, float32x4_t inverse) {
    return vcombine_s16(vmovn_s32(rounded(values, inverse)), vmovn_s32(rounded(values + 4, inverse)));
}

float phalanx_neon_quantize_block(size_t count, const float *values, int8_t *quantized) {
    const uint32_t largest = largest_magnitude(count, values);
    if (largest < PHALANX_ZERO_BELOW || largest >= PHALANX_INFINITE) {
        memset(quantized, 0, count);
        return largest < PHALANX_ZERO_BELOW ? 0.0f : float_of(PHALANX_NAN);
    }
    const float32x4_t inverse = vdupq_n_f32(127.0f / float_of(largest));
    for (size_t i = 0; i < count; i += 16) {
        const int8x8_t first = vmovn_s16(rounded_eight(values + i, inverse));
        const int8x8_t second = vmovn_s16(rounded_eight(values + i + 8, inverse));
        vst1q_s8(quantized + i, vcombine_s8(first, second));
    }
    return float_of(largest) / 127.0f;
}

static int16_t sum_of_16(const int8_t *values) { return vaddlvq_s8(vld1q_s8(values)); }

void phalanx_neon_quantize(phalanx_activation activation, size_t columns, const float *values, uint8_t *row) {
    if (activation == PHALANX_ACTIVATION_F32) {
        memcpy(row, values, columns * sizeof(float));
        return;
    }
    const phalanx_activation_layout parts = phalanx_activation_parts(activation, columns);
    int8_t *quantized = (int8_t *)row;
    float *scales = (float *)(void *)(row + parts.scales);
    const size_t block = activation == PHALANX_ACTIVATION_INT8_32 ? 32 : 256;
    for (size_t b = 0; b < columns / block; b++) {
        scales[b] = phalanx_neon_quantize_block(block, values + b * block, quantized + b * block);
    }
    for (size_t i = 0; i < columns / 32; i++) {
        const int16_t low = sum_of_16(quantized + i * 32), high = sum_of_16(quantized + i * 32 + 16);
        if (activation == PHALANX_ACTIVATION_INT8_32) {
            ((int32_t *)(void *)(row + parts.sums))[i] = low + high;
        } else {
            ((int16_t *)(void *)(row + parts.sums))[2 * i] = low;
            ((int16_t *)(void *)(row + parts.sums))[2 * i + 1] = high;
            ((int16_t *)(void *)(row + parts.sums32))[i] = (int16_t)(low + high);
        }
    }
}

#endif
