// Threads that give way to others.

#define _GNU_SOURCE
#include "CHost.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// linux/ioprio.h, which not every libc's headers bring along.
enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_CLASS_BEST_EFFORT = 2, IOPRIO_CLASS_SHIFT = 13, IOPRIO_LOWEST = 7 };

void chost_lower_priority(void) {
    // On Linux, 0 means the calling thread in both calls.
    (void)setpriority(PRIO_PROCESS, 0, 10);
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_BEST_EFFORT << IOPRIO_CLASS_SHIFT | IOPRIO_LOWEST);
}
