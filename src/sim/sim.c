#include "sim/sim.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "core/cold.h"
#include "core/send.h"
#include "core/slots.h"
#include "core/timers.h"
#include "core/worker.h"

#include <limits.h>
#include <stdio.h>

#define NS_PER_MS 1000000u
/* The simulated day begins at 2000-01-01 00:00 UTC; the monotonic clock at one second. */
#define WALL_START_US INT64_C(946684800000000)
#define MONO_START_NS UINT64_C(1000000000)
#define DELAY_MS_DEFAULT 1000u
/* Choices at one moment; two handlers that call each other for ever end a run. */
#define SETTLE_MAX 100000000u
#define STOP_MS 60000u

enum { FAULT_DROP, FAULT_DELAY, FAULT_DUPLICATE, FAULT_FAIL };

/* ---- Decisions ----------------------------------------------------------- */

uint32_t tri_sim_decide(struct tri_sim *sim, uint32_t bound)
{
    uint32_t choice = 0;
    size_t at = sim->decision_count;
    if (bound > UINT16_MAX)
        bound = UINT16_MAX;
    if (!sim->options.script)
        choice = (uint32_t)tri_prng_below(&sim->choices, bound);
    else if (at < sim->options.script_count)
        choice = sim->options.script[at] % bound;
    if (at < TRI_SIM_DECISIONS_MAX) {
        sim->decisions[at] = (uint16_t)choice;
        sim->decision_count++;
    }
    return choice;
}

bool tri_sim_event(struct tri_sim *sim)
{
    const struct tri_sim_options *o = &sim->options;
    uint32_t number = sim->event++;
    if (!o->events)
        return true;
    while (sim->event_at < o->event_count && o->events[sim->event_at] < number)
        sim->event_at++;
    return sim->event_at < o->event_count && o->events[sim->event_at] == number;
}

/* ---- The trace ----------------------------------------------------------- */

void tri_sim_note(struct tri_sim *sim, const char *fmt, ...)
{
    va_list args;
    if (!sim->options.trace)
        return;
    uint64_t us = (sim->now_ns - MONO_START_NS) / 1000;
    va_start(args, fmt);
    /* What is to fail is an allocation of the code under test. */
    bool failing = tri_alloc_fail_pending();
    tri_alloc_fail_after(-1);
    tri_text_line(&sim->trace, us, fmt, args);
    tri_alloc_fail_after(failing ? 0 : -1);
    va_end(args);
}

/* name#slot, and .tenant where the slot has had others. */
static void put_label(struct tri_sim *sim, tr_pid pid)
{
    if (tr_pid_is_nobody(pid)) {
        tri_text_word(&sim->trace, "outside");
        return;
    }
    const struct tri_cell *cell = tri_pid_cell(&sim->sys->slots, pid);
    const char *name = "?";
    if (cell && cell->cold && cell->cold->name)
        name = cell->cold->name;
    else if (cell && cell->actor && cell->actor->name)
        name = cell->actor->name;
    uint32_t tenant = (uint32_t)(pid.bits >> 32) / TRI_GEN_STEP;
    tri_text_word(&sim->trace, name);
    tri_text_word(&sim->trace, "#");
    tri_text_number(&sim->trace, (uint32_t)pid.bits);
    if (tenant > 1) {
        tri_text_word(&sim->trace, ".");
        tri_text_number(&sim->trace, tenant);
    }
}

/* Begins the line of what an actor gets: to whom, and what. */
static bool open_line(struct tri_sim *sim, struct tr_ctx *ctx, const struct tr_type *type)
{
    if (!sim->options.trace || !tri_text_open(&sim->trace, (sim->now_ns - MONO_START_NS) / 1000))
        return false;
    put_label(sim, tri_ctx_self(ctx));
    tri_text_word(&sim->trace, " ");
    tri_text_word(&sim->trace, type->name);
    return true;
}

static void note_message(struct tri_sim *sim, struct tr_ctx *ctx, const struct tri_block *block,
                         const char *what)
{
    if (!open_line(sim, ctx, block->type))
        return;
    tri_text_word(&sim->trace, " from ");
    put_label(sim, block->from);
    tri_text_word(&sim->trace, what);
    tri_text_close(&sim->trace);
}

