// Matrix products with AVX-512 and VNNI: the entry, and the products of float weights; equal to matrix_scalar.c bit for
// bit.
//
// A panel of float weights (16 matrix rows, one per lane) meets up to twelve activation rows at once. With many rows, some
// hundred columns of a few panels meet all rows of a tile, so that activations are read from the near cache; the sums
// wait in memory meanwhile, which changes no bit of a chain of fused multiply-adds.
#if defined(__x86_64__)

#include "matrix_avx512.h"

#pragma STDC FP_CONTRACT OFF
#define INSTRUCTIONS "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"
#pragma clang attribute push(__attribute__((target(INSTRUCTIONS))), apply_to = function)

#include "matrix_avx512_unpack.h"

enum {
    ROWS_AT_ONCE = 12,
    PANELS_AT_ONCE = 4,
    TILE_ROWS = 240,
    TILE_COLUMNS = 256,
    PIECE = 16,          // columns whose bytes are fetched together
    FETCH_AHEAD = 4096, // bytes
};

// Sixteen weights of position k.
INLINE __m512 float_weights(const phalanx_format format, const uint8_t *panel, size_t k) {
    if (format == PHALANX_F32) return _mm512_load_ps((const float *)panel + k * PHALANX_PANEL_ROWS);
    const __m256i narrow = _mm256_load_si256((const __m256i *)(panel + k * PHALANX_PANEL_ROWS * 2));
    if (format == PHALANX_F16) return _mm512_cvtph_ps(narrow);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16));
}

// Some columns of one panel and what one pass over them fetches meanwhile: every passes-th piece of what follows `ahead`.
typedef struct column_range {
    const uint8_t *panel;
    size_t first, end;
    const uint8_t *ahead;
    size_t pass, passes;
} column_range;

// Rows of floats, `stride` apart, and their sums, 16 numbers each, `sum_stride` apart.
typedef struct row_range {
    const float *activations;
    size_t stride;
    float *sums;
    size_t sum_stride;
} row_range;

INLINE void add_columns(const phalanx_format format, const int rows, const column_range *columns,
                        const row_range *range) {
    const size_t width = format == PHALANX_F32 ? 64 : 32; // bytes of a position
    __m512 acc[ROWS_AT_ONCE];
    for (int r = 0; r < rows; r++) acc[r] = _mm512_load_ps(range->sums + (size_t)r * range->sum_stride);
    for (size_t k = columns->first, piece = 0; k < columns->end; piece++) {
        const size_t piece_end = columns->end - k < PIECE ? columns->end : k + PIECE;
        if (piece % columns->passes == columns->pass) fetch(columns->ahead + piece * PIECE * width, PIECE * width);
        for (; k < piece_end; k++) {
            const __m512 weights = float_weights(format, columns->panel, k);
#pragma clang loop unroll(full)
            for (int r = 0; r < rows; r++) {
                const float activation = range->activations[(size_t)r * range->stride + k];
                acc[r] = _mm512_fmadd_ps(weights, _mm512_set1_ps(activation), acc[r]);
            }
        }
    }
    for (int r = 0; r < rows; r++) _mm512_store_ps(range->sums + (size_t)r * range->sum_stride, acc[r]);
}

typedef void (*column_kernel)(const column_range *columns, const row_range *range);

#define KERNEL(NAME, FORMAT, ROWS)                                                                                     \
    static void NAME##_##ROWS(const column_range *columns, const row_range *range) {                                   \
        add_columns(FORMAT, ROWS, columns, range);                                                                     \
    }
