/*
 * The lock-free structures one by one, on real threads. The interleaving tests cover all
 * schedules of a few steps; this covers long runs, and under the thread sanitizer the machine's
 * own code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "core/mailbox.h"
#include "core/pool.h"
#include "core/sched.h"
#include "core/slots.h"
#include "os/park.h"
#include "os/thread.h"

#define THREADS 3

static TRI_ATOMIC(bool) go;
static TRI_ATOMIC(uint32_t) wrong; /* assertions belong to the test's own thread */

static void expect(bool cond)
{
    if (!cond)
        (void)tri_fetch_add(&wrong, 1u, TRI_RELAXED);
}

static void wait_go(void)
{
    while (!tri_load(&go, TRI_ACQUIRE))
        tri_thread_yield();
}

/* Runs fn(0) … fn(THREADS - 1) at once. */
static void run(void (*const fns[THREADS])(void *))
{
    struct tri_thread threads[THREADS];
    static uint32_t numbers[THREADS] = {0, 1, 2};
    tri_store(&go, false, TRI_RELAXED);
    tri_store(&wrong, 0u, TRI_RELAXED);
    for (int i = 0; i < THREADS; i++)
        assert_true(tri_thread_create(&threads[i], "stress", fns[i], &numbers[i]));
    tri_store(&go, true, TRI_RELEASE);
    for (int i = 0; i < THREADS; i++)
        tri_thread_join(&threads[i]);
    assert_int_equal(tri_load(&wrong, TRI_RELAXED), 0);
}

/* ---- Mailbox ----------------------------------------------------------------- */

#define MAILS 20000

struct mail {
    struct tri_block block;
    uint32_t from, number;
};

static struct tri_cell cell;
static struct mail *mails;
static uint32_t taken, next_of[THREADS];

static void own(void)
{
    struct tri_block *block = cell.first;
    while (block) {
        struct mail *mail = (struct mail *)(void *)block;
        expect(mail->number == next_of[mail->from]++);
        taken++;
        struct tri_block *next = tri_mailbox_next(&cell, block);
        mail->number = UINT32_MAX;
        block = next;
    }
}

static void send_mails(void *arg)
{
    uint32_t self = *(uint32_t *)arg;
    wait_go();
    for (uint32_t i = 0; i < MAILS; i++) {
        struct mail *mail = &mails[self * MAILS + i];
        mail->from = self;
        mail->number = i;
        if (tri_mailbox_push(&cell, &mail->block))
            own();
    }
}

static void mailbox(void **state)
{
    (void)state;
    mails = calloc((size_t)THREADS * MAILS, sizeof *mails);
    assert_non_null(mails);
    run((void (*const[])(void *)){send_mails, send_mails, send_mails});
    assert_int_equal(taken, THREADS * MAILS);
    assert_null(tri_load(&cell.head, TRI_RELAXED));
    free(mails);
}

/* ---- Run queue ---------------------------------------------------------------- */

#define CELLS 30000

static struct tr_system *sys;
static struct tri_cell *cells;
static TRI_ATOMIC(uint32_t) cells_run;
static TRI_ATOMIC(bool) all_pushed;

static void run_cell(struct tri_cell *c)
{
    if (!c)
        return;
    expect(c->refused == (uint64_t)(c - cells) && c->taken == 0);
    c->taken = 1;
    (void)tri_fetch_add(&cells_run, 1u, TRI_RELAXED);
}

static void push_and_pop(void *arg)
{
    struct tri_worker *w = sys->workers[0];
    (void)arg;
    wait_go();
    for (uint32_t i = 0; i < CELLS; i++) {
        cells[i].refused = i;
        tri_sched_push(w, &cells[i]);
        if (i % 3 == 0)
            run_cell(tri_sched_pop(w));
    }
    for (struct tri_cell *c; (c = tri_sched_pop(w));)
        run_cell(c);
    tri_store(&all_pushed, true, TRI_RELEASE);
}

static void steal(void *arg)
{
    struct tri_worker *w = sys->workers[*(uint32_t *)arg];
    wait_go();
    while (!tri_load(&all_pushed, TRI_ACQUIRE)) {
        struct tri_cell *c = tri_sched_steal(w);
        if (!c)
            tri_thread_yield();
        for (; c; c = tri_sched_pop(w))
            run_cell(c);
    }
    for (struct tri_cell *c; (c = tri_sched_pop(w));)
        run_cell(c);
}

static void make_system(void)
{
    sys = calloc(1, sizeof *sys);
    assert_non_null(sys);
    sys->workers = calloc(THREADS, sizeof *sys->workers);
    assert_non_null(sys->workers);
    sys->worker_count = THREADS;
    for (int i = 0; i < THREADS; i++) {
        size_t size = (sizeof(struct tri_worker) + 63) & ~(size_t)63;
        sys->workers[i] = aligned_alloc(64, size);
        assert_non_null(sys->workers[i]);
        memset(sys->workers[i], 0, size);
        sys->workers[i]->ctx.sys = sys;
        sys->workers[i]->steal_seed = (uint64_t)i + 1;
        tri_store(&sys->workers[i]->stuck, true, TRI_RELAXED); /* always worth a theft */
    }
}

static void free_system(void)
{
    for (int i = 0; i < THREADS; i++)
        free(sys->workers[i]);
    free(sys->workers);
    free(sys);
}

static void run_queue(void **state)
{
    (void)state;
    make_system();
    cells = calloc(CELLS, sizeof *cells);
    assert_non_null(cells);
    tri_store(&all_pushed, false, TRI_RELAXED);
    run((void (*const[])(void *)){push_and_pop, steal, steal});
    /* A thief may have moved some just before the other looked. */
    for (int i = 0; i < THREADS; i++) {
        for (struct tri_cell *c; (c = tri_sched_pop(sys->workers[i]));)
            run_cell(c);
    }
    assert_int_equal(tri_load(&cells_run, TRI_RELAXED), CELLS);
    free(cells);
    free_system();
}

