#ifndef CWIRE_CRC32C_H
#define CWIRE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4). Start with 0; a checksum may be continued with the bytes that follow.
 * The processor's instruction is used where there is one; the result is the same everywhere.
 */
uint32_t cwire_crc32c(uint32_t checksum, const uint8_t *bytes, size_t count);

/* The same without the instruction, for tests. */
uint32_t cwire_crc32c_portable(uint32_t checksum, const uint8_t *bytes, size_t count);

#endif
