// Attention over KV pages: the walk over segments and blocks, the same on every instruction set.
#include <stdbool.h>
#include <string.h>

#include "layer_table.h"
#include "phalanx_matrix.h"

#pragma STDC FP_CONTRACT OFF

static size_t padded_count(size_t head_dim) {
    return (head_dim + PHALANX_LANES - 1) / PHALANX_LANES * PHALANX_LANES;
}

// A state is the padded values, the maximum and the sum of weights; a multiple of 16 floats keeps the next one aligned.
static size_t state_count(size_t stride) { return stride + PHALANX_LANES; }

// Numbers of a head's blocks with one scale.
static size_t q8_blocks(size_t head_dim) { return (head_dim + PHALANX_Q8_BLOCK - 1) / PHALANX_Q8_BLOCK; }

// Bytes of one position's numbers, the scales apart.
static size_t kv_row_bytes(phalanx_kv_type type, size_t head_dim) {
    switch (type) {
    case PHALANX_KV_F16:
        return head_dim * 2;
    case PHALANX_KV_F32:
        return head_dim * 4;
    case PHALANX_KV_Q8_0:
        return head_dim;
    }
    return 0;
}

static size_t kv_scale_bytes(phalanx_kv_type type, size_t head_dim) {
    return type == PHALANX_KV_Q8_0 ? q8_blocks(head_dim) * sizeof(uint16_t) : 0;
}

size_t phalanx_kv_head_bytes(phalanx_kv_type type, size_t head_dim) {
    return 2 * PHALANX_PAGE_POSITIONS * (kv_row_bytes(type, head_dim) + kv_scale_bytes(type, head_dim));
}

// The scales of a position, behind the numbers of all positions.
static uint16_t *row_scales(uint8_t *rows, phalanx_kv_type type, size_t head_dim, size_t position_in_page) {
    uint8_t *scales = rows + PHALANX_PAGE_POSITIONS * kv_row_bytes(type, head_dim);
    return (uint16_t *)(void *)(scales + position_in_page * kv_scale_bytes(type, head_dim));
}

// As blocks of activations are quantised, with the scales in half precision.
static void store_q8(int8_t *quantized, uint16_t *scales, const float *x, size_t head_dim) {
    const phalanx_matrix_table *matrices = phalanx_matrix_kernels(phalanx_isa_current());
    for (size_t b = 0; b < q8_blocks(head_dim); b++) {
        const size_t start = b * PHALANX_Q8_BLOCK, rest = head_dim - start;
        float scale;
        if (rest >= PHALANX_Q8_BLOCK) {
            scale = matrices->quantize_block(PHALANX_Q8_BLOCK, x + start, quantized + start);
        } else { // zeros change no magnitude
            float padded[PHALANX_Q8_BLOCK] = {0};
            int8_t numbers[PHALANX_Q8_BLOCK];
            memcpy(padded, x + start, rest * sizeof(float));
            scale = matrices->quantize_block(PHALANX_Q8_BLOCK, padded, numbers);
            memcpy(quantized + start, numbers, rest);
        }
        phalanx_layer_current()->half_from_float(scales + b, &scale, 1);
    }
}

static void store_row(uint8_t *rows, phalanx_kv_type type, size_t head_dim, size_t position_in_page, const float *x) {
    uint8_t *row = rows + position_in_page * kv_row_bytes(type, head_dim);
    switch (type) {
    case PHALANX_KV_F16:
        phalanx_layer_current()->half_from_float((uint16_t *)(void *)row, x, head_dim);
        break;
    case PHALANX_KV_F32:
        memcpy(row, x, head_dim * sizeof(float));
        break;
    case PHALANX_KV_Q8_0:
        store_q8((int8_t *)row, row_scales(rows, type, head_dim, position_in_page), x, head_dim);
        break;
    }
}

void phalanx_kv_store(void *head, phalanx_kv_type type, size_t head_dim, size_t position_in_page, const float *key,
                      const float *value) {
    uint8_t *keys = head;
    store_row(keys, type, head_dim, position_in_page, key);
    store_row(keys + phalanx_kv_head_bytes(type, head_dim) / 2, type, head_dim, position_in_page, value);
}

// Rows first ..< end of a page's keys or values as floats, padded with zeros to stride. Meanwhile the same rows of the
// page at `ahead` are fetched, unless it is NULL.
static void load_rows(const phalanx_layer_table *table, float *scratch, const uint8_t *rows,
                      const uint8_t *ahead, phalanx_kv_type type, size_t head_dim, size_t stride, size_t first,
                      size_t end) {
    const size_t row_bytes = kv_row_bytes(type, head_dim);
    for (size_t row = first; row < end; row++) {
        if (ahead != NULL) {
            for (size_t at = 0; at < row_bytes; at += 64) __builtin_prefetch(ahead + row * row_bytes + at, 0, 2);
        }
        float *out = scratch + row * stride;
        const uint8_t *in = rows + row * row_bytes;
        switch (type) {
        case PHALANX_KV_F16:
            table->float_from_half(out, (const uint16_t *)(const void *)in, head_dim);
            break;
        case PHALANX_KV_F32:
            memcpy(out, in, head_dim * sizeof(float));
            break;
        case PHALANX_KV_Q8_0:
            table->float_from_q8(out, (const int8_t *)in, row_scales((uint8_t *)rows, type, head_dim, row), head_dim);
            break;
        }
        memset(out + head_dim, 0, (stride - head_dim) * sizeof(float));
    }
}

