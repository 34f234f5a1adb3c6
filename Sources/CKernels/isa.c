#include "isa_table.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

static const char *const names[PHALANX_ISA_COUNT] = {
    [PHALANX_ISA_SCALAR] = "scalar",
    [PHALANX_ISA_AVX2] = "avx2",
    [PHALANX_ISA_AVX_VNNI] = "avxvnni",
    [PHALANX_ISA_AVX512] = "avx512",
    [PHALANX_ISA_NEON] = "neon",
    [PHALANX_ISA_NEON_DOT] = "neondot",
    [PHALANX_ISA_NEON_I8MM] = "neoni8mm",
};

static const phalanx_isa lower[PHALANX_ISA_COUNT] = {
    [PHALANX_ISA_SCALAR] = PHALANX_ISA_SCALAR,
    [PHALANX_ISA_AVX2] = PHALANX_ISA_SCALAR,
    [PHALANX_ISA_AVX_VNNI] = PHALANX_ISA_AVX2,
    [PHALANX_ISA_AVX512] = PHALANX_ISA_AVX2, // many processors with AVX-512 lack the 256-bit form of its dot products
    [PHALANX_ISA_NEON] = PHALANX_ISA_SCALAR,
    [PHALANX_ISA_NEON_DOT] = PHALANX_ISA_NEON,
    [PHALANX_ISA_NEON_I8MM] = PHALANX_ISA_NEON_DOT,
};

const char *phalanx_isa_name(phalanx_isa isa) {
    return (unsigned)isa < PHALANX_ISA_COUNT ? names[isa] : NULL;
}

bool phalanx_isa_named(const char *name, phalanx_isa *isa) {
    for (unsigned candidate = 0; candidate < PHALANX_ISA_COUNT; candidate++) {
        if (strcmp(name, names[candidate]) == 0) {
            *isa = (phalanx_isa)candidate;
            return true;
        }
    }
    return false;
}

phalanx_isa phalanx_isa_lower(phalanx_isa isa) { return lower[isa]; }

void phalanx_isa_fill(void *tables, size_t table_bytes) {
    char *bytes = tables;
    void (*function)(void);
    for (size_t isa = 0; isa < PHALANX_ISA_COUNT; isa++) { // a lower one comes first
        for (size_t at = 0; at < table_bytes; at += sizeof function) {
            memcpy(&function, bytes + isa * table_bytes + at, sizeof function);
            if (function != NULL) continue;
            memcpy(bytes + isa * table_bytes + at, bytes + lower[isa] * table_bytes + at, sizeof function);
        }
    }
}

#if defined(__x86_64__)

// The register states that the operating system saves (XCR0).
static uint64_t saved_states(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((uint64_t)high << 32) | low;
}

// cpuid by hand, not __builtin_cpu_supports: that needs a symbol of the compiler's run-time library.
static bool has_avx2(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return false;
    const unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29;
    const unsigned wanted = fma | osxsave | avx | f16c;
    if ((c & wanted) != wanted) return false;
    if ((saved_states() & 0x6) != 0x6) return false; // xmm and ymm
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    return (b & (1u << 5)) != 0;
}

static bool has_avx_vnni(void) {
    unsigned a, b, c, d;
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & (1u << 4)) != 0;
}

static bool has_avx512(void) {
    unsigned a, b, c, d;
    if (!has_avx2() || (saved_states() & 0xe6) != 0xe6) return false; // and the mask and zmm registers
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    const unsigned foundation = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31;
    const unsigned wanted = foundation | dq | bw | vl;
    return (b & wanted) == wanted && (c & (1u << 11)) != 0;
}

#endif

// Bit i for instruction set i.
static unsigned detect(void) {
    unsigned found = 1u << PHALANX_ISA_SCALAR;
#if defined(__x86_64__)
    if (has_avx2()) found |= 1u << PHALANX_ISA_AVX2;
    if (has_avx_vnni()) found |= 1u << PHALANX_ISA_AVX_VNNI;
    if (has_avx512()) found |= 1u << PHALANX_ISA_AVX512;
#elif defined(__aarch64__)
    found |= 1u << PHALANX_ISA_NEON;
#if defined(__linux__)
    // Bits of the kernel's uapi/asm/hwcap.h, which older headers of the C library lack.
    const bool has_dot = (getauxval(AT_HWCAP) >> 20 & 1) != 0, has_i8mm = (getauxval(AT_HWCAP2) >> 13 & 1) != 0;
    if (has_dot) found |= 1u << PHALANX_ISA_NEON_DOT;
    if (has_dot && has_i8mm) found |= 1u << PHALANX_ISA_NEON_I8MM;
#endif
#endif
    return found;
}

bool phalanx_isa_available(phalanx_isa isa) {
    // Asked once: cpuid leaves a virtual machine, which takes microseconds. 0 means not asked yet.
    static atomic_uint available;
    unsigned found = atomic_load_explicit(&available, memory_order_relaxed);
    if (found == 0) {
        found = detect();
        atomic_store_explicit(&available, found, memory_order_relaxed);
    }
    return (unsigned)isa < PHALANX_ISA_COUNT && (found >> isa & 1) != 0;
}

phalanx_isa phalanx_isa_best(void) {
    phalanx_isa best = PHALANX_ISA_SCALAR;
    for (unsigned isa = 0; isa < PHALANX_ISA_COUNT; isa++) {
        if (phalanx_isa_available((phalanx_isa)isa)) best = (phalanx_isa)isa;
    }
    return best;
}

const char *phalanx_isa_environment(void) { return getenv("PHALANX_ISA"); }

bool phalanx_isa_wanted(const char *wanted, phalanx_isa *isa) {
    *isa = phalanx_isa_best();
    if (wanted == NULL || wanted[0] == '\0') return true;
    phalanx_isa named;
    if (!phalanx_isa_named(wanted, &named) || !phalanx_isa_available(named)) return false;
    *isa = named;
    return true;
}

// -1 until the first use.
static atomic_int chosen = -1;

phalanx_isa phalanx_isa_current(void) {
    int isa = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (isa >= 0) return (phalanx_isa)isa;
    phalanx_isa first;
    const bool understood = phalanx_isa_wanted(phalanx_isa_environment(), &first);
    int unset = -1;
    if (!atomic_compare_exchange_strong(&chosen, &unset, (int)first)) return (phalanx_isa)unset;
    if (!understood) {
        fprintf(stderr, "phalanx: PHALANX_ISA=%s is unknown or not available on this machine; using %s. Known:",
                phalanx_isa_environment(), names[first]);
        for (unsigned candidate = 0; candidate < PHALANX_ISA_COUNT; candidate++) {
            fprintf(stderr, " %s%s", names[candidate],
                    phalanx_isa_available((phalanx_isa)candidate) ? "" : " (not on this machine)");
        }
        fprintf(stderr, "\n");
    }
    return first;
}

bool phalanx_isa_use(phalanx_isa isa) {
    if (!phalanx_isa_available(isa)) return false;
    atomic_store_explicit(&chosen, (int)isa, memory_order_relaxed);
    return true;
}
