// Matrix products with NEON, written once for three levels of it; equal to matrix_scalar.c bit for bit.
//
// A file that includes this defines NEON_MULTIPLY (the name of the function made here), whether it may use dot products
// (NEON_HAS_DOT) and matrix products (NEON_HAS_I8MM), and sets the target attribute. The integer dots are
//   plain: products in 16 bits (smull), added up in pairs;
//   dotprod: sdot, 4 lanes of 4 products; i8mm, for two activation rows and more: smmla, 2 x 2 lanes of 8 products.
//
// A half panel (8 matrix rows, one per 32-bit lane of two registers) meets up to four activation rows at once.
// Weights become signed bytes, offsets taken off, so that no format needs a correction by sums of activations.
#include "matrix_rows.h"

#include <arm_neon.h>

#pragma STDC FP_CONTRACT OFF

enum {
    STREAMED_ROWS = NEON_HAS_I8MM ? 2 : 4, // up to so many rows do without an unpacked slice
    AHEAD_SLICES = 2,                      // that are fetched before their turn
};

// Sub-scales and sub-minimums of a block: one number per sub-block and row.
typedef struct sub_scales {
    int8_t scales[256];
    int8_t minimums[256]; // never negative
} sub_scales;

// The signed values of one group (4 per row) of four rows of a chunk: quarter 0 has rows 0 ..< 4 of the panel.
INLINE int8x16_t unpacked(const phalanx_format_traits traits, const uint8_t *chunk, int group, int quarter) {
    const int per_byte = 8 / traits.low_bits;
    uint8x16_t values = vld1q_u8(chunk + group / per_byte * 64 + quarter * 16);
    if (traits.low_bits == 8) return vreinterpretq_s8_u8(values ^ vdupq_n_u8(128));
    const uint8_t mask = (uint8_t)((1 << traits.low_bits) - 1);
    values = values >> (uint8_t)(group % per_byte * traits.low_bits);
    if (group % per_byte + 1 < per_byte) values = values & mask;
    if (traits.high_bits > 0) {
        const int high_per_byte = 8 / traits.high_bits;
        const uint8_t *plane = chunk + 64 * traits.low_bits + group / high_per_byte * 64 + quarter * 16;
        const int shift = group % high_per_byte * traits.high_bits - traits.low_bits;
        const uint8_t high_mask = (uint8_t)(((1 << traits.high_bits) - 1) << traits.low_bits);
        uint8x16_t high = vld1q_u8(plane);
        high = shift >= 0 ? high >> (uint8_t)shift : high << (uint8_t)-shift;
        values = values | (high & high_mask);
    }
    return vreinterpretq_s8_u8(values - (uint8_t)traits.offset);
}

// Sixteen 6-bit numbers per row: numbers 4t ..< 4t + 4 of all rows are 64 bytes.
INLINE void expand_six_bits(const uint8_t *packed, const int t, int8_t *numbers, uint8_t offset) {
    for (int quarter = 0; quarter < 4; quarter++) {
        const uint8x16_t nibbles = vld1q_u8(packed + t % 2 * 64 + quarter * 16);
        const uint8x16_t high = vld1q_u8(packed + 128 + quarter * 16);
        const uint8x16_t low = t < 2 ? nibbles & 15 : nibbles >> 4;
        const uint8x16_t field = t < 2 ? high << (uint8_t)(4 - 2 * t) : high >> (uint8_t)(2 * t - 4);
        vst1q_s8(numbers + quarter * 16, vreinterpretq_s8_u8((low | (field & 48)) - offset));
    }
}

INLINE void expand_sub_scales(const phalanx_sub_scales kind, const uint8_t *packed, sub_scales *sub) {
    switch (kind) {
    case PHALANX_SUB_NONE:
        break;
    case PHALANX_SUB_MIN_4:
        for (int i = 0; i < 256; i += 16) {
            const uint8x16_t both = vld1q_u8(packed + i);
            vst1q_s8(sub->scales + i, vreinterpretq_s8_u8(both & 15));
            vst1q_s8(sub->minimums + i, vreinterpretq_s8_u8(both >> 4));
        }
        break;
    case PHALANX_SUB_MIN_6:
        expand_six_bits(packed, 0, sub->scales, 0);
        expand_six_bits(packed, 1, sub->scales + 64, 0);
        expand_six_bits(packed, 2, sub->minimums, 0);
        expand_six_bits(packed, 3, sub->minimums + 64, 0);
        break;
    case PHALANX_SUB_SIGNED_6:
        expand_six_bits(packed, 0, sub->scales, 32);
        expand_six_bits(packed, 1, sub->scales + 64, 32);
        expand_six_bits(packed, 2, sub->scales + 128, 32);
        expand_six_bits(packed, 3, sub->scales + 192, 32);
        break;
    case PHALANX_SUB_SIGNED_8:
        memcpy(sub->scales, packed, 256);
        break;
    }
}

