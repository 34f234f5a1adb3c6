// Fork-join on bound threads: fork, spin briefly, then park, join.
//
// Every thread owns a contiguous share of the indices and takes them from its front; one that has finished its own
// takes from the back of another's, so that a thread which the machine slows down does not hold up the run.
//
// One word, `generation`, starts a run; another, `pending`, ends it. Both sides watch their word for a while and then
// sleep on it with a futex. The flags `parked` and `caller_sleeps` save the wake-up system call when nobody sleeps: the
// sleeper raises its flag before it reads the word, the waker changes the word before it reads the flag, both with
// sequential consistency, so at least one of the two sees the other. (Read the other way round, a wake-up is lost.)

#define _GNU_SOURCE
#include "CHost.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    // The indices left of this thread's share: first one in the lower half, end in the upper half.
    _Alignas(64) _Atomic uint64_t left;
    chost_pool *pool;
    uint32_t index;
    int32_t cpu;
    pthread_t thread;
} pool_thread;

struct chost_pool {
    _Alignas(64) _Atomic uint32_t generation;
    _Atomic uint32_t parked;
    atomic_bool stop;
    _Alignas(64) _Atomic uint32_t pending;
    _Atomic uint32_t caller_sleeps;
    // Written by the caller before it raises `generation`, read by threads after they saw it rise, untouched until
    // `pending` is zero.
    _Alignas(64) size_t task_count;
    chost_pool_task task;
    void *context;
    uint64_t spin_nanoseconds;
    uint32_t thread_count;
    pthread_mutex_t turn;
    pool_thread threads[];
};

/// The pool whose task the current thread is running, so that a run from inside a task is noticed.
static _Thread_local const chost_pool *running_pool;

