// Matrix products with the NEON of ARMv8.0.
#if defined(__aarch64__)

#define NEON_HAS_DOT 0
#define NEON_HAS_I8MM 0
#define NEON_MULTIPLY phalanx_neon_multiply

#include "matrix_neon_body.h"

#endif
