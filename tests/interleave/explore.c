#define _GNU_SOURCE
#include "internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK_SIZE ((size_t)256 << 10)

/* A point at which a thread was chosen: what was possible there and what was tried. */
struct node {
    uint32_t enabled, backtrack, done, sleep; /* sets of threads, as bits */
    uint32_t thread;
    uint32_t outcomes, outcome; /* of the thread's operation */
    struct op pending[TRI_THREADS_MAX];
    /* Of the operation that was done here: */
    struct clock before; /* what happened before it, itself included */
    char note[96];
};

static struct {
    const struct tri_program *program;
    struct tri_verdict *verdict;
    struct node nodes[STEPS_MAX];
    uint32_t depth;  /* operations begun in this execution */
    uint32_t replay; /* of them, so many repeat the last execution */
    uint32_t count;  /* threads */
    uint32_t current;
    struct op pending[TRI_THREADS_MAX];
    struct clock trace[TRI_THREADS_MAX]; /* in the sense of the partial-order reduction */
    jmp_buf contexts[TRI_THREADS_MAX];
    jmp_buf main_context;
    ucontext_t starts[TRI_THREADS_MAX], start_return;
    char *stacks;
    bool started[TRI_THREADS_MAX];
    bool in_threads;
    bool cut;
} x;

bool tri_running(void)
{
    return x.in_threads;
}

uint32_t tri_thread_index(void)
{
    return x.in_threads ? x.current : TRI_THREADS_MAX;
}

/* ---- Failure ------------------------------------------------------------- */

static const char *const kind_names[] = {"none", "load",  "store",  "rmw",  "cas",  "await",
                                         "lock", "sleep", "resume", "wake", "ended"};

static void print_schedule(char *text, size_t size, size_t at)
{
    uint32_t from = x.depth > 70 ? x.depth - 70 : 0;
    for (uint32_t i = from; i < x.depth && at < size - 160; i++) {
        const struct node *n = &x.nodes[i];
        const struct op *op = &n->pending[n->thread];
        at += (size_t)snprintf(text + at, size - at, "\n  %2u thread %u %-6s %s:%d %s", i,
                               n->thread, kind_names[op->kind], op->site.func ? op->site.func : "?",
                               op->site.line, n->note);
    }
}

void tri_step_fail(const char *fmt, ...)
{
    if (!x.verdict->failed) {
        char *text = x.verdict->text;
        va_list args;
        va_start(args, fmt);
        int length = vsnprintf(text, sizeof x.verdict->text, fmt, args);
        va_end(args);
        x.verdict->failed = true;
        print_schedule(text, sizeof x.verdict->text, (size_t)length);
    }
    if (x.in_threads) {
        x.in_threads = false;
        _longjmp(x.main_context, 1);
    }
}

void tri_expect_(bool cond, const char *what, const char *file, int line)
{
    if (!cond)
        tri_step_fail("%s:%d: not so: %s", file, line, what);
}

/* In place of base/assert.c. */
void tri_assert_fail(const char *what, const char *file, int line, const char *func);
void tri_assert_fail(const char *what, const char *file, int line, const char *func)
{
    tri_step_fail("%s:%d: %s: assertion failed: %s", file, line, func, what);
    abort(); /* In set_up or check: nowhere to go. */
}

void tri_step_note(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(x.nodes[x.depth - 1].note, sizeof x.nodes->note, fmt, args);
    va_end(args);
}

/* ---- Dependence ---------------------------------------------------------- */

static bool dependent(const struct op *a, const struct op *b)
{
    return a->place == b->place && (a->writes || b->writes);
}

/* True if the operation done at `a` happened before the one done at `b`. */
static bool happened_before(const struct node *a, const struct node *b)
{
    return a->before.of[a->thread] <= b->before.of[a->thread];
}

/*
 * The threads that could go first at node `at` in an execution where the pending operation of
 * `thread` comes before the one done there: those whose first operation among the ones that do
 * not depend on it waits for none of the others.
 */
static uint32_t initials(uint32_t at, uint32_t thread)
{
    uint32_t kept[STEPS_MAX];
    uint32_t count = 0, seen = 0, set = 0;
    bool free = true;
    for (uint32_t j = at + 1; j < x.depth; j++) {
        const struct node *n = &x.nodes[j];
        if (happened_before(&x.nodes[at], n))
            continue;
        free = free && !dependent(&n->pending[n->thread], &x.pending[thread]);
        if (!(seen & 1u << n->thread)) {
            bool first = true;
            for (uint32_t k = 0; k < count && first; k++)
                first = !happened_before(&x.nodes[kept[k]], n);
            set |= first ? 1u << n->thread : 0;
            seen |= 1u << n->thread;
        }
        kept[count++] = j;
    }
    if (!(seen & 1u << thread) && free)
        set |= 1u << thread;
    return set;
}

