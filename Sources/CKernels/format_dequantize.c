// Rows of weights -> floats, with the operations and their order of ggml's reference.
#include "format_block.h"

#pragma STDC FP_CONTRACT OFF

static void block_values(const phalanx_format_traits *traits, const phalanx_block *block, float *values) {
    const float scale = phalanx_widen_f16(block->scale);
    const float minimum = phalanx_widen_f16(block->minimum);
    for (int i = 0; i < traits->block; i++) {
        const float weight = (float)((int)block->values[i] - traits->offset);
        if (traits->sub_scales == PHALANX_SUB_NONE) {
            const float product = scale * weight;
            values[i] = traits->has_minimum ? product + minimum : product;
            continue;
        }
        const int sub = i / traits->sub_block;
        const float sub_scale = scale * (float)phalanx_sub_factor(traits->sub_scales, block->sub_scales[sub]);
        const float product = sub_scale * weight;
        if (traits->has_minimum) {
            const float sub_minimum = minimum * (float)block->sub_minimums[sub];
            values[i] = product - sub_minimum;
        } else {
            values[i] = product;
        }
    }
}

static float float_value(phalanx_format format, const uint8_t *bytes) {
    switch (format) {
    case PHALANX_F16:
        return phalanx_widen_f16(phalanx_load_u16(bytes));
    case PHALANX_BF16:
        return phalanx_widen_bf16(phalanx_load_u16(bytes));
    default:
        return phalanx_load_f32(bytes);
    }
}

void phalanx_dequantize_row(phalanx_format format, size_t columns, const uint8_t *row, float *values) {
    const phalanx_format_traits *traits = phalanx_traits(format);
    if (traits->block == 1) {
        for (size_t k = 0; k < columns; k++) values[k] = float_value(format, row + k * (size_t)traits->block_bytes);
        return;
    }
    const size_t blocks = columns / (size_t)traits->block;
    for (size_t index = 0; index < blocks; index++) {
        phalanx_block block;
        phalanx_block_read(format, row + index * (size_t)traits->block_bytes, &block);
        block_values(traits, &block, values + index * (size_t)traits->block);
    }
}

void phalanx_dequantize_panel_row(phalanx_format format, size_t columns, const uint8_t *panel, int row,
                                  float *values) {
    const phalanx_format_traits *traits = phalanx_traits(format);
    if (traits->block == 1) {
        const size_t width = (size_t)traits->block_bytes;
        const uint8_t *first = panel + (size_t)row * width;
        for (size_t k = 0; k < columns; k++) {
            values[k] = float_value(format, first + k * PHALANX_PANEL_ROWS * width);
        }
        return;
    }
    const size_t blocks = columns / (size_t)traits->block;
    for (size_t index = 0; index < blocks; index++) {
        phalanx_block block;
        phalanx_block_unpack(format, &block, panel, blocks, index, row);
        block_values(traits, &block, values + index * (size_t)traits->block);
    }
}
