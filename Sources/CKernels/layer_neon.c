// The layer kernels on NEON: the scalar definition's operations, four lanes at a time, with the fused multiply-adds
// written out. All of it is ARMv8.0: the later levels add nothing for floats that rounds as the definition does.
#include "layer_table.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#include "layer_rest.h"
#include "math_exp.h"

#pragma STDC FP_CONTRACT OFF

#define INLINE static inline __attribute__((always_inline))

// Sixteen virtual lanes: register i has lanes 4i ..< 4i + 4.
typedef struct lanes {
    float32x4_t registers[4];
} lanes;

INLINE lanes no_lanes(void) {
    const float32x4_t zero = vdupq_n_f32(0.0f);
    return (lanes){{zero, zero, zero, zero}};
}

// Lanes 2 and 1 apart.
INLINE float fold_four(float32x4_t four) {
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

// Lanes 8 and 4 apart.
INLINE float32x4_t fold_to_four(lanes sixteen) {
    const float32x4_t *r = sixteen.registers;
    return vaddq_f32(vaddq_f32(r[0], r[2]), vaddq_f32(r[1], r[3]));
}

INLINE float fold(lanes sixteen) { return fold_four(fold_to_four(sixteen)); }

INLINE float32x4_t exp4(float32x4_t x) {
    const float32x4_t rounder = vdupq_n_f32(PHALANX_ROUNDER);
    float32x4_t bounded = vmaxq_f32(x, vdupq_n_f32(PHALANX_EXP_LOWEST));
    bounded = vminq_f32(bounded, vdupq_n_f32(PHALANX_EXP_HIGHEST));
    const float32x4_t rounded = vsubq_f32(vfmaq_f32(rounder, bounded, vdupq_n_f32(PHALANX_LOG2_E)), rounder);
    float32x4_t r = vfmsq_f32(bounded, rounded, vdupq_n_f32(PHALANX_LN2_HIGH));
    r = vfmsq_f32(r, rounded, vdupq_n_f32(PHALANX_LN2_LOW));
    float32x4_t p = vfmaq_f32(vdupq_n_f32(PHALANX_EXP_C3), vdupq_n_f32(PHALANX_EXP_C4), r);
    p = vfmaq_f32(vdupq_n_f32(PHALANX_EXP_C2), p, r);
    p = vfmaq_f32(vdupq_n_f32(PHALANX_EXP_C1), p, r);
    p = vfmaq_f32(vdupq_n_f32(PHALANX_EXP_C0), p, r);
    p = vaddq_f32(vfmaq_f32(r, p, vmulq_f32(r, r)), vdupq_n_f32(1.0f));
    const int32x4_t n = vcvtq_s32_f32(rounded), half = vshrq_n_s32(n, 1), bias = vdupq_n_s32(127);
    const int32x4_t low = vshlq_n_s32(vaddq_s32(half, bias), 23);
    const int32x4_t high = vshlq_n_s32(vaddq_s32(vsubq_s32(n, half), bias), 23);
    p = vmulq_f32(vmulq_f32(p, vreinterpretq_f32_s32(low)), vreinterpretq_f32_s32(high));
    return vbslq_f32(vceqq_f32(x, x), p, x); // a NaN stays what it is
}

static float dot_self(const float *x, size_t count) {
    lanes sums = no_lanes();
    size_t i = 0;
    for (; i + PHALANX_LANES <= count; i += PHALANX_LANES) {
        for (size_t r = 0; r < 4; r++) {
            const float32x4_t four = vld1q_f32(x + i + 4 * r);
            sums.registers[r] = vfmaq_f32(sums.registers[r], four, four);
        }
    }
    if (i < count) {
        float tail[PHALANX_LANES] = {0};
        memcpy(tail, x + i, (count - i) * sizeof(float));
        for (size_t r = 0; r < 4; r++) {
            const float32x4_t four = vld1q_f32(tail + 4 * r);
            sums.registers[r] = vfmaq_f32(sums.registers[r], four, four);
        }
    }
    return fold(sums);
}

static void rms_norm(float *out, const float *x, const float *weight, size_t count, float epsilon) {
    const float mean = dot_self(x, count) / (float)count;
    const float scale = 1.0f / __builtin_sqrtf(mean + epsilon);
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        vst1q_f32(out + i, vmulq_f32(vmulq_n_f32(vld1q_f32(x + i), scale), vld1q_f32(weight + i)));
    }
    for (; i < count; i++) out[i] = (x[i] * scale) * weight[i];
}

