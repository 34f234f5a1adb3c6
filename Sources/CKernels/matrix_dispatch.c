#include "isa_table.h"
#include "matrix_table.h"

static phalanx_matrix_table tables[PHALANX_ISA_COUNT] = {
    [PHALANX_ISA_SCALAR] = {phalanx_scalar_quantize_block, phalanx_scalar_quantize, phalanx_scalar_multiply},
#if defined(__x86_64__)
    [PHALANX_ISA_AVX2] = {phalanx_avx2_quantize_block, phalanx_avx2_quantize, phalanx_avx2_multiply},
    [PHALANX_ISA_AVX_VNNI] = {.multiply = phalanx_avx_vnni_multiply},
    [PHALANX_ISA_AVX512] = {.multiply = phalanx_avx512_multiply},
#elif defined(__aarch64__)
    [PHALANX_ISA_NEON] = {phalanx_neon_quantize_block, phalanx_neon_quantize, phalanx_neon_multiply},
    [PHALANX_ISA_NEON_DOT] = {.multiply = phalanx_neon_dot_multiply},
    [PHALANX_ISA_NEON_I8MM] = {.multiply = phalanx_neon_i8mm_multiply},
#endif
};

// Before main, and read only from then on.
__attribute__((constructor)) static void fill(void) { phalanx_isa_fill(tables, sizeof tables[0]); }

const phalanx_matrix_table *phalanx_matrix_kernels(phalanx_isa isa) { return &tables[isa]; }
