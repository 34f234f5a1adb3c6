// Matrix products with AVX2, FMA and F16C, and with AVX-VNNI where it is there; equal to matrix_scalar.c bit for bit.
//
// A file that includes this defines AVX2_MULTIPLY (the name of the function made here) and AVX2_HAS_VNNI, and sets the
// target attribute. Weights are unsigned bytes, activations signed ones. The integer dots are
//   with VNNI: vpdpbusd, four products added to 32 bits without saturation;
//   without: maddubs, two products in 16 bits, added up as far as they fit; then one madd widens them, and multiplies
//     by the sub-block's scale.
//
// A panel (16 matrix rows, one per 32-bit lane of two registers) meets up to four activation rows at once.
#include "matrix_rows.h"

#include <immintrin.h>

#pragma STDC FP_CONTRACT OFF

enum {
    STREAMED_ROWS = AVX2_HAS_VNNI ? 8 : 4, // up to so many rows do without an unpacked slice
    FLOAT_ROWS_AT_ONCE = 6,                // chains enough for two multipliers
    AHEAD_SLICES = 2,                      // that are fetched before their turn
};

// The sub-scales of a block, ready for multiplication: 16 rows, a 32-bit lane each.
typedef struct sub_scales {
    // Per sub-block. With VNNI a number of 32 bits, else the same one of 16 bits twice.
    __m256i scales[16][2];
    // Per two sub-blocks, the two numbers of 16 bits side by side: the sub-minimums, or the sub-scales where products
    // with sums of activations correct for an offset.
    __m256i pairs[8][2];
} sub_scales;

// Formats without sub-scales, and Q8_0, which plain AVX2 takes as signed, have other ways.
INLINE bool corrects_by_pairs(const phalanx_format_traits traits) {
    return !AVX2_HAS_VNNI && traits.block == 256 && traits.offset != 0;
}

INLINE bool is_signed_byte(const phalanx_format_traits traits) { return !AVX2_HAS_VNNI && traits.low_bits == 8; }

// ---- Weights --------------------------------------------------------------------------------------------------------

// The unsigned values of one group (4 per row) of half a chunk; Q8_0's are signed without VNNI.
INLINE __m256i unpacked(const phalanx_format_traits traits, const uint8_t *chunk, int group, int half) {
    const int per_byte = 8 / traits.low_bits;
    __m256i values = _mm256_load_si256((const __m256i *)(chunk + group / per_byte * 64 + half * 32));
    if (is_signed_byte(traits)) return _mm256_xor_si256(values, _mm256_set1_epi8((char)128));
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

// One byte per row, of the eight rows of half a panel, as sub_scales.scales wants it.
INLINE __m256i widened(const uint8_t *bytes, bool is_signed) {
    const __m128i eight = _mm_loadl_epi64((const __m128i *)bytes);
    const __m256i wide = is_signed ? _mm256_cvtepi8_epi32(eight) : _mm256_cvtepu8_epi32(eight);
    return AVX2_HAS_VNNI ? wide : _mm256_blend_epi16(wide, _mm256_slli_epi32(wide, 16), 0xaa);
}

// The bytes of two sub-blocks side by side in the row's lane.
INLINE __m256i side_by_side(const uint8_t *first, const uint8_t *second, bool is_signed) {
    const __m128i pairs =
        _mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)first), _mm_loadl_epi64((const __m128i *)second));
    return is_signed ? _mm256_cvtepi8_epi16(pairs) : _mm256_cvtepu8_epi16(pairs);
}

