// The kernel suite: runs cases on all instruction sets of this machine, and compares machines by hashes.
#include "suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct family {
    const char *name;
    void (*run)(suite_case *some);
    unsigned count;
} family;

// Products: 13 formats x (rows 1 ... 33 and two of many) x 2 rounds.
static const family families[] = {
    {"matrix", suite_matrix_case, 13 * 35 * 2},  {"quantize", suite_quantize_case, 300},
    {"layer", suite_layer_case, 8 * 6 * 15},     {"function", suite_function_case, 60},
    {"attention", suite_attention_case, 150},
};

enum { FAMILY_COUNT = sizeof families / sizeof families[0] };

static const char usage[] =
    "usage: kernels [--seed N] [--every N] [--only FAMILY[:INDEX]] [--write FILE | --expect FILE]\n"
    "\n"
    "Runs seeded cases of every kernel on every instruction set that this machine has; all results must equal the\n"
    "scalar ones byte for byte.\n"
    "\n"
    "  --seed N               other cases (default 1)\n"
    "  --every N              only every Nth case of each family\n"
    "  --only FAMILY[:INDEX]  one family (matrix, quantize, layer, function, attention), or one case of it\n"
    "  --write FILE           writes a hash of each case's scalar result\n"
    "  --expect FILE          compares them with what another machine wrote\n";

typedef struct options {
    uint64_t seed;
    unsigned every;
    const char *only;
    size_t only_length;
    long only_index; // negative: all
    const char *write, *expect;
} options;

static void refuse(const char *what, const char *value) {
    fprintf(stderr, "kernels: %s%s\n%s", what, value, usage);
    exit(2);
}

static uint64_t number(const char *text) {
    char *end;
    const unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0') refuse("not a number: ", text);
    return value;
}

static options parse(int count, char **arguments) {
    options chosen = {.seed = 1, .every = 1, .only_index = -1};
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0) {
            fputs(usage, stdout);
            exit(0);
        }
        if (i + 1 == count) refuse("unknown, or without its value: ", arguments[i]);
        const char *name = arguments[i], *value = arguments[++i];
        if (strcmp(name, "--seed") == 0) {
            chosen.seed = number(value);
        } else if (strcmp(name, "--every") == 0) {
            chosen.every = (unsigned)number(value);
            if (chosen.every == 0) refuse("--every takes a positive number, not ", value);
        } else if (strcmp(name, "--only") == 0) {
            chosen.only = value;
            chosen.only_length = strcspn(value, ":");
            if (value[chosen.only_length] == ':') chosen.only_index = (long)number(value + chosen.only_length + 1);
        } else if (strcmp(name, "--write") == 0) {
            chosen.write = value;
        } else if (strcmp(name, "--expect") == 0) {
            chosen.expect = value;
        } else {
            refuse("unknown: ", name);
        }
    }
    return chosen;
}

static bool is_wanted(const options *chosen, const family *some, unsigned index) {
    if (chosen->only != NULL) {
        if (strlen(some->name) != chosen->only_length || strncmp(some->name, chosen->only, chosen->only_length) != 0) {
            return false;
        }
        if (chosen->only_index >= 0) return (long)index == chosen->only_index;
    }
    return index % chosen->every == 0;
}

static FILE *opened(const char *path, const char *mode) {
    FILE *file = path == NULL ? NULL : fopen(path, mode);
    if (path != NULL && file == NULL) {
        perror(path);
        exit(2);
    }
    return file;
}

// The hash that another machine wrote for this case; false when it wrote none. Its lines are in our order.
static bool read_expected(FILE *file, const suite_case *some, uint64_t seed, uint64_t *hash) {
    char line[256], family[32];
    while (fgets(line, sizeof line, file) != NULL) {
        uint64_t line_seed;
        unsigned index;
        if (sscanf(line, "%" SCNu64 " %31s %u %" SCNx64, &line_seed, family, &index, hash) != 4) return false;
        if (line_seed == seed && strcmp(family, some->family) == 0 && index == some->index) return true;
    }
    return false;
}

static void report(const suite_case *some, const char *program, uint64_t seed) {
    printf("FAILED: %s %u, seed %" PRIu64 ": %s: %s\n        replay: %s --seed %" PRIu64 " --only %s:%u\n",
           some->family, some->index, seed, some->shape, some->fault, program, seed, some->family, some->index);
}

int main(int count, char **arguments) {
    const options chosen = parse(count, arguments);
    FILE *written = opened(chosen.write, "w"), *expected = opened(chosen.expect, "r");
    unsigned ran = 0, failed = 0;
    for (size_t f = 0; f < FAMILY_COUNT; f++) {
        for (unsigned index = 0; index < families[f].count; index++) {
            if (!is_wanted(&chosen, &families[f], index)) continue;
            suite_case some = {.family = families[f].name, .index = index};
            some.random = chosen.seed * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)f << 56 ^ (uint64_t)index << 32;
            families[f].run(&some);
            ran++;
            uint64_t hash;
            if (expected != NULL && some.fault[0] == '\0') {
                if (!read_expected(expected, &some, chosen.seed, &hash)) {
                    snprintf(some.fault, sizeof some.fault, "no hash of it in %s", chosen.expect);
                } else if (hash != some.hash) {
                    snprintf(some.fault, sizeof some.fault, "hash %016" PRIx64 ", but %016" PRIx64 " in %s", some.hash,
                             hash, chosen.expect);
                }
            }
            if (written != NULL) {
                fprintf(written, "%" PRIu64 " %s %u %016" PRIx64 "\n", chosen.seed, some.family, index, some.hash);
            }
            if (some.fault[0] == '\0') continue;
            report(&some, arguments[0], chosen.seed);
            failed++;
        }
    }
    if (written != NULL && fclose(written) != 0) {
        perror(chosen.write);
        return 2;
    }
    if (ran == 0) refuse("there is no such case: ", chosen.only == NULL ? "" : chosen.only);

    printf("%u cases on", ran);
    for (phalanx_isa isa = PHALANX_ISA_SCALAR; isa < PHALANX_ISA_COUNT; isa++) {
        if (phalanx_isa_available(isa)) printf(" %s", phalanx_isa_name(isa));
    }
    if (failed != 0) {
        printf(": %u FAILED\n", failed);
        return 1;
    }
    printf(": all agree%s%s\n", expected == NULL ? "" : ", and with ", expected == NULL ? "" : chosen.expect);
    return 0;
}