/* Someone must also go first at node `at`, so that the pending operation of `thread` can come
 * before the one done there. Adding `thread` itself would not do: it may sleep there, having
 * been tried, when another one must go before it. */
static void add_backtrack(uint32_t at, uint32_t thread)
{
    struct node *n = &x.nodes[at];
    uint32_t may = initials(at, thread) & n->enabled;
    if (!may)
        n->backtrack |= n->enabled;
    else if (!(may & (n->backtrack | n->sleep)))
        n->backtrack |= may & 1u << thread ? 1u << thread : may & -may;
}

/* A thread that waits for an operation cannot come before it. */
static bool waits_for(const struct op *op, const struct op *done)
{
    return op->kind == OP_AWAIT || (op->kind == OP_LOCK && done->kind == OP_STORE);
}

/* Where the pending operation of `thread` could have come earlier: the last operation that it
 * depends on and that did not happen before it. */
static void look_back(uint32_t thread, uint32_t from)
{
    const struct op *op = &x.pending[thread];
    for (uint32_t i = x.depth; i-- > from;) {
        const struct node *n = &x.nodes[i];
        if (n->thread == thread || !dependent(&n->pending[n->thread], op))
            continue;
        if (n->before.of[n->thread] <= x.trace[thread].of[n->thread])
            continue; /* It happened before what this thread has done. */
        if (waits_for(op, &n->pending[n->thread]))
            continue;
        add_backtrack(i, thread);
        return;
    }
}

/* Enters the operation that is about to be done into the trace. */
static void extend_trace(struct node *n)
{
    uint32_t t = n->thread;
    struct clock c = x.trace[t];
    for (uint32_t i = 0; i + 1 < x.depth; i++) {
        const struct node *m = &x.nodes[i];
        if (dependent(&m->pending[m->thread], &n->pending[t]))
            clock_join(&c, &m->before);
    }
    c.of[t]++;
    n->before = c;
    x.trace[t] = c;
}

/* ---- Steps --------------------------------------------------------------- */

static uint32_t enabled_now(void)
{
    uint32_t set = 0;
    for (uint32_t t = 0; t < x.count; t++) {
        if (x.pending[t].kind != OP_ENDED && tri_memory_enabled(t, &x.pending[t]))
            set |= 1u << t;
    }
    return set;
}

/* Threads whose going first was tried before and would still be the same. */
static uint32_t inherited_sleep(void)
{
    if (x.depth == 0 || x.program->no_reduction)
        return 0;
    const struct node *n = &x.nodes[x.depth - 1];
    uint32_t candidates = (n->sleep | n->done) & ~(1u << n->thread);
    uint32_t set = 0;
    for (uint32_t t = 0; t < x.count; t++) {
        if ((candidates & 1u << t) && !dependent(&n->pending[t], &n->pending[n->thread]))
            set |= 1u << t;
    }
    return set;
}

static void leave(bool cut)
{
    x.cut = cut;
    x.in_threads = false;
    _longjmp(x.main_context, 1);
}

/* A new node; leaves the execution if there is nothing to do at it. */
static void make_node(struct node *n)
{
    *n = (struct node){.enabled = enabled_now(), .sleep = inherited_sleep(), .outcomes = 1};
    memcpy(n->pending, x.pending, sizeof n->pending);
    uint32_t may = n->enabled & ~n->sleep;
    if (!n->enabled) {
        for (uint32_t t = 0; t < x.count; t++) {
            if (x.pending[t].kind != OP_ENDED)
                tri_step_fail("deadlock: thread %u waits in %s of %s:%d", t,
                              kind_names[x.pending[t].kind], x.pending[t].site.func,
                              x.pending[t].site.line);
        }
        leave(false);
    }
    if (!may)
        leave(true);
    n->thread = may & 1u << x.current ? x.current : (uint32_t)__builtin_ctz(may);
    n->backtrack = x.program->no_reduction ? n->enabled : 1u << n->thread;
}

static void switch_to(uint32_t thread)
{
    uint32_t self = x.current;
    if (thread == self)
        return;
    x.current = thread;
    if (x.pending[self].kind == OP_ENDED || _setjmp(x.contexts[self]) == 0)
        _longjmp(x.contexts[thread], 1);
}

/* Chooses who goes on; comes back when the caller is to. */
static void schedule(void)
{
    if (x.depth == STEPS_MAX)
        tri_step_fail("no end after %u operations", STEPS_MAX);
    struct node *n = &x.nodes[x.depth];
    if (x.depth >= x.replay) {
        look_back(x.current, 0);
        for (uint32_t t = 0; t < x.count && x.depth > 0; t++) {
            if (t != x.current && x.pending[t].kind != OP_ENDED)
                look_back(t, x.depth - 1);
        }
        make_node(n);
    } else {
        memcpy(n->pending, x.pending, sizeof n->pending); /* Addresses may be new ones. */
    }
    x.depth++;
    if (x.depth > x.verdict->steps_max)
        x.verdict->steps_max = x.depth;
    extend_trace(n);
    switch_to(n->thread);
}

