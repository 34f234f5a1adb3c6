// What is the same on all instruction sets: the elements after the last whole vector, and of merged states everything but
// the weighted values. In a header, so that it is compiled with each set's own multiply-add.
#ifndef PHALANX_LAYER_REST_H
#define PHALANX_LAYER_REST_H

#include <stdbool.h>
#include <string.h>

#include "math_exp.h"

#pragma STDC FP_CONTRACT OFF

// phalanx_silu_gate from element i on.
static inline void phalanx_silu_rest(float *out, const float *gate, const float *up, size_t i, size_t count) {
    for (; i < count; i++) out[i] = (gate[i] / (1.0f + phalanx_exp_inline(-gate[i]))) * up[i];
}

// phalanx_rope_rotate of one head from element i on.
static inline void phalanx_rope_rest(float *first, float *second, const float *cosine, const float *sine, size_t i,
                                     size_t half_count) {
    for (; i < half_count; i++) {
        const float a = first[i], b = second[i];
        first[i] = a * cosine[i] - b * sine[i];
        second[i] = b * cosine[i] + a * sine[i];
    }
}

// Brings maximum and sum of weights of a later state into those of an earlier one. True when its values remain to be
// merged: into[d] = fma(from[d], *later, into[d] * *earlier). A state whose sum of weights is zero is empty.
static inline bool phalanx_merge_weights(float *into, const float *from, size_t stride, float *earlier, float *later) {
    if (from[stride + 1] == 0.0f) return false;
    if (into[stride + 1] == 0.0f) {
        memcpy(into, from, (stride + 2) * sizeof(float));
        return false;
    }
    const float largest = into[stride] > from[stride] ? into[stride] : from[stride];
    *earlier = phalanx_exp_inline(into[stride] - largest);
    *later = phalanx_exp_inline(from[stride] - largest);
    into[stride] = largest;
    into[stride + 1] = __builtin_fmaf(from[stride + 1], *later, into[stride + 1] * *earlier);
    return true;
}

#endif
