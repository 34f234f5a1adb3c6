// Matrix products with AVX2, FMA and F16C; equal to matrix_scalar.c bit for bit.
//
// A half panel (8 matrix rows, one per 32-bit lane) meets up to four activation rows at once, so that unpacked weights
// are used again. Dots of a block stay in integers: unsigned weights x int8 activations in pairs (maddubs), summed in
// 16 bits as far as they cannot overflow, then widened and multiplied by the sub-block's scale in one step (madd).
#if defined(__x86_64__)

#include "format_block.h"
#include "matrix_table.h"

#include <immintrin.h>

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define INLINE static inline __attribute__((always_inline))

enum { ROWS_AT_ONCE = 4 };

// Groups of 4 values whose pair sums fit 16 bits: 2 * 127 * (2^bits - 1) * groups <= 32767. One for Q8_0, where
// |weight| <= 128 and |activation| <= 127 make 32512.
INLINE int groups_per_sum(const phalanx_format_traits traits) {
    switch (traits.low_bits + traits.high_bits) {
    case 8:
        return 1;
    case 6:
        return 2;
    case 4:
        return 8;
    default:
        return 4; // 5 bits allow 4; 2 and 3 bits have sub-blocks of 4 groups
    }
}

// The unsigned values of one group (4 per row) of half a chunk.
INLINE __m256i group_values(const phalanx_format_traits traits, const uint8_t *chunk, int half, int group) {
    const int per_byte = 8 / traits.low_bits;
    const __m256i *low = (const __m256i *)(chunk + group / per_byte * 64 + half * 32);
    __m256i values = _mm256_load_si256(low);
    if (traits.low_bits < 8) {
        values = _mm256_srli_epi16(values, group % per_byte * traits.low_bits);
        values = _mm256_and_si256(values, _mm256_set1_epi8((char)((1 << traits.low_bits) - 1)));
    }
    if (traits.high_bits > 0) {
        const int high_per_byte = 8 / traits.high_bits;
        const uint8_t *plane = chunk + 64 * traits.low_bits + group / high_per_byte * 64 + half * 32;
        const int shift = group % high_per_byte * traits.high_bits - traits.low_bits;
        __m256i high = _mm256_load_si256((const __m256i *)plane);
        high = shift >= 0 ? _mm256_srli_epi16(high, shift) : _mm256_slli_epi16(high, -shift);
        const int mask = ((1 << traits.high_bits) - 1) << traits.low_bits;
        values = _mm256_or_si256(values, _mm256_and_si256(high, _mm256_set1_epi8((char)mask)));
    }
    return values;
}

INLINE __m256i broadcast_pair(const void *bytes) {
    int32_t pair;
    memcpy(&pair, bytes, sizeof pair);
    return _mm256_set1_epi32(pair);
}

// The sub-scales of a block, one byte per sub-block and row, and the sub-minimums likewise.
typedef struct sub_bytes {
    uint8_t scales[256] __attribute__((aligned(32)));
    uint8_t minimums[256] __attribute__((aligned(32)));
} sub_bytes;

// Sixteen 6-bit numbers per row: numbers 4t ..< 4t + 4 of all rows are 64 bytes.
INLINE void expand_six_bits(const uint8_t *packed, uint8_t *numbers, int offset) {
    for (int half = 0; half < 2; half++) {
        const __m256i high = _mm256_load_si256((const __m256i *)(packed + 128 + half * 32));
#pragma clang loop unroll(full)
        for (int t = 0; t < 4; t++) {
            const __m256i nibbles = _mm256_load_si256((const __m256i *)(packed + t % 2 * 64 + half * 32));
            const __m256i low = _mm256_and_si256(_mm256_srli_epi16(nibbles, t / 2 * 4), _mm256_set1_epi8(15));
            const __m256i field = t < 2 ? _mm256_slli_epi16(high, 4 - 2 * t) : _mm256_srli_epi16(high, 2 * t - 4);
            const __m256i top = _mm256_and_si256(field, _mm256_set1_epi8(48));
            const __m256i number = _mm256_sub_epi8(_mm256_or_si256(low, top), _mm256_set1_epi8((char)offset));
            _mm256_store_si256((__m256i *)(numbers + t * 64 + half * 32), number);
        }
    }
}

