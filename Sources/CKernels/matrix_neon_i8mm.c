// Matrix products with NEON and its integer matrix products.
#if defined(__aarch64__)

#define NEON_HAS_DOT 1
#define NEON_HAS_I8MM 1
#define NEON_MULTIPLY phalanx_neon_i8mm_multiply
#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to = function)

#include "matrix_neon_body.h"

#pragma clang attribute pop

#endif
