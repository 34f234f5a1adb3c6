// Activation rows -> int8 blocks with AVX2; equal to matrix_scalar.c bit for bit.
#if defined(__x86_64__)

#include "matrix_table.h"

#include <immintrin.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// The bits of the largest magnitude; as integers they order like the magnitudes, with infinity and NaN on top.
static uint32_t largest_magnitude(size_t count, const float *values) {
    const __m256i mask = _mm256_set1_epi32(0x7fffffff);
    __m256i largest = _mm256_setzero_si256();
    for (size_t i = 0; i < count; i += 8) {
        const __m256i bits = _mm256_loadu_si256((const __m256i *)(values + i));
        largest = _mm256_max_epi32(largest, _mm256_and_si256(bits, mask));
    }
    __m128i half = _mm_max_epi32(_mm256_castsi256_si128(largest), _mm256_extracti128_si256(largest, 1));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(half);
}

static __m256i rounded(const float *values, __m256 inverse) {
    return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(values), inverse));
}

float phalanx_avx2_quantize_block(size_t count, const float *values, int8_t *quantized) {
    const uint32_t largest = largest_magnitude(count, values);
    if (largest < PHALANX_ZERO_BELOW || largest >= PHALANX_INFINITE) {
        memset(quantized, 0, count);
        return largest < PHALANX_ZERO_BELOW ? 0.0f : float_of(PHALANX_NAN);
    }
    const __m256 inverse = _mm256_set1_ps(127.0f / float_of(largest));
    // The packs interleave 128-bit halves; this puts groups of 4 back in order.
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (size_t i = 0; i < count; i += 32) {
        const __m256i first = _mm256_packs_epi32(rounded(values + i, inverse), rounded(values + i + 8, inverse));
        const __m256i second = _mm256_packs_epi32(rounded(values + i + 16, inverse), rounded(values + i + 24, inverse));
        const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(first, second), order);
        _mm256_storeu_si256((__m256i *)(quantized + i), bytes);
    }
    return float_of(largest) / 127.0f;
}

// The sums of 32 values by halves: the low and the high 16.
static __m128i sums_of_16(const int8_t *values) {
    const __m256i bytes = _mm256_loadu_si256((const __m256i *)values);
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
    __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    fours = _mm256_hadd_epi32(fours, fours);
    fours = _mm256_hadd_epi32(fours, fours);
    return _mm_unpacklo_epi32(_mm256_castsi256_si128(fours), _mm256_extracti128_si256(fours, 1));
}

void phalanx_avx2_quantize(phalanx_activation activation, size_t columns, const float *values, uint8_t *row) {
    if (activation == PHALANX_ACTIVATION_F32) {
        memcpy(row, values, columns * sizeof(float));
        return;
    }
    const phalanx_activation_layout parts = phalanx_activation_parts(activation, columns);
    int8_t *quantized = (int8_t *)row;
    float *scales = (float *)(row + parts.scales);
    const size_t block = activation == PHALANX_ACTIVATION_INT8_32 ? 32 : 256;
    for (size_t b = 0; b < columns / block; b++) {
        scales[b] = phalanx_avx2_quantize_block(block, values + b * block, quantized + b * block);
    }
    for (size_t i = 0; i < columns / 32; i++) {
        const __m128i halves = sums_of_16(quantized + i * 32);
        const int32_t low = _mm_cvtsi128_si32(halves), high = _mm_extract_epi32(halves, 1);
        if (activation == PHALANX_ACTIVATION_INT8_32) {
            ((int32_t *)(row + parts.sums))[i] = low + high;
        } else {
            ((int16_t *)(row + parts.sums))[2 * i] = (int16_t)low;
            ((int16_t *)(row + parts.sums))[2 * i + 1] = (int16_t)high;
            ((int16_t *)(row + parts.sums32))[i] = (int16_t)(low + high);
        }
    }
}

#pragma clang attribute pop

#endif
