// Files that have no name until they are complete (Linux): what glibc declares for GNU sources only.
#define _GNU_SOURCE
#include "CHost.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int32_t chost_open_unnamed(const char *directory) {
    const int descriptor = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    return descriptor >= 0 ? descriptor : -errno;
}

int32_t chost_reserve(int32_t descriptor, int64_t byte_count) {
    if (byte_count <= 0) return 0;
    int result;
    do {
        result = fallocate(descriptor, 0, 0, byte_count);
    } while (result != 0 && errno == EINTR);
    if (result == 0) return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS) return errno;
    return ftruncate(descriptor, byte_count) == 0 ? 0 : errno;
}

int32_t chost_name_unnamed(int32_t descriptor, const char *path) {
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", (int)descriptor);
    return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}
