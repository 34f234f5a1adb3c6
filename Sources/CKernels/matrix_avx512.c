// Matrix products with AVX-512 and VNNI; equal to matrix_scalar.c bit for bit.
//
// A panel (16 matrix rows, one per 32-bit lane) meets up to eight activation rows at once. Weights are unsigned bytes,
// activations signed ones, as vpdpbusd takes them; it adds four products to 32 bits without saturation.
#if defined(__x86_64__)

#include "format_block.h"
#include "matrix_table.h"

#include <immintrin.h>

#pragma STDC FP_CONTRACT OFF
#define INSTRUCTIONS "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"
#pragma clang attribute push(__attribute__((target(INSTRUCTIONS))), apply_to = function)

#define INLINE static inline __attribute__((always_inline))

enum { ROWS_AT_ONCE = 8 };

// The unsigned values of one group (4 per row) of a chunk.
INLINE __m512i group_values(const phalanx_format_traits traits, const uint8_t *chunk, int group) {
    const int per_byte = 8 / traits.low_bits;
    __m512i values = _mm512_load_si512(chunk + group / per_byte * 64);
    if (traits.low_bits < 8) {
        values = _mm512_srli_epi16(values, (unsigned)(group % per_byte * traits.low_bits));
        values = _mm512_and_si512(values, _mm512_set1_epi8((char)((1 << traits.low_bits) - 1)));
    }
    if (traits.high_bits > 0) {
        const int per_high_byte = 8 / traits.high_bits;
        const int shift = group % per_high_byte * traits.high_bits - traits.low_bits;
        __m512i high = _mm512_load_si512(chunk + 64 * traits.low_bits + group / per_high_byte * 64);
        high = shift >= 0 ? _mm512_srli_epi16(high, (unsigned)shift) : _mm512_slli_epi16(high, (unsigned)-shift);
        const int mask = ((1 << traits.high_bits) - 1) << traits.low_bits;
        values = _mm512_or_si512(values, _mm512_and_si512(high, _mm512_set1_epi8((char)mask)));
    }
    return values;
}

INLINE __m512i broadcast_word(const void *bytes) {
    int32_t word;
    memcpy(&word, bytes, sizeof word);
    return _mm512_set1_epi32(word);
}

// The sub-scales of a block, one byte per sub-block and row, and the sub-minimums likewise.
typedef struct sub_bytes {
    uint8_t scales[256] __attribute__((aligned(64)));
    uint8_t minimums[256] __attribute__((aligned(64)));
} sub_bytes;

// Sixteen 6-bit numbers per row: numbers 4t ..< 4t + 4 of all rows are 64 bytes.
INLINE void expand_six_bits(const uint8_t *packed, uint8_t *numbers, int offset) {
    const __m512i high = _mm512_load_si512(packed + 128);
#pragma clang loop unroll(full)
    for (int t = 0; t < 4; t++) {
        const __m512i nibbles = _mm512_load_si512(packed + t % 2 * 64);
        const __m512i shifted = t < 2 ? nibbles : _mm512_srli_epi16(nibbles, 4);
        const __m512i low = _mm512_and_si512(shifted, _mm512_set1_epi8(15));
        const __m512i field =
            t < 2 ? _mm512_slli_epi16(high, (unsigned)(4 - 2 * t)) : _mm512_srli_epi16(high, (unsigned)(2 * t - 4));
        const __m512i top = _mm512_and_si512(field, _mm512_set1_epi8(48));
        const __m512i number = _mm512_sub_epi8(_mm512_or_si512(low, top), _mm512_set1_epi8((char)offset));
        _mm512_store_si512(numbers + t * 64, number);
    }
}

INLINE void expand_sub_scales(const phalanx_sub_scales kind, const uint8_t *packed, sub_bytes *sub) {
    switch (kind) {
    case PHALANX_SUB_NONE:
        break;
    case PHALANX_SUB_MIN_4:
        for (int i = 0; i < 256; i += 64) {
            const __m512i both = _mm512_load_si512(packed + i), mask = _mm512_set1_epi8(15);
            _mm512_store_si512(sub->scales + i, _mm512_and_si512(both, mask));
            _mm512_store_si512(sub->minimums + i, _mm512_and_si512(_mm512_srli_epi16(both, 4), mask));
        }
        break;
    case PHALANX_SUB_MIN_6:
        expand_six_bits(packed, sub->scales, 0); // the minimums are numbers 8 ..< 16
        break;
    case PHALANX_SUB_SIGNED_6:
        expand_six_bits(packed, sub->scales, 32);
        break;
    case PHALANX_SUB_SIGNED_8:
        for (int i = 0; i < 256; i += 64) _mm512_store_si512(sub->scales + i, _mm512_load_si512(packed + i));
        break;
    }
}

