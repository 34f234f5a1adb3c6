// The search for scales and minimums: see quantize_fit.h.
#include "quantize_fit.h"

#pragma STDC FP_CONTRACT OFF

// ---- Symmetric ------------------------------------------------------------------------------------------------------

// Rounds to the grid of `inverse` and sums, with the square of an element as its weight.
static void symmetric_pass(const fit_floats x, int count, int reach, const float *inverse, fit_integers values,
                           float *sum_product, float *sum_square) {
    for (int s = 0; s < FIT_LANES; s++) sum_product[s] = sum_square[s] = 0;
    for (int i = 0; i < count; i++) {
        for (int s = 0; s < FIT_LANES; s++) {
            const int32_t value = fit_clamp(fit_nearest(inverse[s] * x[i][s]), -reach, reach - 1);
            const float weight = x[i][s] * x[i][s];
            values[i][s] = value;
            sum_product[s] += weight * x[i][s] * (float)value;
            sum_square[s] += weight * (float)value * (float)value;
        }
    }
}

void phalanx_fit_symmetric(const fit_floats x, int count, int reach, fit_result *result) {
    float peak[FIT_LANES] = {0}, magnitude[FIT_LANES] = {0}, inverse[FIT_LANES];
    for (int i = 0; i < count; i++) {
        for (int s = 0; s < FIT_LANES; s++) {
            const float a = fabsf(x[i][s]);
            peak[s] = a > magnitude[s] ? x[i][s] : peak[s];
            magnitude[s] = a > magnitude[s] ? a : magnitude[s];
        }
    }
    float sum_product[FIT_LANES], sum_square[FIT_LANES], best[FIT_LANES];
    for (int s = 0; s < FIT_LANES; s++) inverse[s] = (float)-reach / peak[s];
    symmetric_pass(x, count, reach, inverse, result->values, sum_product, sum_square);
    for (int s = 0; s < FIT_LANES; s++) {
        result->scales[s] = sum_square[s] != 0 ? sum_product[s] / sum_square[s] : 0;
        best[s] = result->scales[s] * sum_product[s];
    }
    for (int attempt = -9; attempt <= 9; attempt++) {
        if (attempt == 0) continue;
        fit_integers values;
        int32_t better[FIT_LANES];
        for (int s = 0; s < FIT_LANES; s++) inverse[s] = -((float)reach + 0.1f * (float)attempt) / peak[s];
        symmetric_pass(x, count, reach, inverse, values, sum_product, sum_square);
        for (int s = 0; s < FIT_LANES; s++) {
            better[s] = sum_square[s] > 0 && sum_product[s] * sum_product[s] > best[s] * sum_square[s];
            if (!better[s]) continue;
            result->scales[s] = sum_product[s] / sum_square[s];
            best[s] = result->scales[s] * sum_product[s];
        }
        for (int i = 0; i < count; i++) {
            for (int s = 0; s < FIT_LANES; s++) result->values[i][s] = better[s] ? values[i][s] : result->values[i][s];
        }
    }
    for (int s = 0; s < FIT_LANES; s++) {
        const int zero = magnitude[s] < FIT_LEAST_MAGNITUDE;
        if (zero) result->scales[s] = 0;
        for (int i = 0; i < count; i++) result->values[i][s] = zero ? 0 : result->values[i][s] + reach;
    }
}

// ---- Refined --------------------------------------------------------------------------------------------------------

// Moves one value to where it serves best with the others as they are; whether it moved.
static int refine(float x, int reach, int32_t *value, float *sum_product, float *sum_square) {
    const float weight = x * x;
    float product = *sum_product - weight * x * (float)*value;
    if (!(product > 0)) return 0;
    float square = *sum_square - weight * (float)*value * (float)*value;
    const int32_t wanted = fit_clamp(fit_nearest(x * square / product), -reach, reach - 1);
    if (wanted == *value) return 0;
    product += weight * x * (float)wanted;
    square += weight * (float)wanted * (float)wanted;
    if (!(square > 0 && product * product * *sum_square > *sum_product * *sum_product * square)) return 0;
    *value = wanted;
    *sum_product = product;
    *sum_square = square;
    return 1;
}

float phalanx_fit_refined(const float *x, int count, int reach, uint8_t *values) {
    float peak = 0, magnitude = 0;
    for (int i = 0; i < count; i++) {
        const float a = fabsf(x[i]);
        if (a > magnitude) {
            magnitude = a;
            peak = x[i];
        }
    }
    if (magnitude < FIT_LEAST_MAGNITUDE) {
        memset(values, 0, (size_t)count);
        return 0;
    }
    const float inverse = (float)-reach / peak;
    int32_t found[FIT_COUNT];
    float sum_product = 0, sum_square = 0;
    for (int i = 0; i < count; i++) {
        const int32_t value = fit_clamp(fit_nearest(inverse * x[i]), -reach, reach - 1);
        const float weight = x[i] * x[i];
        found[i] = value;
        sum_product += weight * x[i] * (float)value;
        sum_square += weight * (float)value * (float)value;
    }
    for (int round = 0; round < 5; round++) {
        int moved = 0;
        for (int i = 0; i < count; i++) moved |= refine(x[i], reach, &found[i], &sum_product, &sum_square);
        if (!moved) break;
    }
    for (int i = 0; i < count; i++) values[i] = (uint8_t)(found[i] + reach);
    return sum_square > 0 ? sum_product / sum_square : 0;
}

// ---- With a minimum -------------------------------------------------------------------------------------------------

