// Multiplying and adding as fast as the machine can: independent chains in registers.
//
// A whole loop is one piece of inline assembly with registers by name. Compilers put copies between intrinsics whose
// result is also an operand, which can halve the figure, and a limit that is too low is none.

#include "CBench.h"

#include <string.h>

// One loop: what it stands for, and the multiply-adds of a round.
typedef struct multiplier {
    const char *isa;
    cbench_number number;
    uint32_t round_size;
    void (*run)(uint64_t rounds);
} multiplier;

// The same text for registers 0 to 7, and so on.
#define TIMES_8(A, B) A "0" B A "1" B A "2" B A "3" B A "4" B A "5" B A "6" B A "7" B
#define TIMES_12(A, B) TIMES_8(A, B) A "8" B A "9" B A "10" B A "11" B
#define TIMES_16(A, B) TIMES_12(A, B) A "12" B A "13" B A "14" B A "15" B
#define TIMES_24(A, B) TIMES_16(A, B) A "16" B A "17" B A "18" B A "19" B A "20" B A "21" B A "22" B A "23" B

#if defined(__x86_64__)

#define LOOP(BODY) ".p2align 6\n1:\n\t" BODY "decq %0\n\tjnz 1b\n\t"

#define LOW_REGISTERS                                                                                                  \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",         \
        "xmm13", "xmm14", "xmm15", "cc"
#define HIGH_REGISTERS                                                                                                 \
    "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27",        \
        "xmm28", "xmm29", "xmm30", "xmm31"

// Sums start at zero, so that floats never meet subnormals or NaN; operands are all ones or zero.
#define DEFINE_AVX512(NAME, BODY)                                                                                      \
    __attribute__((target("avx512f,avx512vl,avx512bw,avx512vnni"))) static void NAME(uint64_t rounds) {                \
        __asm__ volatile(TIMES_24("vpxord %%zmm31, %%zmm31, %%zmm", "\n\t")                                            \
                             "vpternlogd $255, %%zmm31, %%zmm31, %%zmm31\n\tvpxord %%zmm30, %%zmm30, %%zmm30\n\t"      \
                         LOOP(BODY)                                                                                    \
                         : "+r"(rounds)                                                                                \
                         :                                                                                             \
                         : LOW_REGISTERS, HIGH_REGISTERS);                                                             \
    }

DEFINE_AVX512(int8_avx512_12, TIMES_12("vpdpbusd %%zmm30, %%zmm31, %%zmm", "\n\t"))
DEFINE_AVX512(int8_avx512_16, TIMES_16("vpdpbusd %%zmm30, %%zmm31, %%zmm", "\n\t"))
DEFINE_AVX512(int8_avx512_24, TIMES_24("vpdpbusd %%zmm30, %%zmm31, %%zmm", "\n\t"))
DEFINE_AVX512(int8_avx512_24_half, TIMES_24("vpdpbusd %%ymm30, %%ymm31, %%ymm", "\n\t"))
DEFINE_AVX512(float_avx512_12, TIMES_12("vfmadd231ps %%zmm30, %%zmm30, %%zmm", "\n\t"))
DEFINE_AVX512(float_avx512_24, TIMES_24("vfmadd231ps %%zmm30, %%zmm30, %%zmm", "\n\t"))
DEFINE_AVX512(float_avx512_24_half, TIMES_24("vfmadd231ps %%ymm30, %%ymm30, %%ymm", "\n\t"))

#define DEFINE_AVX2(NAME, TARGET, BODY)                                                                                \
    __attribute__((target(TARGET))) static void NAME(uint64_t rounds) {                                                \
        __asm__ volatile(TIMES_16("vpxor %%ymm15, %%ymm15, %%ymm", "\n\t")                                             \
                             "vpcmpeqd %%ymm14, %%ymm14, %%ymm14\n\tvpabsw %%ymm14, %%ymm13\n\t" LOOP(BODY)            \
                         : "+r"(rounds)                                                                                \
                         :                                                                                             \
                         : LOW_REGISTERS);                                                                             \
    }

DEFINE_AVX2(int8_avxvnni_8, "avx2,avxvnni", TIMES_8("%{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm", "\n\t"))
DEFINE_AVX2(int8_avxvnni_12, "avx2,avxvnni", TIMES_12("%{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm", "\n\t"))

