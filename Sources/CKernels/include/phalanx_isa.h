// Instruction sets: what this machine has, and which one the kernels use.
//
// Every kernel has a scalar definition; each SIMD version equals it bit for bit, so the choice changes speed only.
// A table of functions exists per instruction set; an entry without code of its own is that of the next lower one.
#ifndef PHALANX_ISA_H
#define PHALANX_ISA_H

#include <stdbool.h>

// Within a family in ascending order of speed.
typedef enum phalanx_isa {
    PHALANX_ISA_SCALAR = 0,
    PHALANX_ISA_AVX2,      // with FMA and F16C
    PHALANX_ISA_AVX_VNNI,  // AVX2 and the 256-bit integer dot products of AVX-VNNI
    PHALANX_ISA_AVX512,    // F, BW, VL, DQ and VNNI
    PHALANX_ISA_NEON,      // ARMv8.0
    PHALANX_ISA_NEON_DOT,  // and its integer dot products (dotprod)
    PHALANX_ISA_NEON_I8MM, // and its integer matrix products (i8mm)
} phalanx_isa;

enum { PHALANX_ISA_COUNT = 7 };

// "scalar", "avx2", "avxvnni", "avx512", "neon", "neondot", "neoni8mm"; NULL for a value outside the enumeration.
const char *phalanx_isa_name(phalanx_isa isa);

// The instruction set of that name; false (and *isa untouched) when there is none.
bool phalanx_isa_named(const char *name, phalanx_isa *isa);

// Whether this build has kernels for it and this machine (processor and operating system) can run them.
bool phalanx_isa_available(phalanx_isa isa);

// The next lower one of its family, which runs wherever this one does; scalar is below all and below itself.
phalanx_isa phalanx_isa_lower(phalanx_isa isa);

// The fastest available one.
phalanx_isa phalanx_isa_best(void);

// The value of the environment variable PHALANX_ISA; NULL when it is unset.
const char *phalanx_isa_environment(void);

// What such a value asks for: true and the instruction set (the best one for NULL or ""); false, with *isa = the best
// one, when the value is unknown or not available here.
bool phalanx_isa_wanted(const char *value, phalanx_isa *isa);

// The one in use. Chosen at the first call from PHALANX_ISA (a bad value is reported once on standard error and the
// best one is used; check phalanx_isa_wanted at start to make it a proper error), or by phalanx_isa_use.
phalanx_isa phalanx_isa_current(void);

// Uses another one from now on, in all threads; false, with no change, when it is not available here.
bool phalanx_isa_use(phalanx_isa isa);

#endif
