// Rows in file layout -> panels of 16 rows, and back to plain blocks: the definition, one block of one row at a time.
// format_pack_lanes.c does the same faster.
//
// A chunk is 32 values (8 groups of 4) of 16 rows. Its bytes come in vectors of 64: byte 4 * row + i belongs to value
// i of some group(s) of that row. 8-bit: vector g is group g. 4-bit: vector v has group 2v in the low nibbles, 2v + 1
// in the high ones. 2-bit: vector u has group 4u + f in field f. 1-bit: one vector, bit g for group g.
#include "format_block.h"

// Planes go by words of one group: four bytes, each shifted and masked by itself.
static uint32_t load_group(const uint8_t *bytes) {
    uint32_t group;
    memcpy(&group, bytes, sizeof group);
    return group;
}

static void put_plane(uint8_t *plane, int bits, int row, const uint8_t *values, int shift) {
    const int per_byte = 8 / bits;
    const uint32_t mask = ((1u << bits) - 1) * 0x01010101u;
    for (int first = 0; first < 8; first += per_byte) {
        uint32_t packed = 0;
        for (int i = 0; i < per_byte; i++) {
            packed |= (load_group(values + (first + i) * 4) >> shift & mask) << (i * bits);
        }
        memcpy(plane + first / per_byte * 64 + row * 4, &packed, sizeof packed);
    }
}

static void get_plane(const uint8_t *plane, int bits, int row, uint8_t *values, int shift) {
    const int per_byte = 8 / bits;
    const uint32_t mask = ((1u << bits) - 1) * 0x01010101u;
    for (int first = 0; first < 8; first += per_byte) {
        const uint32_t packed = load_group(plane + first / per_byte * 64 + row * 4);
        for (int i = 0; i < per_byte; i++) {
            uint8_t *group = values + (first + i) * 4;
            const uint32_t merged = load_group(group) | (packed >> (i * bits) & mask) << shift;
            memcpy(group, &merged, sizeof merged);
        }
    }
}

// Sixteen 6-bit numbers per row in 192 bytes: low nibbles of number i and i + 8 in byte i, 128 bytes in all, then the
// upper two bits of number i in byte i % 4, field i / 4.
static void put_six_bits(uint8_t *packed, int row, int number, uint8_t value) {
    uint8_t *low = packed + number % 8 * 16 + row;
    uint8_t *high = packed + 128 + number % 4 * 16 + row;
    const int low_at = number / 8 * 4, high_at = number / 4 * 2;
    *low = (uint8_t)((*low & ~(15u << low_at)) | (value & 15u) << low_at);
    *high = (uint8_t)((*high & ~(3u << high_at)) | (value >> 4 & 3u) << high_at);
}

static uint8_t get_six_bits(const uint8_t *packed, int row, int number) {
    const unsigned low = packed[number % 8 * 16 + row] >> (number / 8 * 4) & 15u;
    const unsigned high = packed[128 + number % 4 * 16 + row] >> (number / 4 * 2) & 3u;
    return (uint8_t)(low | high << 4);
}

static void pack_sub_scales(phalanx_sub_scales kind, const phalanx_block *block, uint8_t *packed, int row) {
    for (int i = 0; i < 16; i++) {
        switch (kind) {
        case PHALANX_SUB_NONE:
            break;
        case PHALANX_SUB_MIN_4:
            packed[i * 16 + row] = (uint8_t)(block->sub_scales[i] | block->sub_minimums[i] << 4);
            break;
        case PHALANX_SUB_MIN_6:
            put_six_bits(packed, row, i, i < 8 ? block->sub_scales[i] : block->sub_minimums[i - 8]);
            break;
        case PHALANX_SUB_SIGNED_6:
            put_six_bits(packed, row, i, block->sub_scales[i]);
            break;
        case PHALANX_SUB_SIGNED_8:
            packed[i * 16 + row] = block->sub_scales[i];
            break;
        }
    }
}

static void unpack_sub_scales(phalanx_sub_scales kind, phalanx_block *block, const uint8_t *packed, int row) {
    for (int i = 0; i < 16; i++) {
        switch (kind) {
        case PHALANX_SUB_NONE:
            break;
        case PHALANX_SUB_MIN_4:
            block->sub_scales[i] = packed[i * 16 + row] & 15;
            block->sub_minimums[i] = packed[i * 16 + row] >> 4;
            break;
        case PHALANX_SUB_MIN_6:
            *(i < 8 ? &block->sub_scales[i] : &block->sub_minimums[i - 8]) = get_six_bits(packed, row, i);
            break;
        case PHALANX_SUB_SIGNED_6:
            block->sub_scales[i] = get_six_bits(packed, row, i);
            break;
        case PHALANX_SUB_SIGNED_8:
            block->sub_scales[i] = packed[i * 16 + row];
            break;
        }
    }
}

