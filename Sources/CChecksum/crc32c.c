#include "CChecksum.h"

#include <pthread.h>
#include <string.h>

/* Slicing by 8: table[k][b] is the checksum of byte b followed by k zero bytes. */
static uint32_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void fill_table(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++) {
            value = (value >> 1) ^ ((value & 1) ? 0x82F63B78u : 0);
        }
        table[0][byte] = value;
    }
    for (int slice = 1; slice < 8; slice++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t previous = table[slice - 1][byte];
            table[slice][byte] = (previous >> 8) ^ table[0][previous & 0xFF];
        }
    }
}

static uint32_t read_le32(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

uint32_t checksum_crc32c_portable(uint32_t checksum, const uint8_t *bytes, size_t count) {
    pthread_once(&table_once, fill_table);
    uint32_t state = ~checksum;
    while (count >= 8) {
        uint32_t low = state ^ read_le32(bytes);
        uint32_t high = read_le32(bytes + 4);
        state = table[7][low & 0xFF] ^ table[6][(low >> 8) & 0xFF] ^ table[5][(low >> 16) & 0xFF] ^
                table[4][low >> 24] ^ table[3][high & 0xFF] ^ table[2][(high >> 8) & 0xFF] ^
                table[1][(high >> 16) & 0xFF] ^ table[0][high >> 24];
        bytes += 8;
        count -= 8;
    }
    for (; count > 0; count--) {
        state = (state >> 8) ^ table[0][(state ^ *bytes++) & 0xFF];
    }
    return ~state;
}

/* The instruction: `step` takes eight bytes, `last` one. Four blocks at a time hide its latency. */
#define DEFINE_WITH_INSTRUCTION(features, step, last)                                                                  \
    __attribute__((target(features))) static uint32_t crc32c_instruction(uint32_t checksum, const uint8_t *bytes,      \
                                                                         size_t count) {                               \
        uint32_t state = ~checksum;                                                                                    \
        for (; count >= 8; bytes += 8, count -= 8) {                                                                   \
            state = (uint32_t)step(state, read_word(bytes));                                                           \
        }                                                                                                              \
        for (; count > 0; count--) {                                                                                   \
            state = last(state, *bytes++);                                                                             \
        }                                                                                                              \
        return ~state;                                                                                                 \
    }                                                                                                                  \
    __attribute__((target(features))) static void four_blocks(const uint8_t *bytes, size_t block_bytes,                \
                                                              uint32_t *checksums) {                                   \
        const uint8_t *second = bytes + block_bytes, *third = second + block_bytes, *fourth = third + block_bytes;     \
        uint32_t a = ~0u, b = ~0u, c = ~0u, d = ~0u;                                                                   \
        size_t at = 0;                                                                                                 \
        for (; at + 8 <= block_bytes; at += 8) {                                                                       \
            a = (uint32_t)step(a, read_word(bytes + at));                                                              \
            b = (uint32_t)step(b, read_word(second + at));                                                             \
            c = (uint32_t)step(c, read_word(third + at));                                                              \
            d = (uint32_t)step(d, read_word(fourth + at));                                                             \
        }                                                                                                              \
        const size_t rest = block_bytes - at;                                                                          \
        checksums[0] = crc32c_instruction(~a, bytes + at, rest);                                                       \
        checksums[1] = crc32c_instruction(~b, second + at, rest);                                                      \
        checksums[2] = crc32c_instruction(~c, third + at, rest);                                                       \
        checksums[3] = crc32c_instruction(~d, fourth + at, rest);                                                      \
    }

#if defined(__x86_64__) || defined(__aarch64__)
#define HAS_INSTRUCTION 1

static inline uint64_t read_word(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}
#endif

#if defined(__x86_64__)
DEFINE_WITH_INSTRUCTION("sse4.2", __builtin_ia32_crc32di, __builtin_ia32_crc32qi)

static int instruction_is_there(void) { return __builtin_cpu_supports("sse4.2"); }

#elif defined(__aarch64__)
#include <sys/auxv.h>
DEFINE_WITH_INSTRUCTION("crc", __builtin_arm_crc32cd, __builtin_arm_crc32cb)

enum { HARDWARE_CRC32 = 1 << 7 }; /* HWCAP_CRC32 in the kernel's asm/hwcap.h */

static int instruction_is_there(void) { return (getauxval(AT_HWCAP) & HARDWARE_CRC32) != 0; }
#endif

uint32_t checksum_crc32c(uint32_t checksum, const uint8_t *bytes, size_t count) {
#ifdef HAS_INSTRUCTION
    if (instruction_is_there()) {
        return crc32c_instruction(checksum, bytes, count);
    }
#endif
    return checksum_crc32c_portable(checksum, bytes, count);
}

void checksum_crc32c_blocks(const uint8_t *bytes, size_t block_bytes, size_t count, uint32_t *checksums) {
    size_t block = 0;
#ifdef HAS_INSTRUCTION
    if (instruction_is_there()) {
        for (; block + 4 <= count; block += 4) {
            four_blocks(bytes + block * block_bytes, block_bytes, checksums + block);
        }
    }
#endif
    for (; block < count; block++) {
        checksums[block] = checksum_crc32c(0, bytes + block * block_bytes, block_bytes);
    }
}
