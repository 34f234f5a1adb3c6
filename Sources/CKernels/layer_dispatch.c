#include "isa_table.h"
#include "layer_table.h"

#pragma STDC FP_CONTRACT OFF

static phalanx_layer_table tables[PHALANX_ISA_COUNT];

// Before main, and read only from then on.
__attribute__((constructor)) static void fill(void) {
    tables[PHALANX_ISA_SCALAR] = phalanx_layer_scalar;
#if defined(__x86_64__)
    tables[PHALANX_ISA_AVX2] = phalanx_layer_avx2;
    tables[PHALANX_ISA_AVX512] = phalanx_layer_avx512;
#elif defined(__aarch64__)
    tables[PHALANX_ISA_NEON] = phalanx_layer_neon;
#endif
    phalanx_isa_fill(tables, sizeof tables[0]);
}

const phalanx_layer_table *phalanx_layer_current(void) { return &tables[phalanx_isa_current()]; }

void phalanx_rms_norm(float *out, const float *x, const float *weight, size_t count, float epsilon) {
    phalanx_layer_current()->rms_norm(out, x, weight, count, epsilon);
}

void phalanx_add(float *x, const float *y, size_t count) { phalanx_layer_current()->add(x, y, count); }

void phalanx_silu_gate(float *out, const float *gate, const float *up, size_t count) {
    phalanx_layer_current()->silu_gate(out, gate, up, count);
}

void phalanx_rope_rotate(float *x, const float *cosine, const float *sine, size_t half_count, size_t head_count,
                         size_t head_dim) {
    phalanx_layer_current()->rope_rotate(x, cosine, sine, half_count, head_count, head_dim);
}

void phalanx_half_from_float(uint16_t *out, const float *x, size_t count) {
    phalanx_layer_current()->half_from_float(out, x, count);
}

void phalanx_float_from_half(float *out, const uint16_t *x, size_t count) {
    phalanx_layer_current()->float_from_half(out, x, count);
}

float phalanx_max(const float *x, size_t count) { return phalanx_layer_current()->max(x, count); }

size_t phalanx_argmax(const float *x, size_t count) {
    const float largest = phalanx_max(x, count);
    for (size_t i = 0; i < count; i++) {
        if (x[i] == largest) return i;
    }
    return 0; // nothing but NaN
}

double phalanx_exp_sum(float *out, const float *x, size_t count, float shift) {
    const phalanx_layer_table *table = phalanx_layer_current();
    double sum = 0.0;
    for (size_t start = 0; start < count; start += PHALANX_EXP_SUM_SEGMENT) {
        const size_t rest = count - start;
        const size_t length = rest < PHALANX_EXP_SUM_SEGMENT ? rest : PHALANX_EXP_SUM_SEGMENT;
        sum += (double)table->exp_sum_segment(out == NULL ? NULL : out + start, x + start, length, shift);
    }
    return sum;
}
