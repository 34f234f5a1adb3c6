// Products of quantised weights with AVX-512 and VNNI; equal to matrix_scalar.c bit for bit.
//
// A panel (16 matrix rows, one per 32-bit lane) meets up to ten activation rows at once; its weights are unpacked in
// registers, which the multiplying ports hardly notice. Weights are unsigned bytes, activations signed ones, as vpdpbusd
// takes them; it adds four products to 32 bits without saturation. With more rows the panel is read again from the
// near cache, and so that memory never waits, every pass fetches its share of the next panel.
#if defined(__x86_64__)

#include "matrix_avx512.h"

#pragma STDC FP_CONTRACT OFF
#define INSTRUCTIONS "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"
#pragma clang attribute push(__attribute__((target(INSTRUCTIONS))), apply_to = function)

#include "matrix_avx512_unpack.h"

enum {
    ROWS_AT_ONCE = 10,
    FETCH_AHEAD = 8192,      // bytes, when a panel is read once
    TILE_BYTES = 256 * 1024, // of activations that stay in the second-level cache while panels pass
    BATCH_BYTES = 2 << 20,   // of panels that stay in the last-level cache while tiles pass
};

// Which part of the next bytes one pass over a panel fetches: that of every block b with b % passes == pass.
typedef struct fetch_share {
    size_t pass;
    size_t passes;
} fetch_share;

// Where the parts of an activation row begin.
typedef struct activation_row {
    const uint8_t *values;
    const float *scales;
    const int32_t *sums;   // blocks of 32
    const int16_t *sums16; // blocks of 256
    const int16_t *sums32;
} activation_row;

// Adds one chunk's dots to dots. `offsets` has for each row what each sub-block's sum starts from.
INLINE void add_chunk(const phalanx_format_traits traits, const int rows, const uint8_t *chunk,
                      const uint8_t *sub_scales, const uint8_t *const values[], const int32_t (*offsets)[16],
                      int first_sub, __m512i dots[]) {
    const bool has_subs = traits.sub_scales != PHALANX_SUB_NONE;
    const int groups = traits.sub_block / 4;
#pragma clang loop unroll(full)
    for (int first = 0; first < 8; first += groups) {
        __m512i sums[ROWS_AT_ONCE];
        for (int r = 0; r < rows; r++) {
            sums[r] = !has_subs ? dots[r]
                      : traits.offset ? broadcast_word(&offsets[r][first_sub + first / groups])
                                      : _mm512_setzero_si512();
        }
#pragma clang loop unroll(full)
        for (int group = first; group < first + groups; group++) {
            const __m512i weights = group_values(traits, chunk, group);
#pragma clang loop unroll(full)
            for (int r = 0; r < rows; r++) {
                sums[r] = _mm512_dpbusd_epi32(sums[r], weights, broadcast_word(values[r] + group * 4));
            }
        }
        if (has_subs) {
            const __m512i scale = widened(sub_scales + first / groups * 16, signed_factors(traits));
            for (int r = 0; r < rows; r++) dots[r] = _mm512_add_epi32(dots[r], _mm512_mullo_epi32(sums[r], scale));
        } else {
            for (int r = 0; r < rows; r++) dots[r] = sums[r];
        }
    }
}

// minimums[r] = sum over sub-blocks of sub-minimum x sum of the sub-block's activations.
INLINE void dot_minimums(const phalanx_format_traits traits, const int rows, const sub_bytes *sub,
                         const activation_row *activations, size_t b, __m512i minimums[]) {
    const uint8_t *bytes = minimum_bytes(traits, sub);
    const int subs = traits.block / traits.sub_block;
    for (int r = 0; r < rows; r++) minimums[r] = _mm512_setzero_si512();
#pragma clang loop unroll(full)
    for (int i = 0; i < subs; i += 2) {
        const __m512i pair = widened_pair(bytes + i * 16, bytes + i * 16 + 16);
        for (int r = 0; r < rows; r++) {
            const int16_t *sums = traits.sub_block == 16 ? activations[r].sums16 : activations[r].sums32;
            minimums[r] = _mm512_dpwssd_epi32(minimums[r], pair, broadcast_word(sums + b * (size_t)subs + i));
        }
    }
}

