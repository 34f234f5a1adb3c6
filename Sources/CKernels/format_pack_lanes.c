// The packing of format_pack.c for whole panels, four rows at a time: a vector holds the same word of each row, so that
// what is one word there is one vector here. Plain vectors of 16 bytes, which every 64-bit processor has.
#include "format_block.h"

typedef uint32_t words __attribute__((vector_size(16)));
typedef uint8_t four_bytes __attribute__((vector_size(4)));
typedef uint16_t four_halves __attribute__((vector_size(8)));

enum { QUAD = 4, QUADS = PHALANX_PANEL_ROWS / QUAD };

#define INLINE static inline __attribute__((always_inline))

// Where the same block of four neighbouring rows comes from and goes to.
typedef struct quad {
    const uint8_t *rows[QUAD]; // the block in each row's file layout
    uint8_t *sub_scales;       // of this block in the panel
    uint8_t *chunk;            // the block's first chunk
    int number;                // 0 ..< 4: the rows are 4 * number ..< 4 * number + 4 of the panel
} quad;

// Sixteen bytes of each row, `at` bytes into the block: word i of the four rows in out[i].
INLINE void load_words(const quad *q, size_t at, words out[4]) {
    words row[QUAD];
    for (int i = 0; i < QUAD; i++) memcpy(&row[i], q->rows[i] + at, sizeof row[i]);
    const words low_01 = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5);
    const words low_23 = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
    const words high_01 = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);
    const words high_23 = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
    out[0] = __builtin_shufflevector(low_01, low_23, 0, 1, 4, 5);
    out[1] = __builtin_shufflevector(low_01, low_23, 2, 3, 6, 7);
    out[2] = __builtin_shufflevector(high_01, high_23, 0, 1, 4, 5);
    out[3] = __builtin_shufflevector(high_01, high_23, 2, 3, 6, 7);
}

// Thirty-two bytes of each row.
INLINE void load_groups(const quad *q, size_t at, words out[8]) {
    load_words(q, at, out);
    load_words(q, at + 16, out + 4);
}

// One word of each row.
INLINE words load_word(const quad *q, size_t at) {
    words out;
    for (int i = 0; i < QUAD; i++) {
        uint32_t word;
        memcpy(&word, q->rows[i] + at, sizeof word);
        out[i] = word;
    }
    return out;
}

INLINE words masked(words groups, int shift, uint32_t bits) { return groups >> shift & bits * 0x01010101u; }

INLINE void put_plane(uint8_t *plane, const int bits, int number, const words values[8], const int shift) {
    const int per_byte = 8 / bits;
    for (int first = 0; first < 8; first += per_byte) {
        words packed = {0};
        for (int i = 0; i < per_byte; i++) packed |= masked(values[first + i], shift, (1u << bits) - 1) << (i * bits);
        memcpy(plane + first / per_byte * 64 + number * 16, &packed, sizeof packed);
    }
}

// Thirty-two values of each row, a group of four in each vector.
INLINE void put_chunk(const quad *q, const phalanx_format_traits *traits, int number, const words values[8]) {
    uint8_t *chunk = q->chunk + (size_t)number * phalanx_chunk_bytes(traits);
    put_plane(chunk, traits->low_bits, q->number, values, 0);
    if (traits->high_bits) {
        put_plane(chunk + 64 * traits->low_bits, traits->high_bits, q->number, values, traits->low_bits);
    }
}

// The four bytes of a word of each row to four numbers of the panel: 16 bytes per number, one per row.
INLINE void put_bytes(const quad *q, int first, words value) {
    for (int i = 0; i < 4; i++) {
        const four_bytes column = __builtin_convertvector(value >> (8 * i) & 255u, four_bytes);
        memcpy(q->sub_scales + (first + i) * 16 + q->number * QUAD, &column, sizeof column);
    }
}

// The blocks of 32: nibbles at `at` and, where `high_at` is not 0, 32 upper bits there.
INLINE void pack_32(const quad *q, const phalanx_format_traits *traits, size_t at, size_t high_at) {
    words nibbles[4], values[8];
    load_words(q, at, nibbles);
    for (int i = 0; i < 4; i++) {
        values[i] = masked(nibbles[i], 0, 15);
        values[i + 4] = masked(nibbles[i], 4, 15);
    }
    if (high_at != 0) {
        const words high = load_word(q, high_at);
        for (int i = 0; i < 8; i++) {
            // Bits 0 to 3 to the lowest bits of bytes 0 to 3.
            const words four = high >> (4 * i) & 15u;
            values[i] |= masked(four | four << 7 | four << 14 | four << 21, 0, 1) << 4;
        }
    }
    put_chunk(q, traits, 0, values);
}

