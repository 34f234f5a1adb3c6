// The layer kernels on AVX-512: the scalar definition's operations, sixteen lanes at a time.
#include "layer_table.h"

#if defined(__x86_64__)

#define INSTRUCTIONS "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"
#pragma clang attribute push(__attribute__((target(INSTRUCTIONS))), apply_to = function)

#include <immintrin.h>
#include <stdbool.h>

#include "layer_rest.h"
#include "math_exp.h"

#pragma STDC FP_CONTRACT OFF

#define INLINE static inline __attribute__((always_inline))

INLINE __m512 exp16(__m512 x) {
    const __m512 rounder = _mm512_set1_ps(PHALANX_ROUNDER);
    const __mmask16 unordered = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    __m512 bounded = _mm512_max_ps(_mm512_set1_ps(PHALANX_EXP_LOWEST), x);
    bounded = _mm512_min_ps(_mm512_set1_ps(PHALANX_EXP_HIGHEST), bounded);
    const __m512 rounded = _mm512_sub_ps(_mm512_fmadd_ps(bounded, _mm512_set1_ps(PHALANX_LOG2_E), rounder), rounder);
    __m512 r = _mm512_fnmadd_ps(rounded, _mm512_set1_ps(PHALANX_LN2_HIGH), bounded);
    r = _mm512_fnmadd_ps(rounded, _mm512_set1_ps(PHALANX_LN2_LOW), r);
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(PHALANX_EXP_C4), r, _mm512_set1_ps(PHALANX_EXP_C3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(PHALANX_EXP_C2));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(PHALANX_EXP_C1));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(PHALANX_EXP_C0));
    p = _mm512_add_ps(_mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r), _mm512_set1_ps(1.0f));
    const __m512i n = _mm512_cvtps_epi32(rounded);
    const __m512i half = _mm512_srai_epi32(n, 1);
    const __m512i bias = _mm512_set1_epi32(127);
    const __m512i low = _mm512_slli_epi32(_mm512_add_epi32(half, bias), 23);
    const __m512i high = _mm512_slli_epi32(_mm512_add_epi32(_mm512_sub_epi32(n, half), bias), 23);
    p = _mm512_mul_ps(_mm512_mul_ps(p, _mm512_castsi512_ps(low)), _mm512_castsi512_ps(high));
    return _mm512_mask_blend_ps(unordered, p, x);
}

// The one order in which sixteen lanes become one number: 8 apart, 4, 2, 1.
INLINE float fold(__m512 lanes) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

// The first `count` lanes; all of them from 16 on.
INLINE __mmask16 first_lanes(size_t count) { return count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1); }

static void rms_norm(float *out, const float *x, const float *weight, size_t count, float epsilon) {
    __m512 sums = _mm512_setzero_ps();
    for (size_t i = 0; i < count; i += 16) {
        const __m512 a = _mm512_maskz_loadu_ps(first_lanes(count - i), x + i);
        sums = _mm512_fmadd_ps(a, a, sums);
    }
    const float mean = fold(sums) / (float)count;
    const __m512 scale = _mm512_set1_ps(1.0f / __builtin_sqrtf(mean + epsilon));
    for (size_t i = 0; i < count; i += 16) {
        const __mmask16 lanes = first_lanes(count - i);
        const __m512 scaled = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, x + i), scale);
        _mm512_mask_storeu_ps(out + i, lanes, _mm512_mul_ps(scaled, _mm512_maskz_loadu_ps(lanes, weight + i)));
    }
}

static void add(float *x, const float *y, size_t count) {
    for (size_t i = 0; i < count; i += 16) {
        const __mmask16 lanes = first_lanes(count - i);
        const __m512 sum = _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, x + i), _mm512_maskz_loadu_ps(lanes, y + i));
        _mm512_mask_storeu_ps(x + i, lanes, sum);
    }
}

static void silu_gate(float *out, const float *gate, const float *up, size_t count) {
    const __m512 one = _mm512_set1_ps(1.0f), sign = _mm512_set1_ps(-0.0f);
    for (size_t i = 0; i < count; i += 16) {
        const __mmask16 lanes = first_lanes(count - i);
        const __m512 g = _mm512_maskz_loadu_ps(lanes, gate + i);
        const __m512 silu = _mm512_div_ps(g, _mm512_add_ps(one, exp16(_mm512_xor_ps(g, sign))));
        _mm512_mask_storeu_ps(out + i, lanes, _mm512_mul_ps(silu, _mm512_maskz_loadu_ps(lanes, up + i)));
    }
}