// Exact for all bytes: products of pairs, pairs of pairs, sum.
#define EXACT(T, S)                                                                                                    \
    "vpmaddubsw %%ymm15, %%ymm14, %%ymm" T "\n\tvpmaddwd %%ymm" T ", %%ymm13, %%ymm" T "\n\tvpaddd %%ymm" T            \
    ", %%ymm" S ", %%ymm" S "\n\t"
DEFINE_AVX2(int8_avx2_exact, "avx2",
            EXACT("0", "6") EXACT("1", "7") EXACT("2", "8") EXACT("3", "9") EXACT("4", "10") EXACT("5", "11"))

// As narrow weights allow: eight products are summed in 16 bits before they are widened.
#define NARROW(T, S)                                                                                                   \
    "vpmaddubsw %%ymm15, %%ymm14, %%ymm" T "\n\tvpaddw %%ymm" T ", %%ymm" S ", %%ymm" S "\n\t"
DEFINE_AVX2(int8_avx2_narrow, "avx2",
            NARROW("0", "4") NARROW("1", "5") NARROW("2", "6") NARROW("3", "7") NARROW("0", "8") NARROW("1", "9")
                NARROW("2", "4") NARROW("3", "5") "vpmaddwd %%ymm4, %%ymm13, %%ymm12\n\t"
                                                  "vpaddd %%ymm12, %%ymm11, %%ymm11\n\t")

DEFINE_AVX2(float_avx2_8, "avx2,fma", TIMES_8("vfmadd231ps %%ymm15, %%ymm15, %%ymm", "\n\t"))
DEFINE_AVX2(float_avx2_12, "avx2,fma", TIMES_12("vfmadd231ps %%ymm15, %%ymm15, %%ymm", "\n\t"))

// What a compiler may make of plain C: SSE2.
#define PAIRS(T, S) "movdqa %%xmm14, %%xmm" T "\n\tpmaddwd %%xmm15, %%xmm" T "\n\tpaddd %%xmm" T ", %%xmm" S "\n\t"
#define FLOATS(T, S) "movaps %%xmm15, %%xmm" T "\n\tmulps %%xmm15, %%xmm" T "\n\taddps %%xmm" T ", %%xmm" S "\n\t"
#define SIX(X) X("0", "6") X("1", "7") X("2", "8") X("3", "9") X("4", "10") X("5", "11")
#define DEFINE_SSE2(NAME, BODY)                                                                                        \
    static void NAME(uint64_t rounds) {                                                                                \
        __asm__ volatile(TIMES_12("pxor %%xmm15, %%xmm15\n\tmovdqa %%xmm15, %%xmm", "\n\t")                            \
                             "pcmpeqd %%xmm14, %%xmm14\n\t" LOOP(BODY)                                                 \
                         : "+r"(rounds)                                                                                \
                         :                                                                                             \
                         : LOW_REGISTERS);                                                                             \
    }

DEFINE_SSE2(int8_scalar, SIX(PAIRS))
DEFINE_SSE2(float_scalar, SIX(FLOATS))

static const multiplier multipliers[] = {
    {"avx512", CBENCH_INT8, 12 * 64, int8_avx512_12},
    {"avx512", CBENCH_INT8, 16 * 64, int8_avx512_16},
    {"avx512", CBENCH_INT8, 24 * 64, int8_avx512_24},
    {"avx512", CBENCH_INT8, 24 * 32, int8_avx512_24_half},
    {"avx512", CBENCH_FLOAT32, 12 * 16, float_avx512_12},
    {"avx512", CBENCH_FLOAT32, 24 * 16, float_avx512_24},
    {"avx512", CBENCH_FLOAT32, 24 * 8, float_avx512_24_half},
    {"avxvnni", CBENCH_INT8, 8 * 32, int8_avxvnni_8},
    {"avxvnni", CBENCH_INT8, 12 * 32, int8_avxvnni_12},
    {"avxvnni", CBENCH_FLOAT32, 8 * 8, float_avx2_8},
    {"avxvnni", CBENCH_FLOAT32, 12 * 8, float_avx2_12},
    {"avx2", CBENCH_INT8, 6 * 32, int8_avx2_exact},
    {"avx2", CBENCH_INT8, 8 * 32, int8_avx2_narrow},
    {"avx2", CBENCH_FLOAT32, 8 * 8, float_avx2_8},
    {"avx2", CBENCH_FLOAT32, 12 * 8, float_avx2_12},
    {"scalar", CBENCH_INT8, 6 * 8, int8_scalar},
    {"scalar", CBENCH_FLOAT32, 6 * 4, float_scalar},
};

