// Elementary functions without libm: every operation is one that IEEE 754 defines exactly, in a written order, so the
// results are the same on every machine. Double precision is used where a function is called seldom.
#include "math_exp.h"
#include "phalanx_layer.h"

#pragma STDC FP_CONTRACT OFF

float phalanx_exp(float x) { return phalanx_exp_inline(x); }

static double double_from_bits(uint64_t bits) {
    double result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

static uint64_t bits_from_double(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

#define LN2_HIGH 0x1.62e42fefa39efp-1
#define LN2_LOW 0x1.abc9e3b39803fp-56
#define ROUNDER 0x1.8p+52

double phalanx_exp_double(double x) {
    if (x != x) return x;
    if (x < -746.0) return 0.0;
    if (x > 710.0) return double_from_bits(UINT64_C(0x7ff) << 52);
    const double rounded = (x * 0x1.71547652b82fep+0 + ROUNDER) - ROUNDER;
    double r = __builtin_fma(-rounded, LN2_HIGH, x);
    r = __builtin_fma(-rounded, LN2_LOW, r);
    // Taylor to r^14 / 14!: the rest is below 1e-18 for |r| <= ln(2)/2.
    double p = 1.0;
    for (int k = 14; k >= 1; k--) p = 1.0 + p * r / k;
    const int n = (int)rounded;
    const int half = n >> 1;
    const double low = double_from_bits((uint64_t)(half + 1023) << 52);
    const double high = double_from_bits((uint64_t)(n - half + 1023) << 52);
    return (p * low) * high;
}

double phalanx_log_double(double x) {
    if (x != x) return x;
    if (x == 0.0) return double_from_bits(UINT64_C(0xfff) << 52);
    if (x < 0.0) return double_from_bits(UINT64_C(0x7ff8) << 48);
    int exponent = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        exponent = -54;
    }
    uint64_t bits = bits_from_double(x);
    if ((bits >> 52) == 0x7ff) return x;
    exponent += (int)(bits >> 52) - 1023;
    bits = (bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3ff0000000000000);
    double m = double_from_bits(bits);
    if (m > 0x1.6a09e667f3bcdp+0) { // sqrt(2): m in [sqrt(1/2), sqrt(2)]
        m *= 0.5;
        exponent += 1;
    }
    // log(m) = 2 artanh(s) with s = (m - 1) / (m + 1), |s| < 0.1716; the series' rest is below 1e-18.
    const double s = (m - 1.0) / (m + 1.0);
    const double square = s * s;
    double p = 0.0;
    for (int k = 23; k >= 3; k -= 2) p = (p + 1.0 / k) * square;
    const double log_m = 2.0 * s + 2.0 * s * p;
    return exponent * LN2_HIGH + (exponent * LN2_LOW + log_m);
}

float phalanx_log(float x) { return (float)phalanx_log_double((double)x); }

// pi/2 in two parts. The product with the quotient is subtracted with one rounding, so that cancellation near a
// multiple of pi/2 costs nothing; what pi/2's second part lacks is 2^-110 times the quotient.
#define HALF_PI_HIGH 0x1.921fb54442d18p+0
#define HALF_PI_LOW 0x1.1a62633145c07p-54

void phalanx_sin_cos(float angle, float *sine, float *cosine) {
    const double x = (double)angle;
    if (!(x > -0x1p30 && x < 0x1p30)) {
        *sine = *cosine = angle - angle; // NaN for infinities and NaN
        if (angle - angle == 0.0f) *cosine = 1.0f;
        return;
    }
    const double quotient = (x * 0x1.45f306dc9c883p-1 + ROUNDER) - ROUNDER;
    double r = __builtin_fma(-quotient, HALF_PI_HIGH, x);
    r = __builtin_fma(-quotient, HALF_PI_LOW, r);
    const double square = r * r;
    // Taylor to r^17 and r^18: the rest is below 1e-19 for |r| <= pi/4.
    double s = 1.0;
    for (int k = 16; k >= 2; k -= 2) s = 1.0 - s * square / (k * (k + 1));
    s *= r;
    double c = 1.0;
    for (int k = 17; k >= 1; k -= 2) c = 1.0 - c * square / (k * (k + 1));
    switch ((int64_t)quotient & 3) {
    case 0: *sine = (float)s, *cosine = (float)c; break;
    case 1: *sine = (float)c, *cosine = (float)-s; break;
    case 2: *sine = (float)-s, *cosine = (float)-c; break;
    default: *sine = (float)-c, *cosine = (float)s; break;
    }
}

void phalanx_rope_angles(float *cosine, float *sine, const float *inverse_frequency, size_t count, int64_t position,
                         float factor) {
    const float place = (float)position;
    for (size_t i = 0; i < count; i++) {
        float s, c;
        phalanx_sin_cos(inverse_frequency[i] * place, &s, &c);
        cosine[i] = c * factor;
        sine[i] = s * factor;
    }
}