static void add(float *x, const float *y, size_t count) {
    size_t i = 0;
    for (; i + 4 <= count; i += 4) vst1q_f32(x + i, vaddq_f32(vld1q_f32(x + i), vld1q_f32(y + i)));
    for (; i < count; i++) x[i] = x[i] + y[i];
}

static void silu_gate(float *out, const float *gate, const float *up, size_t count) {
    const float32x4_t one = vdupq_n_f32(1.0f);
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        const float32x4_t g = vld1q_f32(gate + i);
        const float32x4_t silu = vdivq_f32(g, vaddq_f32(one, exp4(vnegq_f32(g))));
        vst1q_f32(out + i, vmulq_f32(silu, vld1q_f32(up + i)));
    }
    phalanx_silu_rest(out, gate, up, i, count);
}

static void rope_rotate(float *x, const float *cosine, const float *sine, size_t half_count, size_t head_count,
                        size_t head_dim) {
    for (size_t head = 0; head < head_count; head++) {
        float *first = x + head * head_dim, *second = first + half_count;
        size_t i = 0;
        for (; i + 4 <= half_count; i += 4) {
            const float32x4_t a = vld1q_f32(first + i), b = vld1q_f32(second + i);
            const float32x4_t c = vld1q_f32(cosine + i), s = vld1q_f32(sine + i);
            vst1q_f32(first + i, vsubq_f32(vmulq_f32(a, c), vmulq_f32(b, s)));
            vst1q_f32(second + i, vaddq_f32(vmulq_f32(b, c), vmulq_f32(a, s)));
        }
        phalanx_rope_rest(first, second, cosine, sine, i, half_count);
    }
}

INLINE void store_half(uint16_t *out, const float *x) {
    vst1_u16(out, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(x))));
}

INLINE float32x4_t load_half(const uint16_t *x) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(x))); }

static void half_from_float(uint16_t *out, const float *x, size_t count) {
    size_t i = 0;
    for (; i + 4 <= count; i += 4) store_half(out + i, x + i);
    if (i < count) {
        float tail[4] = {0};
        uint16_t halves[4];
        memcpy(tail, x + i, (count - i) * sizeof(float));
        store_half(halves, tail);
        memcpy(out + i, halves, (count - i) * sizeof(uint16_t));
    }
}

static void float_from_half(float *out, const uint16_t *x, size_t count) {
    size_t i = 0;
    for (; i + 4 <= count; i += 4) vst1q_f32(out + i, load_half(x + i));
    if (i < count) {
        float numbers[4];
        uint16_t tail[4] = {0};
        memcpy(tail, x + i, (count - i) * sizeof(uint16_t));
        vst1q_f32(numbers, load_half(tail));
        memcpy(out + i, numbers, (count - i) * sizeof(float));
    }
}

// ---- q8 numbers -----------------------------------------------------------------------------------------------------

static void float_from_q8(float *out, const int8_t *quantized, const uint16_t *scales, size_t count) {
    for (size_t start = 0; start < count; start += PHALANX_Q8_BLOCK) {
        const size_t end = count - start < PHALANX_Q8_BLOCK ? count : start + PHALANX_Q8_BLOCK;
        float scale;
        float_from_half(&scale, scales + start / PHALANX_Q8_BLOCK, 1);
        size_t i = start;
        for (; i + 8 <= end; i += 8) {
            const int16x8_t eight = vmovl_s8(vld1_s8(quantized + i));
            vst1q_f32(out + i, vmulq_n_f32(vcvtq_f32_s32(vmovl_s16(vget_low_s16(eight))), scale));
            vst1q_f32(out + i + 4, vmulq_n_f32(vcvtq_f32_s32(vmovl_high_s16(eight)), scale));
        }
        for (; i < end; i++) out[i] = (float)quantized[i] * scale;
    }
}

