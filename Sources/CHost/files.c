// Calls on files that only Linux has, and that glibc declares for GNU sources only.

#define _GNU_SOURCE
#include "CHost.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int32_t chost_reserve(int32_t descriptor, int64_t offset, int64_t byte_count) {
    if (byte_count <= 0) {
        return 0;
    }
    int status;
    do {
        status = fallocate(descriptor, 0, offset, byte_count);
    } while (status != 0 && errno == EINTR);
    if (status == 0) {
        return 0;
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS) {
        return errno;
    }
    struct stat now;
    if (fstat(descriptor, &now) != 0) {
        return errno;
    }
    if (now.st_size >= offset + byte_count) {
        return 0;
    }
    return ftruncate(descriptor, offset + byte_count) == 0 ? 0 : errno;
}

void chost_start_writing(int32_t descriptor, int64_t offset, int64_t byte_count) {
    (void)sync_file_range(descriptor, offset, byte_count, SYNC_FILE_RANGE_WRITE);
}

int32_t chost_open_unnamed(const char *directory) {
    const int descriptor = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    return descriptor >= 0 ? descriptor : -errno;
}

int32_t chost_name_unnamed(int32_t descriptor, const char *path) {
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", (int)descriptor);
    return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}