// One byte per row, widened to the row's lane.
INLINE __m512i widened(const uint8_t *bytes, bool is_signed) {
    const __m128i sixteen = _mm_load_si128((const __m128i *)bytes);
    return is_signed ? _mm512_cvtepi8_epi32(sixteen) : _mm512_cvtepu8_epi32(sixteen);
}

// sum over sub-blocks of byte x sum of the sub-block's activations; sums are int16, `count` of them.
INLINE void dot_with_sums(const int rows, const uint8_t *bytes, bool is_signed, const int count,
                          const int16_t *const sums[], __m512i totals[]) {
    for (int r = 0; r < rows; r++) totals[r] = _mm512_setzero_si512();
#pragma clang loop unroll(full)
    for (int i = 0; i < count; i += 2) {
        const __m512i second = _mm512_slli_epi32(widened(bytes + i * 16 + 16, is_signed), 16);
        const __m512i pairs = _mm512_mask_blend_epi16(0xaaaaaaaa, widened(bytes + i * 16, is_signed), second);
        for (int r = 0; r < rows; r++) totals[r] = _mm512_dpwssd_epi32(totals[r], pairs, broadcast_word(sums[r] + i));
    }
}

// Adds one chunk's dots to dots.
INLINE void add_chunk(const phalanx_format_traits traits, const int rows, const uint8_t *chunk,
                      const uint8_t *sub_scales, const uint8_t *const values[], __m512i dots[]) {
    const bool has_subs = traits.sub_scales != PHALANX_SUB_NONE;
    const bool is_signed = traits.sub_scales == PHALANX_SUB_SIGNED_6 || traits.sub_scales == PHALANX_SUB_SIGNED_8;
    const int groups = traits.sub_block / 4;
#pragma clang loop unroll(full)
    for (int first = 0; first < 8; first += groups) {
        __m512i sums[ROWS_AT_ONCE];
        for (int r = 0; r < rows; r++) sums[r] = has_subs ? _mm512_setzero_si512() : dots[r];
#pragma clang loop unroll(full)
        for (int group = first; group < first + groups; group++) {
            const __m512i weights = group_values(traits, chunk, group);
#pragma clang loop unroll(full)
            for (int r = 0; r < rows; r++) {
                sums[r] = _mm512_dpbusd_epi32(sums[r], weights, broadcast_word(values[r] + group * 4));
            }
        }
        if (has_subs) {
            const __m512i scale = widened(sub_scales + first / groups * 16, is_signed);
            for (int r = 0; r < rows; r++) dots[r] = _mm512_add_epi32(dots[r], _mm512_mullo_epi32(sums[r], scale));
        } else {
            for (int r = 0; r < rows; r++) dots[r] = sums[r];
        }
    }
}

// Where the parts of the activation rows of one group begin.
typedef struct activation_rows {
    const uint8_t *values[ROWS_AT_ONCE];
    const float *scales[ROWS_AT_ONCE];
    const int32_t *sums[ROWS_AT_ONCE];   // blocks of 32
    const int16_t *sums16[ROWS_AT_ONCE]; // blocks of 256
    const int16_t *sums32[ROWS_AT_ONCE];
} activation_rows;

