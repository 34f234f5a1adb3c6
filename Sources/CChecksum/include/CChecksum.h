#ifndef CCHECKSUM_H
#define CCHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4). Start with 0; a checksum may be continued with the bytes that follow.
 * The processor's instruction is used where there is one; the result is the same everywhere.
 */
uint32_t checksum_crc32c(uint32_t checksum, const uint8_t *bytes, size_t count);

/* The same without the instruction, for tests. */
uint32_t checksum_crc32c_portable(uint32_t checksum, const uint8_t *bytes, size_t count);

/*
 * The checksums of `count` blocks of `block_bytes` bytes that lie one after the other, each from 0. Several blocks are
 * computed at a time, which is a few times faster than one after the other: the instruction's latency is hidden.
 */
void checksum_crc32c_blocks(const uint8_t *bytes, size_t block_bytes, size_t count, uint32_t *checksums);

#endif
