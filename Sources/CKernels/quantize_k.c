// Blocks of 256 numbers -> the K formats, byte for byte as ggml's reference makes them (quantize_row_q*_K_ref).
#include "format_block.h"
#include "quantize_fit.h"
#include "quantize_formats.h"

#pragma STDC FP_CONTRACT OFF

// Lays eight sub-blocks of `count` elements side by side.
static void spread(const float *x, int count, fit_floats lanes) {
    for (int s = 0; s < FIT_LANES; s++) {
        for (int i = 0; i < count; i++) lanes[i][s] = x[s * count + i];
    }
}

static void gather(const fit_result *result, int count, uint8_t *values) {
    for (int s = 0; s < FIT_LANES; s++) {
        for (int i = 0; i < count; i++) values[s * count + i] = (uint8_t)result->values[i][s];
    }
}

static float largest(const float *x, int count) {
    float found = 0;
    for (int i = 0; i < count; i++) found = x[i] > found ? x[i] : found;
    return found;
}

// The element of the largest magnitude; 0 when all are.
static float peak(const float *x, int count) {
    float found = 0, magnitude = 0;
    for (int i = 0; i < count; i++) {
        const float a = fabsf(x[i]);
        if (a > magnitude) {
            magnitude = a;
            found = x[i];
        }
    }
    return found;
}

// Values of a sub-block for the scale that was stored: what a reader will multiply by. A scale of zero keeps those of
// the search.
static void round_sub_block(const float *x, int count, float scale, float minimum, int low, int high, uint8_t *values) {
    if (scale == 0) return;
    for (int i = 0; i < count; i++) {
        values[i] = (uint8_t)(fit_clamp(fit_nearest((x[i] + minimum) / scale), low, high) - low);
    }
}

// ---- Q4_K, Q5_K -----------------------------------------------------------------------------------------------------

// Eight sub-blocks of 32, weighted by magnitude plus root mean square, with scales and minimums of 6 bits.
static void quantize_min_6(const float *x, const fit_search *search, phalanx_block *block) {
    fit_floats lanes, weights;
    fit_result result;
    spread(x, 32, lanes);
    float squares[FIT_LANES] = {0};
    for (int i = 0; i < 32; i++) {
        for (int s = 0; s < FIT_LANES; s++) squares[s] += lanes[i][s] * lanes[i][s];
    }
    for (int s = 0; s < FIT_LANES; s++) squares[s] = sqrtf(squares[s] / 32);
    for (int i = 0; i < 32; i++) {
        for (int s = 0; s < FIT_LANES; s++) weights[i][s] = squares[s] + fabsf(lanes[i][s]);
    }
    phalanx_fit_with_minimum(lanes, weights, 32, search, &result);
    gather(&result, 32, block->values);

    const float scale = largest(result.scales, 8), minimum = largest(result.minimums, 8);
    const float scale_inverse = scale > 0 ? 63.f / scale : 0, minimum_inverse = minimum > 0 ? 63.f / minimum : 0;
    for (int s = 0; s < 8; s++) {
        const uint8_t stored_scale = (uint8_t)fit_nearest(scale_inverse * result.scales[s]);
        const uint8_t stored_minimum = (uint8_t)fit_nearest(minimum_inverse * result.minimums[s]);
        block->sub_scales[s] = stored_scale < 63 ? stored_scale : 63;
        block->sub_minimums[s] = stored_minimum < 63 ? stored_minimum : 63;
    }
    block->scale = phalanx_narrow_f16(scale / 63.f);
    block->minimum = phalanx_narrow_f16(minimum / 63.f);
    for (int s = 0; s < 8; s++) {
        round_sub_block(x + 32 * s, 32, phalanx_widen_f16(block->scale) * (float)block->sub_scales[s],
                        phalanx_widen_f16(block->minimum) * (float)block->sub_minimums[s], 0, search->top,
                        block->values + 32 * s);
    }
}

void phalanx_quantize_q4_k(const float *x, phalanx_block *block) {
    quantize_min_6(x, &(fit_search){.top = 15, .first = -1.f, .step = 0.1f, .steps = 20, .absolute = 0}, block);
}

void phalanx_quantize_q5_k(const float *x, phalanx_block *block) {
    quantize_min_6(x, &(fit_search){.top = 31, .first = -0.5f, .step = 0.1f, .steps = 15, .absolute = 0}, block);
}

// ---- Q2_K -----------------------------------------------------------------------------------------------------------

