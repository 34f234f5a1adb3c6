// The parts of the AVX-512 matrix products.
#ifndef PHALANX_MATRIX_AVX512_H
#define PHALANX_MATRIX_AVX512_H

#include "matrix_table.h"

// Quantised weights: the panels first ..< end of a product.
void phalanx_avx512_multiply_blocks(const phalanx_product *product, size_t first, size_t end);

#endif
