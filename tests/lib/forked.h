/*
 * tests/lib/forked.h - a test case in a child process, for what cmocka cannot survive.
 *
 * cmocka handles the signals of faults itself; and some cases are about how a process dies. The
 * child takes cmocka's handlers off, runs the case, and exits with 0; a failed CHECK says where
 * and exits with 1.
 */
#ifndef TESTS_LIB_FORKED_H
#define TESTS_LIB_FORKED_H

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* _exit() leaves out what a build for coverage does at the end. */
static inline void forked_exit(int code)
{
#ifdef TROUPE_COVERAGE
    extern void __gcov_dump(void);
    __gcov_dump();
#endif
    _exit(code);
}

#define CHECK(cond)                                                                  \
    do {                                                                             \
        if (!(cond)) {                                                               \
            fprintf(stderr, "%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #cond); \
            _exit(1);                                                                \
        }                                                                            \
    } while (0)

/* How the child ended, as waitpid() tells it. */
static inline int forked_status(void (*fn)(void))
{
    static const int taken[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
            (void)signal(taken[i], SIG_DFL);
        (void)alarm(60); /* A case that hangs fails. */
        fn();
        forked_exit(0);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return status;
}

#define assert_forked_ok(fn) assert_int_equal(forked_status(fn), 0)
#define assert_forked_signal(fn, sig)               \
    do {                                            \
        int status_ = forked_status(fn);            \
        assert_true(WIFSIGNALED(status_));          \
        assert_int_equal(WTERMSIG(status_), (sig)); \
    } while (0)

#endif