// One byte per row, of the four rows of a quarter.
INLINE int32x4_t widened(const int8_t *bytes, int quarter) {
    const int16x8_t eight = vmovl_s8(vld1_s8(bytes + quarter / 2 * 8));
    return quarter % 2 == 0 ? vmovl_s16(vget_low_s16(eight)) : vmovl_high_s16(eight);
}

// ---- Integer dots ---------------------------------------------------------------------------------------------------

// Weights of one group (4 values) of 4 rows; activations of 4 groups, of which `group` is meant.
#if NEON_HAS_DOT
INLINE int32x4_t dot(int32x4_t sum, int8x16_t weights, int8x16_t activations, int group) {
    switch (group) {
    case 0:
        return vdotq_laneq_s32(sum, weights, activations, 0);
    case 1:
        return vdotq_laneq_s32(sum, weights, activations, 1);
    case 2:
        return vdotq_laneq_s32(sum, weights, activations, 2);
    default:
        return vdotq_laneq_s32(sum, weights, activations, 3);
    }
}
#else
INLINE int8x16_t repeated(int8x16_t activations, int group) {
    const int32x4_t groups = vreinterpretq_s32_s8(activations);
    switch (group) {
    case 0:
        return vreinterpretq_s8_s32(vdupq_laneq_s32(groups, 0));
    case 1:
        return vreinterpretq_s8_s32(vdupq_laneq_s32(groups, 1));
    case 2:
        return vreinterpretq_s8_s32(vdupq_laneq_s32(groups, 2));
    default:
        return vreinterpretq_s8_s32(vdupq_laneq_s32(groups, 3));
    }
}

// Groups whose products fit 16 bits when pairs of them are added: 2 * 127 * |weight| * groups <= 32767.
INLINE int groups_per_sum(const phalanx_format_traits traits) {
    switch (traits.low_bits + traits.high_bits) {
    case 8:
        return 1;
    case 6:
        return 4; // -32 ... 31
    case 5:
        return traits.offset ? 8 : 4; // -16 ... 15 or 0 ... 31
    case 4:
        return 8;
    default:
        return 4; // sub-blocks of 4 groups
    }
}
#endif

// One group of a half panel, from the file's bits or from the slice.
INLINE void load_group(const phalanx_format_traits traits, const bool is_plain, const void *chunk, int half, int group,
                       int8x16_t weights[2]) {
    for (int q = 0; q < 2; q++) {
        const int quarter = half * 2 + q;
        weights[q] = is_plain ? vld1q_s8((const int8_t *)chunk + group * 64 + quarter * 16)
                              : unpacked(traits, chunk, group, quarter);
    }
}

// sums[r][q] takes the dots of groups first ..< first + count of a chunk (32 columns).
INLINE void dot_groups(const phalanx_format_traits traits, const bool is_plain, const int rows, const void *chunk,
                       int half, const int first, const int count, const int8_t *const values[],
                       int32x4_t sums[][2]) {
    int8x16_t activations[ROWS_AT_ONCE], weights[2];
#if NEON_HAS_DOT
#pragma clang loop unroll(full)
    for (int group = first; group < first + count; group++) {
        load_group(traits, is_plain, chunk, half, group, weights);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            if (group % 4 == 0) activations[r] = vld1q_s8(values[r] + group * 4);
            for (int q = 0; q < 2; q++) sums[r][q] = dot(sums[r][q], weights[q], activations[r], group % 4);
        }
    }
#else
    const int per_sum = groups_per_sum(traits) < count ? groups_per_sum(traits) : count;
