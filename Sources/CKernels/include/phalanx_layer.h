// What a decoder layer does beside matrix products: elementary functions, norms, rotary embedding, attention over paged
// keys and values, and reductions over the vocabulary.
//
// The scalar code is the definition and the SIMD code equals it bit for bit. No function of the C library's libm is
// used except the operations that IEEE 754 defines exactly (fused multiply-add, square root). Sums are made of sixteen
// virtual lanes: element i is added to lane i mod 16, and the lanes are folded as one tree (8 apart, 4, 2, 1).
//
// A result that is NaN is NaN everywhere, but its sign and payload are the processor's and differ between architectures
// (half precision apart, whose conversions keep them).
#ifndef PHALANX_LAYER_H
#define PHALANX_LAYER_H

#include <stddef.h>
#include <stdint.h>

// ---- Elementary functions -------------------------------------------------------------------------------------------

// Within 1.01 ulp; 0 below -104, infinity above 88.73; subnormal results are rounded once.
float phalanx_exp(float x);
// The double-precision logarithm rounded to single. Negative: NaN; zero: -infinity.
float phalanx_log(float x);
// The double-precision sine and cosine rounded to single; meant for |x| < 2^30, NaN for infinities.
void phalanx_sin_cos(float x, float *sine, float *cosine);

// Within 1 ulp or so of double precision.
double phalanx_exp_double(double x);
double phalanx_log_double(double x);

// ---- Rows -----------------------------------------------------------------------------------------------------------

// out[i] = (x[i] * (1 / sqrt(mean(x^2) + epsilon))) * weight[i]. out may be x.
void phalanx_rms_norm(float *out, const float *x, const float *weight, size_t count, float epsilon);

// x[i] = x[i] + y[i].
void phalanx_add(float *x, const float *y, size_t count);

// out[i] = (gate[i] / (1 + exp(-gate[i]))) * up[i]. out may be gate or up.
void phalanx_silu_gate(float *out, const float *gate, const float *up, size_t count);

// The angles of one position: angle[i] = inverse_frequency[i] * (float)position, then sine and cosine times factor.
void phalanx_rope_angles(float *cosine, float *sine, const float *inverse_frequency, size_t count, int64_t position,
                         float factor);

// Rotates the first 2 * half_count elements of each head (element i pairs with i + half_count); heads lie head_dim apart.
void phalanx_rope_rotate(float *x, const float *cosine, const float *sine, size_t half_count, size_t head_count,
                         size_t head_dim);

// To half precision, round to nearest even, as VCVTPS2PH does (overflow to infinity, NaN kept quiet).
void phalanx_half_from_float(uint16_t *out, const float *x, size_t count);
void phalanx_float_from_half(float *out, const uint16_t *x, size_t count);

// ---- Reductions over the vocabulary ---------------------------------------------------------------------------------

// The largest element, +0 for a zero; count > 0. A NaN is passed over, unless it is the first element: then the result.
float phalanx_max(const float *x, size_t count);

// The index of the largest element, the lowest one of equals; count > 0.
size_t phalanx_argmax(const float *x, size_t count);

// The sum of exp(x[i] - shift): segments of 1024 elements in sixteen lanes each, added up in double in ascending order.
// When out is not NULL the exponentials are stored there; out may be x.
double phalanx_exp_sum(float *out, const float *x, size_t count, float shift);

// ---- Attention ------------------------------------------------------------------------------------------------------

enum {
    PHALANX_PAGE_POSITIONS = 64,     // positions of a KV page and of an attention block, aligned to absolute positions
    PHALANX_SEGMENT_POSITIONS = 512, // positions of an attention segment
};

typedef enum phalanx_kv_type {
    PHALANX_KV_F16 = 0,
    PHALANX_KV_F32 = 1,
    PHALANX_KV_Q8_0 = 2, // int8 in blocks of 32 numbers of a head with one f16 scale each
} phalanx_kv_type;

// One head's keys and values in a page: 64 x head_dim keys, then 64 x head_dim values; q8_0 numbers are followed by the
// scales of the 64 positions, keys and values each.
size_t phalanx_kv_head_bytes(phalanx_kv_type type, size_t head_dim);

// Stores one position (head_dim numbers each) of one head; head points at the head's keys in its page.
void phalanx_kv_store(void *head, phalanx_kv_type type, size_t head_dim, size_t position_in_page, const float *key,
                      const float *value);

// Attention of consecutive query rows of one sequence over one key/value head (grouped queries).
typedef struct phalanx_attention {
    const float *query;         // rows x query_stride; the group's heads lie side by side
    float *out;                 // the same shape, out_stride apart
    size_t query_stride;
    size_t out_stride;
    const uint8_t *pages;       // page 0 of the cache, advanced to this layer and key/value head
    size_t page_stride;         // bytes from page to page
    const uint32_t *page_table; // the sequence's pages: entry n holds positions 64n ..
    int64_t first_position;     // of row 0
    size_t row_count;
    size_t head_dim;
    size_t group_count;         // query heads per key/value head
    int64_t window;             // a row sees so many positions, itself included; 0: all
    float scale;
    phalanx_kv_type kv_type;
    float *scratch;             // phalanx_attention_scratch_count floats
} phalanx_attention;

size_t phalanx_attention_scratch_count(size_t row_count, size_t group_count, size_t head_dim);

// The result of a row depends on the absolute positions that it sees and on nothing else: each block of 64 positions is
// computed from scratch, blocks are merged into their segment and segments into the result, in ascending order.
void phalanx_attend(const phalanx_attention *attention);

#endif
