// Activation quantisation and matrix products.
#include "suite.h"

#include <stdio.h>
#include <string.h>

static const char *const format_names[PHALANX_FORMAT_COUNT] = {
    [PHALANX_F32] = "F32",   [PHALANX_F16] = "F16",   [PHALANX_BF16] = "BF16", [PHALANX_Q8_0] = "Q8_0",
    [PHALANX_Q4_0] = "Q4_0", [PHALANX_Q4_1] = "Q4_1", [PHALANX_Q5_0] = "Q5_0", [PHALANX_Q5_1] = "Q5_1",
    [PHALANX_Q2_K] = "Q2_K", [PHALANX_Q3_K] = "Q3_K", [PHALANX_Q4_K] = "Q4_K", [PHALANX_Q5_K] = "Q5_K",
    [PHALANX_Q6_K] = "Q6_K",
};

// Where a block's f16 scale and minimum lie in file layout; -1 for none.
static const int scale_offsets[PHALANX_FORMAT_COUNT][2] = {
    [PHALANX_F32] = {-1, -1},  [PHALANX_F16] = {-1, -1},  [PHALANX_BF16] = {-1, -1}, [PHALANX_Q8_0] = {0, -1},
    [PHALANX_Q4_0] = {0, -1},  [PHALANX_Q4_1] = {0, 2},   [PHALANX_Q5_0] = {0, -1},  [PHALANX_Q5_1] = {0, 2},
    [PHALANX_Q2_K] = {80, 82}, [PHALANX_Q3_K] = {108, -1}, [PHALANX_Q4_K] = {0, 2},  [PHALANX_Q5_K] = {0, 2},
    [PHALANX_Q6_K] = {208, -1},
};

typedef enum weight_bits {
    WEIGHTS_ORDINARY, // random, with scales of ordinary size
    WEIGHTS_ANY,      // every bit pattern alike
    WEIGHTS_ONE_BYTE, // one byte all over, with scales of ordinary size
    WEIGHTS_COUNT,
} weight_bits;

static const char *const weight_names[WEIGHTS_COUNT] = {"ordinary", "any bits", "one byte"};

// An f16 of magnitude below 1/8, or so.
static uint16_t ordinary_half(suite_case *some) { return (uint16_t)(suite_next(some) & 0xafff); }

static void fill_weights(suite_case *some, phalanx_format format, weight_bits bits, uint8_t *bytes, size_t count) {
    static const uint8_t patterns[] = {0x00, 0xff, 0x80, 0x7f, 0x88, 0xf0, 0x0f, 0x55, 0xaa};
    const phalanx_format_traits *traits = phalanx_traits(format);
    const uint8_t pattern = patterns[suite_between(some, 0, sizeof patterns - 1)];
    for (size_t i = 0; i < count; i++) bytes[i] = bits == WEIGHTS_ONE_BYTE ? pattern : (uint8_t)suite_next(some);
    if (bits == WEIGHTS_ANY) return;
    if (traits->block == 1) {
        const size_t width = (size_t)traits->block_bytes;
        for (size_t at = 0; at < count; at += width) {
            const float value = suite_float(some, 1.0f);
            uint32_t word;
            memcpy(&word, &value, sizeof word);
            if (format == PHALANX_F16) word = (uint32_t)ordinary_half(some) << 16;
            memcpy(bytes + at, (const uint8_t *)&word + (4 - width), width);
        }
        return;
    }
    for (size_t block = 0; block < count; block += (size_t)traits->block_bytes) {
        for (int i = 0; i < 2; i++) {
            if (scale_offsets[format][i] < 0) continue;
            const uint16_t half = ordinary_half(some);
            memcpy(bytes + block + scale_offsets[format][i], &half, sizeof half);
        }
    }
}

static size_t some_columns(suite_case *some, const phalanx_format_traits *traits) {
    if (traits->block == 1) return suite_between(some, 1, 300);
    return (size_t)traits->block * suite_between(some, 1, traits->block == 32 ? 19 : 3);
}

void suite_quantize_case(suite_case *some) {
    static const char *const names[] = {"float", "blocks of 32", "blocks of 256"};
    const phalanx_activation activation = (phalanx_activation)(some->index % 3);
    const suite_numbers numbers = (suite_numbers)(some->index / 3 % SUITE_NUMBERS_COUNT);
    static const size_t units[] = {1, 32, 256};
    const size_t columns = units[activation] * suite_between(some, 1, activation == PHALANX_ACTIVATION_F32 ? 300 : 20);
    snprintf(some->shape, sizeof some->shape, "quantise %zu %s numbers to %s", columns, suite_numbers_name(numbers),
             names[activation]);

    float *x = suite_memory(some, columns * sizeof(float), 4 * suite_between(some, 0, 15));
    suite_fill(some, numbers, x, columns);
    const size_t byte_count = phalanx_activation_bytes(activation, columns);
    uint8_t *row = suite_memory(some, byte_count, 0);
    SUITE_EACH_ISA(isa) {
        memset(row, 0, byte_count);
        phalanx_matrix_kernels(isa)->quantize(activation, columns, x, row);
        suite_result(some, isa, row, byte_count, 1);
    }
}

