#ifndef CHOST_H
#define CHOST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- Processors -----------------------------------------------------------------------------------------------

/// Writes the numbers of the processors that the calling thread may run on (sched_getaffinity), ascending, at most
/// `capacity` of them. Returns how many there are in all, or a negated errno.
int32_t chost_allowed_cpus(int32_t *cpus, int32_t capacity);

/// Binds the calling thread to one processor. Returns 0 or an errno.
int32_t chost_bind_current_thread(int32_t cpu);

/// Lets the calling thread give way to others: on processors (nice 10) and disks (the lowest best-effort priority).
/// Where the system refuses, nothing changes.
void chost_lower_priority(void);

// ---- Memory ---------------------------------------------------------------------------------------------------

/// Replaces the pages of a mapped file at `start` by anonymous ones with the same content, in huge pages where
/// the kernel grants them. Other threads may read the bytes meanwhile and always find them; nobody may write them.
///
/// `start` is a multiple of `alignment` and `byte_count` one of the page size. Returns 0, or an errno, with nothing
/// changed.
int32_t chost_move_into_memory(void *start, size_t byte_count, size_t alignment);

// ---- Files ----------------------------------------------------------------------------------------------------

/// Opens a new file for reading and writing that has no name in `directory`'s file system yet (O_TMPFILE): it vanishes
/// with its last descriptor. Returns the descriptor, or a negated errno (EOPNOTSUPP where the file system has none).
int32_t chost_open_unnamed(const char *directory);

/// Reserves the disk blocks of `byte_count` bytes of a file from `offset` on, which then has at least that size; a file
/// system that cannot reserve only sets the size. Returns 0 or an errno.
int32_t chost_reserve(int32_t descriptor, int64_t offset, int64_t byte_count);

/// Gives an unnamed file its name; EEXIST when there is a file of that name. Returns 0 or an errno.
int32_t chost_name_unnamed(int32_t descriptor, const char *path);

/// Begins to bring written bytes to the disk, without waiting. Only advice.
void chost_start_writing(int32_t descriptor, int64_t offset, int64_t byte_count);

// ---- Floating-point environment -------------------------------------------------------------------------------

/// The calling thread's floating-point control word (MXCSR on x86-64, FPCR on arm64, 0 elsewhere).
uint64_t chost_fp_control(void);

/// Sets the control word read by `chost_fp_control`.
void chost_set_fp_control(uint64_t control);

/// The control word of IEEE arithmetic: round to nearest even, exceptions masked, subnormals kept (flush-to-zero and
/// denormals-are-zero off).
uint64_t chost_fp_control_ieee(void);

/// Whether a control word flushes subnormal results or inputs to zero.
int32_t chost_fp_flushes_subnormals(uint64_t control);

// ---- Compute pool ---------------------------------------------------------------------------------------------

/// Fork-join threads: `chost_pool_run` calls a task once for each index, on the caller and on parked threads.
typedef struct chost_pool chost_pool;

/// `thread` (0 ..< thread_count, the caller is 0) is the thread that computes; one task at a time runs on each.
typedef void (*chost_pool_task)(void *context, size_t index, uint32_t thread);

/// Starts `thread_count - 1` threads (the caller of `chost_pool_run` is the first one).
///
/// Thread i is bound to `cpus[i]` when `cpus` is not null (it then has `thread_count` entries; entry 0 belongs to the
/// caller and is not applied). A thread without work watches for the next run for `spin_nanoseconds`, then sleeps in
/// the kernel. Returns null and an errno in `*error` when a thread cannot be started.
chost_pool *chost_pool_create(uint32_t thread_count, const int32_t *cpus, uint64_t spin_nanoseconds, int32_t *error);

/// Calls `task(context, i, thread)` once for each i in 0..<task_count and returns when all are done. Thread t of n owns
/// the contiguous indices t*count/n ..< (t+1)*count/n and takes them in ascending order; threads that are done take over
/// from the ends of the others' (never when there are at most as many tasks as threads: task t then belongs to thread t).
/// Allocates nothing. Callers from several threads take turns. Returns 0, E2BIG above 2^32 - 1 tasks, or EDEADLK when
/// called from inside a task of the same pool.
///
/// Every task runs with IEEE arithmetic (`chost_fp_control_ieee`); the caller's control word is restored afterwards.
int32_t chost_pool_run(chost_pool *pool, size_t task_count, chost_pool_task task, void *context);

/// Ends and joins the threads. No run may be under way.
void chost_pool_destroy(chost_pool *pool);

#ifdef __cplusplus
}
#endif

#endif