// One block of a panel: acc[r] takes one fused multiply-add, or two. `ahead`, unless NULL, is fetched meanwhile.
INLINE void add_block(const phalanx_format_traits traits, const int rows, const uint8_t *body, const uint8_t *scales,
                      size_t b, const activation_row *activations, const uint8_t *ahead, __m512 acc[]) {
    const unsigned shift = traits.offset ? (unsigned)__builtin_ctz((unsigned)traits.offset) : 0;
    __m512i dots[ROWS_AT_ONCE];
    int32_t offsets[ROWS_AT_ONCE][16] __attribute__((aligned(64)));
    for (int r = 0; r < rows; r++) {
        dots[r] = _mm512_setzero_si512();
        if (traits.offset && traits.block == 32) {
            const __m512i sum = broadcast_word(activations[r].sums + b);
            dots[r] = _mm512_slli_epi32(_mm512_sub_epi32(dots[r], sum), shift);
        } else if (traits.offset) {
            const __m256i sums = _mm256_loadu_si256((const __m256i *)(activations[r].sums16 + b * 16));
            const __m512i negated = _mm512_sub_epi32(dots[r], _mm512_cvtepi16_epi32(sums));
            _mm512_store_si512(offsets[r], _mm512_slli_epi32(negated, shift));
        }
    }
    sub_bytes sub;
    expand_sub_scales(traits.sub_scales, body, &sub);
    const uint8_t *chunk = body + phalanx_sub_bytes(traits.sub_scales);
    if (ahead) ahead = fetch(ahead, phalanx_sub_bytes(traits.sub_scales));
#pragma clang loop unroll(disable)
    for (int c = 0; c < traits.block / 32; c++) {
        const int first_sub = c * 32 / traits.sub_block;
        const uint8_t *values[ROWS_AT_ONCE];
        for (int r = 0; r < rows; r++) values[r] = activations[r].values + b * (size_t)traits.block + c * 32;
        if (ahead) ahead = fetch(ahead, phalanx_chunk_bytes(&traits));
        add_chunk(traits, rows, chunk, sub.scales + first_sub * 16, values, offsets, first_sub, dots);
        chunk += phalanx_chunk_bytes(&traits);
    }
    const __m512 scale = widened_halves(scales);
    const __m512 minimum = traits.has_minimum ? widened_halves(scales + 32) : _mm512_setzero_ps();
    __m512i minimums[ROWS_AT_ONCE];
    if (traits.has_minimum && traits.block == 256) dot_minimums(traits, rows, &sub, activations, b, minimums);
    for (int r = 0; r < rows; r++) {
        const __m512 activation_scale = _mm512_set1_ps(activations[r].scales[b]);
        const __m512 both = _mm512_mul_ps(scale, activation_scale);
        acc[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[r]), both, acc[r]);
        if (!traits.has_minimum) continue;
        const __m512 least = _mm512_mul_ps(minimum, activation_scale);
        if (traits.block == 256) { // minus the minimums: exactly the definition's fma of the negated sum
            acc[r] = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(minimums[r]), least, acc[r]);
        } else {
            const __m512 sum = _mm512_cvtepi32_ps(broadcast_word(activations[r].sums + b));
            acc[r] = _mm512_fmadd_ps(sum, least, acc[r]);
        }
    }
}

// Panel p with `rows` activation rows from `row` on.
INLINE void multiply(const phalanx_format format, const int rows, const phalanx_product *product, size_t p, size_t row,
                     fetch_share share) {
    const phalanx_format_traits traits = phalanx_format_table[format];
    const size_t blocks = product->columns / (size_t)traits.block;
    const size_t panel_bytes = phalanx_panel_bytes(format, product->columns);
    const size_t body_bytes = phalanx_body_bytes(&traits), scale_bytes = phalanx_scale_bytes(&traits);
    const phalanx_activation_layout parts = phalanx_activation_parts(traits.activation, product->columns);
    activation_row activations[ROWS_AT_ONCE];
    for (int r = 0; r < rows; r++) {
        const uint8_t *start = product->activations + (row + (size_t)r) * product->activation_stride;
        activations[r] = (activation_row){.values = start,
                                          .scales = (const float *)(start + parts.scales),
                                          .sums = (const int32_t *)(start + parts.sums),
                                          .sums16 = (const int16_t *)(start + parts.sums),
                                          .sums32 = (const int16_t *)(start + parts.sums32)};
    }
    const uint8_t *panel = product->panels + p * panel_bytes, *scales = panel + blocks * body_bytes;
    __m512 acc[ROWS_AT_ONCE];
    for (int r = 0; r < rows; r++) acc[r] = _mm512_setzero_ps();
    for (size_t b = 0; b < blocks; b++) {
        const uint8_t *body = panel + b * body_bytes, *ahead = NULL;
        if (b % share.passes == share.pass) ahead = body + (share.passes == 1 ? FETCH_AHEAD : panel_bytes);
        if (b * scale_bytes % 64 == 0) fetch(scales + b * scale_bytes + panel_bytes, 64);
        add_block(traits, rows, body, scales + b * scale_bytes, b, activations, ahead, acc);
    }
    for (int r = 0; r < rows; r++) store_panel(product, p, row + (size_t)r, acc[r]);
}

