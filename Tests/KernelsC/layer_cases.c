// Elementary functions, rows, reductions, and attention over paged keys and values.
#include "suite.h"

#include <stdio.h>
#include <string.h>

// ---- Elementary functions: one code for all instruction sets, but on every architecture -----------------------------

void suite_function_case(suite_case *some) {
    enum { COUNT = 256 };
    float *in = suite_memory(some, COUNT * sizeof(float), 0);
    float *out = suite_memory(some, 6 * COUNT * sizeof(float), 0);
    double *doubles = suite_memory(some, 2 * COUNT * sizeof(double), 0);
    const suite_numbers numbers = (suite_numbers)(some->index % SUITE_NUMBERS_COUNT);
    snprintf(some->shape, sizeof some->shape, "elementary functions of %s numbers", suite_numbers_name(numbers));
    suite_fill(some, numbers, in, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const float x = suite_chance(some, 2) ? in[i] * 16.0f : in[i];
        out[i] = phalanx_exp(x);
        out[COUNT + i] = phalanx_log(x);
        phalanx_sin_cos(x, &out[2 * COUNT + i], &out[3 * COUNT + i]);
        doubles[i] = phalanx_exp_double((double)x);
        doubles[COUNT + i] = phalanx_log_double((double)x);
    }
    const int64_t position = (int64_t)suite_between(some, 0, 200000);
    phalanx_rope_angles(out + 4 * COUNT, out + 5 * COUNT, in, COUNT, position, 1.25f);
    suite_one_nan(out, 6 * COUNT);
    for (size_t i = 0; i < 2 * COUNT; i++) doubles[i] = doubles[i] != doubles[i] ? 0.5 : doubles[i];
    suite_hash(some, out, 6 * COUNT * sizeof(float));
    suite_hash(some, doubles, 2 * COUNT * sizeof(double));
}

// ---- Rows -----------------------------------------------------------------------------------------------------------

typedef enum row_kernel {
    ROW_RMS_NORM,
    ROW_ADD,
    ROW_SILU_GATE,
    ROW_ROPE_ROTATE,
    ROW_HALF_FROM_FLOAT,
    ROW_FLOAT_FROM_HALF,
    ROW_MAX,
    ROW_EXP_SUM,
    ROW_KERNEL_COUNT,
} row_kernel;

static const char *const row_names[ROW_KERNEL_COUNT] = {
    "rms_norm", "add", "silu_gate", "rope_rotate", "half_from_float", "float_from_half", "max", "exp_sum",
};

typedef struct row_case {
    row_kernel kernel;
    size_t count, head_count;
    bool in_place;
    float *x, *y, *cosine, *out;
    uint16_t *halves;
} row_case;

// Runs the kernel; the result comes to lie in out.
static void run_row(const row_case *row) {
    float *into = row->out;
    if (row->in_place) memcpy(row->out, row->x, row->count * sizeof(float));
    const float *x = row->in_place ? row->out : row->x;
    switch (row->kernel) {
    case ROW_RMS_NORM:
        phalanx_rms_norm(into, x, row->y, row->count, 0x1p-17f);
        break;
    case ROW_ADD:
        memcpy(into, row->x, row->count * sizeof(float));
        phalanx_add(into, row->y, row->count);
        break;
    case ROW_SILU_GATE:
        phalanx_silu_gate(into, x, row->y, row->count);
        break;
    case ROW_ROPE_ROTATE: {
        const size_t head_dim = row->count / row->head_count, half_count = head_dim / 2;
        memcpy(into, row->x, row->count * sizeof(float));
        phalanx_rope_rotate(into, row->cosine, row->y, half_count, row->head_count, head_dim);
        break;
    }
    case ROW_HALF_FROM_FLOAT:
        phalanx_half_from_float((uint16_t *)(void *)into, row->x, row->count);
        break;
    case ROW_FLOAT_FROM_HALF:
        phalanx_float_from_half(into, row->halves, row->count);
        break;
    case ROW_MAX:
        into[0] = phalanx_max(row->x, row->count);
        into[1] = (float)phalanx_argmax(row->x, row->count);
        break;
    case ROW_EXP_SUM: {
        const double sum = phalanx_exp_sum(row->in_place ? into : NULL, x, row->count, row->y[0]);
        memcpy(into + row->count, &sum, sizeof sum);
        if (sum != sum) memset(into + row->count, 0, sizeof sum);
        break;
    }
    case ROW_KERNEL_COUNT:
        break;
    }
}