static void rope_rotate(float *x, const float *cosine, const float *sine, size_t half_count, size_t head_count,
                        size_t head_dim) {
    for (size_t i = 0; i < half_count; i += 16) {
        const __mmask16 lanes = first_lanes(half_count - i);
        const __m512 c = _mm512_maskz_loadu_ps(lanes, cosine + i), s = _mm512_maskz_loadu_ps(lanes, sine + i);
        for (size_t head = 0; head < head_count; head++) {
            float *first = x + head * head_dim + i, *second = first + half_count;
            const __m512 a = _mm512_maskz_loadu_ps(lanes, first), b = _mm512_maskz_loadu_ps(lanes, second);
            _mm512_mask_storeu_ps(first, lanes, _mm512_sub_ps(_mm512_mul_ps(a, c), _mm512_mul_ps(b, s)));
            _mm512_mask_storeu_ps(second, lanes, _mm512_add_ps(_mm512_mul_ps(b, c), _mm512_mul_ps(a, s)));
        }
    }
}

static void half_from_float(uint16_t *out, const float *x, size_t count) {
    for (size_t i = 0; i < count; i += 16) {
        const __mmask16 lanes = first_lanes(count - i);
        const __m256i halves = _mm512_cvtps_ph(_mm512_maskz_loadu_ps(lanes, x + i), _MM_FROUND_TO_NEAREST_INT);
        _mm256_mask_storeu_epi16(out + i, lanes, halves);
    }
}

static void float_from_half(float *out, const uint16_t *x, size_t count) {
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        _mm512_storeu_ps(out + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)(x + i))));
    }
    if (i < count) {
        const __mmask16 lanes = first_lanes(count - i);
        _mm512_mask_storeu_ps(out + i, lanes, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes, x + i)));
    }
}

static void float_from_q8(float *out, const int8_t *quantized, const uint16_t *scales, size_t count) {
    for (size_t i = 0; i < count; i += 16) {
        const __mmask16 lanes = first_lanes(count - i);
        const __m512 scale = _mm512_cvtph_ps(_mm256_set1_epi16((int16_t)scales[i / PHALANX_Q8_BLOCK]));
        const __m512i wide = _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(lanes, quantized + i));
        _mm512_mask_storeu_ps(out + i, lanes, _mm512_mul_ps(_mm512_cvtepi32_ps(wide), scale));
    }
}

// The greater one per lane; the second where either is NaN. So a NaN counts only as the first element of all.
static float maximum(const float *x, size_t count) {
    __m512 m = _mm512_set1_ps(x[0]);
    for (size_t i = 0; i < count; i += 16) {
        const __mmask16 lanes = first_lanes(count - i);
        m = _mm512_mask_max_ps(m, lanes, _mm512_maskz_loadu_ps(lanes, x + i), m);
    }
    return _mm512_reduce_max_ps(m) + 0.0f;
}

static float exp_sum_segment(float *out, const float *x, size_t count, float shift) {
    const __m512 shifts = _mm512_set1_ps(shift);
    __m512 sums = _mm512_setzero_ps();
    for (size_t i = 0; i < count; i += 16) {
        const __mmask16 lanes = first_lanes(count - i);
        const __m512 e = exp16(_mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + i), shifts));
        if (out != NULL) _mm512_mask_storeu_ps(out + i, lanes, e);
        sums = _mm512_mask_add_ps(sums, lanes, sums, e);
    }
    return fold(sums);
}

// ---- Attention ------------------------------------------------------------------------------------------------------

enum { QUERIES_AT_ONCE = 4 };

// The sixteen lanes of four dot products -> four lanes of each (8 and 4 apart folded): product i in quarter i.
INLINE __m512 fold_four(const __m512 lanes[4]) {
    const __m512 first = _mm512_add_ps(_mm512_shuffle_f32x4(lanes[0], lanes[1], 0x44),
                                       _mm512_shuffle_f32x4(lanes[0], lanes[1], 0xee));
    const __m512 second = _mm512_add_ps(_mm512_shuffle_f32x4(lanes[2], lanes[3], 0x44),
                                        _mm512_shuffle_f32x4(lanes[2], lanes[3], 0xee));
    return _mm512_add_ps(_mm512_shuffle_f32x4(first, second, 0x88), _mm512_shuffle_f32x4(first, second, 0xdd));
}

