// Which processors a thread may use, and binding to one of them.

#define _GNU_SOURCE
#include "CHost.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

int32_t chost_allowed_cpus(int32_t *cpus, int32_t capacity) {
    // The kernel refuses a mask that is smaller than its own, so the mask grows until it fits.
    for (int limit = 1024; limit <= 1 << 17; limit *= 2) {
        cpu_set_t *mask = CPU_ALLOC(limit);
        if (mask == NULL) {
            return -ENOMEM;
        }
        size_t size = CPU_ALLOC_SIZE(limit);
        CPU_ZERO_S(size, mask);
        if (sched_getaffinity(0, size, mask) != 0) {
            int problem = errno;
            CPU_FREE(mask);
            if (problem == EINVAL) {
                continue;
            }
            return -problem;
        }
        int32_t count = 0;
        for (int cpu = 0; cpu < limit; cpu++) {
            if (CPU_ISSET_S(cpu, size, mask)) {
                if (count < capacity) {
                    cpus[count] = cpu;
                }
                count++;
            }
        }
        CPU_FREE(mask);
        return count;
    }
    return -EINVAL;
}

int32_t chost_bind_current_thread(int32_t cpu) {
    if (cpu < 0 || cpu >= 1 << 17) {
        return EINVAL;
    }
    cpu_set_t *mask = CPU_ALLOC(cpu + 1);
    if (mask == NULL) {
        return ENOMEM;
    }
    size_t size = CPU_ALLOC_SIZE(cpu + 1);
    CPU_ZERO_S(size, mask);
    CPU_SET_S(cpu, size, mask);
    int problem = pthread_setaffinity_np(pthread_self(), size, mask);
    CPU_FREE(mask);
    return problem;
}