static void on_log(void *user, enum tr_log_level level, const char *line)
{
    (void)level;
    tri_sim_note(user, "  %s", line);
}

/* ---- Faults -------------------------------------------------------------- */

/* Puts a copy on hold; false when there is no room, and then the message goes through. */
static bool hold_back(struct tri_sim *sim, struct tr_ctx *ctx, struct tri_block *block,
                      uint64_t due_ns)
{
    if (sim->late_count == sim->late_capacity) {
        size_t capacity = sim->late_capacity ? 2 * sim->late_capacity : 64;
        struct tri_sim_late *late = capacity <= TRI_SIM_LATE_MAX
                                        ? tri_realloc(sim->late, capacity * sizeof *late)
                                        : NULL;
        if (!late)
            return false;
        sim->late = late;
        sim->late_capacity = capacity;
    }
    struct tri_block *copy = tri_stepped_copy(ctx, block);
    if (!copy)
        return false;
    struct tri_sim_late one = {due_ns, tri_ctx_self(ctx), copy};
    size_t at = sim->late_count++;
    for (; at > 0 && sim->late[at - 1].due_ns > one.due_ns; at--)
        sim->late[at] = sim->late[at - 1];
    sim->late[at] = one;
    return true;
}

/* Chance keeps the order between two actors, as the runtime does: what follows a message on hold
 * waits for it. When that one comes; 0: there is none. */
static uint64_t held_until(const struct tri_sim *sim, tr_pid to, tr_pid from)
{
    for (size_t i = sim->late_count; i-- > 0;) {
        const struct tri_sim_late *late = &sim->late[i];
        if (tr_pid_equal(late->to, to) && tr_pid_equal(late->block->from, from))
            return late->due_ns;
    }
    return 0;
}

/* -1: none. */
static int ordered_fault(struct tri_sim *sim, const struct tr_type *type, unsigned *ret_ms)
{
    for (unsigned i = 0; i < sim->rule_count; i++) {
        struct tri_sim_rule *rule = &sim->rules[i];
        if (rule->type != type || rule->count == 0)
            continue;
        rule->count--;
        *ret_ms = rule->ms;
        return rule->what;
    }
    return -1;
}

static int chance_fault(struct tri_sim *sim, const struct tr_type *type, unsigned *ret_ms)
{
    const struct tr_test_faults *f = &sim->faults;
    const unsigned permille[] = {f->drop_permille, f->delay_permille, f->duplicate_permille,
                                 f->fail_permille};
    unsigned all = permille[0] + permille[1] + permille[2] + permille[3];
    if (all == 0 || (type->flags & TR_TYPE_CONTROL))
        return -1;
    /* The faults are at the upper end, so that 0 is none. */
    unsigned draw = 999 - tri_sim_decide(sim, 1000);
    if (draw >= all)
        return -1;
    int what = 0;
    while (draw >= permille[what])
        draw -= permille[what++];
    if (what == FAULT_DELAY)
        *ret_ms = 1 + tri_sim_decide(sim, f->delay_ms_max ? f->delay_ms_max : DELAY_MS_DEFAULT);
    return what;
}

static enum tri_fate befall(struct tri_sim *sim, struct tr_ctx *ctx, struct tri_block *block)
{
    unsigned ms = 0;
    uint64_t due_ns = 0;
    int what = sim->ending ? -1 : ordered_fault(sim, block->type, &ms);
    if (what < 0 && !sim->ending && ctx->cell->actor != &tri_probe_actor) {
        what = chance_fault(sim, block->type, &ms);
        if (sim->faults.delay_permille && !(block->type->flags & TR_TYPE_CONTROL))
            due_ns = held_until(sim, tri_ctx_self(ctx), block->from);
        if (due_ns)
            what = FAULT_DELAY;
    }
    switch (what) {
    case FAULT_DROP:
        note_message(sim, ctx, block, ": LOST");
        return TRI_FATE_LOSE;
    case FAULT_DELAY:
        if (!hold_back(sim, ctx, block, due_ns ? due_ns : sim->now_ns + (uint64_t)ms * NS_PER_MS))
            break;
        note_message(sim, ctx, block, ": DELAYED");
        return TRI_FATE_DELAY;
    case FAULT_DUPLICATE:
        if (!hold_back(sim, ctx, block, sim->now_ns))
            break;
        note_message(sim, ctx, block, ": TWICE");
        return TRI_FATE_HANDLE;
    case FAULT_FAIL:
        note_message(sim, ctx, block, ": FAILS");
        return TRI_FATE_FAIL;
    default:
        break;
    }
    note_message(sim, ctx, block, "");
    return TRI_FATE_HANDLE;
}

