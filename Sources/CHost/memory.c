// Moving pages under the feet of their readers.

#define _GNU_SOURCE
#include "CHost.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

// Bytes that are copied at a time: a multiple of every page size.
#define STEP ((size_t)4 << 20)

int32_t chost_move_into_memory(void *start, size_t byte_count, size_t alignment) {
    // Aligned like the target, so that whole huge pages can be moved.
    const size_t reserved = byte_count + alignment;
    char *mapped = mmap(NULL, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) {
        return errno;
    }
    const size_t before = (alignment - (uintptr_t)mapped % alignment) % alignment;
    char *copy = mapped + before;
    (void)madvise(copy, byte_count, MADV_HUGEPAGE); // only advice
    for (size_t at = 0; at < byte_count; at += STEP) {
        const size_t step = byte_count - at < STEP ? byte_count - at : STEP;
        memcpy(copy + at, (char *)start + at, step);
        // Whoever still needs the file's pages maps them again; the process never has all of the bytes twice.
        (void)madvise((char *)start + at, step, MADV_DONTNEED);
    }
    // The kernel takes the old pages away and puts the new ones there while every other thread's page fault waits.
    if (mremap(copy, byte_count, byte_count, MREMAP_MAYMOVE | MREMAP_FIXED, start) == MAP_FAILED) {
        const int problem = errno;
        munmap(mapped, reserved);
        return problem;
    }
    if (before > 0) {
        munmap(mapped, before);
    }
    if (alignment > before) {
        munmap(copy + byte_count, alignment - before);
    }
    return 0;
}