void tri_step_begin(struct op op)
{
    x.pending[x.current] = op;
    if (!x.started[x.current]) {
        x.started[x.current] = true;
        if (_setjmp(x.contexts[x.current]) == 0)
            _longjmp(x.main_context, 1); /* The next one starts. */
        return;
    }
    schedule();
}

uint32_t tri_step_choose(uint32_t n)
{
    struct node *node = &x.nodes[x.depth - 1];
    if (n <= 1 || x.depth == 0)
        return 0;
    if (node->outcomes == 1)
        node->outcomes = n;
    if (node->outcomes != n) {
        tri_step_fail("the program is not deterministic: %u outcomes, were %u", n, node->outcomes);
    }
    return node->outcome;
}

uint32_t tri_choose(uint32_t n)
{
    static char nowhere[TRI_THREADS_MAX];
    tri_step_begin((struct op){OP_LOAD, false, (uintptr_t)&nowhere[x.current], TRI_SITE_});
    return tri_step_choose(n);
}

/* ---- Executions ---------------------------------------------------------- */

static void thread_main(void)
{
    x.program->threads[x.current]();
    if (!x.started[x.current])
        tri_step_begin((struct op){OP_LOAD, false, (uintptr_t)&x.started[x.current], TRI_SITE_});
    x.pending[x.current] = (struct op){.kind = OP_ENDED};
    schedule();
    abort();
}

static void start_threads(void)
{
    for (volatile uint32_t t = 0; t < x.count; t++) { /* volatile: lives across the jump */
        x.current = t;
        if (_setjmp(x.main_context) == 0)
            setcontext(&x.starts[t]);
        if (x.verdict->failed)
            return;
    }
}

static void prepare_contexts(void)
{
    if (!x.stacks) {
        x.stacks = mmap(NULL, TRI_THREADS_MAX * STACK_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (x.stacks == MAP_FAILED)
            abort();
    }
    for (uint32_t t = 0; t < x.count; t++) {
        getcontext(&x.starts[t]);
        x.starts[t].uc_stack.ss_sp = x.stacks + t * STACK_SIZE;
        x.starts[t].uc_stack.ss_size = STACK_SIZE;
        x.starts[t].uc_link = &x.start_return;
        makecontext(&x.starts[t], thread_main, 0);
    }
}

/* One execution; false if it only repeated another. */
static bool execute(void)
{
    prepare_contexts();
    x.depth = 0;
    x.cut = false;
    memset(x.trace, 0, sizeof x.trace);
    memset(x.started, 0, sizeof x.started);
    tri_memory_reset();
    tri_race_reset();
    x.program->set_up();
    x.in_threads = true;
    start_threads();
    if (!x.verdict->failed) {
        x.current = 0;
        if (_setjmp(x.main_context) == 0) {
            struct node *n = &x.nodes[0];
            if (x.replay == 0)
                make_node(n);
            memcpy(n->pending, x.pending, sizeof n->pending);
            x.depth = 1;
            extend_trace(n);
            x.current = n->thread;
            _longjmp(x.contexts[n->thread], 1);
        }
    }
    x.in_threads = false;
    if (!x.cut && !x.verdict->failed && x.program->check)
        x.program->check();
    return !x.cut;
}

/* Sets up the next execution; false when all were tried. */
static bool next_execution(void)
{
    for (uint32_t i = x.depth; i-- > 0;) {
        struct node *n = &x.nodes[i];
        x.replay = i + 1;
        if (n->outcome + 1 < n->outcomes) {
            n->outcome++;
            return true;
        }
        n->done |= 1u << n->thread;
        uint32_t left = n->backtrack & n->enabled & ~n->done & ~n->sleep;
        if (left) {
            n->thread = (uint32_t)__builtin_ctz(left);
            n->outcome = 0;
            n->outcomes = 1;
            return true;
        }
    }
    return false;
}

void tri_explore(const struct tri_program *program, struct tri_verdict *ret)
{
    *ret = (struct tri_verdict){0};
    x.program = program;
    x.verdict = ret;
    x.replay = 0;
    for (x.count = 0; x.count < TRI_THREADS_MAX && program->threads[x.count];)
        x.count++;
    do {
        if (program->executions_max && ret->executions + ret->cut >= program->executions_max)
            return;
        if (execute())
            ret->executions++;
        else
            ret->cut++;
        if (ret->failed)
            return;
    } while (next_execution());
    ret->complete = true;
}
