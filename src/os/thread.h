/*
 * os/thread.h - threads, mutexes, condition variables.
 */
#ifndef TROUPE_OS_THREAD_H
#define TROUPE_OS_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define TRI_THREAD_LOCAL _Thread_local

/* ---- Threads ------------------------------------------------------------- */

#define TRI_THREAD_NAME_MAX 15 /* bytes; the kernel's limit */

/* Stays where it is from tri_thread_create() to tri_thread_join(). */
struct tri_thread {
    pthread_t handle;
    void (*fn)(void *arg);
    void *arg;
    char name[TRI_THREAD_NAME_MAX + 1];
};

/* Starts fn(arg) on a thread named `name` (cut to TRI_THREAD_NAME_MAX). False: no resources;
 * then there is nothing to join. The new thread takes no signals but synchronous ones. */
bool tri_thread_create(struct tri_thread *thread, const char *name, void (*fn)(void *), void *arg);

/* Waits for the thread's end; exactly once per successful create. */
void tri_thread_join(struct tri_thread *thread);

typedef pthread_t tri_thread_id;
tri_thread_id tri_thread_self(void);
bool tri_thread_same(tri_thread_id a, tri_thread_id b);

/* Lets another thread have the processor. */
void tri_thread_yield(void); /* NOLINT(readability-redundant-declaration): see os/spin.h */

/* How many processors this process may use: the affinity mask, and the quota of its control
 * groups rounded up. At least 1. */
unsigned tri_cpu_count(void);

/* What a control group's "cpu.max" text grants, in processors rounded up; 0: no limit. */
unsigned tri_cpu_quota(const char *cpu_max);

/* ---- Mutexes and condition variables ------------------------------------- */

typedef pthread_mutex_t tri_mutex;
typedef pthread_cond_t tri_cond;

/* Not recursive. */
void tri_mutex_init(tri_mutex *mutex);
void tri_mutex_lock(tri_mutex *mutex);
void tri_mutex_unlock(tri_mutex *mutex);
void tri_mutex_fini(tri_mutex *mutex);

void tri_cond_init(tri_cond *cond);
/* May return without a signal: check the condition in a loop. */
void tri_cond_wait(tri_cond *cond, tri_mutex *mutex);
/* False when `timeout_ns` (>= 0, monotonic clock) have passed. */
bool tri_cond_wait_for(tri_cond *cond, tri_mutex *mutex, int64_t timeout_ns);
void tri_cond_signal(tri_cond *cond);
void tri_cond_broadcast(tri_cond *cond);
void tri_cond_fini(tri_cond *cond);

#endif
