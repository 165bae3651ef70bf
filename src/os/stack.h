/*
 * os/stack.h - what another thread is doing now.
 */
#ifndef TROUPE_OS_STACK_H
#define TROUPE_OS_STACK_H

#include <stdbool.h>
#include <stddef.h>

struct tri_thread;

/* Frames reported at most. */
#define TRI_STACK_FRAMES_MAX 64
/* How long the thread has to answer. */
#define TRI_STACK_TIMEOUT_MS 250

/*
 * Writes the call stack of `thread` into text (`size` bytes, always terminated, cut at a whole
 * line), innermost function first, one "module(function+0x1f) [0x…]" per line. The thread is
 * interrupted by a real-time signal (SIGRTMIN + 3) for some microseconds.
 *
 * False, with a sentence in `text`, if it does not answer in time (it ended, or blocks the
 * signal) or the signal cannot be set up. The thread must not have been joined. Any thread; one
 * request at a time, others wait for it.
 */
bool tri_stack_of(struct tri_thread *thread, char *text, size_t size);

#endif