INLINE void expand_sub_scales(const phalanx_format_traits traits, const uint8_t *packed, sub_scales *sub) {
    if (traits.sub_scales == PHALANX_SUB_NONE) return;
    const int count = 256 / traits.sub_block;
    const bool is_signed = traits.sub_scales == PHALANX_SUB_SIGNED_6 || traits.sub_scales == PHALANX_SUB_SIGNED_8;
    uint8_t bytes[512] __attribute__((aligned(32)));
    const uint8_t *scales = bytes, *minimums = bytes + 256;
    switch (traits.sub_scales) {
    case PHALANX_SUB_NONE:
        break;
    case PHALANX_SUB_MIN_4:
        for (int i = 0; i < 256; i += 32) {
            const __m256i both = _mm256_load_si256((const __m256i *)(packed + i)), mask = _mm256_set1_epi8(15);
            _mm256_store_si256((__m256i *)(bytes + i), _mm256_and_si256(both, mask));
            _mm256_store_si256((__m256i *)(bytes + 256 + i), _mm256_and_si256(_mm256_srli_epi16(both, 4), mask));
        }
        break;
    case PHALANX_SUB_MIN_6:
        expand_six_bits(packed, bytes, 0);
        minimums = bytes + 128; // numbers 8 ..< 16
        break;
    case PHALANX_SUB_SIGNED_6:
        expand_six_bits(packed, bytes, 32);
        break;
    case PHALANX_SUB_SIGNED_8:
        scales = packed;
        break;
    }
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < count; i++) sub->scales[i][half] = widened(scales + i * 16 + half * 8, is_signed);
        if (!traits.has_minimum && !corrects_by_pairs(traits)) continue;
        const uint8_t *numbers = (traits.has_minimum ? minimums : scales) + half * 8;
        for (int i = 0; i < count; i += 2) {
            sub->pairs[i / 2][half] = side_by_side(numbers + i * 16, numbers + i * 16 + 16, is_signed);
        }
    }
}

// ---- Integer dots ---------------------------------------------------------------------------------------------------

// Groups after which a sum of products is scaled: those of a sub-block; without VNNI no more than fit 16 bits:
// 2 * 127 * (2^bits - 1) * groups <= 32767, where one for Q8_0 (|weight| <= 128) makes 32512.
INLINE int groups_per_sum(const phalanx_format_traits traits) {
    const int groups = traits.sub_block / 4;
    if (AVX2_HAS_VNNI) return groups;
    const int bits = traits.low_bits + traits.high_bits;
    const int limit = bits == 8 ? 1 : bits == 6 ? 2 : bits == 5 ? 4 : 8;
    return groups < limit ? groups : limit;
}

INLINE __m256i broadcast_word(const void *bytes) {
    int32_t word;
    memcpy(&word, bytes, sizeof word);
    return _mm256_set1_epi32(word);
}

// sum + weights x activations.
INLINE __m256i add_products(const phalanx_format_traits traits, __m256i sum, bool is_first, __m256i weights,
                            __m256i activations) {
#if AVX2_HAS_VNNI
    (void)traits, (void)is_first;
    return _mm256_dpbusd_avx_epi32(sum, weights, activations);
#else
    __m256i magnitudes = weights;
    if (is_signed_byte(traits)) {
        magnitudes = _mm256_abs_epi8(weights);
        activations = _mm256_sign_epi8(activations, weights);
    }
    const __m256i products = _mm256_maddubs_epi16(magnitudes, activations);
    return is_first ? products : _mm256_add_epi16(sum, products);
#endif
}

// Products are added group by group, as written: left to itself the compiler adds row by row, which takes more
// registers than there are.
INLINE void keep_order(__m256i *sum) { __asm__ volatile("" : "+x"(*sum)); }

// dots + sums x scale.
INLINE __m256i add_scaled(__m256i dots, __m256i sums, __m256i scale) {
    return _mm256_add_epi32(dots, AVX2_HAS_VNNI ? _mm256_mullo_epi32(sums, scale) : _mm256_madd_epi16(sums, scale));
}

// What a sub-block's sum starts with, per row: with VNNI minus offset x the sum of its activations.
typedef struct starts {
    int32_t of_sub_block[ROWS_AT_ONCE][16];
} starts;

