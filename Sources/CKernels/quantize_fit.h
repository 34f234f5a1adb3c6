// The search for the scale (and minimum) of a sub-block, for several sub-blocks at once.
//
// The arithmetic, down to the order of every float operation, is that of ggml's reference quantisers without importance
// weights (make_qx_quants, make_q3_quants and make_qkx2_quants of ggml-quants.c): files must come out byte for byte as
// llama.cpp makes them. Sub-blocks lie side by side in lanes, so that compilers use SIMD without reordering a sum.
#ifndef PHALANX_QUANTIZE_FIT_H
#define PHALANX_QUANTIZE_FIT_H

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { FIT_LANES = 8, FIT_COUNT = 32 };

// Sub-blocks whose largest magnitude is below this are zero.
#define FIT_LEAST_MAGNITUDE 1e-15f

// Element i of sub-block s at [i][s].
typedef float fit_floats[FIT_COUNT][FIT_LANES];
typedef int32_t fit_integers[FIT_COUNT][FIT_LANES];

typedef struct fit_result {
    fit_integers values;
    float scales[FIT_LANES];
    float minimums[FIT_LANES]; // what is subtracted; fit_with_minimum only
} fit_result;

// How fit_with_minimum searches: the grid 0 ... top is stretched by first + step * n, n = 0 ... steps.
typedef struct fit_search {
    int top;
    float first;
    float step;
    int steps;
    int absolute; // errors count by magnitude instead of square
} fit_search;

// Values 0 ... 2 * reach - 1 that stand for value - reach (0 in a zero sub-block), `count` elements per sub-block.
void phalanx_fit_symmetric(const fit_floats x, int count, int reach, fit_result *result);

// The same for one sub-block of `count` elements that lie one after the other, with the refinement of Q3_K.
float phalanx_fit_refined(const float *x, int count, int reach, uint8_t *values);

// Values 0 ... top; a weight is value * scale - minimum.
void phalanx_fit_with_minimum(const fit_floats x, const fit_floats weights, int count, const fit_search *search,
                              fit_result *result);

// The nearest integer, ties to even, of magnitudes below 2^22; any other number gives what the bits give, as in ggml.
static inline int32_t fit_nearest(float x) {
    const float shifted = x + 12582912.f; // 1.5 * 2^23: the low bits of the mantissa are the integer
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return (bits & 0x007fffff) - 0x00400000;
}

static inline int32_t fit_clamp(int32_t value, int32_t low, int32_t high) {
    value = value < high ? value : high;
    return value > low ? value : low;
}

#endif