INLINE void pack_q8_0(const quad *q, const phalanx_format_traits *traits) {
    words values[8];
    load_groups(q, 2, values);
    for (int i = 0; i < 8; i++) values[i] ^= 0x80808080u;
    put_chunk(q, traits, 0, values);
}

// The blocks of 256 whose bytes hold `fields` chunks after one another; `high` holds the upper bits, one per chunk.
INLINE void pack_fields(const quad *q, const phalanx_format_traits *traits, size_t at, const words *high) {
    const int fields = 8 / traits->low_bits;
    for (int chunk = 0; chunk < 8; chunk += fields) {
        words bytes[8];
        load_groups(q, at + (size_t)(chunk / fields) * 32, bytes);
        for (int field = 0; field < fields; field++) {
            words values[8];
            for (int i = 0; i < 8; i++) {
                values[i] = masked(bytes[i], field * traits->low_bits, (1u << traits->low_bits) - 1);
                if (high != NULL) values[i] |= masked(high[i], chunk + field, 1) << traits->low_bits;
            }
            put_chunk(q, traits, chunk + field, values);
        }
    }
}

INLINE void pack_q2_k(const quad *q, const phalanx_format_traits *traits) {
    words sub_scales[4];
    load_words(q, 0, sub_scales); // scale and minimum in one byte, as in the panel
    for (int i = 0; i < 4; i++) put_bytes(q, 4 * i, sub_scales[i]);
    pack_fields(q, traits, 16, NULL);
}

INLINE void pack_q3_k(const quad *q, const phalanx_format_traits *traits) {
    words high[8];
    // The file splits the sixteen numbers into low and high bits just as the panel does.
    for (int i = 0; i < 3; i++) put_bytes(q, 4 * i, load_word(q, 96 + 4 * (size_t)i));
    load_groups(q, 0, high);
    pack_fields(q, traits, 32, high);
}

// Twelve bytes of 8 scales and 8 minimums of 6 bits, after the two f16 of the block.
INLINE void pack_six_bits(const quad *q) {
    words packed[4];
    load_words(q, 0, packed);
    put_bytes(q, 0, masked(packed[1], 0, 15) | masked(packed[2], 0, 15) << 4);
    put_bytes(q, 4, packed[3]);
    put_bytes(q, 8, masked(packed[1], 4, 15) | (packed[2] & 0xf0f0f0f0u));
}

INLINE void pack_q4_k(const quad *q, const phalanx_format_traits *traits) {
    pack_six_bits(q);
    pack_fields(q, traits, 16, NULL);
}

INLINE void pack_q5_k(const quad *q, const phalanx_format_traits *traits) {
    words high[8];
    pack_six_bits(q);
    load_groups(q, 16, high);
    pack_fields(q, traits, 48, high);
}

INLINE void pack_q6_k(const quad *q, const phalanx_format_traits *traits) {
    words sub_scales[4];
    load_words(q, 192, sub_scales);
    for (int i = 0; i < 4; i++) put_bytes(q, 4 * i, sub_scales[i]);
    for (int half = 0; half < 2; half++) {
        words low[16], high[8];
        load_groups(q, (size_t)half * 64, low);
        load_groups(q, (size_t)half * 64 + 32, low + 8);
        load_groups(q, 128 + (size_t)half * 32, high);
        for (int quarter = 0; quarter < 4; quarter++) {
            words values[8];
            for (int i = 0; i < 8; i++) {
                values[i] = masked(low[quarter % 2 * 8 + i], quarter / 2 * 4, 15);
                values[i] |= masked(high[i], quarter * 2, 3) << 4;
            }
            put_chunk(q, traits, half * 4 + quarter, values);
        }
    }
}

// The f16 scale of each row (and the minimum after it), `at` bytes into the block.
INLINE void put_scales(const quad *q, size_t at, uint8_t *scales) {
    for (int i = 0; i < QUAD; i++) memcpy(scales + (q->number * QUAD + i) * 2, q->rows[i] + at, 2);
}

typedef void pack_values(const quad *q, const phalanx_format_traits *traits);

// With `format`, `values` and `scale_at` known to the compiler.
INLINE void pack_blocks(phalanx_format format, pack_values *values, size_t scale_at, size_t columns,
                        const uint8_t *const rows[], uint8_t *panel) {
    const phalanx_format_traits *traits = &phalanx_format_table[format];
    const size_t blocks = columns / (size_t)traits->block;
    for (size_t index = 0; index < blocks; index++) {
        uint8_t *body = panel + index * phalanx_body_bytes(traits);
        uint8_t *scales = panel + blocks * phalanx_body_bytes(traits) + index * phalanx_scale_bytes(traits);
        for (int number = 0; number < QUADS; number++) {
            quad q = {.sub_scales = body, .chunk = body + phalanx_sub_bytes(traits->sub_scales), .number = number};
            for (int i = 0; i < QUAD; i++) {
                q.rows[i] = rows[number * QUAD + i] + index * (size_t)traits->block_bytes;
            }
            values(&q, traits);
            put_scales(&q, scale_at, scales);
            if (traits->has_minimum) put_scales(&q, scale_at + 2, scales + 32);
        }
    }
}