INLINE void prepare_starts(const phalanx_format_traits traits, const int rows, const activation_rows *activations,
                           size_t b, starts *some) {
    const __m256i offset = _mm256_set1_epi32(-traits.offset);
    for (int r = 0; r < rows; r++) {
        for (int i = 0; i < 16; i += 8) {
            const __m128i sums = _mm_loadu_si128((const __m128i *)(activations->sums16[r] + b * 16 + i));
            const __m256i products = _mm256_mullo_epi32(_mm256_cvtepi16_epi32(sums), offset);
            _mm256_storeu_si256((__m256i *)(some->of_sub_block[r] + i), products);
        }
    }
}

// Adds the dots of chunk c (32 columns) of a block to dots.
INLINE void add_chunk(const phalanx_format_traits traits, const bool is_plain, const int rows, const uint8_t *chunk,
                      int c, const sub_scales *sub, starts *start, const uint8_t *const values[],
                      __m256i dots[][2]) {
    const bool has_subs = traits.sub_scales != PHALANX_SUB_NONE;
    const int groups = groups_per_sum(traits);
#pragma clang loop unroll(full)
    for (int first = 0; first < 8; first += groups) {
        const int number = (c * 32 + first * 4) / traits.sub_block; // of the sub-block
        __m256i sums[ROWS_AT_ONCE][2];
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            sums[r][0] = sums[r][1] = _mm256_setzero_si256();
            if (AVX2_HAS_VNNI && has_subs && traits.offset) {
                sums[r][0] = sums[r][1] = _mm256_set1_epi32(start->of_sub_block[r][number]);
            } else if (AVX2_HAS_VNNI && !has_subs) {
                for (int half = 0; half < 2; half++) sums[r][half] = dots[r][half];
            }
        }
#pragma clang loop unroll(full)
        for (int group = first; group < first + groups; group++) {
            __m256i weights[2];
            for (int half = 0; half < 2; half++) {
                weights[half] = is_plain ? _mm256_load_si256((const __m256i *)(chunk + group * 64 + half * 32))
                                         : unpacked(traits, chunk, group, half);
            }
#pragma clang loop unroll(full)
            for (int r = 0; r < rows; r++) {
                const __m256i activations = broadcast_word(values[r] + c * 32 + group * 4);
                for (int half = 0; half < 2; half++) {
                    sums[r][half] = add_products(traits, sums[r][half], group == first, weights[half], activations);
                    keep_order(&sums[r][half]);
                }
            }
        }
        for (int half = 0; half < 2; half++) {
            const __m256i scale = has_subs ? sub->scales[number][half] : _mm256_set1_epi16(1);
#pragma clang loop unroll(full)
            for (int r = 0; r < rows; r++) {
                dots[r][half] = AVX2_HAS_VNNI && !has_subs ? sums[r][half]
                                                           : add_scaled(dots[r][half], sums[r][half], scale);
            }
        }
    }
}

// The sum over sub-blocks of a number x the sum of the sub-block's activations; sums are int16, `count` of them.
INLINE void dot_with_sums(const int rows, const sub_scales *sub, const int count, const int16_t *const sums[],
                          __m256i totals[][2]) {
    for (int r = 0; r < rows; r++) totals[r][0] = totals[r][1] = _mm256_setzero_si256();
#pragma clang loop unroll(full)
    for (int i = 0; i < count; i += 2) {
        for (int r = 0; r < rows; r++) {
            const __m256i pair = broadcast_word(sums[r] + i);
            for (int half = 0; half < 2; half++) {
                const __m256i products = _mm256_madd_epi16(sub->pairs[i / 2][half], pair);
                totals[r][half] = _mm256_add_epi32(totals[r][half], products);
            }
        }
    }
}

// ---- One block ------------------------------------------------------------------------------------------------------