void suite_layer_case(suite_case *some) {
    row_case row = {.kernel = (row_kernel)(some->index % ROW_KERNEL_COUNT)};
    const suite_numbers numbers = (suite_numbers)(some->index / ROW_KERNEL_COUNT % SUITE_NUMBERS_COUNT);
    const size_t limit = row.kernel == ROW_EXP_SUM && suite_chance(some, 3) ? 3000 : 300;
    row.count = suite_between(some, 1, limit);
    row.head_count = suite_between(some, 1, row.count < 5 ? row.count : 5);
    row.in_place = suite_chance(some, 2);
    snprintf(some->shape, sizeof some->shape, "%s of %zu %s numbers%s", row_names[row.kernel], row.count,
             suite_numbers_name(numbers), row.in_place ? ", in place" : "");

    const size_t bytes = row.count * sizeof(float);
    row.x = suite_memory(some, bytes, 4 * suite_between(some, 0, 15));
    row.y = suite_memory(some, bytes, 4 * suite_between(some, 0, 15));
    row.cosine = suite_memory(some, bytes, 4 * suite_between(some, 0, 15));
    row.halves = suite_memory(some, row.count * sizeof(uint16_t), 2 * suite_between(some, 0, 15));
    const size_t out_count = row.kernel == ROW_MAX ? 2 : row.kernel == ROW_EXP_SUM ? row.count + 2 : row.count;
    const bool makes_halves = row.kernel == ROW_HALF_FROM_FLOAT;
    const size_t out_bytes = out_count * (makes_halves ? sizeof(uint16_t) : sizeof(float));
    row.out = suite_memory(some, out_bytes, 4 * suite_between(some, 0, 15));
    if (out_count < row.count || makes_halves) row.in_place = false; // its output is shorter than its input
    suite_fill(some, numbers, row.x, row.count);
    suite_fill(some, numbers, row.y, row.count);
    suite_fill(some, SUITE_ORDINARY, row.cosine, row.count);
    for (size_t i = 0; i < row.count; i++) row.halves[i] = (uint16_t)suite_next(some);
    SUITE_EACH_ISA(isa) {
        memset(row.out, 0x7b, out_bytes);
        run_row(&row);
        if (!makes_halves) suite_one_nan(row.out, out_count);
        suite_result(some, isa, row.out, out_bytes, makes_halves ? sizeof(uint16_t) : sizeof(float));
    }
}

// ---- Attention ------------------------------------------------------------------------------------------------------

// Random keys and values of a sequence in pages in descending order, through one instruction set's store.
static void store_positions(const phalanx_attention *attention, uint8_t *pages, const float *rows, size_t count) {
    for (size_t position = 0; position < count; position++) {
        const float *key = rows + 2 * position * attention->head_dim;
        uint8_t *head = pages + attention->page_table[position / PHALANX_PAGE_POSITIONS] * attention->page_stride;
        phalanx_kv_store(head, attention->kv_type, attention->head_dim, position % PHALANX_PAGE_POSITIONS, key,
                         key + attention->head_dim);
    }
}

void suite_attention_case(suite_case *some) {
    enum { PAGES_MAXIMUM = 32, WORK = 400000 };
    static const size_t head_dims[] = {20, 32, 48, 64, 80, 96, 128};
    static const phalanx_kv_type kv_types[] = {PHALANX_KV_F16, PHALANX_KV_F32, PHALANX_KV_Q8_0};
    static const char *const kv_names[] = {"f16", "f32", "q8_0"};
    static uint32_t page_table[PAGES_MAXIMUM];
    phalanx_attention attention = {
        .row_count = suite_chance(some, 3) ? 1 : suite_between(some, 1, 17),
        .head_dim = head_dims[suite_between(some, 0, 6)],
        .group_count = suite_between(some, 1, 5),
        .window = suite_chance(some, 3) ? (int64_t)suite_between(some, 1, 200) : 0,
        .scale = 0x1.4p-3f,
        .kv_type = kv_types[suite_between(some, 0, 2)],
        .page_table = page_table,
    };
    const suite_numbers numbers = suite_chance(some, 4) ? SUITE_EQUAL : SUITE_ORDINARY;
    const size_t width = attention.group_count * attention.head_dim;
    const size_t reach = WORK / (attention.row_count * width); // keeps a case short
    attention.first_position = (int64_t)suite_between(some, 0, reach < 1300 ? reach : 1300);
    const size_t positions = (size_t)attention.first_position + attention.row_count;
    snprintf(some->shape, sizeof some->shape,
             "attention of %zu rows at %lld, %zu heads of %zu, window %lld, %s pages, %s numbers", attention.row_count,
             (long long)attention.first_position, attention.group_count, attention.head_dim,
             (long long)attention.window, kv_names[attention.kv_type],
             suite_numbers_name(numbers));

    const size_t page_count = (positions + PHALANX_PAGE_POSITIONS - 1) / PHALANX_PAGE_POSITIONS;
    for (size_t page = 0; page < page_count; page++) page_table[page] = (uint32_t)(page_count - 1 - page);
    attention.query_stride = width + suite_between(some, 0, 9);
    attention.out_stride = width + suite_between(some, 0, 9);
    attention.page_stride = phalanx_kv_head_bytes(attention.kv_type, attention.head_dim) + 64;
    float *query = suite_memory(some, attention.row_count * attention.query_stride * sizeof(float),
                                4 * suite_between(some, 0, 15));
    float *rows = suite_memory(some, 2 * positions * attention.head_dim * sizeof(float), 0);
    suite_fill(some, SUITE_ORDINARY, query, attention.row_count * attention.query_stride);
    suite_fill(some, numbers, rows, 2 * positions * attention.head_dim);
    const size_t page_bytes = page_count * attention.page_stride;
    uint8_t *pages = suite_memory(some, page_bytes, 0);
    const size_t out_count = (attention.row_count - 1) * attention.out_stride + width;
    float *out = suite_memory(some, out_count * sizeof(float), 4 * suite_between(some, 0, 15));
    attention.query = query;
    attention.out = out;
    attention.pages = pages;
    attention.scratch = suite_memory(some,
                                     phalanx_attention_scratch_count(attention.row_count, attention.group_count,
                                                                     attention.head_dim) *
                                         sizeof(float),
                                     0);
    SUITE_EACH_ISA(isa) {
        memset(pages, 0x7b, page_bytes); // what was never written must not matter
        memset(out, 0x7b, out_count * sizeof(float));
        store_positions(&attention, pages, rows, positions);
        phalanx_attend(&attention);
        suite_one_nan(out, out_count);
        suite_result(some, isa, out, out_count * sizeof(float), sizeof(float));
    }
}
