#include "crc32c.h"

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

uint32_t cwire_crc32c_portable(uint32_t checksum, const uint8_t *bytes, size_t count) {
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

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t crc32c_instruction(uint32_t checksum, const uint8_t *bytes,
                                                                      size_t count) {
    uint64_t state = (uint32_t)~checksum;
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        state = __builtin_ia32_crc32di(state, word);
        bytes += 8;
        count -= 8;
    }
    uint32_t tail = (uint32_t)state;
    for (; count > 0; count--) {
        tail = __builtin_ia32_crc32qi(tail, *bytes++);
    }
    return ~tail;
}

uint32_t cwire_crc32c(uint32_t checksum, const uint8_t *bytes, size_t count) {
    if (__builtin_cpu_supports("sse4.2")) {
        return crc32c_instruction(checksum, bytes, count);
    }
    return cwire_crc32c_portable(checksum, bytes, count);
}

#else

uint32_t cwire_crc32c(uint32_t checksum, const uint8_t *bytes, size_t count) {
    return cwire_crc32c_portable(checksum, bytes, count);
}

#endif