INLINE void pack_q4_0(const quad *q, const phalanx_format_traits *traits) { pack_32(q, traits, 2, 0); }
INLINE void pack_q4_1(const quad *q, const phalanx_format_traits *traits) { pack_32(q, traits, 4, 0); }
INLINE void pack_q5_0(const quad *q, const phalanx_format_traits *traits) { pack_32(q, traits, 6, 2); }
INLINE void pack_q5_1(const quad *q, const phalanx_format_traits *traits) { pack_32(q, traits, 8, 4); }

// Positions k of all rows, 16 numbers of 4 or 2 bytes after one another; `columns` a multiple of 16 bytes' worth.
INLINE void pack_floats(const size_t width, size_t columns, const uint8_t *const rows[], uint8_t *panel) {
    const size_t step = 16 / width;
    for (size_t k = 0; k < columns; k += step) {
        for (int number = 0; number < QUADS; number++) {
            quad q = {.number = number};
            for (int i = 0; i < QUAD; i++) q.rows[i] = rows[number * QUAD + i] + k * width;
            words values[4];
            load_words(&q, 0, values);
            for (size_t i = 0; i < step; i++) {
                uint8_t *to = panel + ((k + i) * PHALANX_PANEL_ROWS + (size_t)(number * QUAD)) * width;
                if (width == 4) {
                    memcpy(to, &values[i], 16);
                } else {
                    const words half = i % 2 == 0 ? values[i / 2] & 0xffffu : values[i / 2] >> 16;
                    const four_halves column = __builtin_convertvector(half, four_halves);
                    memcpy(to, &column, 8);
                }
            }
        }
    }
}

static void pack_whole_panel(phalanx_format format, size_t columns, const uint8_t *const rows[], uint8_t *panel) {
    switch (format) {
    case PHALANX_F32:
        pack_floats(4, columns, rows, panel);
        break;
    case PHALANX_F16:
    case PHALANX_BF16:
        pack_floats(2, columns, rows, panel);
        break;
    case PHALANX_Q8_0:
        pack_blocks(PHALANX_Q8_0, pack_q8_0, 0, columns, rows, panel);
        break;
    case PHALANX_Q4_0:
        pack_blocks(PHALANX_Q4_0, pack_q4_0, 0, columns, rows, panel);
        break;
    case PHALANX_Q4_1:
        pack_blocks(PHALANX_Q4_1, pack_q4_1, 0, columns, rows, panel);
        break;
    case PHALANX_Q5_0:
        pack_blocks(PHALANX_Q5_0, pack_q5_0, 0, columns, rows, panel);
        break;
    case PHALANX_Q5_1:
        pack_blocks(PHALANX_Q5_1, pack_q5_1, 0, columns, rows, panel);
        break;
    case PHALANX_Q2_K:
        pack_blocks(PHALANX_Q2_K, pack_q2_k, 80, columns, rows, panel);
        break;
    case PHALANX_Q3_K:
        pack_blocks(PHALANX_Q3_K, pack_q3_k, 108, columns, rows, panel);
        break;
    case PHALANX_Q4_K:
        pack_blocks(PHALANX_Q4_K, pack_q4_k, 0, columns, rows, panel);
        break;
    case PHALANX_Q5_K:
        pack_blocks(PHALANX_Q5_K, pack_q5_k, 0, columns, rows, panel);
        break;
    case PHALANX_Q6_K:
        pack_blocks(PHALANX_Q6_K, pack_q6_k, 208, columns, rows, panel);
        break;
    }
}

void phalanx_pack_panel(phalanx_format format, size_t columns, const uint8_t *const rows[PHALANX_PANEL_ROWS],
                        uint8_t *panel) {
    const phalanx_format_traits *traits = &phalanx_format_table[format];
    bool is_whole = traits->block > 1 || columns % (16 / (size_t)traits->block_bytes) == 0;
    for (int row = 0; row < PHALANX_PANEL_ROWS; row++) is_whole = is_whole && rows[row] != NULL;
    if (!is_whole) {
        phalanx_pack_panel_plain(format, columns, rows, panel);
        return;
    }
    pack_whole_panel(format, columns, rows, panel);
    const size_t used = PHALANX_PANEL_ROWS * phalanx_row_bytes(format, columns);
    memset(panel + used, 0, phalanx_panel_bytes(format, columns) - used);
}
