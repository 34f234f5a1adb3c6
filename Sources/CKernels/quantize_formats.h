// The quantisers of one block, by format: numbers -> the plain form.
#ifndef PHALANX_QUANTIZE_FORMATS_H
#define PHALANX_QUANTIZE_FORMATS_H

#include "format_block.h"

void phalanx_quantize_q2_k(const float *x, phalanx_block *block);
void phalanx_quantize_q3_k(const float *x, phalanx_block *block);
void phalanx_quantize_q4_k(const float *x, phalanx_block *block);
void phalanx_quantize_q5_k(const float *x, phalanx_block *block);
void phalanx_quantize_q6_k(const float *x, phalanx_block *block);

// f32 -> f16, round to nearest even, exact for every finite number (overflow to infinity); NaN becomes a quiet one.
static inline uint16_t phalanx_narrow_f16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    const uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return sign | 0x7e00;
    if (magnitude >= 0x47800000) return sign | 0x7c00; // 2^16 and above, infinity
    if (magnitude >= 0x38800000) {                     // 2^-14 and above: normal
        const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
        return (uint16_t)(sign | (rounded - 0x38000000) >> 13);
    }
    if (magnitude < 0x33000000) return sign; // below half of the least subnormal
    const uint32_t shift = 126 - (magnitude >> 23);
    const uint32_t fraction = (magnitude & 0x7fffff) | 0x800000;
    const uint32_t whole = fraction >> shift;
    const uint32_t rest = fraction & ((1u << shift) - 1), half = 1u << (shift - 1);
    return (uint16_t)(sign | (whole + (rest > half || (rest == half && (whole & 1)))));
}

#endif