// Block b of a panel: each output takes one fused multiply-add, or two. chunks: the block's values, packed, or plain in
// a slice.
INLINE void add_block(const phalanx_format_traits traits, const bool is_plain, const int rows, const uint8_t *chunks,
                      const uint8_t *scales, const sub_scales *sub, size_t b, const activation_rows *activations,
                      outputs *acc) {
    const size_t chunk_bytes = is_plain ? 32 * PHALANX_PANEL_ROWS : phalanx_chunk_bytes(&traits);
    __m256i dots[ROWS_AT_ONCE][2], totals[ROWS_AT_ONCE][2];
    const uint8_t *values[ROWS_AT_ONCE];
    const int16_t *sums[ROWS_AT_ONCE];
    starts start;
    if (AVX2_HAS_VNNI && traits.block == 256 && traits.offset) prepare_starts(traits, rows, activations, b, &start);
    for (int r = 0; r < rows; r++) {
        dots[r][0] = dots[r][1] = _mm256_setzero_si256();
        values[r] = activations->values[r] + b * (size_t)traits.block;
        if (traits.block == 32) {
            const int32_t sum = activations->sums[r][b];
            if (traits.offset && !is_signed_byte(traits)) {
                dots[r][0] = dots[r][1] = _mm256_set1_epi32(-traits.offset * sum);
            }
            totals[r][0] = totals[r][1] = _mm256_set1_epi32(sum);
        } else {
            sums[r] = traits.sub_block == 16 ? activations->sums16[r] + b * 16 : activations->sums32[r] + b * 8;
        }
    }
    for (int c = 0; c < traits.block / 32; c++) {
        const uint8_t *chunk = chunks + (size_t)c * chunk_bytes;
        add_chunk(traits, is_plain, rows, chunk, c, sub, &start, values, dots);
    }
    if (traits.block == 256 && (traits.has_minimum || corrects_by_pairs(traits))) {
        dot_with_sums(rows, sub, 256 / traits.sub_block, sums, totals);
        for (int r = 0; r < rows; r++) {
            for (int half = 0; half < 2; half++) {
                if (traits.has_minimum) {
                    totals[r][half] = _mm256_sub_epi32(_mm256_setzero_si256(), totals[r][half]);
                } else {
                    const __m256i correction = _mm256_mullo_epi32(totals[r][half], _mm256_set1_epi32(traits.offset));
                    dots[r][half] = _mm256_sub_epi32(dots[r][half], correction);
                }
            }
        }
    }
    for (int half = 0; half < 2; half++) {
        const __m256 scale = _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(scales + half * 16)));
        __m256 minimum = _mm256_setzero_ps();
        if (traits.has_minimum) minimum = _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(scales + 32 + half * 16)));
        for (int r = 0; r < rows; r++) {
            const __m256 activation_scale = _mm256_set1_ps(activations->scales[r][b]);
            __m256 sum = _mm256_load_ps(acc[r].values + half * 8);
            sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[r][half]), _mm256_mul_ps(scale, activation_scale), sum);
            if (traits.has_minimum) {
                const __m256 least = _mm256_mul_ps(minimum, activation_scale);
                sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(totals[r][half]), least, sum);
            }
            _mm256_store_ps(acc[r].values + half * 8, sum);
        }
    }
}

// ---- Panels ---------------------------------------------------------------------------------------------------------

// Stores 16 outputs, or as many as the matrix has; a NaN becomes the one NaN.
INLINE void store_panel(const phalanx_product *product, size_t panel, size_t row, const outputs *some) {
    float *output = product->output + row * product->output_stride + panel * PHALANX_PANEL_ROWS;
    const size_t left = product->matrix_rows - panel * PHALANX_PANEL_ROWS;
    const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(PHALANX_NAN));
    __m256 clean[2];
    for (int half = 0; half < 2; half++) {
        const __m256 values = _mm256_load_ps(some->values + half * 8);
        clean[half] = _mm256_blendv_ps(values, nan, _mm256_cmp_ps(values, values, _CMP_UNORD_Q));
    }
    if (left >= PHALANX_PANEL_ROWS) {
        _mm256_storeu_ps(output, clean[0]);
        _mm256_storeu_ps(output + 8, clean[1]);
    } else {
        memcpy(output, clean, left * sizeof(float));
    }
}