// Sixteen sub-blocks of 16, weighted by magnitude, with scales and minimums of 4 bits.
void phalanx_quantize_q2_k(const float *x, phalanx_block *block) {
    const fit_search search = {.top = 3, .first = -0.5f, .step = 0.1f, .steps = 15, .absolute = 1};
    float scales[16], minimums[16];
    for (int half = 0; half < 2; half++) {
        fit_floats lanes, weights;
        fit_result result;
        spread(x + 128 * half, 16, lanes);
        for (int i = 0; i < 16; i++) {
            for (int s = 0; s < FIT_LANES; s++) weights[i][s] = fabsf(lanes[i][s]);
        }
        phalanx_fit_with_minimum(lanes, weights, 16, &search, &result);
        gather(&result, 16, block->values + 128 * half);
        memcpy(scales + 8 * half, result.scales, sizeof result.scales);
        memcpy(minimums + 8 * half, result.minimums, sizeof result.minimums);
    }
    const float scale = largest(scales, 16), minimum = largest(minimums, 16);
    const float scale_inverse = 15.f / scale, minimum_inverse = 15.f / minimum;
    for (int s = 0; s < 16; s++) {
        // Both share a byte. A negative scale, which the search can find, spills into the minimum's half, as in ggml.
        uint8_t stored = scale > 0 ? (uint8_t)fit_nearest(scale_inverse * scales[s]) : 0;
        if (minimum > 0) stored |= (uint8_t)((unsigned)fit_nearest(minimum_inverse * minimums[s]) << 4);
        block->sub_scales[s] = stored & 15;
        block->sub_minimums[s] = stored >> 4;
    }
    block->scale = phalanx_narrow_f16(scale > 0 ? scale / 15.f : 0);
    block->minimum = phalanx_narrow_f16(minimum > 0 ? minimum / 15.f : 0);
    for (int s = 0; s < 16; s++) {
        round_sub_block(x + 16 * s, 16, phalanx_widen_f16(block->scale) * (float)block->sub_scales[s],
                        phalanx_widen_f16(block->minimum) * (float)block->sub_minimums[s], 0, 3,
                        block->values + 16 * s);
    }
}

// ---- Q3_K, Q6_K -----------------------------------------------------------------------------------------------------

void phalanx_quantize_q3_k(const float *x, phalanx_block *block) {
    float scales[16];
    for (int s = 0; s < 16; s++) scales[s] = phalanx_fit_refined(x + 16 * s, 16, 4, block->values + 16 * s);
    const float most = peak(scales, 16);
    const float inverse = -32.f / most;
    for (int s = 0; s < 16; s++) {
        // Without any scale the bits are zero, which stands for -32, times a block scale of zero.
        const int8_t stored = most != 0 ? (int8_t)fit_nearest(inverse * scales[s]) : 0;
        block->sub_scales[s] = most != 0 ? (uint8_t)(fit_clamp(stored, -32, 31) + 32) : 0;
    }
    block->scale = phalanx_narrow_f16(most != 0 ? 1 / inverse : 0);
    for (int s = 0; s < 16; s++) {
        const float scale = phalanx_widen_f16(block->scale) * (float)(block->sub_scales[s] - 32);
        round_sub_block(x + 16 * s, 16, scale, 0, -4, 3, block->values + 16 * s);
    }
}

void phalanx_quantize_q6_k(const float *x, phalanx_block *block) {
    float scales[16];
    for (int half = 0; half < 2; half++) {
        fit_floats lanes;
        fit_result result;
        spread(x + 128 * half, 16, lanes);
        phalanx_fit_symmetric(lanes, 16, 32, &result);
        gather(&result, 16, block->values + 128 * half);
        memcpy(scales + 8 * half, result.scales, sizeof result.scales);
    }
    const float most = peak(scales, 16);
    if (fabsf(most) < FIT_LEAST_MAGNITUDE) {
        memset(block, 0, sizeof *block);
        return;
    }
    const float inverse = -128.f / most;
    block->scale = phalanx_narrow_f16(1 / inverse);
    for (int s = 0; s < 16; s++) {
        const int32_t stored = fit_nearest(inverse * scales[s]);
        const int8_t factor = (int8_t)(stored < 127 ? stored : 127);
        block->sub_scales[s] = (uint8_t)factor;
        round_sub_block(x + 16 * s, 16, phalanx_widen_f16(block->scale) * (float)factor, 0, -32, 31,
                        block->values + 16 * s);
    }
}
