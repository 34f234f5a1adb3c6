// exp in single precision, for both the scalar kernels and the scalar ends of the SIMD ones.
#ifndef PHALANX_MATH_EXP_H
#define PHALANX_MATH_EXP_H

#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

#define PHALANX_EXP_LOWEST -104.0f // exp is below half the least subnormal from here on
#define PHALANX_EXP_HIGHEST 89.0f  // and infinite from here on
#define PHALANX_LOG2_E 0x1.715476p+0f
#define PHALANX_LN2_HIGH 0x1.62e43p-1f
#define PHALANX_LN2_LOW -0x1.05c61p-29f
#define PHALANX_ROUNDER 0x1.8p+23f // adding and subtracting it rounds to an integer, half to even
// Minimax coefficients of (exp(r) - 1 - r) / r^2 for |r| <= ln(2)/2; relative error of exp 3e-9.
#define PHALANX_EXP_C0 0x1.fffffcp-2f
#define PHALANX_EXP_C1 0x1.555492p-3f
#define PHALANX_EXP_C2 0x1.5558f2p-5f
#define PHALANX_EXP_C3 0x1.123a2p-7f
#define PHALANX_EXP_C4 0x1.6a23dp-10f

static inline float phalanx_power_of_two(int32_t exponent) {
    const uint32_t bits = (uint32_t)(exponent + 127) << 23;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

static inline float phalanx_exp_inline(float x) {
    if (x != x) return x;
    x = x < PHALANX_EXP_LOWEST ? PHALANX_EXP_LOWEST : x;
    x = x > PHALANX_EXP_HIGHEST ? PHALANX_EXP_HIGHEST : x;
    const float rounded = __builtin_fmaf(x, PHALANX_LOG2_E, PHALANX_ROUNDER) - PHALANX_ROUNDER;
    float r = __builtin_fmaf(-rounded, PHALANX_LN2_HIGH, x);
    r = __builtin_fmaf(-rounded, PHALANX_LN2_LOW, r);
    float p = __builtin_fmaf(PHALANX_EXP_C4, r, PHALANX_EXP_C3);
    p = __builtin_fmaf(p, r, PHALANX_EXP_C2);
    p = __builtin_fmaf(p, r, PHALANX_EXP_C1);
    p = __builtin_fmaf(p, r, PHALANX_EXP_C0);
    p = __builtin_fmaf(p, r * r, r) + 1.0f;
    // Two factors, because 2^n alone may be out of range; only the second multiplication can round.
    const int32_t n = (int32_t)rounded;
    const int32_t half = n >> 1;
    return (p * phalanx_power_of_two(half)) * phalanx_power_of_two(n - half);
}

#endif
