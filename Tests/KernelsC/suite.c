#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- Random numbers -------------------------------------------------------------------------------------------------

// SplitMix64.
uint64_t suite_next(suite_case *some) {
    some->random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = some->random;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

size_t suite_between(suite_case *some, size_t first, size_t last) {
    return first + (size_t)(suite_next(some) % (last - first + 1));
}

bool suite_chance(suite_case *some, unsigned among) { return suite_next(some) % among == 0; }

float suite_float(suite_case *some, float limit) {
    const int32_t step = (int32_t)(suite_next(some) >> 43) - (1 << 20);
    return (float)step * 0x1p-20f * limit;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

const char *suite_numbers_name(suite_numbers kind) {
    static const char *const names[SUITE_NUMBERS_COUNT] = {
        [SUITE_ORDINARY] = "ordinary",   [SUITE_EQUAL] = "equal",     [SUITE_WIDE] = "wide",
        [SUITE_SUBNORMAL] = "subnormal", [SUITE_EXTREME] = "extreme", [SUITE_SPECIAL] = "special",
    };
    return names[kind];
}

static float one_number(suite_case *some, suite_numbers kind, float magnitude) {
    static const float extremes[] = {0x1.fffffep+127f, -0x1.fffffep+127f, 0.0f, -0.0f, 1.0f, -1.0f, 0x1p-126f};
    const uint32_t bits = (uint32_t)(suite_next(some) >> 32);
    switch (kind) {
    case SUITE_ORDINARY:
        break;
    case SUITE_EQUAL:
        return suite_chance(some, 2) ? magnitude : -magnitude;
    case SUITE_WIDE:
        return float_of((bits & 0x7f800000u) == 0x7f800000u ? bits ^ 0x40000000u : bits);
    case SUITE_SUBNORMAL:
        return float_of(bits & 0x807fffffu & (suite_chance(some, 4) ? 0x80000000u : UINT32_MAX));
    case SUITE_EXTREME:
        return extremes[bits % (sizeof extremes / sizeof extremes[0])];
    case SUITE_SPECIAL:
        if (suite_chance(some, 50)) return float_of(0x7f800000u | (bits & 0x80000000u));
        if (suite_chance(some, 50)) return float_of(0x7f800001u | bits);
        break;
    }
    return suite_float(some, suite_chance(some, 61) ? 32.0f : 1.0f);
}

void suite_fill(suite_case *some, suite_numbers kind, float *x, size_t count) {
    const float magnitude = float_of((uint32_t)suite_between(some, 0x0c000000, 0x70000000));
    for (size_t i = 0; i < count; i++) x[i] = one_number(some, kind, magnitude);
}

// ---- Memory and results ---------------------------------------------------------------------------------------------

enum { ARENA_BYTES = 64 << 20, GUARD_BYTES = 64, BLOCKS_MAXIMUM = 64, GUARD = 0xa5, UNWRITTEN = 0x7b };

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(64)));
static size_t used;
static size_t guards[2 * BLOCKS_MAXIMUM]; // where the guards begin
static size_t guard_count;
static unsigned char *expected;
static size_t expected_bytes;

static size_t put_guard(size_t at) {
    memset(arena + at, GUARD, GUARD_BYTES);
    guards[guard_count++] = at;
    return at + GUARD_BYTES;
}

void *suite_memory(suite_case *some, size_t byte_count, size_t offset) {
    if (some->hash == 0) { // the first use in this case
        some->hash = UINT64_C(0xcbf29ce484222325);
        used = guard_count = expected_bytes = 0;
    }
    const size_t start = (used + GUARD_BYTES + 63) / 64 * 64 + offset;
    if (guard_count == 2 * BLOCKS_MAXIMUM || byte_count > ARENA_BYTES - 256 - start) {
        fprintf(stderr, "kernels: a case needs more memory than the suite has\n");
        exit(2);
    }
    put_guard(start - GUARD_BYTES);
    memset(arena + start, UNWRITTEN, byte_count);
    used = put_guard(start + byte_count);
    return arena + start;
}

static bool guards_hold(void) {
    for (size_t i = 0; i < guard_count; i++) {
        for (size_t at = 0; at < GUARD_BYTES; at++) {
            if (arena[guards[i] + at] != GUARD) return false;
        }
    }
    return true;
}

void suite_one_nan(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] = x[i] != x[i] ? float_of(0x7fc00000u) : x[i];
}

// FNV-1a, by bytes.
void suite_hash(suite_case *some, const void *bytes, size_t byte_count) {
    const unsigned char *next = bytes;
    uint64_t hash = some->hash;
    for (size_t i = 0; i < byte_count; i++) hash = (hash ^ next[i]) * UINT64_C(0x100000001b3);
    some->hash = hash;
}

static uint64_t element(const unsigned char *bytes, size_t unit) {
    uint64_t value = 0;
    memcpy(&value, bytes, unit); // both architectures are little-endian
    return value;
}

bool suite_result(suite_case *some, phalanx_isa isa, const void *bytes, size_t byte_count, size_t unit) {
    if (some->fault[0] != '\0') return false;
    if (!guards_hold()) {
        snprintf(some->fault, sizeof some->fault, "%s writes beside its output", phalanx_isa_name(isa));
        return false;
    }
    if (isa == PHALANX_ISA_SCALAR) {
        free(expected);
        expected = malloc(byte_count);
        if (expected == NULL) abort();
        memcpy(expected, bytes, byte_count);
        expected_bytes = byte_count;
        suite_hash(some, bytes, byte_count);
        return true;
    }
    const unsigned char *result = bytes;
    for (size_t at = 0; at < byte_count; at += unit) {
        if (byte_count == expected_bytes && memcmp(result + at, expected + at, unit) == 0) continue;
        snprintf(some->fault, sizeof some->fault, "%s gives %#llx for element %zu, scalar %#llx",
                 phalanx_isa_name(isa), (unsigned long long)element(result + at, unit), at / unit,
                 (unsigned long long)element(expected + at, unit));
        return false;
    }
    return true;
}