static enum tri_fate on_fate(void *self, struct tr_ctx *ctx, struct tri_block *block)
{
    struct tri_sim *sim = self;
    bool failing = tri_alloc_fail_pending();
    tri_alloc_fail_after(-1);
    sim->messages++;
    enum tri_fate fate = befall(sim, ctx, block);
    tri_alloc_fail_after(failing ? 0 : -1);
    return fate;
}

static void on_batch(void *self, struct tr_ctx *ctx, const struct tr_type *type, uint32_t count)
{
    struct tri_sim *sim = self;
    sim->messages += count;
    bool failing = tri_alloc_fail_pending();
    tri_alloc_fail_after(-1);
    if (open_line(sim, ctx, type)) {
        tri_text_word(&sim->trace, ", a batch of ");
        tri_text_number(&sim->trace, count);
        tri_text_close(&sim->trace);
    }
    tri_alloc_fail_after(failing ? 0 : -1);
}

static void on_turn(void *self, bool begins)
{
    struct tri_sim *sim = self;
    sim->in_turn = begins;
    if (!begins) {
        tri_alloc_fail_after(-1);
    } else if (!sim->ending && sim->faults.alloc_permille &&
               999 - tri_sim_decide(sim, 1000) < sim->faults.alloc_permille) {
        tri_sim_note(sim, "  the next allocation fails");
        tri_alloc_fail_after(0);
    }
}

static size_t on_choose(void *self, size_t count)
{
    return tri_sim_decide(self, count < UINT16_MAX ? (uint32_t)count : UINT16_MAX);
}

/* ---- Clock and chance ---------------------------------------------------- */

static uint64_t mono_ns(void *user)
{
    return ((struct tri_sim *)user)->now_ns;
}

static int64_t wall_us(void *user)
{
    return WALL_START_US + (int64_t)((((struct tri_sim *)user)->now_ns - MONO_START_NS) / 1000);
}

static uint64_t next_random(void *user)
{
    return tri_prng_next(&((struct tri_sim *)user)->random);
}

void tri_sim_deliver_due(struct tri_sim *sim)
{
    size_t due = 0;
    if (sim->late_count == 0)
        return;
    while (due < sim->late_count && sim->late[due].due_ns <= sim->now_ns)
        due++;
    for (size_t i = 0; i < due; i++)
        tri_deliver(sim->sys->root, sim->late[i].to, sim->late[i].block);
    memmove(sim->late, sim->late + due, (sim->late_count - due) * sizeof *sim->late);
    sim->late_count -= due;
}

static bool due_now(struct tri_sim *sim)
{
    return (sim->late_count && sim->late[0].due_ns <= sim->now_ns) ||
           tr_system_next_timer_ns(sim->sys) <= sim->now_ns;
}

void tri_sim_settle(struct tri_sim *sim)
{
    for (uint32_t i = 0; i < SETTLE_MAX; i++) {
        tri_sim_deliver_due(sim);
        (void)tr_system_step(sim->sys, 64);
        if (!due_now(sim) && tr_system_step(sim->sys, 1) == 0)
            return;
    }
}

static uint64_t next_event_ns(struct tri_sim *sim)
{
    uint64_t next = tr_system_next_timer_ns(sim->sys);
    if (sim->late_count && sim->late[0].due_ns < next)
        next = sim->late[0].due_ns;
    return next;
}

/* The wheel may give a tick before the next timer's: the clock goes on all the same. */
static uint64_t later(const struct tri_sim *sim, uint64_t next_ns)
{
    return next_ns > sim->now_ns ? next_ns : sim->now_ns + NS_PER_MS;
}