#pragma clang loop unroll(full)
    for (int start = first; start < first + count; start += per_sum) {
        int16x8_t low[ROWS_AT_ONCE][2], high[ROWS_AT_ONCE][2];
#pragma clang loop unroll(full)
        for (int group = start; group < start + per_sum; group++) {
            load_group(traits, is_plain, chunk, half, group, weights);
#pragma clang loop unroll(full)
            for (int r = 0; r < rows; r++) {
                if (group % 4 == 0 || group == start) activations[r] = vld1q_s8(values[r] + group / 4 * 16);
                const int8x16_t four = repeated(activations[r], group % 4);
                for (int q = 0; q < 2; q++) {
                    if (group == start) {
                        low[r][q] = vmull_s8(vget_low_s8(weights[q]), vget_low_s8(four));
                        high[r][q] = vmull_high_s8(weights[q], four);
                    } else {
                        low[r][q] = vmlal_s8(low[r][q], vget_low_s8(weights[q]), vget_low_s8(four));
                        high[r][q] = vmlal_high_s8(high[r][q], weights[q], four);
                    }
                }
            }
        }
        for (int r = 0; r < rows; r++) {
            for (int q = 0; q < 2; q++) sums[r][q] = vpadalq_s16(sums[r][q], vpaddq_s16(low[r][q], high[r][q]));
        }
    }
#endif
}

// Adds one chunk's dots (half a panel) to dots.
INLINE void add_chunk(const phalanx_format_traits traits, const bool is_plain, const int rows, const void *chunk,
                      int half, const int8_t *sub, const int8_t *const values[], int32x4_t dots[][2]) {
    if (traits.sub_scales == PHALANX_SUB_NONE) {
        dot_groups(traits, is_plain, rows, chunk, half, 0, 8, values, dots);
        return;
    }
    const int groups = traits.sub_block / 4;
#pragma clang loop unroll(full)
    for (int first = 0; first < 8; first += groups) {
        int32x4_t sums[ROWS_AT_ONCE][2];
        for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = vdupq_n_s32(0);
        dot_groups(traits, is_plain, rows, chunk, half, first, groups, values, sums);
        for (int q = 0; q < 2; q++) {
            const int32x4_t scale = widened(sub + first / groups * 16, half * 2 + q);
            for (int r = 0; r < rows; r++) dots[r][q] = vmlaq_s32(dots[r][q], sums[r][q], scale);
        }
    }
}

#if NEON_HAS_I8MM
// The same for pairs of activation rows: dots[p][0] has matrix row 0 of the quarter in its first two lanes, one per
// activation row, and matrix row 1 in the last two; dots[p][1] has rows 2 and 3. The slice lies so that 8 columns of
// two rows are one register (see expand_values).
INLINE void add_chunk_of_pairs(const phalanx_format_traits traits, const int pairs, const int8_t *chunk, int quarter,
                               const int8_t *sub, const int8_t *const values[], int32x4_t dots[][2]) {
    const bool has_subs = traits.sub_scales != PHALANX_SUB_NONE;
    const int groups = traits.sub_block / 4 < 8 ? traits.sub_block / 4 : 8;
    int8x16_t activations[ROWS_AT_ONCE / 2][2];
#pragma clang loop unroll(full)
    for (int first = 0; first < 8; first += groups) {
        int32x4_t sums[ROWS_AT_ONCE / 2][2];
        for (int p = 0; p < pairs; p++) {
            for (int i = 0; i < 2; i++) sums[p][i] = has_subs ? vdupq_n_s32(0) : dots[p][i];
        }
#pragma clang loop unroll(full)
        for (int group = first; group < first + groups; group += 2) {
            const int8x16_t upper = vld1q_s8(chunk + group * 64 + quarter * 32);
            const int8x16_t lower = vld1q_s8(chunk + group * 64 + quarter * 32 + 16);
#pragma clang loop unroll(full)
            for (int p = 0; p < pairs; p++) {
                if (group % 4 == 0) {
                    const int64x2_t a = vreinterpretq_s64_s8(vld1q_s8(values[2 * p] + group * 4));
                    const int64x2_t b = vreinterpretq_s64_s8(vld1q_s8(values[2 * p + 1] + group * 4));
                    activations[p][0] = vreinterpretq_s8_s64(vzip1q_s64(a, b));
                    activations[p][1] = vreinterpretq_s8_s64(vzip2q_s64(a, b));
                }
                sums[p][0] = vmmlaq_s32(sums[p][0], upper, activations[p][group / 2 % 2]);
                sums[p][1] = vmmlaq_s32(sums[p][1], lower, activations[p][group / 2 % 2]);
            }
        }
        if (has_subs) {
            const int32x4_t scale = widened(sub + first / groups * 16, quarter);
            const int32x4_t scales[2] = {vzip1q_s32(scale, scale), vzip2q_s32(scale, scale)};
            for (int p = 0; p < pairs; p++) {
                for (int i = 0; i < 2; i++) dots[p][i] = vmlaq_s32(dots[p][i], sums[p][i], scales[i]);
            }
        } else {
            for (int p = 0; p < pairs; p++) {
                for (int i = 0; i < 2; i++) dots[p][i] = sums[p][i];
            }
        }
    }
}
#endif

