// Rows of weights in file layout, made from numbers or from the plain values of their blocks.
#ifndef PHALANX_QUANTIZE_H
#define PHALANX_QUANTIZE_H

#include "phalanx_matrix.h"

#include <stdbool.h>

// The parts of a row of a quantised format, each in order of the row; what a format lacks may be NULL.
typedef struct phalanx_plain_row {
    const uint16_t *scales;      // f16, one per block
    const uint16_t *minimums;    // f16, one per block
    const uint8_t *sub_scales;   // one per sub-block, as stored (signed ones: plus 32 of 6 bits, bit patterns of 8)
    const uint8_t *sub_minimums; // one per sub-block
    const uint8_t *values;       // one per weight, unsigned: a weight is (value - offset) times its scales
} phalanx_plain_row;

// Puts a row's parts into file layout. Bits that a format has no room for are dropped.
void phalanx_encode_row(phalanx_format format, size_t columns, const phalanx_plain_row *parts, uint8_t *row);

// Numbers -> a row in file layout, byte for byte as ggml's reference quantisers make it without an importance matrix.
// False, with the row undefined, when a number is not finite or does not fit the format (a scale beyond f16).
bool phalanx_quantize_row(phalanx_format format, size_t columns, const float *values, uint8_t *row);

#endif