INLINE void expand_sub_scales(const phalanx_sub_scales kind, const uint8_t *packed, sub_bytes *sub) {
    switch (kind) {
    case PHALANX_SUB_NONE:
        break;
    case PHALANX_SUB_MIN_4:
        for (int i = 0; i < 256; i += 32) {
            const __m256i both = _mm256_load_si256((const __m256i *)(packed + i));
            const __m256i mask = _mm256_set1_epi8(15);
            _mm256_store_si256((__m256i *)(sub->scales + i), _mm256_and_si256(both, mask));
            _mm256_store_si256((__m256i *)(sub->minimums + i), _mm256_and_si256(_mm256_srli_epi16(both, 4), mask));
        }
        break;
    case PHALANX_SUB_MIN_6:
        expand_six_bits(packed, sub->scales, 0); // the minimums are numbers 8 ..< 16
        break;
    case PHALANX_SUB_SIGNED_6:
        expand_six_bits(packed, sub->scales, 32);
        break;
    case PHALANX_SUB_SIGNED_8:
        for (int i = 0; i < 256; i += 32) {
            _mm256_store_si256((__m256i *)(sub->scales + i), _mm256_load_si256((const __m256i *)(packed + i)));
        }
        break;
    }
}

// One byte per row, in both 16-bit halves of the row's lane.
INLINE __m256i twice(const uint8_t *bytes, bool is_signed) {
    const __m128i eight = _mm_loadl_epi64((const __m128i *)bytes);
    const __m256i wide = is_signed ? _mm256_cvtepi8_epi32(eight) : _mm256_cvtepu8_epi32(eight);
    return _mm256_blend_epi16(wide, _mm256_slli_epi32(wide, 16), 0xaa);
}

// The bytes of two sub-blocks side by side in the row's lane.
INLINE __m256i side_by_side(const uint8_t *first, const uint8_t *second, bool is_signed) {
    const __m128i pairs =
        _mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)first), _mm_loadl_epi64((const __m128i *)second));
    return is_signed ? _mm256_cvtepi8_epi16(pairs) : _mm256_cvtepu8_epi16(pairs);
}

// sum over sub-blocks of byte x sum of the sub-block's activations; sums are int16, `count` of them.
INLINE void dot_with_sums(const int rows, const uint8_t *bytes, bool is_signed, const int count,
                          const int16_t *const sums[], __m256i totals[]) {
    for (int r = 0; r < rows; r++) totals[r] = _mm256_setzero_si256();
#pragma clang loop unroll(full)
    for (int i = 0; i < count; i += 2) {
        const __m256i pairs = side_by_side(bytes + i * 16, bytes + i * 16 + 16, is_signed);
        for (int r = 0; r < rows; r++) {
            totals[r] = _mm256_add_epi32(totals[r], _mm256_madd_epi16(pairs, broadcast_pair(sums[r] + i)));
        }
    }
}

// Adds one chunk's dots (half a panel, `rows` activation rows) to dots.
INLINE void add_chunk(const phalanx_format_traits traits, const int rows, const uint8_t *chunk, int half,
                      const uint8_t *sub_scales, const uint8_t *const values[], __m256i dots[]) {
    const int groups = groups_per_sum(traits);
    const bool is_signed = traits.sub_scales == PHALANX_SUB_SIGNED_6 || traits.sub_scales == PHALANX_SUB_SIGNED_8;
#pragma clang loop unroll(full)
    for (int first = 0; first < 8; first += groups) {
        __m256i sums[ROWS_AT_ONCE];
#pragma clang loop unroll(full)
        for (int group = first; group < first + groups; group++) {
            __m256i weights = group_values(traits, chunk, half, group);
            __m256i magnitudes = weights;
            if (traits.low_bits == 8) {
                weights = _mm256_xor_si256(weights, _mm256_set1_epi8((char)128));
                magnitudes = _mm256_abs_epi8(weights);
            }
#pragma clang loop unroll(full)
            for (int r = 0; r < rows; r++) {
                __m256i activations = broadcast_pair(values[r] + group * 4);
                if (traits.low_bits == 8) activations = _mm256_sign_epi8(activations, weights);
                const __m256i products = _mm256_maddubs_epi16(magnitudes, activations);
                sums[r] = group == first ? products : _mm256_add_epi16(sums[r], products);
            }
        }
        __m256i scale = _mm256_set1_epi16(1);
        if (traits.sub_scales != PHALANX_SUB_NONE) {
            scale = twice(sub_scales + first * 4 / traits.sub_block * 16 + half * 8, is_signed);
        }
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) dots[r] = _mm256_add_epi32(dots[r], _mm256_madd_epi16(sums[r], scale));
    }
}

