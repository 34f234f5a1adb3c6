// The layer kernels on AVX2 with FMA and F16C: the scalar definition's operations, eight lanes at a time.
#include "layer_table.h"

#if defined(__x86_64__)

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include <immintrin.h>

#include "layer_rest.h"
#include "math_exp.h"

#pragma STDC FP_CONTRACT OFF

static inline __m256 exp8(__m256 x) {
    const __m256 rounder = _mm256_set1_ps(PHALANX_ROUNDER);
    const __m256 unordered = _mm256_cmp_ps(x, x, _CMP_UNORD_Q);
    __m256 bounded = _mm256_max_ps(_mm256_set1_ps(PHALANX_EXP_LOWEST), x);
    bounded = _mm256_min_ps(_mm256_set1_ps(PHALANX_EXP_HIGHEST), bounded);
    const __m256 rounded =
        _mm256_sub_ps(_mm256_fmadd_ps(bounded, _mm256_set1_ps(PHALANX_LOG2_E), rounder), rounder);
    __m256 r = _mm256_fnmadd_ps(rounded, _mm256_set1_ps(PHALANX_LN2_HIGH), bounded);
    r = _mm256_fnmadd_ps(rounded, _mm256_set1_ps(PHALANX_LN2_LOW), r);
    __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(PHALANX_EXP_C4), r, _mm256_set1_ps(PHALANX_EXP_C3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(PHALANX_EXP_C2));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(PHALANX_EXP_C1));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(PHALANX_EXP_C0));
    p = _mm256_add_ps(_mm256_fmadd_ps(p, _mm256_mul_ps(r, r), r), _mm256_set1_ps(1.0f));
    const __m256i n = _mm256_cvtps_epi32(rounded);
    const __m256i half = _mm256_srai_epi32(n, 1);
    const __m256i bias = _mm256_set1_epi32(127);
    const __m256i low = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    const __m256i high = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(n, half), bias), 23);
    p = _mm256_mul_ps(_mm256_mul_ps(p, _mm256_castsi256_ps(low)), _mm256_castsi256_ps(high));
    return _mm256_blendv_ps(p, x, unordered);
}

// Lanes 0..7 of a row of sixteen come from low, 8..15 from high.
static inline float fold(__m256 low, __m256 high) {
    const __m256 eight = _mm256_add_ps(low, high);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

// The first count of eight lanes, count <= 8.
static inline __m256i mask8(size_t count) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lane);
}

static inline size_t at_most_eight(size_t count) { return count < 8 ? count : 8; }

static float dot_self(const float *x, size_t count) {
    __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + 8);
        low = _mm256_fmadd_ps(a, a, low);
        high = _mm256_fmadd_ps(b, b, high);
    }
    if (i < count) {
        const size_t rest = count - i, first = at_most_eight(rest);
        const __m256 a = _mm256_maskload_ps(x + i, mask8(first));
        low = _mm256_fmadd_ps(a, a, low);
        const __m256 b = rest > 8 ? _mm256_maskload_ps(x + i + 8, mask8(rest - 8)) : _mm256_setzero_ps();
        high = _mm256_fmadd_ps(b, b, high);
    }
    return fold(low, high);
}

static void rms_norm(float *out, const float *x, const float *weight, size_t count, float epsilon) {
    const float mean = dot_self(x, count) / (float)count;
    const float scale = 1.0f / __builtin_sqrtf(mean + epsilon);
    const __m256 scales = _mm256_set1_ps(scale);
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(x + i), scales);
        _mm256_storeu_ps(out + i, _mm256_mul_ps(scaled, _mm256_loadu_ps(weight + i)));
    }
    for (; i < count; i++) out[i] = (x[i] * scale) * weight[i];
}

static void add(float *x, const float *y, size_t count) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        _mm256_storeu_ps(x + i, _mm256_add_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
    }
    for (; i < count; i++) x[i] = x[i] + y[i];
}

static void silu_gate(float *out, const float *gate, const float *up, size_t count) {
    const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m256 g = _mm256_loadu_ps(gate + i);
        const __m256 e = exp8(_mm256_xor_ps(g, sign));
        const __m256 silu = _mm256_div_ps(g, _mm256_add_ps(one, e));
        _mm256_storeu_ps(out + i, _mm256_mul_ps(silu, _mm256_loadu_ps(up + i)));
    }
    phalanx_silu_rest(out, gate, up, i, count);
}

static void rope_rotate(float *x, const float *cosine, const float *sine, size_t half_count, size_t head_count,
                        size_t head_dim) {
    for (size_t head = 0; head < head_count; head++) {
        float *first = x + head * head_dim, *second = first + half_count;
        size_t i = 0;
        for (; i + 8 <= half_count; i += 8) {
            const __m256 a = _mm256_loadu_ps(first + i), b = _mm256_loadu_ps(second + i);
            const __m256 c = _mm256_loadu_ps(cosine + i), s = _mm256_loadu_ps(sine + i);
            _mm256_storeu_ps(first + i, _mm256_sub_ps(_mm256_mul_ps(a, c), _mm256_mul_ps(b, s)));
            _mm256_storeu_ps(second + i, _mm256_add_ps(_mm256_mul_ps(b, c), _mm256_mul_ps(a, s)));
        }
        phalanx_rope_rest(first, second, cosine, sine, i, half_count);
    }
}