// Minus the sum over sub-blocks of sub-minimum x sum of the sub-block's activations.
INLINE void dot_minimums(const phalanx_format_traits traits, const int rows, const int8_t *minimums, int half,
                         const int16_t *const sums[], int32x4_t totals[][2]) {
    const int count = 256 / traits.sub_block;
    for (int r = 0; r < rows; r++) totals[r][0] = totals[r][1] = vdupq_n_s32(0);
#pragma clang loop unroll(full)
    for (int i = 0; i < count; i++) {
        const int16x8_t eight = vmovl_s8(vld1_s8(minimums + i * 16 + half * 8));
        for (int r = 0; r < rows; r++) {
            totals[r][0] = vmlsl_n_s16(totals[r][0], vget_low_s16(eight), sums[r][i]);
            totals[r][1] = vmlsl_high_n_s16(totals[r][1], eight, sums[r][i]);
        }
    }
}

// ---- One block ------------------------------------------------------------------------------------------------------

// Block b of half a panel: each output takes one fused multiply-add, or two. chunks: the block's values, packed, or
// plain in a slice.
INLINE void add_half_block(const phalanx_format_traits traits, const bool is_plain, const int rows,
                           const uint8_t *chunks, const uint8_t *scales, const sub_scales *sub, int half, size_t b,
                           const activation_rows *activations, outputs *const acc[]) {
    const size_t chunk_bytes = is_plain ? 32 * PHALANX_PANEL_ROWS : phalanx_chunk_bytes(&traits);
    int32x4_t dots[ROWS_AT_ONCE][2], minimums[ROWS_AT_ONCE][2];
    for (int r = 0; r < rows; r++) dots[r][0] = dots[r][1] = vdupq_n_s32(0);
    const int8_t *values[ROWS_AT_ONCE];
    for (int r = 0; r < rows; r++) values[r] = (const int8_t *)activations->values[r] + b * (size_t)traits.block;
#if NEON_HAS_I8MM
    if (is_plain) { // rows is even
        for (int q = 0; q < 2; q++) {
            int32x4_t pairs[ROWS_AT_ONCE / 2][2];
            for (int p = 0; p < rows / 2; p++) pairs[p][0] = pairs[p][1] = vdupq_n_s32(0);
            for (int c = 0; c < traits.block / 32; c++) {
                const int8_t *columns[ROWS_AT_ONCE];
                for (int r = 0; r < rows; r++) columns[r] = values[r] + c * 32;
                add_chunk_of_pairs(traits, rows / 2, (const int8_t *)chunks + (size_t)c * chunk_bytes, half * 2 + q,
                                   sub->scales + c * 32 / traits.sub_block * 16, columns, pairs);
            }
            for (int p = 0; p < rows / 2; p++) {
                dots[2 * p][q] = vuzp1q_s32(pairs[p][0], pairs[p][1]);
                dots[2 * p + 1][q] = vuzp2q_s32(pairs[p][0], pairs[p][1]);
            }
        }
    } else
#endif
    {
        for (int c = 0; c < traits.block / 32; c++) {
            const uint8_t *chunk = chunks + (size_t)c * chunk_bytes;
            add_chunk(traits, is_plain, rows, chunk, half, sub->scales + c * 32 / traits.sub_block * 16, values, dots);
            for (int r = 0; r < rows; r++) values[r] += 32;
        }
    }
    if (traits.has_minimum && traits.block == 256) {
        const int16_t *sums[ROWS_AT_ONCE];
        for (int r = 0; r < rows; r++) {
            sums[r] = traits.sub_block == 16 ? activations->sums16[r] + b * 16 : activations->sums32[r] + b * 8;
        }
        dot_minimums(traits, rows, sub->minimums, half, sums, minimums);
    } else if (traits.has_minimum) {
        for (int r = 0; r < rows; r++) minimums[r][0] = minimums[r][1] = vdupq_n_s32(activations->sums[r][b]);
    }
    for (int q = 0; q < 2; q++) {
        const int quarter = half * 2 + q;
        const float32x4_t scale =
            vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16((const uint16_t *)(const void *)(scales + quarter * 8))));
        float32x4_t minimum = vdupq_n_f32(0);
        if (traits.has_minimum) {
            const void *halves = scales + 32 + quarter * 8;
            minimum = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16((const uint16_t *)halves)));
        }
        for (int r = 0; r < rows; r++) {
            float *out = acc[r]->values + quarter * 4;
            const float activation_scale = activations->scales[r][b];
            float32x4_t sum = vld1q_f32(out);
            sum = vfmaq_f32(sum, vcvtq_f32_s32(dots[r][q]), vmulq_n_f32(scale, activation_scale));
            if (traits.has_minimum) {
                sum = vfmaq_f32(sum, vcvtq_f32_s32(minimums[r][q]), vmulq_n_f32(minimum, activation_scale));
            }
            vst1q_f32(out, sum);
        }
    }
}