// ---- Reductions over the vocabulary ---------------------------------------------------------------------------------

// Not vmaxq, which lets a NaN through: only the first element's counts.
static float maximum(const float *x, size_t count) {
    float32x4_t four = vdupq_n_f32(x[0]);
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        const float32x4_t next = vld1q_f32(x + i);
        four = vbslq_f32(vcgtq_f32(next, four), next, four);
    }
    float lane[4], largest;
    vst1q_f32(lane, four);
    largest = lane[0];
    for (size_t l = 1; l < 4; l++) largest = lane[l] > largest ? lane[l] : largest;
    for (; i < count; i++) largest = x[i] > largest ? x[i] : largest;
    return largest + 0.0f;
}

static float exp_sum_segment(float *out, const float *x, size_t count, float shift) {
    const float32x4_t shifts = vdupq_n_f32(shift);
    lanes sums = no_lanes();
    size_t i = 0;
    for (; i + PHALANX_LANES <= count; i += PHALANX_LANES) {
        for (size_t r = 0; r < 4; r++) {
            const float32x4_t e = exp4(vsubq_f32(vld1q_f32(x + i + 4 * r), shifts));
            if (out != NULL) vst1q_f32(out + i + 4 * r, e);
            sums.registers[r] = vaddq_f32(sums.registers[r], e);
        }
    }
    if (i < count) { // lanes without an element get +0, which changes no sum of exponentials
        float tail[PHALANX_LANES] = {0};
        for (size_t lane = 0; i + lane < count; lane++) {
            tail[lane] = phalanx_exp_inline(x[i + lane] - shift);
            if (out != NULL) out[i + lane] = tail[lane];
        }
        for (size_t r = 0; r < 4; r++) sums.registers[r] = vaddq_f32(sums.registers[r], vld1q_f32(tail + 4 * r));
    }
    return fold(sums);
}

// ---- Attention ------------------------------------------------------------------------------------------------------

enum { QUERIES_AT_ONCE = 4 };

// The dot products of a query with `keys` consecutive keys.
INLINE void dot_keys(const int keys, const float *query, const float *key, size_t stride, lanes sums[]) {
    for (int k = 0; k < keys; k++) sums[k] = no_lanes();
    for (size_t i = 0; i < stride; i += PHALANX_LANES) {
        float32x4_t numbers[4];
        for (size_t r = 0; r < 4; r++) numbers[r] = vld1q_f32(query + i + 4 * r);
#pragma clang loop unroll(full)
        for (int k = 0; k < keys; k++) {
            const float *other = key + (size_t)k * stride + i;
            for (size_t r = 0; r < 4; r++) {
                sums[k].registers[r] = vfmaq_f32(sums[k].registers[r], numbers[r], vld1q_f32(other + 4 * r));
            }
        }
    }
}

// Lanes 2 apart of two sums, one in each half.
INLINE float32x4_t fold_two(float32x4_t x, float32x4_t y) {
    const float64x2_t a = vreinterpretq_f64_f32(x), b = vreinterpretq_f64_f32(y);
    return vaddq_f32(vreinterpretq_f32_f64(vzip1q_f64(a, b)), vreinterpretq_f32_f64(vzip2q_f64(a, b)));
}

