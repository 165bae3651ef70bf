/* loop.c - one I/O thread. */
#include "remote/loop.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "os/clock.h"
#include "os/memory.h"

/* The bottom of the jobs while the loop waits; never run. */
static struct tri_wire_job sleeping;

/* The loop that this thread runs. */
static _Thread_local const struct tri_loop *here;

/* Rounds of one turn: beyond them, sockets and timers get their chance first. */
#define ROUNDS_MAX 16
#define INPUT_ALIGN ((size_t)4 << 10)
/* How long a job is waited for that is expected: a little more than waking a worker takes. After so
 * many times in vain it is only tried now and then. */
#define AWAIT_NS 20000u
#define IN_VAIN_MAX 2u
#define AGAIN_EVERY 64u

uint64_t tri_loop_now_ns(struct tri_loop *loop)
{
    if (loop->hub.now_ns == 0)
        loop->hub.now_ns = tri_clock_mono_ns();
    return loop->hub.now_ns;
}

/* ---- Jobs ---------------------------------------------------------------- */

static void post(void *self, struct tri_wire_job *job)
{
    struct tri_loop *loop = self;
    struct tri_wire_job *top = tri_load(&loop->jobs, TRI_RELAXED);
    do
        job->next = top == &sleeping ? NULL : top;
    /* Release: what the poster wrote is seen by run(); pairs with take()'s acquire. */
    while (!tri_cas_weak(&loop->jobs, &top, job, TRI_RELEASE, TRI_RELAXED));
    /* On its own thread the loop is awake, and runs jobs before it sleeps. */
    if (top == &sleeping && loop != here)
        (void)uv_async_send(&loop->wake);
}

/* All jobs, first posted first; the loop counts as awake from here on. */
static struct tri_wire_job *take(struct tri_loop *loop)
{
    /* Relaxed: only a hint; a job that is missed keeps the loop from falling asleep. */
    if (tri_load(&loop->jobs, TRI_RELAXED) == NULL)
        return NULL;
    /* Acquire: pairs with post()'s release. */
    struct tri_wire_job *top = tri_xchg(&loop->jobs, NULL, TRI_ACQUIRE), *first = NULL;
    while (top && top != &sleeping) {
        struct tri_wire_job *next = top->next;
        top->next = first;
        first = top;
        top = next;
    }
    return first;
}

static bool run_jobs(struct tri_loop *loop)
{
    struct tri_wire_job *job = take(loop), *next;
    bool any = job != NULL;
    for (; job; job = next) {
        next = job->next;
        job->run(job);
    }
    return any;
}

/* False: there are jobs. */
static bool fall_asleep(struct tri_loop *loop)
{
    struct tri_wire_job *none = NULL;
    /* Relaxed: what a poster must see is the value itself. */
    return tri_cas_strong(&loop->jobs, &none, &sleeping, TRI_RELAXED, TRI_RELAXED);
}

/* ---- Timers -------------------------------------------------------------- */

static uint64_t tick_of(uint64_t ns)
{
    return (ns + 999999u) / 1000000u;
}

void tri_loop_timer(struct tri_loop *loop, struct tri_wire_timer *timer, uint64_t due_ns)
{
    if (timer->node.prev)
        (void)tri_wheel_remove(&loop->wheel, &timer->node);
    if (due_ns > 0)
        tri_wheel_add(&loop->wheel, &timer->node, tick_of(due_ns));
}

static bool fire_timers(struct tri_loop *loop)
{
    struct tri_wheel_node *node;
    uint64_t now = tri_loop_now_ns(loop) / 1000000u;
    bool any = false;
    while ((node = tri_wheel_pop(&loop->wheel, now))) {
        struct tri_wire_timer *timer = TRI_CONTAINER_OF(node, struct tri_wire_timer, node);
        timer->fire(timer);
        any = true;
    }
    return any;
}

static void on_tick(uv_timer_t *tick)
{
    struct tri_loop *loop = tick->data;
    loop->tick_at = TRI_WHEEL_NEVER; /* fire_timers() comes with the turn. */
}

static void set_tick(struct tri_loop *loop)
{
    uint64_t next = tri_wheel_next(&loop->wheel);
    if (next == loop->tick_at)
        return;
    loop->tick_at = next;
    if (next == TRI_WHEEL_NEVER) {
        (void)uv_timer_stop(&loop->tick);
        return;
    }
    uint64_t now = tri_clock_mono_ns() / 1000000u;
    uv_update_time(&loop->uv);
    (void)uv_timer_start(&loop->tick, on_tick, next > now ? next - now : 0, 0);
}

/* ---- Turns --------------------------------------------------------------- */

static bool flush(struct tri_loop *loop)
{
    struct tri_conn *conn = loop->dirty_first, *next;
    bool any = false;
    loop->dirty_first = loop->dirty_last = NULL;
    for (; conn; conn = next) {
        next = conn->next_dirty;
        conn->dirty = false;
        if (conn->waits) {
            tri_conn_changed(&conn->session);
            continue;
        }
        tri_conn_flush(conn);
        any = true;
    }
    return any;
}

/* A new turn: who waits for it may write again. */
static void let_go_on(struct tri_loop *loop)
{
    loop->again = false;
    for (struct tri_conn *conn = loop->dirty_first; conn; conn = conn->next_dirty)
        conn->waits = false;
}

/* True when nothing is left to do. */
static bool settle(struct tri_loop *loop)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        bool any = fire_timers(loop);
        any |= run_jobs(loop);
        any |= tri_hub_tell(&loop->hub);
        any |= flush(loop);
        if (!any)
            return true;
    }
    return false;
}

