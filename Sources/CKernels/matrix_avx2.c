// Matrix products with AVX2, FMA and F16C.
#if defined(__x86_64__)

#define AVX2_HAS_VNNI 0
#define AVX2_MULTIPLY phalanx_avx2_multiply
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "matrix_avx2_body.h"

#pragma clang attribute pop

#endif
