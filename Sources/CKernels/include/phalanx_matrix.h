// Matrix products of quantised and float weights with rows of activations.
//
// Weights lie in panels of 16 matrix rows (one SIMD lane per row), all blocks of a panel one after the other; the last
// panel is filled up with zero rows. A panel takes as many bytes as its 16 rows take in a file, rounded up to 64.
//
// The arithmetic, the same on every instruction set (scalar is the definition, matrix_scalar.c):
//   quantised weights: activations are int8 blocks of A values (A = 32 for the formats without sub-blocks, 256 for the
//     K formats: the weight format's own block). For output o and activation row r, blocks ascending:
//       acc = fma((float)I, d * s, acc)            I: integer dot of the block, sub-scales included, exact
//       acc = fma((float)M, m * s, acc)            formats with a minimum only
//     with d, m the block's widened f16 scale and minimum, s the activation block's scale, products rounded to f32;
//     M = sum of the activations (Q4_1, Q5_1), or minus the sum of sub-minimum x sum of sub-block (Q2_K, Q4_K, Q5_K).
//   float weights: acc = fma(w[k], x[k], acc), k ascending.
//   acc starts at +0; a NaN result is stored as 0x7fc00000, so that equal means equal bits.
#ifndef PHALANX_MATRIX_H
#define PHALANX_MATRIX_H

#include "phalanx_isa.h"

#include <stddef.h>
#include <stdint.h>

enum { PHALANX_PANEL_ROWS = 16, PHALANX_ALIGNMENT = 64 };

// The block layouts are ggml's. The numbers are ours.
typedef enum phalanx_format {
    PHALANX_F32 = 0,
    PHALANX_F16,
    PHALANX_BF16,
    PHALANX_Q8_0,
    PHALANX_Q4_0,
    PHALANX_Q4_1,
    PHALANX_Q5_0,
    PHALANX_Q5_1,
    PHALANX_Q2_K,
    PHALANX_Q3_K,
    PHALANX_Q4_K,
    PHALANX_Q5_K,
    PHALANX_Q6_K,
} phalanx_format;

enum { PHALANX_FORMAT_COUNT = 13 };

// How a row of activations is stored for a product.
typedef enum phalanx_activation {
    PHALANX_ACTIVATION_F32 = 0,  // floats
    PHALANX_ACTIVATION_INT8_32,  // int8 blocks of 32
    PHALANX_ACTIVATION_INT8_256, // int8 blocks of 256
} phalanx_activation;

// What sub-blocks have: nothing, or scales (and minimums) of some width.
typedef enum phalanx_sub_scales {
    PHALANX_SUB_NONE = 0,
    PHALANX_SUB_MIN_4,    // 16 scales and 16 minimums of 4 bits
    PHALANX_SUB_MIN_6,    // 8 scales and 8 minimums of 6 bits
    PHALANX_SUB_SIGNED_6, // 16 scales of 6 bits, less 32
    PHALANX_SUB_SIGNED_8, // 16 scales of 8 bits
} phalanx_sub_scales;

// What one format is; the kernels are driven by it. A stored value is low | high << low_bits, less offset.
typedef struct phalanx_format_traits {
    phalanx_activation activation;
    phalanx_sub_scales sub_scales;
    int block;       // weights per block; 1 for float formats
    int block_bytes; // bytes per block in a file
    int sub_block;   // weights per sub-block (the block itself when there are none)
    int low_bits;    // 8, 4 or 2; 0 for float formats
    int high_bits;   // 0, 1 or 2
    int offset;      // subtracted from the unsigned value (8-bit values are signed: 0)
    int has_minimum; // a second f16 per block
} phalanx_format_traits;

const phalanx_format_traits *phalanx_traits(phalanx_format format);

// Bytes of a row of so many columns in a file; 0 when columns is not a multiple of the block or too large.
size_t phalanx_row_bytes(phalanx_format format, size_t columns);

// Bytes of a packed panel; 0 likewise.
size_t phalanx_panel_bytes(phalanx_format format, size_t columns);

// Bytes of one activation row, a multiple of 64; 0 when columns is not a multiple of its block or too large.
size_t phalanx_activation_bytes(phalanx_activation activation, size_t columns);

// Packs 16 rows in file layout (any alignment; NULL for a zero row) into one panel.
void phalanx_pack_panel(phalanx_format format, size_t columns, const uint8_t *const rows[PHALANX_PANEL_ROWS],
                        uint8_t *panel);

// The same bytes, block by block: the definition of the layout.
void phalanx_pack_panel_plain(phalanx_format format, size_t columns, const uint8_t *const rows[PHALANX_PANEL_ROWS],
                              uint8_t *panel);

// A row in file layout -> floats, as ggml's reference does it, bit for bit (NaN payloads apart).
void phalanx_dequantize_row(phalanx_format format, size_t columns, const uint8_t *row, float *values);

// The same of one row (0 ..< 16) of a packed panel.
void phalanx_dequantize_panel_row(phalanx_format format, size_t columns, const uint8_t *panel, int row, float *values);

// An activation row: the offsets of its parts. int8 values first, at offset 0.
typedef struct phalanx_activation_layout {
    size_t scales; // float, one per block
    size_t sums;   // INT8_32: int32, sum of each block. INT8_256: int16, sum of each 16 values
    size_t sums32; // INT8_256 only: int16, sum of each 32 values
} phalanx_activation_layout;

phalanx_activation_layout phalanx_activation_parts(phalanx_activation activation, size_t columns);

// One product, shared by all threads that compute parts of it.
typedef struct phalanx_product {
    phalanx_format format;
    size_t columns;           // k: weights per matrix row
    size_t matrix_rows;       // outputs per activation row
    const uint8_t *panels;    // (matrix_rows + 15) / 16 panels, 64-byte aligned
    const uint8_t *activations; // 64-byte aligned rows
    size_t activation_stride; // bytes
    size_t rows;              // activation rows
    float *output;            // output[r * output_stride + o]
    size_t output_stride;     // floats, at least matrix_rows
} phalanx_product;

// The kernels of one instruction set.
typedef struct phalanx_matrix_table {
    // Floats -> a block of int8 values, and their scale:
    //   a = largest magnitude. a infinite or NaN in the block: scale NaN, values 0 (every product with it is NaN).
    //   a < 2^-100: scale 0, values 0. Otherwise scale = a / 127 and value = x * (127 / a) rounded half to even.
    // count is a multiple of 32.
    float (*quantize_block)(size_t count, const float *values, int8_t *quantized);
    // Floats -> one activation row; the int8 forms by blocks of A.
    void (*quantize)(phalanx_activation activation, size_t columns, const float *values, uint8_t *row);
    // Computes the panels first ..< end of a product.
    void (*multiply)(const phalanx_product *product, size_t first, size_t end);
} phalanx_matrix_table;

const phalanx_matrix_table *phalanx_matrix_kernels(phalanx_isa isa);

#endif