// The panels of a random matrix.
static const uint8_t *some_panels(suite_case *some, phalanx_format format, weight_bits bits, size_t matrix_rows,
                                  size_t columns) {
    const size_t row_bytes = phalanx_row_bytes(format, columns), panel_bytes = phalanx_panel_bytes(format, columns);
    const size_t panels = (matrix_rows + PHALANX_PANEL_ROWS - 1) / PHALANX_PANEL_ROWS;
    uint8_t *file = suite_memory(some, matrix_rows * row_bytes, suite_between(some, 0, 3));
    fill_weights(some, format, bits, file, matrix_rows * row_bytes);
    uint8_t *packed = suite_memory(some, panels * panel_bytes, 0);
    for (size_t p = 0; p < panels; p++) {
        const uint8_t *rows[PHALANX_PANEL_ROWS];
        for (size_t i = 0; i < PHALANX_PANEL_ROWS; i++) {
            const size_t o = p * PHALANX_PANEL_ROWS + i;
            rows[i] = o < matrix_rows ? file + o * row_bytes : NULL;
        }
        phalanx_pack_panel(format, columns, rows, packed + p * panel_bytes);
    }
    return packed;
}

// Embedding lookup: one code for all instruction sets, but on every architecture.
static void hash_lookup(suite_case *some, const phalanx_product *product) {
    const size_t o = suite_between(some, 0, product->matrix_rows - 1);
    const size_t panel_bytes = phalanx_panel_bytes(product->format, product->columns);
    float *values = suite_memory(some, product->columns * sizeof(float), 0);
    phalanx_dequantize_panel_row(product->format, product->columns,
                                 product->panels + o / PHALANX_PANEL_ROWS * panel_bytes, (int)(o % PHALANX_PANEL_ROWS),
                                 values);
    suite_one_nan(values, product->columns);
    suite_hash(some, values, product->columns * sizeof(float));
}

void suite_matrix_case(suite_case *some) {
    const phalanx_format format = (phalanx_format)(some->index % PHALANX_FORMAT_COUNT);
    const phalanx_format_traits *traits = phalanx_traits(format);
    const unsigned round = some->index / PHALANX_FORMAT_COUNT;
    // Rows 1 ... 33 in turn, and every now and then many.
    size_t rows = round % 35 + 1;
    if (rows > 33) rows = suite_between(some, 34, rows == 34 ? 80 : 300);
    const size_t matrix_rows = suite_between(some, 1, rows > 33 ? 17 : 40);
    size_t columns = some_columns(some, traits);
    if (rows > 80 && traits->block == 1) columns = columns % 40 + 1;
    const weight_bits bits = (weight_bits)(suite_next(some) % WEIGHTS_COUNT);
    const suite_numbers numbers = suite_chance(some, 2) ? SUITE_ORDINARY
                                                        : (suite_numbers)(suite_next(some) % SUITE_NUMBERS_COUNT);
    snprintf(some->shape, sizeof some->shape, "%s, %zu x %zu matrix of %s weights, %zu rows of %s numbers",
             format_names[format], matrix_rows, columns, weight_names[bits], rows, suite_numbers_name(numbers));

    const size_t stride = phalanx_activation_bytes(traits->activation, columns) + 64 * suite_between(some, 0, 2);
    float *x = suite_memory(some, columns * sizeof(float), 0);
    uint8_t *activations = suite_memory(some, rows * stride, 0);
    for (size_t r = 0; r < rows; r++) {
        suite_fill(some, numbers, x, columns);
        phalanx_matrix_kernels(PHALANX_ISA_SCALAR)->quantize(traits->activation, columns, x, activations + r * stride);
    }
    const size_t output_stride = matrix_rows + suite_between(some, 0, 5);
    const size_t output_bytes = ((rows - 1) * output_stride + matrix_rows) * sizeof(float);
    const phalanx_product product = {
        .format = format,
        .columns = columns,
        .matrix_rows = matrix_rows,
        .panels = some_panels(some, format, bits, matrix_rows, columns),
        .activations = activations,
        .activation_stride = stride,
        .rows = rows,
        .output = suite_memory(some, output_bytes, 4 * suite_between(some, 0, 15)),
        .output_stride = output_stride,
    };
    hash_lookup(some, &product);
    const size_t panels = (matrix_rows + PHALANX_PANEL_ROWS - 1) / PHALANX_PANEL_ROWS;
    const size_t split = suite_between(some, 0, panels);
    SUITE_EACH_ISA(isa) {
        memset(product.output, 0x7b, output_bytes); // what lies between the rows stays
        phalanx_matrix_kernels(isa)->multiply(&product, split, panels);
        phalanx_matrix_kernels(isa)->multiply(&product, 0, split);
        suite_result(some, isa, product.output, output_bytes, sizeof(float));
    }
}
