// Seeded cases for the kernels, the same on every machine: whole numbers from one generator, floats made of their bits.
//
// A case computes something once per instruction set. The scalar result is the expected one and goes into the case's
// hash, by which machines of different architectures are compared; every other result must equal it byte for byte.
#ifndef KERNELS_SUITE_H
#define KERNELS_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "phalanx_kernels.h"

typedef struct suite_case {
    const char *family;
    unsigned index;  // within the family
    uint64_t random; // the generator's state
    uint64_t hash;   // of all scalar results
    char shape[200]; // what is computed, for a person
    char fault[200]; // empty while all is well
} suite_case;

// ---- Random numbers -------------------------------------------------------------------------------------------------

uint64_t suite_next(suite_case *some);

// In first ... last.
size_t suite_between(suite_case *some, size_t first, size_t last);

// One in so many.
bool suite_chance(suite_case *some, unsigned among);

// Exact multiples of 2^-20 of the limit, which is a power of two: -limit ..< limit.
float suite_float(suite_case *some, float limit);

// What rows of numbers look like.
typedef enum suite_numbers {
    SUITE_ORDINARY,  // mostly below 1, a few up to 40
    SUITE_EQUAL,     // one magnitude, both signs
    SUITE_WIDE,      // any finite bits, subnormals included
    SUITE_SUBNORMAL, // subnormals and zeros of both signs
    SUITE_EXTREME,   // the largest finite numbers, zeros and ones
    SUITE_SPECIAL,   // ordinary ones, with an infinity or a NaN in places
} suite_numbers;

enum { SUITE_NUMBERS_COUNT = 6 };

const char *suite_numbers_name(suite_numbers kind);
void suite_fill(suite_case *some, suite_numbers kind, float *x, size_t count);

// ---- Memory and results ---------------------------------------------------------------------------------------------

// Memory until the end of the case, 64-byte aligned plus offset bytes, between guard bytes.
void *suite_memory(suite_case *some, size_t byte_count, size_t offset);

// Gives all NaNs one pattern: what a NaN's sign and payload are differs between architectures.
void suite_one_nan(float *x, size_t count);

// The result of a case on one instruction set; scalar comes first. unit: bytes per element, for messages. False, and
// the case has a fault, when the result is another one than the scalar one, or a guard byte was overwritten.
bool suite_result(suite_case *some, phalanx_isa isa, const void *bytes, size_t byte_count, size_t unit);

// Something that is the same code on all instruction sets: into the hash only.
void suite_hash(suite_case *some, const void *bytes, size_t byte_count);

// For each instruction set that this machine has, the scalar one first: uses it in all kernels.
#define SUITE_EACH_ISA(isa)                                                                                            \
    for (phalanx_isa isa = PHALANX_ISA_SCALAR; isa < PHALANX_ISA_COUNT; isa++)                                         \
        if (phalanx_isa_use(isa))

// ---- Families -------------------------------------------------------------------------------------------------------

void suite_matrix_case(suite_case *some);
void suite_quantize_case(suite_case *some);
void suite_layer_case(suite_case *some);
void suite_function_case(suite_case *some);
void suite_attention_case(suite_case *some);

#endif