// ---- Panels ---------------------------------------------------------------------------------------------------------

// Stores 16 outputs, or as many as the matrix has; a NaN becomes the one NaN.
INLINE void store_panel(const phalanx_product *product, size_t panel, size_t row, const outputs *some) {
    float *output = product->output + row * product->output_stride + panel * PHALANX_PANEL_ROWS;
    const size_t left = product->matrix_rows - panel * PHALANX_PANEL_ROWS;
    outputs clean;
    for (int i = 0; i < PHALANX_PANEL_ROWS; i += 4) {
        const float32x4_t values = vld1q_f32(some->values + i);
        const float32x4_t nan = vreinterpretq_f32_u32(vdupq_n_u32(PHALANX_NAN));
        vst1q_f32(clean.values + i, vbslq_f32(vceqq_f32(values, values), values, nan));
    }
    memcpy(output, clean.values, (left < PHALANX_PANEL_ROWS ? left : PHALANX_PANEL_ROWS) * sizeof(float));
}

// The chunks of a block, unpacked. Group after group, 64 bytes each; for i8mm two groups together, 8 columns per row.
INLINE void expand_values(const phalanx_format_traits traits, const uint8_t *chunks, int8_t *values) {
    for (int c = 0; c < traits.block / 32; c++) {
#pragma clang loop unroll(full)
        for (int group = 0; group < 8; group += 2) {
            for (int quarter = 0; quarter < 4; quarter++) {
                const int8x16_t first = unpacked(traits, chunks, group, quarter);
                const int8x16_t second = unpacked(traits, chunks, group + 1, quarter);
#if NEON_HAS_I8MM
                const int32x4_t a = vreinterpretq_s32_s8(first), b = vreinterpretq_s32_s8(second);
                vst1q_s8(values + group * 64 + quarter * 32, vreinterpretq_s8_s32(vzip1q_s32(a, b)));
                vst1q_s8(values + group * 64 + quarter * 32 + 16, vreinterpretq_s8_s32(vzip2q_s32(a, b)));
#else
                vst1q_s8(values + group * 64 + quarter * 16, first);
                vst1q_s8(values + group * 64 + 64 + quarter * 16, second);
#endif
            }
        }
        chunks += phalanx_chunk_bytes(&traits);
        values += 32 * PHALANX_PANEL_ROWS;
    }
}

// The blocks first ..< end with `rows` rows from `row` on, of which `real` ones count; chunks: the first block's
// values.
INLINE void add_blocks(const phalanx_format_traits traits, const bool is_plain, const int rows, const int real,
                       const phalanx_product *product, size_t row, const uint8_t *chunks, const uint8_t *scales,
                       const sub_scales *sub, size_t first, size_t end, outputs *sums) {
    const size_t distance = is_plain ? (size_t)traits.block * PHALANX_PANEL_ROWS : phalanx_body_bytes(&traits);
    const activation_rows activations = rows_from(traits, product, row, real);
    outputs spare = {0}, *acc[ROWS_AT_ONCE];
    for (int r = 0; r < ROWS_AT_ONCE; r++) acc[r] = r < real ? &sums[r] : &spare;
    for (size_t b = first; b < end; b++) {
        for (int half = 0; half < 2; half++) {
            add_half_block(traits, is_plain, rows, chunks, scales + b * phalanx_scale_bytes(&traits), sub, half, b,
                           &activations, acc);
        }
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
            __builtin_prefetch(body + AHEAD_SLICES * body_bytes * per_slice + at);
        }
        expand_sub_scales(traits.sub_scales, body, &sub);
        if (is_plain) {
            for (size_t b = 0; b < end - first; b++) {
                expand_values(traits, chunks + b * body_bytes,
                              (int8_t *)some.values + b * (size_t)traits.block * PHALANX_PANEL_ROWS);
            }
            chunks = some.values;
        }
        const bool in_pairs = NEON_HAS_I8MM && is_plain;
        for (size_t r = 0; r < rows;) {
            const size_t group = next_group(rows - r, ROWS_AT_ONCE);
#define ADD(ROWS, REAL)                                                                                                \
    add_blocks(traits, is_plain, ROWS, REAL, product, row + r, chunks, scales, &sub, first, end, &sums[r])
            if (group == 4) ADD(4, 4);
            if (group == 3) ADD(in_pairs ? 4 : 3, 3);
            if (group == 2) ADD(2, 2);
            if (group == 1) ADD(in_pairs ? 2 : 1, 1);
#undef ADD
            r += group;
        }
    }
    for (size_t r = 0; r < rows; r++) store_panel(product, panel_index, row + r, &sums[r]);
}