// The chunks of a block, unpacked: group after group, 64 bytes each.
INLINE void expand_values(const phalanx_format_traits traits, const uint8_t *chunks, uint8_t *values) {
    for (int c = 0; c < traits.block / 32; c++) {
#pragma clang loop unroll(full)
        for (int group = 0; group < 8; group++) {
            for (int half = 0; half < 2; half++) {
                _mm256_store_si256((__m256i *)(values + group * 64 + half * 32), unpacked(traits, chunks, group, half));
            }
        }
        chunks += phalanx_chunk_bytes(&traits);
        values += 32 * PHALANX_PANEL_ROWS;
    }
}

// The blocks first ..< end with `rows` rows from `row` on; chunks: the first block's values.
INLINE void add_blocks(const phalanx_format_traits traits, const bool is_plain, const int rows,
                       const phalanx_product *product, size_t row, const uint8_t *chunks, const uint8_t *scales,
                       const sub_scales *sub, size_t first, size_t end, outputs *sums) {
    const size_t distance = is_plain ? (size_t)traits.block * PHALANX_PANEL_ROWS : phalanx_body_bytes(&traits);
    const activation_rows activations = rows_from(traits, product, row, rows);
    for (size_t b = first; b < end; b++) {
        const uint8_t *block_scales = scales + b * phalanx_scale_bytes(&traits);
        add_block(traits, is_plain, rows, chunks, block_scales, sub, b, &activations, sums);
        chunks += distance;
    }
}

// A panel with the rows of a pass.
INLINE void pass_blocks(const phalanx_format_traits traits, const bool is_plain, const phalanx_product *product,
                        const uint8_t *panel, size_t panel_index, size_t row, size_t rows) {
    const size_t blocks = product->columns / (size_t)traits.block, body_bytes = phalanx_body_bytes(&traits);
    const size_t per_slice = SLICE_COLUMNS / (size_t)traits.block, sub_bytes = phalanx_sub_bytes(traits.sub_scales);
    const uint8_t *scales = panel + blocks * body_bytes;
    outputs sums[ROWS_PER_PASS];
    memset(sums, 0, rows * sizeof(outputs));
    slice some;
    sub_scales sub;
    for (size_t first = 0; first < blocks; first += per_slice) {
        const size_t end = first + per_slice < blocks ? first + per_slice : blocks;
        const uint8_t *body = panel + first * body_bytes, *chunks = body + sub_bytes;
        for (size_t at = 0; at < body_bytes * per_slice; at += 64) {
            _mm_prefetch(body + AHEAD_SLICES * body_bytes * per_slice + at, _MM_HINT_T0);
        }
        expand_sub_scales(traits, body, &sub);
        if (is_plain) {
            for (size_t b = 0; b < end - first; b++) {
                expand_values(traits, chunks + b * body_bytes,
                              some.values + b * (size_t)traits.block * PHALANX_PANEL_ROWS);
            }
            chunks = some.values;
        }
        for (size_t r = 0; r < rows;) {
            const size_t group = next_group(rows - r, ROWS_AT_ONCE);
#define ADD(ROWS)                                                                                                      \
    add_blocks(traits, is_plain, ROWS, product, row + r, chunks, scales, &sub, first, end, &sums[r])
            if (group == 4) ADD(4);
            if (group == 3) ADD(3);
            if (group == 2) ADD(2);
            if (group == 1) ADD(1);
#undef ADD
            r += group;
        }
    }
    for (size_t r = 0; r < rows; r++) store_panel(product, panel_index, row + r, &sums[r]);
}

// ---- Float weights --------------------------------------------------------------------------------------------------

// Eight weights of position k.
INLINE __m256 float_weights(const phalanx_format format, const uint8_t *panel, size_t k, int half) {
    const size_t index = k * PHALANX_PANEL_ROWS + (size_t)half * 8;
    if (format == PHALANX_F32) return _mm256_load_ps((const float *)panel + index);
    const __m128i narrow = _mm_load_si128((const __m128i *)(panel + index * 2));
    if (format == PHALANX_F16) return _mm256_cvtph_ps(narrow);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(narrow), 16));
}