// Where the parts of the activation rows of one group begin.
typedef struct activation_rows {
    const uint8_t *values[ROWS_AT_ONCE];
    const float *scales[ROWS_AT_ONCE];
    const int32_t *sums[ROWS_AT_ONCE];     // blocks of 32
    const int16_t *sums16[ROWS_AT_ONCE];   // blocks of 256
    const int16_t *sums32[ROWS_AT_ONCE];
} activation_rows;

// One block of half a panel: acc[r] takes one fused multiply-add, or two.
INLINE void add_block(const phalanx_format_traits traits, const int rows, const uint8_t *body, const uint8_t *scales,
                      const sub_bytes *sub, int half, size_t b, const activation_rows *activations, __m256 acc[][2]) {
    const int chunks = traits.block / 32;
    const int offset = traits.low_bits == 8 ? 0 : traits.offset; // 8-bit weights are made signed above
    __m256i dots[ROWS_AT_ONCE], minimums[ROWS_AT_ONCE];
    const int16_t *sums[ROWS_AT_ONCE];
    for (int r = 0; r < rows; r++) {
        dots[r] = _mm256_setzero_si256();
        if (traits.block == 32) {
            const int32_t sum = activations->sums[r][b];
            if (offset) dots[r] = _mm256_set1_epi32(-offset * sum);
            minimums[r] = _mm256_set1_epi32(sum);
        } else {
            sums[r] = traits.sub_block == 16 ? activations->sums16[r] + b * 16 : activations->sums32[r] + b * 8;
        }
    }
    const uint8_t *chunk = body + phalanx_sub_bytes(traits.sub_scales);
    for (int c = 0; c < chunks; c++) {
        const uint8_t *values[ROWS_AT_ONCE];
        for (int r = 0; r < rows; r++) values[r] = activations->values[r] + b * (size_t)traits.block + c * 32;
        add_chunk(traits, rows, chunk, half, sub->scales + c * 32 / traits.sub_block * 16, values, dots);
        chunk += phalanx_chunk_bytes(&traits);
    }
    if (traits.block == 256 && traits.has_minimum) {
        const uint8_t *bytes = traits.sub_scales == PHALANX_SUB_MIN_6 ? sub->scales + 128 : sub->minimums;
        dot_with_sums(rows, bytes + half * 8, false, 256 / traits.sub_block, sums, minimums);
        for (int r = 0; r < rows; r++) minimums[r] = _mm256_sub_epi32(_mm256_setzero_si256(), minimums[r]);
    }
    if (traits.block == 256 && offset) {
        __m256i corrections[ROWS_AT_ONCE];
        dot_with_sums(rows, sub->scales + half * 8, true, 16, sums, corrections);
        for (int r = 0; r < rows; r++) {
            const __m256i correction = _mm256_mullo_epi32(corrections[r], _mm256_set1_epi32(offset));
            dots[r] = _mm256_sub_epi32(dots[r], correction);
        }
    }
    const __m256 scale = _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(scales + half * 16)));
    __m256 minimum = _mm256_setzero_ps();
    if (traits.has_minimum) minimum = _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(scales + 32 + half * 16)));
    for (int r = 0; r < rows; r++) {
        const __m256 activation_scale = _mm256_set1_ps(activations->scales[r][b]);
        const __m256 both = _mm256_mul_ps(scale, activation_scale);
        acc[r][half] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[r]), both, acc[r][half]);
        if (traits.has_minimum) {
            const __m256 least = _mm256_mul_ps(minimum, activation_scale);
            acc[r][half] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(minimums[r]), least, acc[r][half]);
        }
    }
}

// Stores 16 outputs, or as many as the matrix has; a NaN becomes the one NaN.
INLINE void store_panel(const phalanx_product *product, size_t panel, size_t row, const __m256 values[2]) {
    float *output = product->output + row * product->output_stride + panel * PHALANX_PANEL_ROWS;
    const size_t left = product->matrix_rows - panel * PHALANX_PANEL_ROWS;
    const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(PHALANX_NAN));
    __m256 clean[2];
    for (int half = 0; half < 2; half++) {
        clean[half] = _mm256_blendv_ps(values[half], nan, _mm256_cmp_ps(values[half], values[half], _CMP_UNORD_Q));
    }
    if (left >= PHALANX_PANEL_ROWS) {
        _mm256_storeu_ps(output, clean[0]);
        _mm256_storeu_ps(output + 8, clean[1]);
    } else {
        memcpy(output, clean, left * sizeof(float));
    }
}

