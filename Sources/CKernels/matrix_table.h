// The functions of each instruction set, for the dispatch table.
#ifndef PHALANX_MATRIX_TABLE_H
#define PHALANX_MATRIX_TABLE_H

#include "phalanx_matrix.h"

// Below this magnitude (2^-100) a block of activations is zero: 127 / a and a / 127 stay normal numbers.
#define PHALANX_ZERO_BELOW 0x0d800000u
// The bits of infinity: a magnitude of at least this is not finite.
#define PHALANX_INFINITE 0x7f800000u
// What a NaN is stored as.
#define PHALANX_NAN 0x7fc00000u

float phalanx_scalar_quantize_block(size_t count, const float *values, int8_t *quantized);
void phalanx_scalar_quantize(phalanx_activation activation, size_t columns, const float *values, uint8_t *row);
void phalanx_scalar_multiply(const phalanx_product *product, size_t first, size_t end);

#if defined(__x86_64__)
float phalanx_avx2_quantize_block(size_t count, const float *values, int8_t *quantized);
void phalanx_avx2_quantize(phalanx_activation activation, size_t columns, const float *values, uint8_t *row);
void phalanx_avx2_multiply(const phalanx_product *product, size_t first, size_t end);
void phalanx_avx_vnni_multiply(const phalanx_product *product, size_t first, size_t end);
void phalanx_avx512_multiply(const phalanx_product *product, size_t first, size_t end);
#elif defined(__aarch64__)
float phalanx_neon_quantize_block(size_t count, const float *values, int8_t *quantized);
void phalanx_neon_quantize(phalanx_activation activation, size_t columns, const float *values, uint8_t *row);
void phalanx_neon_multiply(const phalanx_product *product, size_t first, size_t end);
void phalanx_neon_dot_multiply(const phalanx_product *product, size_t first, size_t end);
void phalanx_neon_i8mm_multiply(const phalanx_product *product, size_t first, size_t end);
#endif

#endif
