// Probes of what a machine can do at most: how fast it reads memory, and how fast it multiplies and adds.
//
// Each probe is a loop for one thread; the caller runs it on all threads at once and takes the time. A probe for an
// instruction set may be called only where the machine has that instruction set.
#ifndef CBENCH_H
#define CBENCH_H

#include <stddef.h>
#include <stdint.h>

// ---- Reading --------------------------------------------------------------------------------------------------------

// How wide one load is.
typedef enum cbench_width {
    CBENCH_WIDTH_BASELINE = 0, // what every machine of this architecture has
    CBENCH_WIDTH_AVX2 = 1,
    CBENCH_WIDTH_AVX512 = 2,
} cbench_width;

// One way to walk through memory.
typedef struct cbench_read_pattern {
    uint32_t stream_count;   // places at which the range is read in turn, as far apart as possible
    uint32_t prefetch_bytes; // how far ahead lines are asked for; 0: not at all
} cbench_read_pattern;

// The patterns worth trying; which one is fastest differs between machines.
size_t cbench_read_pattern_count(void);
cbench_read_pattern cbench_read_pattern_at(size_t index);

// Loads bytes from start on, which is 64-byte aligned, and returns how many: byte_count, less a rest that does not make
// a piece of 256 bytes in each stream.
size_t cbench_read(cbench_width width, cbench_read_pattern pattern, const void *start, size_t byte_count);

// ---- Multiplying and adding -----------------------------------------------------------------------------------------

typedef enum cbench_number {
    CBENCH_INT8 = 0,    // 8-bit integers into 32-bit sums
    CBENCH_FLOAT32 = 1, // fused multiply-adds of single precision
} cbench_number;

// Loops that stand for an instruction set, which is named as in PHALANX_ISA; 0 for a name or a kind of number without
// one. Several loops interleave their operations differently; the fastest counts.
size_t cbench_multiplier_count(const char *isa, cbench_number number);

// Runs a loop (index below the count) so many rounds, in registers only, and returns the multiply-adds that were done.
uint64_t cbench_multiply(const char *isa, cbench_number number, size_t index, uint64_t rounds);

#endif