typedef void (*panel_kernel)(const phalanx_product *product, size_t panel, size_t row, fetch_share share);

#define KERNEL(NAME, FORMAT, ROWS)                                                                                     \
    static void NAME##_##ROWS(const phalanx_product *product, size_t panel, size_t row, fetch_share share) {           \
        multiply(FORMAT, ROWS, product, panel, row, share);                                                            \
    }
#define KERNELS(NAME, FORMAT)                                                                                          \
    KERNEL(NAME, FORMAT, 1)                                                                                            \
    KERNEL(NAME, FORMAT, 2)                                                                                            \
    KERNEL(NAME, FORMAT, 3)                                                                                            \
    KERNEL(NAME, FORMAT, 4)                                                                                            \
    KERNEL(NAME, FORMAT, 5)                                                                                            \
    KERNEL(NAME, FORMAT, 6)                                                                                            \
    KERNEL(NAME, FORMAT, 7)                                                                                            \
    KERNEL(NAME, FORMAT, 8)                                                                                            \
    KERNEL(NAME, FORMAT, 9)                                                                                            \
    KERNEL(NAME, FORMAT, 10)

KERNELS(q8_0, PHALANX_Q8_0)
KERNELS(q4_0, PHALANX_Q4_0)
KERNELS(q4_1, PHALANX_Q4_1)
KERNELS(q5_0, PHALANX_Q5_0)
KERNELS(q5_1, PHALANX_Q5_1)
KERNELS(q2_k, PHALANX_Q2_K)
KERNELS(q3_k, PHALANX_Q3_K)
KERNELS(q4_k, PHALANX_Q4_K)
KERNELS(q5_k, PHALANX_Q5_K)
KERNELS(q6_k, PHALANX_Q6_K)

#define BY_ROWS(NAME)                                                                                                  \
    {NAME##_1, NAME##_2, NAME##_3, NAME##_4, NAME##_5, NAME##_6, NAME##_7, NAME##_8, NAME##_9, NAME##_10}

static const panel_kernel kernels[PHALANX_FORMAT_COUNT][ROWS_AT_ONCE] = {
    [PHALANX_Q8_0] = BY_ROWS(q8_0), [PHALANX_Q4_0] = BY_ROWS(q4_0), [PHALANX_Q4_1] = BY_ROWS(q4_1),
    [PHALANX_Q5_0] = BY_ROWS(q5_0), [PHALANX_Q5_1] = BY_ROWS(q5_1), [PHALANX_Q2_K] = BY_ROWS(q2_k),
    [PHALANX_Q3_K] = BY_ROWS(q3_k), [PHALANX_Q4_K] = BY_ROWS(q4_k), [PHALANX_Q5_K] = BY_ROWS(q5_k),
    [PHALANX_Q6_K] = BY_ROWS(q6_k),
};

// Part `index` of `parts` nearly equal parts of 0 ..< count begins here.
static size_t share_start(size_t count, size_t index, size_t parts) { return count * index / parts; }

// The rows start ..< start + rows with some panels, in passes of nearly equal size.
static void multiply_tile(const phalanx_product *product, size_t first, size_t end, size_t start, size_t rows) {
    const panel_kernel *by_rows = kernels[product->format];
    const size_t passes = (rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    for (size_t p = first; p < end; p++) {
        for (size_t pass = 0; pass < passes; pass++) {
            const size_t row = share_start(rows, pass, passes), next = share_start(rows, pass + 1, passes);
            by_rows[next - row - 1](product, p, start + row, (fetch_share){pass, passes});
        }
    }
}

void phalanx_avx512_multiply_blocks(const phalanx_product *product, size_t first, size_t end) {
    size_t tile_rows = TILE_BYTES / product->activation_stride;
    if (tile_rows < 2 * ROWS_AT_ONCE) tile_rows = 2 * ROWS_AT_ONCE;
    const size_t tiles = (product->rows + tile_rows - 1) / tile_rows;
    size_t batch = BATCH_BYTES / phalanx_panel_bytes(product->format, product->columns);
    if (batch < 8 || tiles == 1) batch = tiles == 1 ? end - first : 8;
    for (size_t p = first; p < end; p += batch) {
        const size_t batch_end = end - p < batch ? end : p + batch;
        for (size_t t = 0; t < tiles; t++) {
            const size_t start = share_start(product->rows, t, tiles);
            multiply_tile(product, p, batch_end, start, share_start(product->rows, t + 1, tiles) - start);
        }
    }
}

#pragma clang attribute pop

#endif
