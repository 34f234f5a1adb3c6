// Attention over KV pages: the walk over segments and blocks, the same on every instruction set.
#include <string.h>

#include "layer_table.h"

#pragma STDC FP_CONTRACT OFF

static size_t padded_count(size_t head_dim) {
    return (head_dim + PHALANX_LANES - 1) / PHALANX_LANES * PHALANX_LANES;
}

// A state is the padded values, the maximum and the sum of weights; a multiple of 16 floats keeps the next one aligned.
static size_t state_count(size_t stride) { return stride + PHALANX_LANES; }

static size_t kv_number_bytes(phalanx_kv_type type) { return type == PHALANX_KV_F16 ? 2 : 4; }

size_t phalanx_kv_head_bytes(phalanx_kv_type type, size_t head_dim) {
    return 2 * PHALANX_PAGE_POSITIONS * head_dim * kv_number_bytes(type);
}

static void store_row(void *rows, phalanx_kv_type type, size_t head_dim, size_t position_in_page, const float *x) {
    if (type == PHALANX_KV_F16) {
        phalanx_layer_current()->half_from_float((uint16_t *)rows + position_in_page * head_dim, x, head_dim);
    } else {
        memcpy((float *)rows + position_in_page * head_dim, x, head_dim * sizeof(float));
    }
}

void phalanx_kv_store(void *head, phalanx_kv_type type, size_t head_dim, size_t position_in_page, const float *key,
                      const float *value) {
    uint8_t *values = (uint8_t *)head + phalanx_kv_head_bytes(type, head_dim) / 2;
    store_row(head, type, head_dim, position_in_page, key);
    store_row(values, type, head_dim, position_in_page, value);
}

// Rows first ..< end of a page's keys or values as floats, padded with zeros to stride.
static const float *loaded_rows(const phalanx_layer_table *table, float *scratch, const uint8_t *rows,
                                phalanx_kv_type type, size_t head_dim, size_t stride, size_t first, size_t end) {
    if (type == PHALANX_KV_F32 && stride == head_dim) return (const float *)(const void *)rows;
    for (size_t row = first; row < end; row++) {
        float *out = scratch + row * stride;
        const uint8_t *in = rows + row * head_dim * kv_number_bytes(type);
        if (type == PHALANX_KV_F16) {
            table->float_from_half(out, (const uint16_t *)(const void *)in, head_dim);
        } else {
            memcpy(out, in, head_dim * sizeof(float));
        }
        memset(out + head_dim, 0, (stride - head_dim) * sizeof(float));
    }
    return scratch;
}

size_t phalanx_attention_scratch_count(size_t row_count, size_t group_count, size_t head_dim) {
    const size_t stride = padded_count(head_dim);
    const size_t query_count = row_count * group_count;
    // Keys and values of a block, padded queries, the states of segment and result of each query, the block's state.
    return 2 * PHALANX_PAGE_POSITIONS * stride + query_count * stride + (2 * query_count + 1) * state_count(stride);
}

// The first position that a row sees.
static int64_t first_visible(int64_t position, int64_t window) {
    return window > 0 && position - window + 1 > 0 ? position - window + 1 : 0;
}

static int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t greater(int64_t a, int64_t b) { return a > b ? a : b; }

typedef struct walk {
    const phalanx_attention *attention;
    const phalanx_layer_table *table;
    size_t stride;
    float *keys, *values, *queries, *segments, *results, *block;
} walk;

// The block's contribution to the segment states of all queries that see some of it.
static void visit_block(const walk *w, int64_t block_start) {
    const phalanx_attention *a = w->attention;
    const int64_t last_position = a->first_position + (int64_t)a->row_count - 1;
    const int64_t first = greater(first_visible(a->first_position, a->window), block_start);
    const int64_t end = lesser(last_position + 1, block_start + PHALANX_PAGE_POSITIONS);
    const size_t page = a->page_table[block_start / PHALANX_PAGE_POSITIONS];
    const uint8_t *keys = a->pages + page * a->page_stride;
    const uint8_t *values = keys + phalanx_kv_head_bytes(a->kv_type, a->head_dim) / 2;
    const size_t first_row = (size_t)(first - block_start), end_row = (size_t)(end - block_start);
    const float *k =
        loaded_rows(w->table, w->keys, keys, a->kv_type, a->head_dim, w->stride, first_row, end_row);
    const float *v =
        loaded_rows(w->table, w->values, values, a->kv_type, a->head_dim, w->stride, first_row, end_row);
    for (size_t row = 0; row < a->row_count; row++) {
        const int64_t position = a->first_position + (int64_t)row;
        const int64_t row_first = greater(first_visible(position, a->window), block_start);
        const int64_t row_end = lesser(position + 1, block_start + PHALANX_PAGE_POSITIONS);
        if (row_first >= row_end) continue;
        for (size_t head = 0; head < a->group_count; head++) {
            const size_t query = row * a->group_count + head;
            w->table->attention_block(w->block, w->queries + query * w->stride, k, v, w->stride,
                                      (size_t)(row_first - block_start), (size_t)(row_end - block_start), a->scale);
            w->table->attention_merge(w->segments + query * state_count(w->stride), w->block, w->stride);
        }
    }
}

void phalanx_attend(const phalanx_attention *a) {
    const size_t stride = padded_count(a->head_dim), states = state_count(stride);
    const size_t query_count = a->row_count * a->group_count;
    walk w = {.attention = a, .table = phalanx_layer_current(), .stride = stride};
    w.keys = a->scratch;
    w.values = w.keys + PHALANX_PAGE_POSITIONS * stride;
    w.queries = w.values + PHALANX_PAGE_POSITIONS * stride;
    w.segments = w.queries + query_count * stride;
    w.results = w.segments + query_count * states;
    w.block = w.results + query_count * states;

    for (size_t query = 0; query < query_count; query++) {
        const size_t row = query / a->group_count, head = query % a->group_count;
        float *out = w.queries + query * stride;
        memcpy(out, a->query + row * a->query_stride + head * a->head_dim, a->head_dim * sizeof(float));
        memset(out + a->head_dim, 0, (stride - a->head_dim) * sizeof(float));
        w.results[query * states + stride + 1] = 0.0f;
    }
    const int64_t end = a->first_position + (int64_t)a->row_count;
    const int64_t first = first_visible(a->first_position, a->window);
    int64_t block = first / PHALANX_PAGE_POSITIONS * PHALANX_PAGE_POSITIONS;
    while (block < end) {
        const int64_t segment_end = (block / PHALANX_SEGMENT_POSITIONS + 1) * PHALANX_SEGMENT_POSITIONS;
        for (size_t query = 0; query < query_count; query++) w.segments[query * states + stride + 1] = 0.0f;
        for (; block < end && block < segment_end; block += PHALANX_PAGE_POSITIONS) visit_block(&w, block);
        for (size_t query = 0; query < query_count; query++) {
            w.table->attention_merge(w.results + query * states, w.segments + query * states, stride);
        }
    }
    for (size_t query = 0; query < query_count; query++) {
        const float *result = w.results + query * states;
        float *out = a->out + (query / a->group_count) * a->out_stride + (query % a->group_count) * a->head_dim;
        for (size_t d = 0; d < a->head_dim; d++) out[d] = result[d] / result[stride + 1];
    }
}
