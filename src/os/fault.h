/*
 * os/fault.h - faults of a function become its caller's business, and a look at a thread.
 *
 * tri_fault_run() calls a function; if that faults (SIGSEGV, SIGBUS, SIGFPE, SIGILL, abort()),
 * the signal is taken on an alternate stack, the function is abandoned with siglongjmp(), and
 * the caller is told. Faults elsewhere go to whoever handled the signal before, or end the
 * process as if we were not there.
 *
 * Why the jump is allowed: it leaves a signal handler for a function of the same thread that has
 * not returned. Traps run with SA_NODEFER and an empty mask, so there is no signal mask to
 * restore. C only asks that the interrupted code was not in the middle of something that others
 * rely on: for the runtime that is tri_critical and the address of the faulting instruction
 * (neither may be the runtime's); for the handler's own code and its libraries it is the
 * promise of who declares an actor contained. On processors with a shadow stack the C library's
 * siglongjmp() unwinds that too; nothing here returns into an abandoned frame.
 *
 * Under sanitizers, which own these signals, and where the processor is not known, all this is
 * off: functions are just called.
 */
#ifndef TROUPE_OS_FAULT_H
#define TROUPE_OS_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a function died of. */
struct tri_fault {
    int sig;           /* 0: tri_fault_poke() ended it */
    bool stack;        /* the stack was used up */
    uintptr_t address; /* what it accessed; 0 where that means nothing */
    uintptr_t pc;      /* the instruction */
};

/* NULL: faults are trapped. Otherwise why they are not; static. */
const char *tri_fault_off(void);

/* Prepares the process (once) and the calling thread (once each). False: out of memory, or off.
 * Whatever the thread gets for it is freed when it ends. */
bool tri_fault_prepare(void);

/* Calls fn(arg); false if it was abandoned, with the reason. Not nested. The calling thread was
 * prepared; if it was not, faults are not trapped. */
bool tri_fault_run(void (*fn)(void *arg), void *arg, struct tri_fault *ret_fault);

/* "SIGSEGV at address 0x10, code 0x…": one line. */
void tri_fault_describe(const struct tri_fault *fault, char *text, size_t size);

/* Where an instruction is, as "file+0x123 (function)"; for a report. */
void tri_fault_place(uintptr_t pc, char *text, size_t size);

/* ---- Looking at a thread ------------------------------------------------- */

#define TRI_POKE_FRAMES 12u

/* What a thread was doing when it was poked. */
struct tri_poke {
    uintptr_t frames[TRI_POKE_FRAMES]; /* the instruction, then return addresses if they can be
                                        * told (frame pointers) */
    uint32_t count;
    bool may_end; /* it is in a tri_fault_run(), at a place where that can be abandoned */
};

/*
 * Called on the poked thread, in a signal handler, while it runs code that is not the runtime's:
 * the runtime is not in the middle of anything there. True: abandon its tri_fault_run(), if
 * poke->may_end.
 */
typedef bool (*tri_poke_fn)(void *user, const struct tri_poke *poke);

struct tri_fault_thread;

/* The calling thread may be poked from now on; as long as it lives. NULL when off. */
struct tri_fault_thread *tri_fault_thread(tri_poke_fn fn, void *user);

/* Interrupts `thread`. If it is in the runtime nothing is called: try again later. False: off. */
bool tri_fault_poke(struct tri_fault_thread *thread);

/* Processor time that `thread` has used; 0: not known. */
uint64_t tri_fault_cpu_ns(const struct tri_fault_thread *thread);

#endif