// What a query makes of positions first ..< end: their weights, and in its state the maximum and the sum of weights.
static void weights_of(float *weights, float *state, const float *query, const phalanx_attention_block *block) {
    const size_t first = block->first, end = block->end, stride = block->stride;
    const float *keys = block->keys;
    for (size_t j = 0; j < PHALANX_PAGE_POSITIONS; j += 4) vst1q_f32(weights + j, vdupq_n_f32(-__builtin_inff()));
    lanes sums[4];
    size_t j = first;
    for (; j + 4 <= end; j += 4) {
        dot_keys(4, query, keys + j * stride, stride, sums);
        const float32x4_t low = fold_two(fold_to_four(sums[0]), fold_to_four(sums[1]));
        const float32x4_t high = fold_two(fold_to_four(sums[2]), fold_to_four(sums[3]));
        vst1q_f32(weights + j, vmulq_n_f32(vpaddq_f32(low, high), block->scale));
    }
    for (; j < end; j++) {
        dot_keys(1, query, keys + j * stride, stride, sums);
        weights[j] = fold(sums[0]) * block->scale;
    }
    const float largest = maximum(weights + first, end - first);
    // Positions that are not seen hold minus infinity, which makes a weight of +0 that changes no sum of weights.
    const float32x4_t shift = vdupq_n_f32(largest);
    lanes total = no_lanes();
    for (j = first / PHALANX_LANES * PHALANX_LANES; j < end; j += PHALANX_LANES) {
        for (size_t r = 0; r < 4; r++) {
            const float32x4_t e = exp4(vsubq_f32(vld1q_f32(weights + j + 4 * r), shift));
            vst1q_f32(weights + j + 4 * r, e);
            total.registers[r] = vaddq_f32(total.registers[r], e);
        }
    }
    state[stride] = largest;
    state[stride + 1] = fold(total);
}

// Weighted sums of values for 4 * registers columns of each query: one ascending chain per column.
INLINE void weigh(const int queries, const int registers, const phalanx_attention_block *block, float *states,
                  const float *weights, size_t column) {
    float32x4_t sums[QUERIES_AT_ONCE][8];
    for (int q = 0; q < queries; q++) {
        for (int r = 0; r < registers; r++) sums[q][r] = vdupq_n_f32(0.0f);
    }
    for (size_t j = block->first; j < block->end; j++) {
        float32x4_t numbers[8];
        const float *values = (const float *)block->values + j * block->stride + column;
        for (int r = 0; r < registers; r++) numbers[r] = vld1q_f32(values + 4 * r);
#pragma clang loop unroll(full)
        for (int q = 0; q < queries; q++) {
            const float weight = weights[(size_t)q * PHALANX_PAGE_POSITIONS + j];
            for (int r = 0; r < registers; r++) sums[q][r] = vfmaq_n_f32(sums[q][r], numbers[r], weight);
        }
    }
    for (int q = 0; q < queries; q++) {
        float *out = states + (size_t)q * block->state_stride + column;
        for (int r = 0; r < registers; r++) vst1q_f32(out + 4 * r, sums[q][r]);
    }
}

// Some of the block's queries, which share each read of its values.
INLINE void attention_queries(const int queries, const phalanx_attention_block *block, size_t first_query) {
    float weights[QUERIES_AT_ONCE * PHALANX_PAGE_POSITIONS];
    float *states = block->states + first_query * block->state_stride;
    for (int q = 0; q < queries; q++) {
        weights_of(weights + q * PHALANX_PAGE_POSITIONS, states + (size_t)q * block->state_stride,
                   block->queries + (first_query + (size_t)q) * block->stride, block);
    }
    // 16 to 24 chains keep the multipliers busy; one query alone takes more columns for it.
    const size_t columns = queries <= 2 ? 32 : 16;
    size_t column = 0;
    for (; column + columns <= block->stride; column += columns) {
        weigh(queries, queries <= 2 ? 8 : 4, block, states, weights, column);
    }
    if (column < block->stride) weigh(queries, 4, block, states, weights, column);
}

static void attention_block(const phalanx_attention_block *block) {
    size_t q = 0;
    for (; q + 4 <= block->query_count; q += 4) attention_queries(4, block, q);
    switch (block->query_count - q) {
    case 3:
        attention_queries(3, block, q);
        break;
    case 2:
        attention_queries(2, block, q);
        break;
    case 1:
        attention_queries(1, block, q);
        break;
    }
}

static void attention_merge(float *into, const float *from, size_t stride) {
    float earlier, later;
    if (!phalanx_merge_weights(into, from, stride, &earlier, &later)) return;
    for (size_t d = 0; d < stride; d += 4) {
        const float32x4_t scaled = vmulq_n_f32(vld1q_f32(into + d), earlier);
        vst1q_f32(into + d, vfmaq_n_f32(scaled, vld1q_f32(from + d), later));
    }
}

const phalanx_layer_table phalanx_layer_neon = {
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

#endif
