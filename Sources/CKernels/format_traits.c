// What each weight format is, and the sizes that follow from it.
#include "format_block.h"

static const phalanx_format_traits table[PHALANX_FORMAT_COUNT] = {
    [PHALANX_F32] = {PHALANX_ACTIVATION_F32, PHALANX_SUB_NONE, 1, 4, 1, 0, 0, 0, 0},
    [PHALANX_F16] = {PHALANX_ACTIVATION_F32, PHALANX_SUB_NONE, 1, 2, 1, 0, 0, 0, 0},
    [PHALANX_BF16] = {PHALANX_ACTIVATION_F32, PHALANX_SUB_NONE, 1, 2, 1, 0, 0, 0, 0},
    [PHALANX_Q8_0] = {PHALANX_ACTIVATION_INT8_32, PHALANX_SUB_NONE, 32, 34, 32, 8, 0, 128, 0},
    [PHALANX_Q4_0] = {PHALANX_ACTIVATION_INT8_32, PHALANX_SUB_NONE, 32, 18, 32, 4, 0, 8, 0},
    [PHALANX_Q4_1] = {PHALANX_ACTIVATION_INT8_32, PHALANX_SUB_NONE, 32, 20, 32, 4, 0, 0, 1},
    [PHALANX_Q5_0] = {PHALANX_ACTIVATION_INT8_32, PHALANX_SUB_NONE, 32, 22, 32, 4, 1, 16, 0},
    [PHALANX_Q5_1] = {PHALANX_ACTIVATION_INT8_32, PHALANX_SUB_NONE, 32, 24, 32, 4, 1, 0, 1},
    [PHALANX_Q2_K] = {PHALANX_ACTIVATION_INT8_256, PHALANX_SUB_MIN_4, 256, 84, 16, 2, 0, 0, 1},
    [PHALANX_Q3_K] = {PHALANX_ACTIVATION_INT8_256, PHALANX_SUB_SIGNED_6, 256, 110, 16, 2, 1, 4, 0},
    [PHALANX_Q4_K] = {PHALANX_ACTIVATION_INT8_256, PHALANX_SUB_MIN_6, 256, 144, 32, 4, 0, 0, 1},
    [PHALANX_Q5_K] = {PHALANX_ACTIVATION_INT8_256, PHALANX_SUB_MIN_6, 256, 176, 32, 4, 1, 0, 1},
    [PHALANX_Q6_K] = {PHALANX_ACTIVATION_INT8_256, PHALANX_SUB_SIGNED_8, 256, 210, 16, 4, 2, 32, 0},
};

const phalanx_format_traits *phalanx_traits(phalanx_format format) { return &table[format]; }

static size_t round_up(size_t bytes) { return (bytes + PHALANX_ALIGNMENT - 1) & ~(size_t)(PHALANX_ALIGNMENT - 1); }

size_t phalanx_row_bytes(phalanx_format format, size_t columns) {
    const size_t block = (size_t)table[format].block;
    if (columns > PHALANX_COLUMNS_MAXIMUM || columns % block != 0) return 0;
    return columns / block * (size_t)table[format].block_bytes;
}

size_t phalanx_panel_bytes(phalanx_format format, size_t columns) {
    return round_up(PHALANX_PANEL_ROWS * phalanx_row_bytes(format, columns));
}

phalanx_activation_layout phalanx_activation_parts(phalanx_activation activation, size_t columns) {
    phalanx_activation_layout parts = {0, 0, 0};
    if (activation == PHALANX_ACTIVATION_INT8_32) {
        parts.scales = columns;
        parts.sums = parts.scales + columns / 32 * sizeof(float);
    } else if (activation == PHALANX_ACTIVATION_INT8_256) {
        parts.scales = columns;
        parts.sums = parts.scales + columns / 256 * sizeof(float);
        parts.sums32 = parts.sums + columns / 16 * sizeof(int16_t);
    }
    return parts;
}

size_t phalanx_activation_bytes(phalanx_activation activation, size_t columns) {
    if (columns > PHALANX_COLUMNS_MAXIMUM) return 0;
    const phalanx_activation_layout parts = phalanx_activation_parts(activation, columns);
    switch (activation) {
    case PHALANX_ACTIVATION_F32:
        return round_up(columns * sizeof(float));
    case PHALANX_ACTIVATION_INT8_32:
        return columns % 32 ? 0 : round_up(parts.sums + columns / 32 * sizeof(int32_t));
    case PHALANX_ACTIVATION_INT8_256:
        return columns % 256 ? 0 : round_up(parts.sums32 + columns / 32 * sizeof(int16_t));
    }
    return 0;
}
