// Packed weights -> vectors of 16 rows (one row per 32-bit lane) with AVX-512; shared by the kernels for few and for many
// activation rows. Include inside an attribute region with the instruction set.
#ifndef PHALANX_MATRIX_AVX512_UNPACK_H
#define PHALANX_MATRIX_AVX512_UNPACK_H

#include "format_block.h"
#include "matrix_table.h"

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

// The unsigned values of one group (4 per row) of a chunk.
INLINE __m512i group_values(const phalanx_format_traits traits, const uint8_t *chunk, int group) {
    const int per_byte = 8 / traits.low_bits;
    __m512i values = _mm512_load_si512(chunk + group / per_byte * 64);
    if (traits.low_bits < 8) {
        if (group % per_byte) values = _mm512_srli_epi16(values, (unsigned)(group % per_byte * traits.low_bits));
        values = _mm512_and_si512(values, _mm512_set1_epi8((char)((1 << traits.low_bits) - 1)));
    }
    if (traits.high_bits > 0) {
        const int per_high_byte = 8 / traits.high_bits;
        const int shift = group % per_high_byte * traits.high_bits - traits.low_bits;
        __m512i high = _mm512_load_si512(chunk + 64 * traits.low_bits + group / per_high_byte * 64);
        if (shift > 0) high = _mm512_srli_epi16(high, (unsigned)shift);
        if (shift < 0) high = _mm512_slli_epi16(high, (unsigned)-shift);
        // low | (high & mask), in one instruction.
        const __m512i mask = _mm512_set1_epi8((char)(((1 << traits.high_bits) - 1) << traits.low_bits));
        values = _mm512_ternarylogic_epi64(values, high, mask, 0xf8);
    }
    return values;
}

// Asks for some bytes ahead of their use; returns what follows them. Any address is allowed.
INLINE const uint8_t *fetch(const uint8_t *bytes, size_t count) {
#pragma clang loop unroll(full)
    for (size_t i = 0; i < count; i += 64) _mm_prefetch((const char *)bytes + i, _MM_HINT_T0);
    return bytes + count;
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
        const __m512i number = _mm512_ternarylogic_epi64(low, field, _mm512_set1_epi8(48), 0xf8);
        _mm512_store_si512(numbers + t * 64, _mm512_sub_epi8(number, _mm512_set1_epi8((char)offset)));
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

// Whether sub-scales are signed.
INLINE bool signed_factors(const phalanx_format_traits traits) {
    return traits.sub_scales == PHALANX_SUB_SIGNED_6 || traits.sub_scales == PHALANX_SUB_SIGNED_8;
}

// Where the sub-minimums lie.
INLINE const uint8_t *minimum_bytes(const phalanx_format_traits traits, const sub_bytes *sub) {
    return traits.sub_scales == PHALANX_SUB_MIN_6 ? sub->scales + 128 : sub->minimums;
}

// One byte per row, widened to the row's lane.
INLINE __m512i widened(const uint8_t *bytes, bool is_signed) {
    const __m128i sixteen = _mm_load_si128((const __m128i *)bytes);
    return is_signed ? _mm512_cvtepi8_epi32(sixteen) : _mm512_cvtepu8_epi32(sixteen);
}

// The bytes of two sub-blocks side by side in the row's lane, as 16-bit numbers.
INLINE __m512i widened_pair(const uint8_t *first, const uint8_t *second) {
    const __m512i upper = _mm512_slli_epi32(widened(second, false), 16);
    return _mm512_or_si512(widened(first, false), upper);
}

// Sixteen f16 numbers.
INLINE __m512 widened_halves(const uint8_t *halves) {
    return _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)halves));
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

#endif