void phalanx_block_pack(phalanx_format format, const phalanx_block *block, uint8_t *panel, size_t blocks, size_t index,
                        int row) {
    const phalanx_format_traits *traits = phalanx_traits(format);
    uint8_t *body = panel + index * phalanx_body_bytes(traits);
    uint8_t *scales = panel + blocks * phalanx_body_bytes(traits) + index * phalanx_scale_bytes(traits);
    pack_sub_scales(traits->sub_scales, block, body, row);
    uint8_t *chunk = body + phalanx_sub_bytes(traits->sub_scales);
    for (int first = 0; first < traits->block; first += 32) {
        put_plane(chunk, traits->low_bits, row, block->values + first, 0);
        if (traits->high_bits) {
            uint8_t *high = chunk + 64 * traits->low_bits;
            put_plane(high, traits->high_bits, row, block->values + first, traits->low_bits);
        }
        chunk += phalanx_chunk_bytes(traits);
    }
    scales[row * 2] = (uint8_t)block->scale;
    scales[row * 2 + 1] = (uint8_t)(block->scale >> 8);
    if (traits->has_minimum) {
        scales[32 + row * 2] = (uint8_t)block->minimum;
        scales[32 + row * 2 + 1] = (uint8_t)(block->minimum >> 8);
    }
}

void phalanx_block_unpack(phalanx_format format, phalanx_block *block, const uint8_t *panel, size_t blocks,
                          size_t index, int row) {
    const phalanx_format_traits *traits = phalanx_traits(format);
    const uint8_t *body = panel + index * phalanx_body_bytes(traits);
    const uint8_t *scales = panel + blocks * phalanx_body_bytes(traits) + index * phalanx_scale_bytes(traits);
    memset(block, 0, sizeof *block);
    unpack_sub_scales(traits->sub_scales, block, body, row);
    const uint8_t *chunk = body + phalanx_sub_bytes(traits->sub_scales);
    for (int first = 0; first < traits->block; first += 32) {
        get_plane(chunk, traits->low_bits, row, block->values + first, 0);
        if (traits->high_bits) {
            const uint8_t *high = chunk + 64 * traits->low_bits;
            get_plane(high, traits->high_bits, row, block->values + first, traits->low_bits);
        }
        chunk += phalanx_chunk_bytes(traits);
    }
    block->scale = phalanx_load_u16(scales + row * 2);
    if (traits->has_minimum) block->minimum = phalanx_load_u16(scales + 32 + row * 2);
}

// Position k of all rows, then position k + 1: 16 numbers of `width` bytes each.
static inline __attribute__((always_inline)) void pack_floats(const size_t width, size_t columns,
                                                              const uint8_t *const rows[], uint8_t *panel) {
    enum { TILE = 64 }; // positions at a time: the tile's bytes stay in the nearest cache
    for (size_t first = 0; first < columns; first += TILE) {
        const size_t end = columns - first < TILE ? columns : first + TILE;
        for (size_t row = 0; row < PHALANX_PANEL_ROWS; row++) {
            if (rows[row] == NULL) continue;
            for (size_t k = first; k < end; k++) {
                memcpy(panel + (k * PHALANX_PANEL_ROWS + row) * width, rows[row] + k * width, width);
            }
        }
    }
}

void phalanx_pack_panel_plain(phalanx_format format, size_t columns, const uint8_t *const rows[PHALANX_PANEL_ROWS],
                              uint8_t *panel) {
    const phalanx_format_traits *traits = phalanx_traits(format);
    memset(panel, 0, phalanx_panel_bytes(format, columns));
    if (traits->block == 1) {
        if (traits->block_bytes == 4) {
            pack_floats(4, columns, rows, panel);
        } else {
            pack_floats(2, columns, rows, panel);
        }
        return;
    }
    const size_t blocks = columns / (size_t)traits->block;
    for (size_t index = 0; index < blocks; index++) {
        for (int row = 0; row < PHALANX_PANEL_ROWS; row++) {
            if (rows[row] == NULL) continue; // all bits zero: scale and minimum zero
            phalanx_block block;
            phalanx_block_read(format, rows[row] + index * (size_t)traits->block_bytes, &block);
            phalanx_block_pack(format, &block, panel, blocks, index, row);
        }
    }
}
