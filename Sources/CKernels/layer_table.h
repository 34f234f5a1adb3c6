// One function per layer kernel and instruction set.
#ifndef PHALANX_LAYER_TABLE_H
#define PHALANX_LAYER_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "phalanx_layer.h"

enum {
    PHALANX_LANES = 16,
    PHALANX_Q8_BLOCK = 32,
    PHALANX_EXP_SUM_SEGMENT = 1024,
};

typedef struct phalanx_attention_block {
    float *states;          // state_stride apart
    size_t state_stride;
    const float *queries;   // stride apart
    size_t query_count;
    const void *keys;       // stride apart, as values are: floats, or halves
    const void *values;
    const uint8_t *ahead_keys; // what will be read next, of the same size, to be fetched meanwhile; or NULL
    const uint8_t *ahead_values;
    size_t stride;
    size_t first, end;
    float scale;
} phalanx_attention_block;

typedef struct phalanx_layer_table {
    void (*rms_norm)(float *out, const float *x, const float *weight, size_t count, float epsilon);
    void (*add)(float *x, const float *y, size_t count);
    void (*silu_gate)(float *out, const float *gate, const float *up, size_t count);
    void (*rope_rotate)(float *x, const float *cosine, const float *sine, size_t half_count, size_t head_count,
                        size_t head_dim);
    void (*half_from_float)(uint16_t *out, const float *x, size_t count);
    void (*float_from_half)(float *out, const uint16_t *x, size_t count);
    // int8 numbers in blocks of 32 with one f16 scale each; the last block may be shorter.
    void (*float_from_q8)(float *out, const int8_t *quantized, const uint16_t *scales, size_t count);
    float (*max)(const float *x, size_t count);
    // One segment, at most PHALANX_EXP_SUM_SEGMENT elements; out may be NULL.
    float (*exp_sum_segment)(float *out, const float *x, size_t count, float shift);
    // A block of keys and values, rows padded with zeros to stride (a multiple of 16), seen by some queries: positions
    // first ..< end of it, at least one. Writes a state for each query: stride weighted sums of values, then the maximum,
    // then the sum of weights. Rows of the block that are not seen may hold anything.
    void (*attention_block)(const phalanx_attention_block *block);
    // The same of keys and values in half precision, read as they lie in their page; NULL where that is no gain.
    void (*attention_block_half)(const phalanx_attention_block *block);
    // Merges a later state into an earlier one; a state whose sum of weights is zero is empty.
    void (*attention_merge)(float *into, const float *from, size_t stride);
} phalanx_layer_table;

extern const phalanx_layer_table phalanx_layer_scalar;
#if defined(__x86_64__)
extern const phalanx_layer_table phalanx_layer_avx2;
extern const phalanx_layer_table phalanx_layer_avx512;
#elif defined(__aarch64__)
extern const phalanx_layer_table phalanx_layer_neon;
#endif

// The table of the instruction set in use.
const phalanx_layer_table *phalanx_layer_current(void);

#endif
