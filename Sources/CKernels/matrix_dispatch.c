#include "matrix_table.h"

static const phalanx_matrix_table tables[PHALANX_ISA_COUNT] = {
    [PHALANX_ISA_SCALAR] = {phalanx_scalar_quantize, phalanx_scalar_multiply},
#if defined(__x86_64__)
    [PHALANX_ISA_AVX2] = {phalanx_avx2_quantize, phalanx_avx2_multiply},
    [PHALANX_ISA_AVX512] = {phalanx_avx2_quantize, phalanx_avx512_multiply},
#endif
};

const phalanx_matrix_table *phalanx_matrix_kernels(phalanx_isa isa) {
    return &tables[tables[isa].multiply != NULL ? isa : PHALANX_ISA_SCALAR];
}