static void futex_wait(_Atomic uint32_t *word, uint32_t seen) {
    syscall(SYS_futex, (uint32_t *)word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int count) {
    syscall(SYS_futex, (uint32_t *)word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

static uint64_t now_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

/// Watches `word` until it differs from `old` (or, when `until_zero`, is zero), at most for `limit` nanoseconds.
static bool spin(_Atomic uint32_t *word, uint32_t old, bool until_zero, uint64_t limit) {
    uint64_t start = 0;
    for (;;) {
        for (int round = 0; round < 32; round++) {
            uint32_t value = atomic_load_explicit(word, memory_order_acquire);
            if (until_zero ? value == 0 : value != old) {
                return true;
            }
            if (limit == 0) {
                return false;
            }
            relax();
        }
        uint64_t now = now_nanoseconds();
        if (start == 0) {
            start = now;
        } else if (now - start >= limit) {
            return false;
        }
    }
}

/// Index range of thread t: `count * t / n` without overflow.
static size_t share(size_t count, uint32_t t, uint32_t n) {
    return count / n * t + count % n * t / n;
}

static uint64_t packed_range(size_t first, size_t end) { return (uint64_t)end << 32 | (uint64_t)first; }

/// Takes one index of a share: the first one, or the last one for another thread.
static bool take(pool_thread *owner, bool last, size_t *index) {
    uint64_t left = atomic_load_explicit(&owner->left, memory_order_relaxed);
    for (;;) {
        const size_t first = left & UINT32_MAX, end = left >> 32;
        if (first >= end) {
            return false;
        }
        const uint64_t rest = last ? packed_range(first, end - 1) : packed_range(first + 1, end);
        if (atomic_compare_exchange_weak_explicit(&owner->left, &left, rest, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            *index = last ? end - 1 : first;
            return true;
        }
    }
}

static void run_tasks(chost_pool *pool, uint32_t thread) {
    const size_t count = pool->task_count;
    if (count <= pool->thread_count) { // one for each: nothing to take from others
        if (thread < count) {
            pool->task(pool->context, thread, thread);
        }
        return;
    }
    size_t index;
    for (uint32_t turn = 0; turn < pool->thread_count; turn++) {
        const uint32_t owner = (thread + turn) % pool->thread_count;
        while (take(&pool->threads[owner], turn > 0, &index)) {
            pool->task(pool->context, index, thread);
        }
    }
}

static void *thread_main(void *argument) {
    pool_thread *self = argument;
    chost_pool *pool = self->pool;
    char name[16];
    snprintf(name, sizeof name, "compute-%u", self->index);
    pthread_setname_np(pthread_self(), name);
    running_pool = pool;

    uint32_t seen = 0;
    for (;;) {
        if (!spin(&pool->generation, seen, false, pool->spin_nanoseconds)) {
            atomic_fetch_add(&pool->parked, 1);
            while (atomic_load(&pool->generation) == seen) {
                futex_wait(&pool->generation, seen);
            }
            atomic_fetch_sub(&pool->parked, 1);
        }
        // One run at a time and every thread answers each, so the generation rose by exactly one.
        seen = atomic_load_explicit(&pool->generation, memory_order_acquire);
        if (atomic_load_explicit(&pool->stop, memory_order_acquire)) {
            return NULL;
        }
        chost_set_fp_control(chost_fp_control_ieee());
        run_tasks(pool, self->index);
        if (atomic_fetch_sub(&pool->pending, 1) == 1 && atomic_load(&pool->caller_sleeps) != 0) {
            futex_wake(&pool->pending, 1);
        }
    }
}

static void wake_threads(chost_pool *pool) {
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->parked) != 0) {
        futex_wake(&pool->generation, INT_MAX);
    }
}

static void await_threads(chost_pool *pool) {
    if (spin(&pool->pending, 0, true, pool->spin_nanoseconds)) {
        return;
    }
    atomic_store(&pool->caller_sleeps, 1);
    uint32_t left;
    while ((left = atomic_load(&pool->pending)) != 0) {
        futex_wait(&pool->pending, left);
    }
    atomic_store(&pool->caller_sleeps, 0);
}

static void stop_threads(chost_pool *pool, uint32_t started) {
    atomic_store_explicit(&pool->stop, true, memory_order_release);
    wake_threads(pool);
    for (uint32_t index = 1; index < started; index++) {
        pthread_join(pool->threads[index].thread, NULL);
    }
    pthread_mutex_destroy(&pool->turn);
    free(pool);
}

static int start_thread(pool_thread *thread) {
    pthread_attr_t attributes;
    int problem = pthread_attr_init(&attributes);
    if (problem != 0) {
        return problem;
    }
    if (thread->cpu >= 0) {
        cpu_set_t *mask = CPU_ALLOC(thread->cpu + 1);
        if (mask == NULL) {
            problem = ENOMEM;
        } else {
            size_t size = CPU_ALLOC_SIZE(thread->cpu + 1);
            CPU_ZERO_S(size, mask);
            CPU_SET_S(thread->cpu, size, mask);
            problem = pthread_attr_setaffinity_np(&attributes, size, mask);
            CPU_FREE(mask);
        }
    }
    if (problem == 0) {
        problem = pthread_create(&thread->thread, &attributes, thread_main, thread);
    }
    pthread_attr_destroy(&attributes);
    return problem;
}

chost_pool *chost_pool_create(uint32_t thread_count, const int32_t *cpus, uint64_t spin_nanoseconds, int32_t *error) {
    *error = 0;
    if (thread_count == 0 || thread_count > 4096) {
        *error = EINVAL;
        return NULL;
    }
    size_t size = sizeof(chost_pool) + thread_count * sizeof(pool_thread);
    chost_pool *pool = aligned_alloc(64, size);
    if (pool == NULL) {
        *error = ENOMEM;
        return NULL;
    }
    atomic_init(&pool->generation, 0);
    atomic_init(&pool->parked, 0);
    atomic_init(&pool->stop, false);
    atomic_init(&pool->pending, 0);
    atomic_init(&pool->caller_sleeps, 0);
    pool->task_count = 0;
    pool->task = NULL;
    pool->context = NULL;
    pool->spin_nanoseconds = spin_nanoseconds;
    pool->thread_count = thread_count;
    pthread_mutex_init(&pool->turn, NULL);

    // Compute threads take no signals: the process's own handlers run elsewhere.
    sigset_t every, before;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    uint32_t started = 1;
    for (; started < thread_count; started++) {
        pool_thread *thread = &pool->threads[started];
        thread->pool = pool;
        thread->index = started;
        thread->cpu = cpus == NULL ? -1 : cpus[started];
        *error = start_thread(thread);
        if (*error != 0) {
            break;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (*error != 0) {
        stop_threads(pool, started);
        return NULL;
    }
    return pool;
}

int32_t chost_pool_run(chost_pool *pool, size_t task_count, chost_pool_task task, void *context) {
    if (running_pool == pool) {
        return EDEADLK;
    }
    if (task_count == 0) {
        return 0;
    }
    if (task_count > UINT32_MAX) {
        return E2BIG;
    }
    pthread_mutex_lock(&pool->turn);
    const chost_pool *outer = running_pool;
    running_pool = pool;
    uint64_t control = chost_fp_control();
    chost_set_fp_control(chost_fp_control_ieee());

    if (task_count == 1 || pool->thread_count == 1) {
        for (size_t i = 0; i < task_count; i++) {
            task(context, i, 0);
        }
    } else {
        pool->task_count = task_count;
        pool->task = task;
        pool->context = context;
        for (uint32_t t = 0; t < pool->thread_count; t++) {
            const size_t first = share(task_count, t, pool->thread_count);
            const size_t end = share(task_count, t + 1, pool->thread_count);
            atomic_store_explicit(&pool->threads[t].left, packed_range(first, end), memory_order_relaxed);
        }
        atomic_store_explicit(&pool->pending, pool->thread_count - 1, memory_order_relaxed);
        wake_threads(pool);
        run_tasks(pool, 0);
        await_threads(pool);
    }

    chost_set_fp_control(control);
    running_pool = outer;
    pthread_mutex_unlock(&pool->turn);
    return 0;
}

void chost_pool_destroy(chost_pool *pool) {
    stop_threads(pool, pool->thread_count);
}