// Four such vectors -> sixteen dot products (2 and 1 apart folded), in order.
INLINE __m512 fold_sixteen(const __m512 quarters[4]) {
    const __m512 first = _mm512_add_ps(_mm512_shuffle_ps(quarters[0], quarters[1], 0x44),
                                       _mm512_shuffle_ps(quarters[0], quarters[1], 0xee));
    const __m512 second = _mm512_add_ps(_mm512_shuffle_ps(quarters[2], quarters[3], 0x44),
                                        _mm512_shuffle_ps(quarters[2], quarters[3], 0xee));
    const __m512 sums = _mm512_add_ps(_mm512_shuffle_ps(first, second, 0x88), _mm512_shuffle_ps(first, second, 0xdd));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_ps(order, sums);
}

// Sixteen numbers of a row of floats or halves, from element `index` on.
INLINE __m512 numbers_at(const bool half, const void *rows, size_t index) {
    if (!half) return _mm512_loadu_ps((const float *)rows + index);
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)((const uint16_t *)rows + index)));
}

// Asks for the half-precision rows first ..< first + count.
INLINE void fetch_rows(const uint8_t *rows, size_t first, size_t count, size_t stride) {
    const size_t end = (first + count) * stride * sizeof(uint16_t);
    for (size_t at = first * stride * sizeof(uint16_t); at < end; at += 64) {
        _mm_prefetch((const char *)rows + at, _MM_HINT_T1);
    }
}

// The dot products of some queries with the sixteen keys from row `first` on.
INLINE void dot_sixteen(const int queries, const bool half, const float *query, const void *keys, size_t first,
                        size_t stride, __m512 out[]) {
    __m512 quarters[QUERIES_AT_ONCE][4];
#pragma clang loop unroll(full)
    for (int four = 0; four < 4; four++) {
        const size_t row = first + (size_t)four * 4;
        __m512 lanes[QUERIES_AT_ONCE][4];
        for (int q = 0; q < queries; q++) {
            for (int k = 0; k < 4; k++) lanes[q][k] = _mm512_setzero_ps();
        }
        for (size_t i = 0; i < stride; i += 16) {
            __m512 some[4];
            for (int k = 0; k < 4; k++) some[k] = numbers_at(half, keys, (row + (size_t)k) * stride + i);
#pragma clang loop unroll(full)
            for (int q = 0; q < queries; q++) {
                const __m512 numbers = _mm512_loadu_ps(query + (size_t)q * stride + i);
                for (int k = 0; k < 4; k++) lanes[q][k] = _mm512_fmadd_ps(numbers, some[k], lanes[q][k]);
            }
        }
        for (int q = 0; q < queries; q++) quarters[q][four] = fold_four(lanes[q]);
    }
    for (int q = 0; q < queries; q++) out[q] = fold_sixteen(quarters[q]);
}

// Weighted sums of values for 16 * vectors columns of each query: one ascending chain per column.
INLINE void weigh(const int queries, const int vectors, const bool half, const phalanx_attention_block *block,
                  float *states, const float *weights, size_t first_column) {
    const size_t first = block->first, end = block->end, stride = block->stride, state_stride = block->state_stride;
    __m512 sums[QUERIES_AT_ONCE][8];
    for (int q = 0; q < queries; q++) {
        for (int v = 0; v < vectors; v++) sums[q][v] = _mm512_setzero_ps();
    }
    for (size_t j = first; j < end; j++) {
        __m512 numbers[8];
        for (int v = 0; v < vectors; v++) {
            numbers[v] = numbers_at(half, block->values, j * stride + first_column + (size_t)v * 16);
        }
#pragma clang loop unroll(full)
        for (int q = 0; q < queries; q++) {
            const __m512 weight = _mm512_set1_ps(weights[(size_t)q * PHALANX_PAGE_POSITIONS + j]);
            for (int v = 0; v < vectors; v++) sums[q][v] = _mm512_fmadd_ps(weight, numbers[v], sums[q][v]);
        }
    }
    for (int q = 0; q < queries; q++) {
        for (int v = 0; v < vectors; v++) {
            _mm512_storeu_ps(states + (size_t)q * state_stride + first_column + (size_t)v * 16, sums[q][v]);
        }
    }
}