// ---- Float weights --------------------------------------------------------------------------------------------------

// Four weights of position k.
INLINE float32x4_t float_weights(const phalanx_format format, const uint8_t *panel, size_t k, int quarter) {
    const size_t index = k * PHALANX_PANEL_ROWS + (size_t)quarter * 4;
    if (format == PHALANX_F32) return vld1q_f32((const float *)(const void *)panel + index);
    const uint16x4_t narrow = vld1_u16((const uint16_t *)(const void *)panel + index);
    if (format == PHALANX_F16) return vcvt_f32_f16(vreinterpret_f16_u16(narrow));
    return vreinterpretq_f32_u32(vshll_n_u16(narrow, 16));
}

INLINE float32x4_t add_product(float32x4_t sum, float32x4_t weights, float32x4_t values, int lane) {
    switch (lane) {
    case 0:
        return vfmaq_laneq_f32(sum, weights, values, 0);
    case 1:
        return vfmaq_laneq_f32(sum, weights, values, 1);
    case 2:
        return vfmaq_laneq_f32(sum, weights, values, 2);
    default:
        return vfmaq_laneq_f32(sum, weights, values, 3);
    }
}

// Columns first ..< end with `rows` rows from `row` on; weights begins with column `first`.
INLINE void add_floats(const phalanx_format format, const int rows, const phalanx_product *product, size_t row,
                       const uint8_t *weights, size_t first, size_t end, outputs *sums) {
    const float *values[ROWS_AT_ONCE];
    float32x4_t acc[ROWS_AT_ONCE][4];
    for (int r = 0; r < rows; r++) {
        const uint8_t *start = product->activations + (row + (size_t)r) * product->activation_stride;
        values[r] = (const float *)(const void *)start;
        for (int quarter = 0; quarter < 4; quarter++) acc[r][quarter] = vld1q_f32(sums[r].values + quarter * 4);
    }
    size_t k = first;
    for (; k + 4 <= end; k += 4) {
        float32x4_t four[ROWS_AT_ONCE];
        for (int r = 0; r < rows; r++) four[r] = vld1q_f32(values[r] + k);
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) {
            for (int quarter = 0; quarter < 4; quarter++) {
                const float32x4_t weight = float_weights(format, weights, k - first + (size_t)i, quarter);
                for (int r = 0; r < rows; r++) acc[r][quarter] = add_product(acc[r][quarter], weight, four[r], i);
            }
        }
    }
    for (; k < end; k++) {
        for (int quarter = 0; quarter < 4; quarter++) {
            const float32x4_t weight = float_weights(format, weights, k - first, quarter);
            for (int r = 0; r < rows; r++) acc[r][quarter] = vfmaq_n_f32(acc[r][quarter], weight, values[r][k]);
        }
    }
    for (int r = 0; r < rows; r++) {
        for (int quarter = 0; quarter < 4; quarter++) vst1q_f32(sums[r].values + quarter * 4, acc[r][quarter]);
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
        for (size_t at = 0; at < count * width; at += 64) __builtin_prefetch(weights + count * width + at);
        if (is_plain && format != PHALANX_F32) {
            for (size_t k = 0; k < count; k++) {
                float *widened = some.weights + k * PHALANX_PANEL_ROWS;
                for (int q = 0; q < 4; q++) vst1q_f32(widened + q * 4, float_weights(format, weights, k, q));
            }
            weights = some.values;
        }
        for (size_t r = 0; r < rows;) {
            const size_t group = next_group(rows - r, ROWS_AT_ONCE);
            const phalanx_format stored = is_plain ? PHALANX_F32 : format;
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

void NEON_MULTIPLY(const phalanx_product *product, size_t first, size_t end) {
    multiply_panels(panel_kernels[product->format], product, first, end);
}