/* ---- Pools ---------------------------------------------------------------------- */

#define HANDS 64
#define BLOCKS 60000

static struct tri_pool_limit limit = {.bytes_max = (uint64_t)64 << 20};
static struct tri_pool pools[THREADS];
static struct tri_pool *homes[THREADS] = {&pools[0], &pools[1], &pools[2]};
static TRI_ATOMIC(uint64_t *) hands[HANDS];
static TRI_ATOMIC(bool) all_given;

static void give_blocks(void *arg)
{
    (void)arg;
    wait_go();
    for (uint64_t i = 0; i < BLOCKS; i++) {
        uint64_t *block = tri_pool_get(&pools[0], i & 1, false);
        expect(block != NULL);
        if (!block)
            continue;
        for (int k = 0; k < 8; k++)
            block[k] = i;
        block = tri_xchg(&hands[i % HANDS], block, TRI_ACQ_REL);
        if (block)
            tri_pool_put(&pools[0], block, 0, (uint32_t)(block[0] & 1));
    }
    tri_store(&all_given, true, TRI_RELEASE);
}

static void free_blocks(void *arg)
{
    struct tri_pool *pool = &pools[*(uint32_t *)arg];
    bool last = false;
    wait_go();
    while (!last) {
        last = tri_load(&all_given, TRI_ACQUIRE);
        for (uint32_t i = 0; i < HANDS; i++) {
            uint64_t *block = tri_xchg(&hands[i], NULL, TRI_ACQ_REL);
            if (!block)
                continue;
            for (int k = 1; k < 8; k++)
                expect(block[k] == block[0]);
            tri_pool_put(pool, block, 0, (uint32_t)(block[0] & 1));
        }
        tri_pool_flush(pool);
        tri_thread_yield();
    }
}

static void message_pools(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < THREADS; i++)
        assert_true(tri_pool_init(&pools[i], i, THREADS, homes, &limit));
    run((void (*const[])(void *)){give_blocks, free_blocks, free_blocks});
    tri_pool_trim(&pools[0]); /* All came home, so all can go. */
    assert_true(tri_load(&limit.bytes, TRI_RELAXED) == 0);
    for (int i = 0; i < THREADS; i++)
        tri_pool_fini(&pools[i]);
}

/* ---- PID table -------------------------------------------------------------------- */

#define TENANTS 20000

static TRI_ATOMIC(uint64_t) last_pid;

static void take_slots(void *arg)
{
    struct tr_ctx *ctx = &sys->workers[*(uint32_t *)arg]->ctx;
    wait_go();
    for (uint32_t i = 0; i < TENANTS; i++) {
        struct tri_cell *c = tri_slot_take(ctx);
        expect(c != NULL);
        if (!c)
            continue;
        uint32_t gen = tri_load(&c->gen, TRI_RELAXED);
        c->taken++; /* Plainly: two holders would race. */
        tri_store(&c->gen, gen | TRI_GEN_ALIVE, TRI_RELEASE);
        tri_store(&last_pid, (uint64_t)(gen | TRI_GEN_ALIVE) << 32 | c->slot, TRI_RELEASE);
        tr_pid other = {tri_load(&last_pid, TRI_ACQUIRE)};
        struct tri_cell *seen = tri_pid_cell(&sys->slots, other);
        expect(!seen || seen->slot == (uint32_t)other.bits);
        tri_store(&c->gen, gen + TRI_GEN_STEP, TRI_RELEASE);
        expect(tri_mailbox_next(c, tri_cell_stub(c)) == NULL);
        tri_slot_give(ctx, c->slot);
        if (i % 100 == 0)
            tri_slots_flush(ctx);
    }
    tri_slots_flush(ctx);
}

static void pid_table(void **state)
{
    (void)state;
    make_system();
    assert_true(tri_slots_init(&sys->slots, 1u << 16));
    run((void (*const[])(void *)){take_slots, take_slots, take_slots});
    uint64_t tenants = 0;
    for (uint32_t slot = 1; slot < tri_load(&sys->slots.count, TRI_RELAXED); slot++)
        tenants += tri_slot_cell(&sys->slots, slot)->taken;
    assert_true(tenants == (uint64_t)THREADS * TENANTS);
    tri_slots_fini(&sys->slots);
    free_system();
}

/* ---- Parking ------------------------------------------------------------------------ */

#define ROUNDS 3000

static struct tri_park places[THREADS];
static uint32_t said[THREADS];

/* A ring of threads that wake each other; now and then a sleep has a time-out. */
static void wake_the_next(void *arg)
{
    uint32_t self = *(uint32_t *)arg;
    uint32_t next = (self + 1) % THREADS;
    uint32_t before = (self + THREADS - 1) % THREADS;
    wait_go();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        if (self != 0 || i > 0) {
            while (!tri_park_wait(&places[self], i % 16 == 0 ? 50000 : -1))
                ;
            expect(said[before] == i + (self != 0));
        }
        said[self] = i + 1;
        tri_park_wake(&places[next]);
    }
}

static void parking(void **state)
{
    (void)state;
    for (int i = 0; i < THREADS; i++)
        tri_park_init(&places[i]);
    run((void (*const[])(void *)){wake_the_next, wake_the_next, wake_the_next});
    assert_int_equal(said[THREADS - 1], ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mailbox),   cmocka_unit_test(run_queue), cmocka_unit_test(message_pools),
        cmocka_unit_test(pid_table), cmocka_unit_test(parking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