size_t phalanx_attention_scratch_count(size_t row_count, size_t group_count, size_t head_dim) {
    const size_t stride = padded_count(head_dim);
    const size_t query_count = row_count * group_count;
    // Keys and values of a block, padded queries, and the states of block, segment and result of each query.
    return 2 * PHALANX_PAGE_POSITIONS * stride + query_count * stride + 3 * query_count * state_count(stride);
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
    bool reads_pages; // the kernel takes keys and values as they lie in their pages
} walk;

enum { QUERIES_READING_PAGES = 4 }; // converting once for all is better for more

// What a row sees of the block that begins at block_start.
typedef struct block_range {
    size_t first, end; // none when equal
} block_range;

static block_range seen_by(const phalanx_attention *a, size_t row, int64_t block_start) {
    const int64_t position = a->first_position + (int64_t)row;
    const int64_t first = greater(first_visible(position, a->window), block_start);
    const int64_t end = lesser(position + 1, block_start + PHALANX_PAGE_POSITIONS);
    if (first >= end) return (block_range){0, 0};
    return (block_range){(size_t)(first - block_start), (size_t)(end - block_start)};
}

// The block's contribution to the segment states of some rows, which see the same of it.
static void visit_rows(const walk *w, size_t first_row, size_t end_row, block_range range, const uint8_t *page,
                       const uint8_t *ahead) {
    const size_t group = w->attention->group_count, states = state_count(w->stride);
    if (range.first == range.end) return;
    const size_t half = phalanx_kv_head_bytes(w->attention->kv_type, w->attention->head_dim) / 2;
    const phalanx_attention_block block = {.states = w->block,
                                           .state_stride = states,
                                           .queries = w->queries + first_row * group * w->stride,
                                           .query_count = (end_row - first_row) * group,
                                           .keys = w->reads_pages ? (const void *)page : w->keys,
                                           .values = w->reads_pages ? (const void *)(page + half) : w->values,
                                           .ahead_keys = ahead,
                                           .ahead_values = ahead ? ahead + half : NULL,
                                           .stride = w->stride,
                                           .first = range.first,
                                           .end = range.end,
                                           .scale = w->attention->scale};
    if (w->reads_pages) {
        w->table->attention_block_half(&block);
    } else {
        w->table->attention_block(&block);
    }
    for (size_t q = 0; q < block.query_count; q++) {
        float *segment = w->segments + (first_row * group + q) * states;
        w->table->attention_merge(segment, w->block + q * states, w->stride);
    }
}

// The block's contribution to the segment states of all queries that see some of it.
static void visit_block(const walk *w, int64_t block_start) {
    const phalanx_attention *a = w->attention;
    const int64_t last_position = a->first_position + (int64_t)a->row_count - 1;
    const int64_t first = greater(first_visible(a->first_position, a->window), block_start);
    const int64_t end = lesser(last_position + 1, block_start + PHALANX_PAGE_POSITIONS);
    const uint32_t *page = a->page_table + block_start / PHALANX_PAGE_POSITIONS;
    const size_t half = phalanx_kv_head_bytes(a->kv_type, a->head_dim) / 2;
    const uint8_t *keys = a->pages + page[0] * a->page_stride, *ahead = NULL;
    if (block_start + PHALANX_PAGE_POSITIONS <= last_position) ahead = a->pages + page[1] * a->page_stride;
    const size_t first_seen = (size_t)(first - block_start), end_seen = (size_t)(end - block_start);
    if (!w->reads_pages) {
        load_rows(w->table, w->keys, keys, ahead, a->kv_type, a->head_dim, w->stride, first_seen, end_seen);
        load_rows(w->table, w->values, keys + half, ahead ? ahead + half : NULL, a->kv_type, a->head_dim, w->stride,
                  first_seen, end_seen);
    }
    // Rows that see the same share every read.
    size_t start = 0;
    block_range range = seen_by(a, 0, block_start);
    for (size_t row = 1; row < a->row_count; row++) {
        const block_range next = seen_by(a, row, block_start);
        if (next.first == range.first && next.end == range.end) continue;
        visit_rows(w, start, row, range, keys, ahead);
        start = row;
        range = next;
    }
    visit_rows(w, start, a->row_count, range, keys, ahead);
}

void phalanx_attend(const phalanx_attention *a) {
    const size_t stride = padded_count(a->head_dim), states = state_count(stride);
    const size_t query_count = a->row_count * a->group_count;
    walk w = {.attention = a, .table = phalanx_layer_current(), .stride = stride};
    w.reads_pages = a->kv_type == PHALANX_KV_F16 && stride == a->head_dim && query_count <= QUERIES_READING_PAGES &&
                    w.table->attention_block_half != NULL;
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