#elif defined(__aarch64__)

#define LOOP(BODY) ".p2align 6\n1:\n\t" BODY "subs %0, %0, #1\n\tb.ne 1b\n\t"

#define REGISTERS                                                                                                      \
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16",       \
        "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v30", "v31", "cc"

#define DEFINE_NEON(NAME, EXTENSION, BODY)                                                                             \
    static void NAME(uint64_t rounds) {                                                                                \
        __asm__ volatile(EXTENSION TIMES_24("movi v", ".16b, #0\n\t") "movi v30.16b, #1\n\tmovi v31.16b, #0\n\t"       \
                         LOOP(BODY)                                                                                    \
                         : "+r"(rounds)                                                                                \
                         :                                                                                             \
                         : REGISTERS);                                                                                 \
    }

DEFINE_NEON(int8_dot, ".arch_extension dotprod\n\t", TIMES_24("sdot v", ".4s, v30.16b, v31.16b\n\t"))
DEFINE_NEON(int8_matrix, ".arch_extension i8mm\n\t", TIMES_24("smmla v", ".4s, v30.16b, v31.16b\n\t"))
DEFINE_NEON(int8_long, "", TIMES_24("smlal v", ".8h, v30.8b, v31.8b\n\t"))
DEFINE_NEON(float_neon, "", TIMES_24("fmla v", ".4s, v31.4s, v31.4s\n\t"))

static const multiplier multipliers[] = {
    {"neoni8mm", CBENCH_INT8, 24 * 32, int8_matrix},
    {"neoni8mm", CBENCH_INT8, 24 * 16, int8_dot},
    {"neoni8mm", CBENCH_FLOAT32, 24 * 4, float_neon},
    {"neondot", CBENCH_INT8, 24 * 16, int8_dot},
    {"neondot", CBENCH_FLOAT32, 24 * 4, float_neon},
    {"neon", CBENCH_INT8, 24 * 8, int8_long},
    {"neon", CBENCH_FLOAT32, 24 * 4, float_neon},
    {"scalar", CBENCH_INT8, 24 * 8, int8_long},
    {"scalar", CBENCH_FLOAT32, 24 * 4, float_neon},
};

#else

// Four sums that no compiler can foresee, since it must take each as changed after every round.
#define DEFINE_PLAIN(NAME, TYPE, CONSTRAINT)                                                                           \
    static void NAME(uint64_t rounds) {                                                                                \
        TYPE a = 0, b = 0, c = 0, d = 0, x = 1, y = 1;                                                                 \
        for (; rounds != 0; rounds--) {                                                                                \
            a += x * y, b += x * y, c += x * y, d += x * y;                                                            \
            __asm__ volatile("" : CONSTRAINT(a), CONSTRAINT(b), CONSTRAINT(c), CONSTRAINT(d), CONSTRAINT(x));          \
        }                                                                                                              \
    }

DEFINE_PLAIN(int8_scalar, int32_t, "+r")
DEFINE_PLAIN(float_scalar, float, "+m")

static const multiplier multipliers[] = {
    {"scalar", CBENCH_INT8, 4, int8_scalar},
    {"scalar", CBENCH_FLOAT32, 4, float_scalar},
};

#endif

// The loop with that number among those of an instruction set; null when there are fewer. Counts them in *found.
static const multiplier *find(const char *isa, cbench_number number, size_t index, size_t *found) {
    *found = 0;
    for (size_t i = 0; i < sizeof multipliers / sizeof multipliers[0]; i++) {
        const multiplier *candidate = &multipliers[i];
        if (candidate->number != number || strcmp(candidate->isa, isa) != 0) continue;
        if ((*found)++ == index) return candidate;
    }
    return NULL;
}

size_t cbench_multiplier_count(const char *isa, cbench_number number) {
    size_t count;
    find(isa, number, SIZE_MAX, &count);
    return count;
}

uint64_t cbench_multiply(const char *isa, cbench_number number, size_t index, uint64_t rounds) {
    size_t found;
    const multiplier *chosen = find(isa, number, index, &found);
    if (chosen == NULL || rounds == 0) return 0;
    chosen->run(rounds);
    return rounds * chosen->round_size;
}
