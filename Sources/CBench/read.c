// Reading memory as fast as the machine can.
//
// Loads are single instructions of inline assembly: a compiler that sees nothing in them can neither drop nor merge
// them, and the loop around them costs a few cycles per 256 bytes.

#include "CBench.h"

enum { LINE = 64, STEP = 4 * LINE };

static const cbench_read_pattern patterns[] = {
    {1, 0}, {1, 1024}, {1, 4096}, {2, 0}, {2, 1024}, {2, 4096}, {4, 0}, {4, 1024}, {4, 4096}, {8, 0}, {8, 1024}, {16, 0},
};

size_t cbench_read_pattern_count(void) { return sizeof patterns / sizeof patterns[0]; }

cbench_read_pattern cbench_read_pattern_at(size_t index) { return patterns[index]; }

// A line as a memory operand, so that the instruction reads exactly what the compiler knows of.
typedef struct line {
    uint8_t bytes[LINE];
} line;

#define AS_LINE(p) (*(const line *)(p))
#define AS_HALF(p, half) (*(const uint8_t(*)[32])((p) + 32 * (half)))
#define AS_QUARTER(p, quarter) (*(const uint8_t(*)[16])((p) + 16 * (quarter)))

// The walk: in each stream in turn, 4 lines are loaded. `part` bytes belong to a stream, a multiple of STEP.
// Asking for lines beyond the end is harmless: a prefetch never faults.
#define DEFINE_WALK(NAME, TARGET, LOAD)                                                                                \
    TARGET static void NAME(const uint8_t *start, size_t part, size_t stream_count, size_t prefetch_bytes) {           \
        for (size_t offset = 0; offset < part; offset += STEP) {                                                       \
            for (size_t stream = 0; stream < stream_count; stream++) {                                                 \
                const uint8_t *p = start + stream * part + offset;                                                     \
                if (prefetch_bytes != 0) {                                                                             \
                    __builtin_prefetch(p + prefetch_bytes);                                                            \
                    __builtin_prefetch(p + prefetch_bytes + LINE);                                                     \
                    __builtin_prefetch(p + prefetch_bytes + 2 * LINE);                                                 \
                    __builtin_prefetch(p + prefetch_bytes + 3 * LINE);                                                 \
                }                                                                                                      \
                LOAD(p);                                                                                               \
                LOAD(p + LINE);                                                                                        \
                LOAD(p + 2 * LINE);                                                                                    \
                LOAD(p + 3 * LINE);                                                                                    \
            }                                                                                                          \
        }                                                                                                              \
    }

#if defined(__x86_64__)

#define LOAD_512(p) __asm__ volatile("vmovdqa64 %0, %%zmm0" : : "m"(AS_LINE(p)) : "zmm0")
#define LOAD_256(p)                                                                                                    \
    __asm__ volatile("vmovdqa %0, %%ymm0\n\tvmovdqa %1, %%ymm1" : : "m"(AS_HALF(p, 0)), "m"(AS_HALF(p, 1)) : "ymm0",   \
                     "ymm1")
#define LOAD_128(p)                                                                                                    \
    __asm__ volatile("movdqa %0, %%xmm0\n\tmovdqa %1, %%xmm1\n\tmovdqa %2, %%xmm2\n\tmovdqa %3, %%xmm3"                \
                     :                                                                                                 \
                     : "m"(AS_QUARTER(p, 0)), "m"(AS_QUARTER(p, 1)), "m"(AS_QUARTER(p, 2)), "m"(AS_QUARTER(p, 3))      \
                     : "xmm0", "xmm1", "xmm2", "xmm3")

DEFINE_WALK(walk_avx512, __attribute__((target("avx512f"))), LOAD_512)
DEFINE_WALK(walk_avx2, __attribute__((target("avx2"))), LOAD_256)
DEFINE_WALK(walk_baseline, , LOAD_128)

#elif defined(__aarch64__)

#define LOAD_128(p)                                                                                                    \
    __asm__ volatile("ldp q0, q1, [%0]\n\tldp q2, q3, [%0, #32]" : : "r"(p), "m"(AS_LINE(p)) : "v0", "v1", "v2", "v3")

DEFINE_WALK(walk_baseline, , LOAD_128)

#else

#define LOAD_64(p)                                                                                                     \
    do {                                                                                                               \
        const volatile uint64_t *words = (const volatile uint64_t *)(p);                                               \
        for (int word = 0; word < LINE / 8; word++) (void)words[word];                                                 \
    } while (0)

DEFINE_WALK(walk_baseline, , LOAD_64)

#endif

size_t cbench_read(cbench_width width, cbench_read_pattern pattern, const void *start, size_t byte_count) {
    const size_t stream_count = pattern.stream_count == 0 ? 1 : pattern.stream_count;
    const size_t part = byte_count / stream_count / STEP * STEP;
    switch (width) {
#if defined(__x86_64__)
    case CBENCH_WIDTH_AVX512: walk_avx512(start, part, stream_count, pattern.prefetch_bytes); break;
    case CBENCH_WIDTH_AVX2: walk_avx2(start, part, stream_count, pattern.prefetch_bytes); break;
#endif
    default: walk_baseline(start, part, stream_count, pattern.prefetch_bytes); break;
    }
    return part * stream_count;
}
