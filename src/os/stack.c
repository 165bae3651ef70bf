#define _GNU_SOURCE /* dladdr(), pthread_sigqueue() */
#include "os/stack.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "os/park.h"
#include "os/thread.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * The one request. `phase` is number << 2 | enum phase: the signal carries the number, so that
 * a thread that answers too late finds its request gone and leaves the fields alone.
 */
enum phase { ASKED, ANSWERING, ANSWERED, GIVEN_UP };

static struct {
    TRI_ATOMIC(uint32_t) phase;
    struct tri_park park;
    void *frames[TRI_STACK_FRAMES_MAX];
    int count;
} request;

static tri_mutex lock = PTHREAD_MUTEX_INITIALIZER;
static bool installed;         /* under lock */
static uint32_t number;        /* under lock */
static struct sigaction before; /* written before the handler is installed */

static int signal_number(void)
{
    return SIGRTMIN + 3;
}

static void answer(int sig, siginfo_t *info, void *context)
{
    int saved = errno;
    uint32_t id = (uint32_t)info->si_value.sival_int;
    uint32_t expected = id << 2 | ASKED;
    bool ours = info->si_code == SI_QUEUE && info->si_pid == getpid();
    if (ours && tri_cas_strong(&request.phase, &expected, id << 2 | ANSWERING, TRI_ACQUIRE,
                               TRI_RELAXED)) {
        request.count = backtrace(request.frames, TRI_STACK_FRAMES_MAX);
        /* Release: pairs with the load in wait_for_answer(). */
        tri_store(&request.phase, id << 2 | ANSWERED, TRI_RELEASE);
        tri_park_wake(&request.park);
    } else if (!ours && (before.sa_flags & SA_SIGINFO) && before.sa_sigaction) {
        before.sa_sigaction(sig, info, context);
    }
    errno = saved;
}

static bool install(void)
{
    if (installed)
        return true;
    /* The first call loads the unwinder, which a signal handler must not do. */
    void *frame;
    (void)backtrace(&frame, 1);
    struct sigaction action = {.sa_sigaction = answer,
                               .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    (void)sigemptyset(&action.sa_mask);
    installed = sigaction(signal_number(), NULL, &before) == 0 &&
                sigaction(signal_number(), &action, NULL) == 0;
    return installed;
}

static bool wait_for_answer(uint32_t id)
{
    (void)tri_park_wait(&request.park, (int64_t)TRI_STACK_TIMEOUT_MS * 1000000);
    uint32_t expected = id << 2 | ASKED;
    if (tri_cas_strong(&request.phase, &expected, id << 2 | GIVEN_UP, TRI_ACQ_REL, TRI_ACQUIRE))
        return false;
    /* It has begun, so it ends: an unwinding takes microseconds. */
    while (tri_load(&request.phase, TRI_ACQUIRE) != (id << 2 | ANSWERED))
        tri_thread_yield();
    return true;
}

/* One line about one frame. */
static void describe(void *frame, char *line, size_t size)
{
    Dl_info info;
    /* A return address may be the first one of the next function: look one before. */
    if (!dladdr((char *)frame - 1, &info) || !info.dli_fname) {
        (void)snprintf(line, size, "[%p]\n", frame);
        return;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    const char *module = slash ? slash + 1 : info.dli_fname;
    if (info.dli_sname)
        (void)snprintf(line, size, "%s(%s+0x%tx) [%p]\n", module, info.dli_sname,
                       (char *)frame - (char *)info.dli_saddr, frame);
    else
        (void)snprintf(line, size, "%s(+0x%tx) [%p]\n", module,
                       (char *)frame - (char *)info.dli_fbase, frame);
}

/* The first two frames are the handler and the kernel's way into it. */
#define FRAMES_SKIPPED 2

static void write_frames(char *text, size_t size)
{
    size_t used = 0;
    for (int i = FRAMES_SKIPPED; i < request.count; i++) {
        char line[512];
        describe(request.frames[i], line, sizeof line);
        size_t length = strlen(line);
        if (length >= size - used)
            return;
        memcpy(text + used, line, length + 1);
        used += length;
    }
}

bool tri_stack_of(struct tri_thread *thread, char *text, size_t size)
{
    TRI_ASSERT(size > 0);
    text[0] = '\0';
    tri_mutex_lock(&lock);
    bool ok = false;
    if (!install()) {
        (void)snprintf(text, size, "signal %d cannot be caught\n", signal_number());
    } else {
        uint32_t id = ++number & 0x3fffffffu;
        tri_park_init(&request.park);
        tri_store(&request.phase, id << 2 | ASKED, TRI_RELEASE);
        union sigval value = {.sival_int = (int)id};
        int error = pthread_sigqueue(thread->handle, signal_number(), value);
        ok = wait_for_answer(id);
        if (ok)
            write_frames(text, size);
        else if (error != 0)
            (void)snprintf(text, size, "the thread cannot be signalled (error %d)\n", error);
        else
            (void)snprintf(text, size, "the thread did not answer within %d ms\n",
                           TRI_STACK_TIMEOUT_MS);
    }
    tri_mutex_unlock(&lock);
    return ok;
}
