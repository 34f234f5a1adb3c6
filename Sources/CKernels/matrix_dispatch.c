#include "matrix_table.h"

static const phalanx_matrix_table scalar = {phalanx_scalar_quantize, phalanx_scalar_multiply};

const phalanx_matrix_table *phalanx_matrix_kernels(phalanx_isa isa) {
    switch (isa) {
    case PHALANX_ISA_SCALAR:
        return &scalar;
    case PHALANX_ISA_AVX2:
        return &scalar; // the AVX2 kernels are not in yet
    }
    return &scalar;
}