bool tri_sim_next(struct tri_sim *sim)
{
    for (;;) {
        tri_sim_deliver_due(sim);
        if (tr_system_step(sim->sys, 1) > 0 || !tri_system_at_rest(sim->sys))
            return true;
        uint64_t next = next_event_ns(sim);
        if (next == UINT64_MAX)
            return false;
        sim->now_ns = later(sim, next);
    }
}

/* Somebody outside of all actors waits for them. */
static bool on_wait(void *self, uint64_t until_ns)
{
    struct tri_sim *sim = self;
    tri_sim_deliver_due(sim);
    if (!tri_system_at_rest(sim->sys))
        return true;
    uint64_t next = next_event_ns(sim);
    next = next == UINT64_MAX ? until_ns : later(sim, next);
    sim->now_ns = next < until_ns ? next : until_ns;
    return true;
}

void tri_sim_advance(struct tri_sim *sim, uint64_t ns)
{
    uint64_t end = sim->now_ns + ns;
    tri_sim_settle(sim);
    for (uint64_t next; (next = next_event_ns(sim)) <= end;) {
        if (later(sim, next) > end)
            break;
        sim->now_ns = later(sim, next);
        tri_sim_settle(sim);
    }
    sim->now_ns = end;
    tri_sim_settle(sim);
}

/* ---- Life ---------------------------------------------------------------- */

bool tri_sim_boot(struct tri_sim *sim)
{
    uint64_t seed = sim->options.seed;
    struct tr_config config = {.node = "sim",
                               .manual = true,
                               .seed = seed + 1 ? seed + 1 : 1,
                               .log = sim->options.trace ? on_log : tr_log_none,
                               .log_user = sim,
                               .clock = {mono_ns, wall_us, sim},
                               .random = {next_random, sim}};
    const struct tri_stepper port = {on_choose, on_fate, on_batch, on_turn, on_wait, sim};
    tr_system_destroy(sim->sys);
    sim->sys = NULL;
    sim->ending = false;
    return tr_system_create(&sim->sys, &config) == TR_OK && tri_stepped_install(sim->sys, &port);
}

struct tri_sim *tri_sim_create(const struct tri_sim_options *options)
{
    struct tri_sim *sim = tri_calloc(1, sizeof *sim);
    if (!sim)
        return NULL;
    sim->options = *options;
    sim->now_ns = MONO_START_NS;
    tri_prng_seed(&sim->choices, options->seed ^ options->salt * UINT64_C(0x9E3779B97F4A7C15));
    tri_prng_seed(&sim->random, ~options->seed);
    tri_prng_seed(&sim->history, options->seed + UINT64_C(0xD1B54A32D192ED03));
    sim->decisions = tri_malloc(TRI_SIM_DECISIONS_MAX * sizeof *sim->decisions);
    if (!sim->decisions || !tri_sim_boot(sim)) {
        tri_sim_destroy(sim);
        return NULL;
    }
    return sim;
}

void tri_sim_finish(struct tri_sim *sim, struct tr_accounts *ret_accounts)
{
    sim->ending = true;
    /* What is still on hold comes now. */
    for (size_t i = 0; i < sim->late_count; i++)
        sim->late[i].due_ns = sim->now_ns;
    tri_sim_settle(sim);
    (void)tr_system_stop(sim->sys, STOP_MS);
    tri_sim_settle(sim);
    if (ret_accounts)
        tr_system_accounts(sim->sys, ret_accounts);
}

uint64_t tri_sim_leaked(struct tri_sim *sim)
{
    struct tr_stats stats;
    tri_pool_flush(&sim->sys->root->pool);
    tri_pool_trim(&sim->sys->root->pool);
    tr_system_stats(sim->sys, &stats);
    return stats.message_bytes;
}

void tri_sim_destroy(struct tri_sim *sim)
{
    if (!sim)
        return;
    if (sim->sys) {
        for (size_t i = 0; i < sim->late_count; i++)
            tri_block_free(sim->sys->root, sim->late[i].block);
        sim->late_count = 0;
    }
    tr_system_destroy(sim->sys);
    tri_free(sim->late);
    tri_free(sim->decisions);
    tri_text_fini(&sim->trace);
    tri_free(sim);
}
