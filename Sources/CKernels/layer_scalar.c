// The definition of the layer kernels.
#include "layer_rest.h"
#include "layer_table.h"
#include "math_exp.h"

#pragma STDC FP_CONTRACT OFF

// The one order in which sixteen lanes become one number.
static float fold(const float lanes[PHALANX_LANES]) {
    float folded[PHALANX_LANES];
    for (size_t lane = 0; lane < PHALANX_LANES; lane++) folded[lane] = lanes[lane];
    for (size_t distance = PHALANX_LANES / 2; distance > 0; distance /= 2) {
        for (size_t lane = 0; lane < distance; lane++) folded[lane] = folded[lane] + folded[lane + distance];
    }
    return folded[0];
}

// The dot product of rows that are thought of as continued with zeros up to a multiple of 16.
static float dot(const float *x, const float *y, size_t count) {
    float lanes[PHALANX_LANES] = {0};
    const size_t padded = (count + PHALANX_LANES - 1) / PHALANX_LANES * PHALANX_LANES;
    for (size_t i = 0; i < padded; i++) {
        const float a = i < count ? x[i] : 0.0f, b = i < count ? y[i] : 0.0f;
        lanes[i % PHALANX_LANES] = __builtin_fmaf(a, b, lanes[i % PHALANX_LANES]);
    }
    return fold(lanes);
}

static void rms_norm(float *out, const float *x, const float *weight, size_t count, float epsilon) {
    const float mean = dot(x, x, count) / (float)count;
    const float scale = 1.0f / __builtin_sqrtf(mean + epsilon);
    for (size_t i = 0; i < count; i++) out[i] = (x[i] * scale) * weight[i];
}

static void add(float *x, const float *y, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] = x[i] + y[i];
}

static void silu_gate(float *out, const float *gate, const float *up, size_t count) {
    phalanx_silu_rest(out, gate, up, 0, count);
}

static void rope_rotate(float *x, const float *cosine, const float *sine, size_t half_count, size_t head_count,
                        size_t head_dim) {
    for (size_t head = 0; head < head_count; head++) {
        float *first = x + head * head_dim, *second = first + half_count;
        phalanx_rope_rest(first, second, cosine, sine, 0, half_count);
    }
}

static uint16_t half_from_one(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint16_t sign = (uint16_t)((bits >> 16) & 0x8000);
    const uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00 | ((magnitude >> 13) & 0x3ff)); // NaN, made quiet
    if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00);                              // rounds to 65536 or more
    if (magnitude < 0x38800000) {                                                               // below 2^-14: subnormal
        if (magnitude < 0x33000000) return sign; // below 2^-25 (the tie at 2^-25 itself goes to even: zero, below)
        const uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
        const uint32_t shift = 126 - (magnitude >> 23);
        const uint32_t kept = mantissa >> shift, dropped = mantissa & ((UINT32_C(1) << shift) - 1);
        const uint32_t tie = UINT32_C(1) << (shift - 1);
        return (uint16_t)(sign | (kept + (dropped > tie || (dropped == tie && (kept & 1)))));
    }
    const uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1); // the carry may raise the exponent, rightly
    return (uint16_t)(sign | ((rounded - 0x38000000) >> 13));
}

static float float_from_one(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = (half >> 10) & 0x1f, mantissa = half & 0x3ff;
    uint32_t bits;
    if (exponent == 0x1f) {
        bits = sign | 0x7f800000 | (mantissa << 13) | (mantissa == 0 ? 0 : 0x400000);
    } else if (exponent != 0) {
        bits = sign | ((exponent + 112) << 23) | (mantissa << 13);
    } else {
        const float magnitude = (float)mantissa * 0x1p-24f;
        memcpy(&bits, &magnitude, sizeof bits);
        bits |= sign;
    }
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

static void half_from_float(uint16_t *out, const float *x, size_t count) {
    for (size_t i = 0; i < count; i++) out[i] = half_from_one(x[i]);
}

static void float_from_half(float *out, const uint16_t *x, size_t count) {
    for (size_t i = 0; i < count; i++) out[i] = float_from_one(x[i]);
}

static void float_from_q8(float *out, const int8_t *quantized, const uint16_t *scales, size_t count) {
    for (size_t i = 0; i < count; i++) out[i] = (float)quantized[i] * float_from_one(scales[i / PHALANX_Q8_BLOCK]);
}

static float maximum(const float *x, size_t count) {
    float largest = x[0];
    for (size_t i = 1; i < count; i++) largest = x[i] > largest ? x[i] : largest;
    return largest + 0.0f; // of zeros, the positive one: which of them came first shall not matter
}

static float exp_sum_segment(float *out, const float *x, size_t count, float shift) {
    float lanes[PHALANX_LANES] = {0};
    for (size_t i = 0; i < count; i++) {
        const float e = phalanx_exp_inline(x[i] - shift);
        if (out != NULL) out[i] = e;
        lanes[i % PHALANX_LANES] = lanes[i % PHALANX_LANES] + e;
    }
    return fold(lanes);
}

static void attention_query(float *state, const float *query, const phalanx_attention_block *block) {
    const size_t first = block->first, end = block->end, stride = block->stride;
    const float *keys = block->keys, *values = block->values;
    float weights[PHALANX_PAGE_POSITIONS];
    for (size_t j = first; j < end; j++) weights[j] = dot(query, keys + j * stride, stride) * block->scale;
    const float largest = maximum(weights + first, end - first);
    float lanes[PHALANX_LANES] = {0};
    for (size_t j = first; j < end; j++) {
        weights[j] = phalanx_exp_inline(weights[j] - largest);
        lanes[j % PHALANX_LANES] = lanes[j % PHALANX_LANES] + weights[j];
    }
    for (size_t d = 0; d < stride; d++) {
        float sum = 0.0f;
        for (size_t j = first; j < end; j++) sum = __builtin_fmaf(weights[j], values[j * stride + d], sum);
        state[d] = sum;
    }
    state[stride] = largest;
    state[stride + 1] = fold(lanes);
}

static void attention_block(const phalanx_attention_block *block) {
    for (size_t q = 0; q < block->query_count; q++) {
        attention_query(block->states + q * block->state_stride, block->queries + q * block->stride, block);
    }
}

static void attention_merge(float *into, const float *from, size_t stride) {
    float earlier, later;
    if (!phalanx_merge_weights(into, from, stride, &earlier, &later)) return;
    for (size_t d = 0; d < stride; d++) into[d] = __builtin_fmaf(from[d], later, into[d] * earlier);
}

const phalanx_layer_table phalanx_layer_scalar = {
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