// One panel with `rows` activation rows from `row` on, quantised weights.
INLINE void multiply_blocks(const phalanx_format_traits traits, const int rows, const phalanx_product *product,
                            const uint8_t *panel, size_t panel_index, size_t row) {
    const size_t blocks = product->columns / (size_t)traits.block;
    const size_t body_bytes = phalanx_body_bytes(&traits), scale_bytes = phalanx_scale_bytes(&traits);
    const phalanx_activation_layout parts = phalanx_activation_parts(traits.activation, product->columns);
    activation_rows activations;
    __m256 acc[ROWS_AT_ONCE][2];
    for (int r = 0; r < rows; r++) {
        const uint8_t *start = product->activations + (row + (size_t)r) * product->activation_stride;
        activations.values[r] = start;
        activations.scales[r] = (const float *)(start + parts.scales);
        activations.sums[r] = (const int32_t *)(start + parts.sums);
        activations.sums16[r] = (const int16_t *)(start + parts.sums);
        activations.sums32[r] = (const int16_t *)(start + parts.sums32);
        acc[r][0] = acc[r][1] = _mm256_setzero_ps();
    }
    const uint8_t *scales = panel + blocks * body_bytes;
    for (size_t b = 0; b < blocks; b++) {
        const uint8_t *body = panel + b * body_bytes;
        sub_bytes sub;
        expand_sub_scales(traits.sub_scales, body, &sub);
        for (int half = 0; half < 2; half++) {
            add_block(traits, rows, body, scales + b * scale_bytes, &sub, half, b, &activations, acc);
        }
    }
    for (int r = 0; r < rows; r++) store_panel(product, panel_index, row + (size_t)r, acc[r]);
}

// Eight weights of position k.
INLINE __m256 float_weights(const phalanx_format format, const uint8_t *panel, size_t k, int half) {
    const size_t index = k * PHALANX_PANEL_ROWS + (size_t)half * 8;
    if (format == PHALANX_F32) return _mm256_load_ps((const float *)panel + index);
    const __m128i narrow = _mm_load_si128((const __m128i *)(panel + index * 2));
    if (format == PHALANX_F16) return _mm256_cvtph_ps(narrow);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(narrow), 16));
}

INLINE void multiply_floats(const phalanx_format format, const int rows, const phalanx_product *product,
                            const uint8_t *panel, size_t panel_index, size_t row) {
    const float *values[ROWS_AT_ONCE];
    __m256 acc[ROWS_AT_ONCE][2];
    for (int r = 0; r < rows; r++) {
        values[r] = (const float *)(product->activations + (row + (size_t)r) * product->activation_stride);
        acc[r][0] = acc[r][1] = _mm256_setzero_ps();
    }
    for (size_t k = 0; k < product->columns; k++) {
        const __m256 first = float_weights(format, panel, k, 0), second = float_weights(format, panel, k, 1);
        for (int r = 0; r < rows; r++) {
            const __m256 value = _mm256_set1_ps(values[r][k]);
            acc[r][0] = _mm256_fmadd_ps(first, value, acc[r][0]);
            acc[r][1] = _mm256_fmadd_ps(second, value, acc[r][1]);
        }
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
        size_t row = 0;                                                                                                \
        for (; row + 4 <= product->rows; row += 4) multiply_group(FORMAT, 4, product, panel, index, row);              \
        switch (product->rows - row) {                                                                                 \
        case 3:                                                                                                        \
            multiply_group(FORMAT, 3, product, panel, index, row);                                                     \
            break;                                                                                                     \
        case 2:                                                                                                        \
            multiply_group(FORMAT, 2, product, panel, index, row);                                                     \
            break;                                                                                                     \
        case 1:                                                                                                        \
            multiply_group(FORMAT, 1, product, panel, index, row);                                                     \
            break;                                                                                                     \
        }                                                                                                              \
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

void phalanx_avx2_multiply(const phalanx_product *product, size_t first, size_t end) {
    const panel_kernel kernel = panel_kernels[product->format];
    const size_t panel_bytes = phalanx_panel_bytes(product->format, product->columns);
    for (size_t p = first; p < end; p++) kernel(product, product->panels + p * panel_bytes, p);
}

#pragma clang attribute pop

#endif
