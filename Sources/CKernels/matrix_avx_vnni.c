// Matrix products with AVX2, FMA, F16C and the 256-bit integer dot products of AVX-VNNI.
#if defined(__x86_64__)

#define AVX2_HAS_VNNI 1
#define AVX2_MULTIPLY phalanx_avx_vnni_multiply
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)

#include "matrix_avx2_body.h"

#pragma clang attribute pop

#endif