static void half_from_float(uint16_t *out, const float *x, size_t count) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
        _mm_storeu_si128((__m128i *)(void *)(out + i), halves);
    }
    if (i < count) {
        uint16_t tail[8];
        const __m256 rest = _mm256_maskload_ps(x + i, mask8(count - i));
        _mm_storeu_si128((__m128i *)(void *)tail, _mm256_cvtps_ph(rest, _MM_FROUND_TO_NEAREST_INT));
        memcpy(out + i, tail, (count - i) * sizeof(uint16_t));
    }
}

static void float_from_half(float *out, const uint16_t *x, size_t count) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(x + i))));
    }
    if (i < count) {
        uint16_t tail[8] = {0};
        memcpy(tail, x + i, (count - i) * sizeof(uint16_t));
        const __m256 rest = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)tail));
        _mm256_maskstore_ps(out + i, mask8(count - i), rest);
    }
}

static void float_from_q8(float *out, const int8_t *quantized, const uint16_t *scales, size_t count) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m256 scale = _mm256_cvtph_ps(_mm_set1_epi16((int16_t)scales[i / PHALANX_Q8_BLOCK]));
        const __m256i wide = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(quantized + i)));
        _mm256_storeu_ps(out + i, _mm256_mul_ps(_mm256_cvtepi32_ps(wide), scale));
    }
    if (i < count) {
        int8_t tail[8] = {0};
        memcpy(tail, quantized + i, count - i);
        const __m256 scale = _mm256_cvtph_ps(_mm_set1_epi16((int16_t)scales[i / PHALANX_Q8_BLOCK]));
        const __m256i wide = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)tail));
        _mm256_maskstore_ps(out + i, mask8(count - i), _mm256_mul_ps(_mm256_cvtepi32_ps(wide), scale));
    }
}

static inline float largest_of(__m256 x) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

// The greater one per lane; the second where either is NaN. So a NaN counts only as the first element of all.
static float maximum(const float *x, size_t count) {
    __m256 m = _mm256_set1_ps(x[0]);
    size_t i = 0;
    for (; i + 8 <= count; i += 8) m = _mm256_max_ps(_mm256_loadu_ps(x + i), m);
    float largest = largest_of(m);
    for (; i < count; i++) largest = x[i] > largest ? x[i] : largest;
    return largest + 0.0f;
}

static float exp_sum_segment(float *out, const float *x, size_t count, float shift) {
    const __m256 shifts = _mm256_set1_ps(shift);
    __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m256 a = exp8(_mm256_sub_ps(_mm256_loadu_ps(x + i), shifts));
        const __m256 b = exp8(_mm256_sub_ps(_mm256_loadu_ps(x + i + 8), shifts));
        if (out != NULL) {
            _mm256_storeu_ps(out + i, a);
            _mm256_storeu_ps(out + i + 8, b);
        }
        low = _mm256_add_ps(low, a);
        high = _mm256_add_ps(high, b);
    }
    if (i < count) { // lanes without an element get +0, which changes no sum of exponentials
        float tail[PHALANX_LANES] = {0};
        for (size_t lane = 0; i + lane < count; lane++) {
            tail[lane] = phalanx_exp_inline(x[i + lane] - shift);
            if (out != NULL) out[i + lane] = tail[lane];
        }
        low = _mm256_add_ps(low, _mm256_loadu_ps(tail));
        high = _mm256_add_ps(high, _mm256_loadu_ps(tail + 8));
    }
    return fold(low, high);
}

// ---- Attention ------------------------------------------------------------------------------------------------------

// The sixteen lanes of a dot product after the first fold (lanes 8 apart).
static inline __m256 dot_lanes(const float *x, const float *y, size_t stride) {
    __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
    for (size_t i = 0; i < stride; i += 16) {
        low = _mm256_fmadd_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i), low);
        high = _mm256_fmadd_ps(_mm256_loadu_ps(x + i + 8), _mm256_loadu_ps(y + i + 8), high);
    }
    return _mm256_add_ps(low, high);
}

// Folds lanes 4 apart of two products: the first's four lanes in the low half, the second's in the high one.
static inline __m256 fold_four(__m256 x, __m256 y) {
    return _mm256_add_ps(_mm256_permute2f128_ps(x, y, 0x20), _mm256_permute2f128_ps(x, y, 0x31));
}

// Folds lanes 2 apart of four products, given as two pairs.
static inline __m256 fold_two(__m256 x, __m256 y) {
    return _mm256_add_ps(_mm256_shuffle_ps(x, y, 0x44), _mm256_shuffle_ps(x, y, 0xee));
}

