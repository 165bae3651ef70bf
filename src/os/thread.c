#define _GNU_SOURCE /* affinity, thread names */
#include "os/thread.h"

#include "base/assert.h"
#include "base/critical.h"
#include "os/clock.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- Threads ------------------------------------------------------------- */

static void *entry(void *arg)
{
    struct tri_thread *thread = arg;
    (void)pthread_setname_np(pthread_self(), thread->name);
    thread->fn(thread->arg);
    return NULL;
}

/* The program's own handlers shall run on the program's threads. Faults and real-time signals
 * must get through; so must SIGPROF, or profilers see nothing, and
 * SIGURG, with which the watchdog looks at a thread (os/fault.h). */
static void block_signals(sigset_t *ret_before)
{
    static const int open[] = {SIGSEGV, SIGBUS, SIGFPE,  SIGILL, SIGABRT,
                               SIGTRAP, SIGSYS, SIGPROF, SIGURG};
    sigset_t set;
    (void)sigfillset(&set);
    for (size_t i = 0; i < TRI_ARRAY_COUNT(open); i++)
        (void)sigdelset(&set, open[i]);
    for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
        (void)sigdelset(&set, sig);
    TRI_ASSERT(pthread_sigmask(SIG_BLOCK, &set, ret_before) == 0);
}

bool tri_thread_create(struct tri_thread *thread, const char *name, void (*fn)(void *), void *arg)
{
    thread->fn = fn;
    thread->arg = arg;
    (void)snprintf(thread->name, sizeof thread->name, "%.*s", TRI_THREAD_NAME_MAX, name);
    sigset_t before;
    block_signals(&before);
    int error = pthread_create(&thread->handle, NULL, entry, thread);
    TRI_ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return error == 0;
}

void tri_thread_join(struct tri_thread *thread)
{
    TRI_ASSERT(pthread_join(thread->handle, NULL) == 0);
}

tri_thread_id tri_thread_self(void)
{
    return pthread_self();
}

bool tri_thread_same(tri_thread_id a, tri_thread_id b)
{
    return pthread_equal(a, b);
}

void tri_thread_yield(void)
{
    tri_critical_enter(); /* Callers wait in the middle of something. */
    (void)sched_yield();
    tri_critical_leave();
}

/* ---- Processors ---------------------------------------------------------- */

#define CPUS_MAX 65536

static unsigned affinity_count(void)
{
    for (int cpus = CPU_SETSIZE; cpus <= CPUS_MAX; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (!set)
            return 1;
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        int result = sched_getaffinity(0, size, set);
        int count = result == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (result == 0)
            return count > 0 ? (unsigned)count : 1;
        if (errno != EINVAL) /* EINVAL: the machine has more than fit. */
            return 1;
    }
    return 1;
}

static unsigned quota_of(unsigned long long quota, unsigned long long period)
{
    if (quota == 0 || period == 0 || quota / period >= CPUS_MAX)
        return 0;
    return (unsigned)(quota / period + (quota % period != 0));
}

unsigned tri_cpu_quota(const char *cpu_max)
{
    unsigned long long quota, period;
    if (sscanf(cpu_max, "%19llu %19llu", &quota, &period) != 2)
        return 0; /* "max 100000": no limit */
    return quota_of(quota, period);
}

/* The first line of a small file. */
static bool read_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool ok = fgets(line, size, file) != NULL;
    (void)fclose(file);
    return ok;
}

/* Control groups, version 2: the tightest limit from the process's own group to the root. */
static unsigned quota_v2(void)
{
    char group[512], path[640], line[128];
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file)
        return 0;
    bool found = false;
    while (!found && fgets(group, sizeof group, file))
        found = strncmp(group, "0::/", 4) == 0;
    (void)fclose(file);
    if (!found)
        return 0;
    group[strcspn(group, "\n")] = '\0';
    char *name = group + 3;
    unsigned least = 0;
    for (;;) {
        (void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", name);
        unsigned quota = read_line(path, line, sizeof line) ? tri_cpu_quota(line) : 0;
        if (quota != 0 && (least == 0 || quota < least))
            least = quota;
        char *slash = strrchr(name, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

static unsigned quota_v1(void)
{
    char quota[64], period[64];
    unsigned long long q, p;
    if (!read_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota, sizeof quota) ||
        !read_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period, sizeof period) ||
        quota[0] == '-' || /* -1: no limit */
        sscanf(quota, "%19llu", &q) != 1 || sscanf(period, "%19llu", &p) != 1)
        return 0;
    return quota_of(q, p);
}

unsigned tri_cpu_count(void)
{
    unsigned count = affinity_count();
    unsigned quotas[] = {quota_v2(), quota_v1()};
    for (size_t i = 0; i < TRI_ARRAY_COUNT(quotas); i++) {
        if (quotas[i] != 0 && quotas[i] < count)
            count = quotas[i];
    }
    return count;
}

/* ---- Mutexes and condition variables ------------------------------------- */

void tri_mutex_init(tri_mutex *mutex)
{
    TRI_ASSERT(pthread_mutex_init(mutex, NULL) == 0);
}

void tri_mutex_lock(tri_mutex *mutex)
{
    tri_critical_enter(); /* Until it is unlocked. */
    TRI_ASSERT(pthread_mutex_lock(mutex) == 0);
}

void tri_mutex_unlock(tri_mutex *mutex)
{
    TRI_ASSERT(pthread_mutex_unlock(mutex) == 0);
    tri_critical_leave();
}

void tri_mutex_fini(tri_mutex *mutex)
{
    TRI_ASSERT(pthread_mutex_destroy(mutex) == 0);
}

void tri_cond_init(tri_cond *cond)
{
    pthread_condattr_t attributes;
    TRI_ASSERT(pthread_condattr_init(&attributes) == 0);
    TRI_ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    TRI_ASSERT(pthread_cond_init(cond, &attributes) == 0);
    TRI_ASSERT(pthread_condattr_destroy(&attributes) == 0);
}

void tri_cond_wait(tri_cond *cond, tri_mutex *mutex)
{
    TRI_ASSERT(pthread_cond_wait(cond, mutex) == 0);
}

bool tri_cond_wait_for(tri_cond *cond, tri_mutex *mutex, int64_t timeout_ns)
{
    uint64_t end_ns = tri_clock_mono_ns() + (uint64_t)(timeout_ns > 0 ? timeout_ns : 0);
    struct timespec end = {.tv_sec = (time_t)(end_ns / 1000000000u),
                           .tv_nsec = (long)(end_ns % 1000000000u)};
    int error = pthread_cond_timedwait(cond, mutex, &end);
    TRI_ASSERT(error == 0 || error == ETIMEDOUT);
    return error == 0;
}

void tri_cond_signal(tri_cond *cond)
{
    TRI_ASSERT(pthread_cond_signal(cond) == 0);
}

void tri_cond_broadcast(tri_cond *cond)
{
    TRI_ASSERT(pthread_cond_broadcast(cond) == 0);
}

void tri_cond_fini(tri_cond *cond)
{
    TRI_ASSERT(pthread_cond_destroy(cond) == 0);
}