typedef struct minimum_sums {
    float low[FIT_LANES], high[FIT_LANES];    // of the elements
    float weight[FIT_LANES], mean[FIT_LANES]; // sums of weights and of weighted elements
} minimum_sums;

static void summarise(const fit_floats x, const fit_floats weights, int count, minimum_sums *sums) {
    for (int s = 0; s < FIT_LANES; s++) {
        sums->low[s] = sums->high[s] = x[0][s];
        sums->weight[s] = weights[0][s];
        sums->mean[s] = weights[0][s] * x[0][s];
    }
    for (int i = 1; i < count; i++) {
        for (int s = 0; s < FIT_LANES; s++) {
            sums->low[s] = x[i][s] < sums->low[s] ? x[i][s] : sums->low[s];
            sums->high[s] = x[i][s] > sums->high[s] ? x[i][s] : sums->high[s];
            sums->weight[s] += weights[i][s];
            sums->mean[s] += weights[i][s] * x[i][s];
        }
    }
    for (int s = 0; s < FIT_LANES; s++) sums->low[s] = sums->low[s] > 0 ? 0 : sums->low[s];
}

// The weighted error of values on the grid of scale and offset.
static void grid_error(const fit_floats x, const fit_floats weights, int count, int absolute,
                       const fit_integers values, const float *scale, const float *offset, float *error) {
    for (int s = 0; s < FIT_LANES; s++) error[s] = 0;
    for (int i = 0; i < count; i++) {
        for (int s = 0; s < FIT_LANES; s++) {
            const float miss = scale[s] * (float)values[i][s] + offset[s] - x[i][s];
            error[s] += weights[i][s] * (absolute ? fabsf(miss) : miss * miss);
        }
    }
}

// Rounds to the grid from `low` on and finds the scale and offset that serve these values best, where there are any.
static void regress(const fit_floats x, const fit_floats weights, int count, int top, const minimum_sums *sums,
                    const float *low, const float *inverse, fit_integers values, float *scale, float *offset,
                    int32_t *found) {
    float first[FIT_LANES] = {0}, second[FIT_LANES] = {0}, cross[FIT_LANES] = {0};
    for (int i = 0; i < count; i++) {
        for (int s = 0; s < FIT_LANES; s++) {
            const int32_t value = fit_clamp(fit_nearest(inverse[s] * (x[i][s] - low[s])), 0, top);
            const float weighted = weights[i][s] * (float)value;
            values[i][s] = value;
            first[s] += weighted;
            second[s] += weighted * (float)value;
            cross[s] += weighted * x[i][s];
        }
    }
    for (int s = 0; s < FIT_LANES; s++) {
        const float determinant = sums->weight[s] * second[s] - first[s] * first[s];
        const float slope = (sums->weight[s] * cross[s] - sums->mean[s] * first[s]) / determinant;
        const float shift = (second[s] * sums->mean[s] - first[s] * cross[s]) / determinant;
        // An offset above zero cannot be stored.
        scale[s] = shift > 0 ? cross[s] / second[s] : slope;
        offset[s] = shift > 0 ? 0 : shift;
        found[s] = determinant > 0;
    }
}

void phalanx_fit_with_minimum(const fit_floats x, const fit_floats weights, int count, const fit_search *search,
                              fit_result *result) {
    minimum_sums sums;
    summarise(x, weights, count, &sums);
    float inverse[FIT_LANES], offset[FIT_LANES], best[FIT_LANES];
    for (int s = 0; s < FIT_LANES; s++) {
        inverse[s] = (float)search->top / (sums.high[s] - sums.low[s]);
        result->scales[s] = 1 / inverse[s];
        offset[s] = sums.low[s];
    }
    for (int i = 0; i < count; i++) {
        for (int s = 0; s < FIT_LANES; s++) {
            result->values[i][s] = fit_clamp(fit_nearest(inverse[s] * (x[i][s] - sums.low[s])), 0, search->top);
        }
    }
    grid_error(x, weights, count, search->absolute, result->values, result->scales, offset, best);
    for (int attempt = 0; attempt <= search->steps; attempt++) {
        fit_integers values;
        int32_t better[FIT_LANES];
        float scale[FIT_LANES], shift[FIT_LANES], error[FIT_LANES];
        for (int s = 0; s < FIT_LANES; s++) {
            const float stretched = search->first + search->step * (float)attempt + (float)search->top;
            // From the best offset so far on, not from the least element.
            inverse[s] = stretched / (sums.high[s] - offset[s]);
        }
        regress(x, weights, count, search->top, &sums, offset, inverse, values, scale, shift, better);
        grid_error(x, weights, count, search->absolute, values, scale, shift, error);
        for (int s = 0; s < FIT_LANES; s++) {
            better[s] = better[s] && error[s] < best[s];
            best[s] = better[s] ? error[s] : best[s];
            result->scales[s] = better[s] ? scale[s] : result->scales[s];
            offset[s] = better[s] ? shift[s] : offset[s];
        }
        for (int i = 0; i < count; i++) {
            for (int s = 0; s < FIT_LANES; s++) result->values[i][s] = better[s] ? values[i][s] : result->values[i][s];
        }
    }
    for (int s = 0; s < FIT_LANES; s++) {
        const int constant = sums.high[s] == sums.low[s];
        result->minimums[s] = constant ? -sums.low[s] : -offset[s];
        if (!constant) continue;
        result->scales[s] = 0;
        for (int i = 0; i < count; i++) result->values[i][s] = 0;
    }
}