static void no_more(uv_handle_t *handle)
{
    (void)handle;
}

static void after_events(uv_check_t *after)
{
    struct tri_loop *loop = after->data;
    let_go_on(loop);
    (void)settle(loop);
}

/*
 * Where an actor was handed a message or two, what it says to them is likely to come sooner than
 * this thread could be put to sleep and woken: waits for it, if it mostly came of late.
 */
static bool await_job(struct tri_loop *loop)
{
    bool came = false;
    if (!loop->wire.expects)
        return false;
    loop->wire.expects = false;
    if (loop->in_vain > IN_VAIN_MAX && loop->in_vain++ % AGAIN_EVERY != 0)
        return false;
    uint64_t until_ns = tri_clock_mono_ns() + AWAIT_NS;
    do {
        tri_pause(); /* Who yields on a busy machine gets its turn again milliseconds later. */
        /* Relaxed: a hint; take() acquires. */
        came = tri_load(&loop->jobs, TRI_RELAXED) != NULL;
    } while (!came && tri_clock_mono_ns() < until_ns);
    loop->in_vain = came ? 0 : loop->in_vain + 1;
    return came;
}

static void before_events(uv_prepare_t *before)
{
    struct tri_loop *loop = before->data;
    bool settled = settle(loop);
    if (settled && !loop->again && await_job(loop))
        settled = settle(loop);
    if (loop->stopping && !loop->conns) {
        uv_close((uv_handle_t *)&loop->wake, no_more);
        uv_close((uv_handle_t *)&loop->before, no_more);
        uv_close((uv_handle_t *)&loop->after, no_more);
        uv_close((uv_handle_t *)&loop->tick, no_more);
        return;
    }
    set_tick(loop);
    if (!settled || loop->again || !fall_asleep(loop))
        (void)uv_async_send(&loop->wake); /* Only looks for events. */
    loop->hub.now_ns = 0;
}

static void on_wake(uv_async_t *wake)
{
    (void)wake; /* after_events() does it. */
}

/* ---- The table ----------------------------------------------------------- */

static struct tri_stream *wire_dial(void *self, const char *address, const char *path,
                                    const struct tri_wire_events *events, void *user)
{
    return tri_conn_dial(self, address, path, events, user);
}

static uint64_t wire_now_ns(void *self)
{
    return tri_loop_now_ns(self);
}

static void wire_timer(void *self, struct tri_wire_timer *timer, uint64_t due_ns)
{
    tri_loop_timer(self, timer, due_ns);
}

tr_err tri_loop_init(struct tri_loop *loop, struct tr_error *error)
{
    /* Whole pages: the kernel copies to what is not aligned at a sixth of the speed. */
    loop->input = tri_mem_map(TRI_INPUT_SIZE, INPUT_ALIGN, true);
    loop->plain = loop->hub.tls ? tri_malloc(TRI_INPUT_SIZE) : NULL;
    if (!loop->input || (loop->hub.tls && !loop->plain)) {
        tri_mem_unmap(loop->input, TRI_INPUT_SIZE);
        tri_free(loop->plain);
        return tri_error_set(error, TR_ENOMEM, 0, "no memory for an I/O thread");
    }
    int rv = uv_loop_init(&loop->uv);
    if (rv == 0) {
        rv = uv_async_init(&loop->uv, &loop->wake, on_wake);
        if (rv != 0)
            (void)uv_loop_close(&loop->uv);
    }
    if (rv != 0) {
        tri_mem_unmap(loop->input, TRI_INPUT_SIZE);
        tri_free(loop->plain);
        return tri_error_set(error, TR_EIO, -rv, "an I/O thread gets no event loop");
    }
    (void)uv_prepare_init(&loop->uv, &loop->before);
    (void)uv_check_init(&loop->uv, &loop->after);
    (void)uv_timer_init(&loop->uv, &loop->tick);
    loop->before.data = loop->after.data = loop->tick.data = loop;
    (void)uv_prepare_start(&loop->before, before_events);
    (void)uv_check_start(&loop->after, after_events);
    loop->tick_at = TRI_WHEEL_NEVER;
    tri_wheel_init(&loop->wheel, tri_clock_mono_ns() / 1000000u);
    loop->wire = (struct tri_wire){.dial = wire_dial,
                                   .send = tri_stream_send,
                                   .queued = tri_stream_queued,
                                   .close_send = tri_stream_close_send,
                                   .end = tri_stream_end,
                                   .pause = tri_stream_pause,
                                   .peer = tri_stream_peer,
                                   .peer_names = tri_stream_peer_names,
                                   .now_ns = wire_now_ns,
                                   .timer = wire_timer,
                                   .post = post,
                                   .self = loop};
    loop->hub.wire = &loop->wire;
    loop->hub.changed = tri_conn_changed;
    return TR_OK;
}

void tri_loop_run(struct tri_loop *loop)
{
    here = loop;
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    while (run_jobs(loop))
        continue;
    here = NULL;
}

void tri_loop_stop(struct tri_loop *loop)
{
    struct tri_conn *next;
    loop->stopping = true;
    for (struct tri_conn *conn = loop->conns; conn; conn = next) {
        next = conn->next;
        tri_conn_lose(conn, TRI_WIRE_ENDED, "this node ends");
    }
}

void tri_loop_fini(struct tri_loop *loop)
{
    int rv = uv_loop_close(&loop->uv);
    TRI_ASSERT(rv == 0);
    tri_hub_fini(&loop->hub);
    tri_mem_unmap(loop->input, TRI_INPUT_SIZE);
    tri_free(loop->plain);
}