INLINE void attention_queries(const int queries, const bool half, const phalanx_attention_block *block,
                              size_t first_query) {
    const size_t first = block->first, end = block->end, stride = block->stride;
    float *states = block->states + first_query * block->state_stride;
    const float *query = block->queries + first_query * stride;
    float weights[QUERIES_AT_ONCE][PHALANX_PAGE_POSITIONS] __attribute__((aligned(64)));
    const __m512 masked = _mm512_set1_ps(-__builtin_inff()), scale = _mm512_set1_ps(block->scale);
    __m512 largest[QUERIES_AT_ONCE];
    for (int q = 0; q < queries; q++) largest[q] = masked;
    const size_t first_group = first / 16 * 16;
    for (size_t j = first_group; j < end; j += 16) {
        __m512 dots[QUERIES_AT_ONCE];
        if (half && block->ahead_keys) fetch_rows(block->ahead_keys, j, 16, stride);
        dot_sixteen(queries, half, query, block->keys, j, stride, dots);
        // Positions that are not seen hold minus infinity: no maximum, and a weight of +0 that changes no sum of weights.
        const __mmask16 seen = first_lanes(end - j) & (__mmask16)(j < first ? 0xffffu << (first - j) : 0xffffu);
        for (int q = 0; q < queries; q++) {
            const __m512 scores = _mm512_mask_mul_ps(masked, seen, dots[q], scale);
            largest[q] = _mm512_max_ps(largest[q], scores);
            _mm512_store_ps(&weights[q][j], scores);
        }
    }
    for (int q = 0; q < queries; q++) {
        const float maximum_score = _mm512_reduce_max_ps(largest[q]) + 0.0f;
        const __m512 shift = _mm512_set1_ps(maximum_score);
        __m512 sums = _mm512_setzero_ps();
        for (size_t j = first_group; j < end; j += 16) {
            const __m512 e = exp16(_mm512_sub_ps(_mm512_load_ps(&weights[q][j]), shift));
            _mm512_store_ps(&weights[q][j], e);
            sums = _mm512_add_ps(sums, e);
        }
        states[(size_t)q * block->state_stride + stride] = maximum_score;
        states[(size_t)q * block->state_stride + stride + 1] = fold(sums);
    }
    if (half && block->ahead_values) fetch_rows(block->ahead_values, 0, PHALANX_PAGE_POSITIONS, stride);
    // One query alone needs many chains to keep the multipliers busy.
    const int widest = queries == 1 ? 8 : 4;
    for (size_t column = 0; column < stride;) {
        const size_t left = (stride - column) / 16;
        if (left >= 8 && widest == 8) {
            weigh(queries, widest, half, block, states, weights[0], column);
            column += 8 * 16;
        } else if (left >= 6 && widest == 8) {
            weigh(queries, widest - 2, half, block, states, weights[0], column);
            column += 6 * 16;
        } else if (left >= 4) {
            weigh(queries, 4, half, block, states, weights[0], column);
            column += 4 * 16;
        } else if (left >= 2) {
            weigh(queries, 2, half, block, states, weights[0], column);
            column += 2 * 16;
        } else {
            weigh(queries, 1, half, block, states, weights[0], column);
            column += 16;
        }
    }
}

INLINE void attention_all(const bool half, const phalanx_attention_block *block) {
    size_t q = 0;
    for (; q + 4 <= block->query_count; q += 4) attention_queries(4, half, block, q);
    switch (block->query_count - q) {
    case 3:
        attention_queries(3, half, block, q);
        break;
    case 2:
        attention_queries(2, half, block, q);
        break;
    case 1:
        attention_queries(1, half, block, q);
        break;
    }
}

static void attention_block(const phalanx_attention_block *block) { attention_all(false, block); }

static void attention_block_half(const phalanx_attention_block *block) { attention_all(true, block); }

static void attention_merge(float *into, const float *from, size_t stride) {
    float earlier, later;
    if (!phalanx_merge_weights(into, from, stride, &earlier, &later)) return;
    const __m512 earlier16 = _mm512_set1_ps(earlier), later16 = _mm512_set1_ps(later);
    for (size_t d = 0; d < stride; d += 16) {
        const __m512 scaled = _mm512_mul_ps(_mm512_loadu_ps(into + d), earlier16);
        _mm512_storeu_ps(into + d, _mm512_fmadd_ps(_mm512_loadu_ps(from + d), later16, scaled));
    }
}

const phalanx_layer_table phalanx_layer_avx512 = {
    .rms_norm = rms_norm,
    .add = add,
    .silu_gate = silu_gate,
    .rope_rotate = rope_rotate,
    .half_from_float = half_from_float,
    .float_from_half = float_from_half,
    .float_from_q8 = float_from_q8,
    .max = maximum,
    .exp_sum_segment = exp_sum_segment,
    .attention_block = attention_block,
    .attention_block_half = attention_block_half,
    .attention_merge = attention_merge,
};

#pragma clang attribute pop

#endif
