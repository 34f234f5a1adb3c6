#include "matrix_table.h"

static const phalanx_matrix_table scalar = {phalanx_scalar_quantize, phalanx_scalar_multiply};

#if defined(__x86_64__)
static const phalanx_matrix_table avx2 = {phalanx_avx2_quantize, phalanx_avx2_multiply};
#endif

const phalanx_matrix_table *phalanx_matrix_kernels(phalanx_isa isa) {
    switch (isa) {
    case PHALANX_ISA_SCALAR:
        return &scalar;
    case PHALANX_ISA_AVX2:
#if defined(__x86_64__)
        return &avx2;
#else
        return &scalar;
#endif
    }
    return &scalar;
}