// The dot products of a query with eight consecutive keys.
static inline __m256 dot_eight(const float *query, const float *keys, size_t stride) {
    __m256 pair[4];
    for (size_t i = 0; i < 4; i++) {
        pair[i] = fold_four(dot_lanes(query, keys + 2 * i * stride, stride),
                            dot_lanes(query, keys + (2 * i + 1) * stride, stride));
    }
    const __m256 first = fold_two(pair[0], pair[1]), second = fold_two(pair[2], pair[3]);
    const __m256 sums = _mm256_add_ps(_mm256_shuffle_ps(first, second, 0x88), _mm256_shuffle_ps(first, second, 0xdd));
    // The keys come out as 0 2 4 6 | 1 3 5 7.
    return _mm256_permutevar8x32_ps(sums, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

static inline float dot_one(const float *query, const float *key, size_t stride) {
    const __m256 eight = dot_lanes(query, key, stride);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

// Weighted sums of values for 8 * registers columns: one ascending chain per column.
static inline __attribute__((always_inline)) void weigh(float *out, const float *weights, const float *values,
                                                        size_t stride, size_t first, size_t end, size_t registers) {
    __m256 sums[8];
    for (size_t r = 0; r < registers; r++) sums[r] = _mm256_setzero_ps();
    for (size_t j = first; j < end; j++) {
        const __m256 weight = _mm256_broadcast_ss(weights + j);
        for (size_t r = 0; r < registers; r++) {
            sums[r] = _mm256_fmadd_ps(weight, _mm256_loadu_ps(values + j * stride + 8 * r), sums[r]);
        }
    }
    for (size_t r = 0; r < registers; r++) _mm256_storeu_ps(out + 8 * r, sums[r]);
}

static void attention_query(float *state, const float *query, const phalanx_attention_block *block) {
    const size_t first = block->first, end = block->end, stride = block->stride;
    const float *keys = block->keys, *values = block->values;
    float weights[PHALANX_PAGE_POSITIONS];
    const __m256 masked = _mm256_set1_ps(-__builtin_inff()), scales = _mm256_set1_ps(block->scale);
    for (size_t j = 0; j < PHALANX_PAGE_POSITIONS; j += 8) _mm256_storeu_ps(weights + j, masked);
    size_t j = first;
    for (; j + 8 <= end; j += 8) {
        _mm256_storeu_ps(weights + j, _mm256_mul_ps(dot_eight(query, keys + j * stride, stride), scales));
    }
    for (; j < end; j++) weights[j] = dot_one(query, keys + j * stride, stride) * block->scale;

    // Positions that are not seen hold minus infinity: no maximum, and a weight of +0 that changes no sum of weights.
    const size_t first_group = first / 16 * 16;
    __m256 largest = masked;
    for (j = first_group; j < end; j += 8) largest = _mm256_max_ps(largest, _mm256_loadu_ps(weights + j));
    const float maximum_score = largest_of(largest);
    const __m256 shift = _mm256_set1_ps(maximum_score);
    __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
    for (j = first_group; j < end; j += 16) {
        const __m256 a = exp8(_mm256_sub_ps(_mm256_loadu_ps(weights + j), shift));
        const __m256 b = exp8(_mm256_sub_ps(_mm256_loadu_ps(weights + j + 8), shift));
        _mm256_storeu_ps(weights + j, a);
        _mm256_storeu_ps(weights + j + 8, b);
        low = _mm256_add_ps(low, a);
        high = _mm256_add_ps(high, b);
    }
    size_t d = 0;
    for (; d + 64 <= stride; d += 64) weigh(state + d, weights, values + d, stride, first, end, 8);
    for (; d + 32 <= stride; d += 32) weigh(state + d, weights, values + d, stride, first, end, 4);
    for (; d < stride; d += 16) weigh(state + d, weights, values + d, stride, first, end, 2);
    state[stride] = maximum_score;
    state[stride + 1] = fold(low, high);
}

static void attention_block(const phalanx_attention_block *block) {
    for (size_t q = 0; q < block->query_count; q++) {
        attention_query(block->states + q * block->state_stride, block->queries + q * block->stride, block);
    }
}

static void attention_merge(float *into, const float *from, size_t stride) {
    float earlier, later;
    if (!phalanx_merge_weights(into, from, stride, &earlier, &later)) return;
    const __m256 earlier8 = _mm256_set1_ps(earlier), later8 = _mm256_set1_ps(later);
    for (size_t d = 0; d < stride; d += 8) {
        const __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(into + d), earlier8);
        _mm256_storeu_ps(into + d, _mm256_fmadd_ps(_mm256_loadu_ps(from + d), later8, scaled));
    }
}

const phalanx_layer_table phalanx_layer_avx2 = {
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
    .attention_merge = attention_merge,
};

#pragma clang attribute pop

#endif
