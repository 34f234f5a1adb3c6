// What the products of several instruction sets share: activation rows, a few at a time.
//
// Few rows (decode) use each group of weights right as it is unpacked, while the panel streams by. Many rows (prefill)
// find a slice of 256 columns unpacked in a buffer, which stays in the nearest cache as the rows of a pass go by.
#ifndef PHALANX_MATRIX_ROWS_H
#define PHALANX_MATRIX_ROWS_H

#include "format_block.h"
#include "matrix_table.h"

#include <stdbool.h>

#define INLINE static inline __attribute__((always_inline))

enum {
    ROWS_AT_ONCE = 4,
    ROWS_PER_PASS = 64,
    SLICE_COLUMNS = 256,
};

// A slice of a panel, unpacked. A K format's slice is a block; one with blocks of 32 has up to eight of them.
typedef union slice {
    uint8_t values[SLICE_COLUMNS * PHALANX_PANEL_ROWS] __attribute__((aligned(64)));
    float weights[SLICE_COLUMNS * PHALANX_PANEL_ROWS]; // of float formats
} slice;

// Accumulators of an activation row: the 16 outputs of a panel.
typedef struct outputs {
    float values[PHALANX_PANEL_ROWS] __attribute__((aligned(64)));
} outputs;

// Where the parts of a few activation rows begin.
typedef struct activation_rows {
    const uint8_t *values[ROWS_AT_ONCE];
    const float *scales[ROWS_AT_ONCE];
    const int32_t *sums[ROWS_AT_ONCE];   // blocks of 32
    const int16_t *sums16[ROWS_AT_ONCE]; // blocks of 256
    const int16_t *sums32[ROWS_AT_ONCE];
} activation_rows;

// `rows` rows from `row` on. Beyond them the last one again, for code that takes rows in pairs.
INLINE activation_rows rows_from(const phalanx_format_traits traits, const phalanx_product *product, size_t row,
                                 int rows) {
    const phalanx_activation_layout parts = phalanx_activation_parts(traits.activation, product->columns);
    activation_rows some;
    for (int r = 0; r < ROWS_AT_ONCE; r++) {
        const size_t at = row + (size_t)(r < rows ? r : rows - 1);
        const uint8_t *start = product->activations + at * product->activation_stride;
        some.values[r] = start;
        some.scales[r] = (const float *)(const void *)(start + parts.scales);
        some.sums[r] = (const int32_t *)(const void *)(start + parts.sums);
        some.sums16[r] = (const int16_t *)(const void *)(start + parts.sums);
        some.sums32[r] = (const int16_t *)(const void *)(start + parts.sums32);
    }
    return some;
}

// The next of equal groups of at most `limit` rows: 5 rows are 3 and 2, not 4 and 1.
INLINE size_t next_group(size_t rows, size_t limit) {
    const size_t groups = (rows + limit - 1) / limit;
    return (rows + groups - 1) / groups;
}

// One panel with the rows of a pass.
typedef void (*panel_kernel)(const phalanx_product *product, const uint8_t *panel, size_t index, size_t row,
                             size_t rows);

// Passes of equal length, at most ROWS_PER_PASS: their activations stay in the second cache from panel to panel.
INLINE void multiply_panels(const panel_kernel kernel, const phalanx_product *product, size_t first, size_t end) {
    const size_t panel_bytes = phalanx_panel_bytes(product->format, product->columns);
    const size_t passes = (product->rows + ROWS_PER_PASS - 1) / ROWS_PER_PASS;
    for (size_t pass = 0, row = 0; pass < passes; pass++) {
        const size_t rows = (product->rows - row + passes - pass - 1) / (passes - pass);
        for (size_t p = first; p < end; p++) kernel(product, product->panels + p * panel_bytes, p, row, rows);
        row += rows;
    }
}

// Defines one kernel per format out of pass_panel(format, is_plain, ...), and the table of them. Few rows do without an
// unpacked slice (is_plain is false).
#define PHALANX_PANEL_KERNEL(NAME, FORMAT)                                                                             \
    static void NAME(const phalanx_product *product, const uint8_t *panel, size_t index, size_t row, size_t rows) {    \
        if (rows <= STREAMED_ROWS) {                                                                                   \
            pass_panel(FORMAT, false, product, panel, index, row, rows);                                               \
        } else {                                                                                                       \
            pass_panel(FORMAT, true, product, panel, index, row, rows);                                                \
        }                                                                                                              \
    }

#define PHALANX_PANEL_KERNELS                                                                                          \
    PHALANX_PANEL_KERNEL(panel_f32, PHALANX_F32)                                                                       \
    PHALANX_PANEL_KERNEL(panel_f16, PHALANX_F16)                                                                       \
    PHALANX_PANEL_KERNEL(panel_bf16, PHALANX_BF16)                                                                     \
    PHALANX_PANEL_KERNEL(panel_q8_0, PHALANX_Q8_0)                                                                     \
    PHALANX_PANEL_KERNEL(panel_q4_0, PHALANX_Q4_0)                                                                     \
    PHALANX_PANEL_KERNEL(panel_q4_1, PHALANX_Q4_1)                                                                     \
    PHALANX_PANEL_KERNEL(panel_q5_0, PHALANX_Q5_0)                                                                     \
    PHALANX_PANEL_KERNEL(panel_q5_1, PHALANX_Q5_1)                                                                     \
    PHALANX_PANEL_KERNEL(panel_q2_k, PHALANX_Q2_K)                                                                     \
    PHALANX_PANEL_KERNEL(panel_q3_k, PHALANX_Q3_K)                                                                     \
    PHALANX_PANEL_KERNEL(panel_q4_k, PHALANX_Q4_K)                                                                     \
    PHALANX_PANEL_KERNEL(panel_q5_k, PHALANX_Q5_K)                                                                     \
    PHALANX_PANEL_KERNEL(panel_q6_k, PHALANX_Q6_K)                                                                     \
    static const panel_kernel panel_kernels[PHALANX_FORMAT_COUNT] = {                                                  \
        [PHALANX_F32] = panel_f32,   [PHALANX_F16] = panel_f16,   [PHALANX_BF16] = panel_bf16,                         \
        [PHALANX_Q8_0] = panel_q8_0, [PHALANX_Q4_0] = panel_q4_0, [PHALANX_Q4_1] = panel_q4_1,                         \
        [PHALANX_Q5_0] = panel_q5_0, [PHALANX_Q5_1] = panel_q5_1, [PHALANX_Q2_K] = panel_q2_k,                         \
        [PHALANX_Q3_K] = panel_q3_k, [PHALANX_Q4_K] = panel_q4_k, [PHALANX_Q5_K] = panel_q5_k,                         \
        [PHALANX_Q6_K] = panel_q6_k,                                                                                   \
    };

#endif