// One block of a panel: acc[r] takes one fused multiply-add, or two.
INLINE void add_block(const phalanx_format_traits traits, const int rows, const uint8_t *body, const uint8_t *scales,
                      size_t b, const activation_rows *activations, __m512 acc[]) {
    __m512i dots[ROWS_AT_ONCE], minimums[ROWS_AT_ONCE];
    const int16_t *sums[ROWS_AT_ONCE];
    for (int r = 0; r < rows; r++) {
        dots[r] = _mm512_setzero_si512();
        if (traits.block == 32) {
            const int32_t sum = activations->sums[r][b];
            if (traits.offset) dots[r] = _mm512_set1_epi32(-traits.offset * sum);
            minimums[r] = _mm512_set1_epi32(sum);
        } else {
            sums[r] = traits.sub_block == 16 ? activations->sums16[r] + b * 16 : activations->sums32[r] + b * 8;
        }
    }
    sub_bytes sub;
    expand_sub_scales(traits.sub_scales, body, &sub);
    const uint8_t *chunk = body + phalanx_sub_bytes(traits.sub_scales);
    for (int c = 0; c < traits.block / 32; c++) {
        const uint8_t *values[ROWS_AT_ONCE];
        for (int r = 0; r < rows; r++) values[r] = activations->values[r] + b * (size_t)traits.block + c * 32;
        add_chunk(traits, rows, chunk, sub.scales + c * 32 / traits.sub_block * 16, values, dots);
        chunk += phalanx_chunk_bytes(&traits);
    }
    if (traits.block == 256 && traits.has_minimum) {
        const uint8_t *bytes = traits.sub_scales == PHALANX_SUB_MIN_6 ? sub.scales + 128 : sub.minimums;
        dot_with_sums(rows, bytes, false, 256 / traits.sub_block, sums, minimums);
        for (int r = 0; r < rows; r++) minimums[r] = _mm512_sub_epi32(_mm512_setzero_si512(), minimums[r]);
    }
    if (traits.block == 256 && traits.offset) {
        __m512i corrections[ROWS_AT_ONCE];
        dot_with_sums(rows, sub.scales, true, 16, sums, corrections);
        for (int r = 0; r < rows; r++) {
            const __m512i correction = _mm512_mullo_epi32(corrections[r], _mm512_set1_epi32(traits.offset));
            dots[r] = _mm512_sub_epi32(dots[r], correction);
        }
    }
    const __m512 scale = _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)scales));
    __m512 minimum = _mm512_setzero_ps();
    if (traits.has_minimum) minimum = _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)(scales + 32)));
    for (int r = 0; r < rows; r++) {
        const __m512 activation_scale = _mm512_set1_ps(activations->scales[r][b]);
        const __m512 both = _mm512_mul_ps(scale, activation_scale);
        acc[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[r]), both, acc[r]);
        if (traits.has_minimum) {
            const __m512 least = _mm512_mul_ps(minimum, activation_scale);
            acc[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(minimums[r]), least, acc[r]);
        }
    }
}

// Stores 16 outputs, or as many as the matrix has; a NaN becomes the one NaN.
INLINE void store_panel(const phalanx_product *product, size_t panel, size_t row, __m512 values) {
    float *output = product->output + row * product->output_stride + panel * PHALANX_PANEL_ROWS;
    const size_t left = product->matrix_rows - panel * PHALANX_PANEL_ROWS;
    const __mmask16 lanes = left >= PHALANX_PANEL_ROWS ? 0xffff : (__mmask16)((1u << left) - 1);
    const __m512 nan = _mm512_castsi512_ps(_mm512_set1_epi32(PHALANX_NAN));
    const __mmask16 is_nan = _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q);
    _mm512_mask_storeu_ps(output, lanes, _mm512_mask_blend_ps(is_nan, values, nan));
}

// One panel with `rows` activation rows from `row` on, quantised weights.
INLINE void multiply_blocks(const phalanx_format_traits traits, const int rows, const phalanx_product *product,
                            const uint8_t *panel, size_t panel_index, size_t row) {
    const size_t blocks = product->columns / (size_t)traits.block;
    const size_t body_bytes = phalanx_body_bytes(&traits), scale_bytes = phalanx_scale_bytes(&traits);
    const phalanx_activation_layout parts = phalanx_activation_parts(traits.activation, product->columns);
    activation_rows activations;
    __m512 acc[ROWS_AT_ONCE];
    for (int r = 0; r < rows; r++) {
        const uint8_t *start = product->activations + (row + (size_t)r) * product->activation_stride;
        activations.values[r] = start;
        activations.scales[r] = (const float *)(start + parts.scales);
        activations.sums[r] = (const int32_t *)(start + parts.sums);
        activations.sums16[r] = (const int16_t *)(start + parts.sums);
        activations.sums32[r] = (const int16_t *)(start + parts.sums32);
        acc[r] = _mm512_setzero_ps();
    }
    const uint8_t *scales = panel + blocks * body_bytes;
    for (size_t b = 0; b < blocks; b++) {
        add_block(traits, rows, panel + b * body_bytes, scales + b * scale_bytes, b, &activations, acc);
    }
    for (int r = 0; r < rows; r++) store_panel(product, panel_index, row + (size_t)r, acc[r]);
}

// Sixteen weights of position k.
INLINE __m512 float_weights(const phalanx_format format, const uint8_t *panel, size_t k) {
    if (format == PHALANX_F32) return _mm512_load_ps((const float *)panel + k * PHALANX_PANEL_ROWS);
    const __m256i narrow = _mm256_load_si256((const __m256i *)(panel + k * PHALANX_PANEL_ROWS * 2));
    if (format == PHALANX_F16) return _mm512_cvtph_ps(narrow);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16));
}

