// Calls on files that only Linux has.

#define _GNU_SOURCE
#include "CHost.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int32_t chost_reserve_file(int32_t descriptor, int64_t byte_count) {
    int status;
    do {
        status = fallocate(descriptor, 0, 0, byte_count);
    } while (status != 0 && errno == EINTR);
    if (status == 0) {
        return 0;
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS) {
        return errno;
    }
    return ftruncate(descriptor, byte_count) == 0 ? 0 : errno;
}

void chost_start_writing(int32_t descriptor, int64_t offset, int64_t byte_count) {
    (void)sync_file_range(descriptor, offset, byte_count, SYNC_FILE_RANGE_WRITE);
}
