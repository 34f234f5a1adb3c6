// The sizes that follow from what each weight format is.
#include "format_block.h"

const phalanx_format_traits *phalanx_traits(phalanx_format format) { return &phalanx_format_table[format]; }

static size_t round_up(size_t bytes) { return (bytes + PHALANX_ALIGNMENT - 1) & ~(size_t)(PHALANX_ALIGNMENT - 1); }

size_t phalanx_row_bytes(phalanx_format format, size_t columns) {
    const size_t block = (size_t)phalanx_format_table[format].block;
    if (columns > PHALANX_COLUMNS_MAXIMUM || columns % block != 0) return 0;
    return columns / block * (size_t)phalanx_format_table[format].block_bytes;
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