// Columns first ..< end with `rows` rows from `row` on; weights begins with column `first`.
INLINE void add_floats(const phalanx_format format, const int rows, const phalanx_product *product, size_t row,
                       const uint8_t *weights, size_t first, size_t end, outputs *sums) {
    const float *values[FLOAT_ROWS_AT_ONCE];
    __m256 acc[FLOAT_ROWS_AT_ONCE][2];
    for (int r = 0; r < rows; r++) {
        values[r] = (const float *)(product->activations + (row + (size_t)r) * product->activation_stride);
        for (int half = 0; half < 2; half++) acc[r][half] = _mm256_load_ps(sums[r].values + half * 8);
    }
    for (size_t k = first; k < end; k++) {
        __m256 weight[2];
        for (int half = 0; half < 2; half++) weight[half] = float_weights(format, weights, k - first, half);
        for (int r = 0; r < rows; r++) {
            const __m256 value = _mm256_set1_ps(values[r][k]);
            for (int half = 0; half < 2; half++) acc[r][half] = _mm256_fmadd_ps(weight[half], value, acc[r][half]);
        }
    }
    for (int r = 0; r < rows; r++) {
        for (int half = 0; half < 2; half++) _mm256_store_ps(sums[r].values + half * 8, acc[r][half]);
    }
}

// A panel with the rows of a pass.
INLINE void pass_floats(const phalanx_format format, const bool is_plain, const phalanx_product *product,
                        const uint8_t *panel, size_t panel_index, size_t row, size_t rows) {
    const size_t width = (size_t)phalanx_format_table[format].block_bytes * PHALANX_PANEL_ROWS;
    outputs sums[ROWS_PER_PASS];
    memset(sums, 0, rows * sizeof(outputs));
    slice some;
    for (size_t first = 0; first < product->columns; first += SLICE_COLUMNS) {
        const size_t rest = product->columns - first, count = rest < SLICE_COLUMNS ? rest : SLICE_COLUMNS;
        const size_t end = first + count;
        const uint8_t *weights = panel + first * width;
        for (size_t at = 0; at < count * width; at += 64) _mm_prefetch(weights + count * width + at, _MM_HINT_T0);
        if (is_plain && format != PHALANX_F32) {
            for (size_t k = 0; k < count; k++) {
                float *widened = some.weights + k * PHALANX_PANEL_ROWS;
                for (int half = 0; half < 2; half++) {
                    _mm256_store_ps(widened + half * 8, float_weights(format, weights, k, half));
                }
            }
            weights = some.values;
        }
        for (size_t r = 0; r < rows;) {
            const size_t group = next_group(rows - r, FLOAT_ROWS_AT_ONCE);
            const phalanx_format stored = is_plain ? PHALANX_F32 : format;
            if (group == 6) add_floats(stored, 6, product, row + r, weights, first, end, &sums[r]);
            if (group == 5) add_floats(stored, 5, product, row + r, weights, first, end, &sums[r]);
            if (group == 4) add_floats(stored, 4, product, row + r, weights, first, end, &sums[r]);
            if (group == 3) add_floats(stored, 3, product, row + r, weights, first, end, &sums[r]);
            if (group == 2) add_floats(stored, 2, product, row + r, weights, first, end, &sums[r]);
            if (group == 1) add_floats(stored, 1, product, row + r, weights, first, end, &sums[r]);
            r += group;
        }
    }
    for (size_t r = 0; r < rows; r++) store_panel(product, panel_index, row + r, &sums[r]);
}

// ---- Formats --------------------------------------------------------------------------------------------------------

INLINE void pass_panel(const phalanx_format format, const bool is_plain, const phalanx_product *product,
                       const uint8_t *panel, size_t index, size_t row, size_t rows) {
    if (phalanx_format_table[format].block == 1) {
        pass_floats(format, is_plain, product, panel, index, row, rows);
    } else {
        pass_blocks(phalanx_format_table[format], is_plain, product, panel, index, row, rows);
    }
}

PHALANX_PANEL_KERNELS

void AVX2_MULTIPLY(const phalanx_product *product, size_t first, size_t end) {
    multiply_panels(panel_kernels[product->format], product, first, end);
}