INLINE void multiply_floats(const phalanx_format format, const int rows, const phalanx_product *product,
                            const uint8_t *panel, size_t panel_index, size_t row) {
    const float *values[ROWS_AT_ONCE];
    __m512 acc[ROWS_AT_ONCE];
    for (int r = 0; r < rows; r++) {
        values[r] = (const float *)(product->activations + (row + (size_t)r) * product->activation_stride);
        acc[r] = _mm512_setzero_ps();
    }
    for (size_t k = 0; k < product->columns; k++) {
        const __m512 weights = float_weights(format, panel, k);
        for (int r = 0; r < rows; r++) acc[r] = _mm512_fmadd_ps(weights, _mm512_set1_ps(values[r][k]), acc[r]);
    }
    for (int r = 0; r < rows; r++) store_panel(product, panel_index, row + (size_t)r, acc[r]);
}

INLINE void multiply_group(const phalanx_format format, const int rows, const phalanx_product *product,
                           const uint8_t *panel, size_t panel_index, size_t row) {
    const phalanx_format_traits traits = phalanx_format_table[format];
    if (traits.block == 1) {
        multiply_floats(format, rows, product, panel, panel_index, row);
    } else {
        multiply_blocks(traits, rows, product, panel, panel_index, row);
    }
}

// A panel stays in the near caches while all activation rows pass it.
#define PANEL_KERNEL(NAME, FORMAT)                                                                                     \
    static void NAME(const phalanx_product *product, const uint8_t *panel, size_t index) {                             \
        const size_t rows = product->rows;                                                                             \
        size_t row = 0;                                                                                                \
        for (; row + 8 <= rows; row += 8) multiply_group(FORMAT, 8, product, panel, index, row);                       \
        if (rows & 4) multiply_group(FORMAT, 4, product, panel, index, row);                                           \
        row += rows & 4;                                                                                               \
        if (rows & 2) multiply_group(FORMAT, 2, product, panel, index, row);                                           \
        row += rows & 2;                                                                                               \
        if (rows & 1) multiply_group(FORMAT, 1, product, panel, index, row);                                           \
    }

PANEL_KERNEL(panel_f32, PHALANX_F32)
PANEL_KERNEL(panel_f16, PHALANX_F16)
PANEL_KERNEL(panel_bf16, PHALANX_BF16)
PANEL_KERNEL(panel_q8_0, PHALANX_Q8_0)
PANEL_KERNEL(panel_q4_0, PHALANX_Q4_0)
PANEL_KERNEL(panel_q4_1, PHALANX_Q4_1)
PANEL_KERNEL(panel_q5_0, PHALANX_Q5_0)
PANEL_KERNEL(panel_q5_1, PHALANX_Q5_1)
PANEL_KERNEL(panel_q2_k, PHALANX_Q2_K)
PANEL_KERNEL(panel_q3_k, PHALANX_Q3_K)
PANEL_KERNEL(panel_q4_k, PHALANX_Q4_K)
PANEL_KERNEL(panel_q5_k, PHALANX_Q5_K)
PANEL_KERNEL(panel_q6_k, PHALANX_Q6_K)

typedef void (*panel_kernel)(const phalanx_product *product, const uint8_t *panel, size_t index);

static const panel_kernel panel_kernels[PHALANX_FORMAT_COUNT] = {
    [PHALANX_F32] = panel_f32,   [PHALANX_F16] = panel_f16,   [PHALANX_BF16] = panel_bf16, [PHALANX_Q8_0] = panel_q8_0,
    [PHALANX_Q4_0] = panel_q4_0, [PHALANX_Q4_1] = panel_q4_1, [PHALANX_Q5_0] = panel_q5_0, [PHALANX_Q5_1] = panel_q5_1,
    [PHALANX_Q2_K] = panel_q2_k, [PHALANX_Q3_K] = panel_q3_k, [PHALANX_Q4_K] = panel_q4_k, [PHALANX_Q5_K] = panel_q5_k,
    [PHALANX_Q6_K] = panel_q6_k,
};

void phalanx_avx512_multiply(const phalanx_product *product, size_t first, size_t end) {
    const panel_kernel kernel = panel_kernels[product->format];
    const size_t panel_bytes = phalanx_panel_bytes(product->format, product->columns);
    for (size_t p = first; p < end; p++) kernel(product, product->panels + p * panel_bytes, p);
}

#pragma clang attribute pop

#endif