#define KERNELS(NAME, FORMAT)                                                                                          \
    KERNEL(NAME, FORMAT, 1)                                                                                            \
    KERNEL(NAME, FORMAT, 2)                                                                                            \
    KERNEL(NAME, FORMAT, 3)                                                                                            \
    KERNEL(NAME, FORMAT, 4)                                                                                            \
    KERNEL(NAME, FORMAT, 5)                                                                                            \
    KERNEL(NAME, FORMAT, 6)                                                                                            \
    KERNEL(NAME, FORMAT, 7)                                                                                            \
    KERNEL(NAME, FORMAT, 8)                                                                                            \
    KERNEL(NAME, FORMAT, 9)                                                                                            \
    KERNEL(NAME, FORMAT, 10)                                                                                           \
    KERNEL(NAME, FORMAT, 11)                                                                                           \
    KERNEL(NAME, FORMAT, 12)                                                                                           \
    static const column_kernel NAME[ROWS_AT_ONCE] = {NAME##_1, NAME##_2, NAME##_3, NAME##_4,  NAME##_5,  NAME##_6,     \
                                                     NAME##_7, NAME##_8, NAME##_9, NAME##_10, NAME##_11, NAME##_12};

KERNELS(f32, PHALANX_F32)
KERNELS(f16, PHALANX_F16)
KERNELS(bf16, PHALANX_BF16)

// Panels first ..< first + count (at most PANELS_AT_ONCE) with `rows` rows (at most TILE_ROWS) from `row` on.
static void multiply_tile(const phalanx_product *product, const column_kernel *by_rows, size_t first, size_t count,
                          size_t row, size_t rows) {
    const size_t panel_bytes = phalanx_panel_bytes(product->format, product->columns);
    const size_t stride = product->activation_stride / sizeof(float), sum_stride = count * PHALANX_PANEL_ROWS;
    const float *activations = (const float *)product->activations + row * stride;
    float sums[TILE_ROWS * PANELS_AT_ONCE * PHALANX_PANEL_ROWS] __attribute__((aligned(64)));
    memset(sums, 0, rows * sum_stride * sizeof(float));
    const size_t passes = (rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    const size_t width = product->format == PHALANX_F32 ? 64 : 32;
    // A single pass reads every panel straight through.
    const size_t columns = passes == 1 ? product->columns : TILE_COLUMNS;
    for (size_t k = 0; k < product->columns; k += columns) {
        const size_t end = product->columns - k < columns ? product->columns : k + columns;
        for (size_t pass = 0; pass < passes; pass++) {
            const size_t start = rows * pass / passes, next = rows * (pass + 1) / passes;
            for (size_t p = 0; p < count; p++) {
                const uint8_t *panel = product->panels + (first + p) * panel_bytes;
                const uint8_t *ahead = passes == 1              ? panel + FETCH_AHEAD
                                       : end < product->columns ? panel + end * width
                                                                : panel + PANELS_AT_ONCE * panel_bytes;
                const column_range range = {panel, k, end, ahead, pass, passes};
                const row_range of_rows = {activations + start * stride, stride,
                                           sums + start * sum_stride + p * PHALANX_PANEL_ROWS, sum_stride};
                by_rows[next - start - 1](&range, &of_rows);
            }
        }
    }
    for (size_t r = 0; r < rows; r++) {
        for (size_t p = 0; p < count; p++) {
            store_panel(product, first + p, row + r, _mm512_load_ps(sums + r * sum_stride + p * PHALANX_PANEL_ROWS));
        }
    }
}

static void multiply_floats(const phalanx_product *product, const column_kernel *by_rows, size_t first, size_t end) {
    const size_t tiles = (product->rows + TILE_ROWS - 1) / TILE_ROWS;
    for (size_t t = 0; t < tiles; t++) {
        const size_t row = product->rows * t / tiles, next = product->rows * (t + 1) / tiles;
        for (size_t p = first; p < end; p += PANELS_AT_ONCE) {
            const size_t count = end - p < PANELS_AT_ONCE ? end - p : PANELS_AT_ONCE;
            multiply_tile(product, by_rows, p, count, row, next - row);
        }
    }
}

void phalanx_avx512_multiply(const phalanx_product *product, size_t first, size_t end) {
    switch (product->format) {
    case PHALANX_F32:
        multiply_floats(product, f32, first, end);
        break;
    case PHALANX_F16:
        multiply_floats(product, f16, first, end);
        break;
    case PHALANX_BF16:
        multiply_floats(product, bf16, first, end);
        break;
    default:
        phalanx_avx512_multiply_blocks(product, first, end);
    }
}

#pragma clang attribute pop

#endif
