/*
 * core.c - random histories of actors against an oracle that knows what was promised:
 *
 * - between two actors order is kept, and nothing is lost unless a policy or an end says so;
 * - a restart keeps the PID and the mailbox;
 * - a request has exactly one outcome;
 * - a watcher hears of an end exactly once;
 * - back-off doubles from one restart to the next, and timers do not come early;
 * - what was put aside comes again, in its order;
 * - delays, also in circles, leave nothing behind.
 *
 * Workers have mailboxes of every policy; they fail, restart, stop, and send to each other.
 */
#include "troupe/test.h"

#define DRIVERS 3u
#define WORKERS 6u      /* at a time */
#define WORKERS_MAX 40u /* ever */
#define ROUNDS 12u
#define CALLS_MAX 400u
#define ACTIONS 8u
#define BACKOFF_MIN 2u
#define BACKOFF_MAX 20u

struct note {
    uint32_t driver;
    uint32_t seq;
    uint32_t what;
};
struct question {
    uint32_t silent;
};
struct answer {
    char none;
};
struct hold {
    uint32_t on;
};
struct go {
    uint32_t round;
    uint64_t due_ns;
};
TR_TYPE(note);
TR_TYPE(question);
TR_TYPE(answer);
TR_TYPE_FLAGS(hold, TR_TYPE_CONTROL); /* Never dropped. */
TR_TYPE(go);

enum { PLAIN, FAIL, STOP, PASS_ON };

/* ---- The oracle ----------------------------------------------------------- */

struct known_worker {
    tr_pid pid;
    bool exact; /* nothing may be missing */
    bool ended;
    bool slow;          /* it is restarted with a delay */
    uint64_t failed_ns; /* it has failed, and was not started again */
    uint64_t backoff_ms;
    uint32_t sent[DRIVERS], seen[DRIVERS];
    uint32_t downs[DRIVERS];
};

/* What a driver does in one round. */
struct plan {
    uint32_t pause_ms, actions;
    uint64_t random[ACTIONS];
    bool happens[ACTIONS];
};

static struct {
    struct tr_test *test;
    struct plan plans[DRIVERS][ROUNDS + 1];
    struct known_worker workers[WORKERS_MAX];
    uint32_t count;
    uint32_t now[WORKERS]; /* index of the worker in each place */
    uint64_t calls[DRIVERS][CALLS_MAX];
    uint32_t outcomes[DRIVERS][CALLS_MAX];
    uint32_t call_count[DRIVERS];
    uint32_t passed_on, passed_seen;
    bool stopping;
} town;

static tr_pid spawn_worker(tr_ctx *ctx, uint32_t place);

/* ---- Workers -------------------------------------------------------------- */

struct worker_args {
    uint32_t index;
};
struct worker {
    uint32_t index;
    bool holds; /* puts notes aside */
};

/* Also a restart, which comes as late as its policy says. */
static tr_err worker_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct worker *self = state;
    self->index = ((const struct worker_args *)arg)->index;
    struct known_worker *known = &town.workers[self->index];
    uint64_t passed_ms = (tr_now_ns(ctx) - known->failed_ns) / 1000000u;
    if (known->failed_ns && known->slow) {
        tr_expect(town.test, passed_ms >= known->backoff_ms);
        tr_expect(town.test, passed_ms <= known->backoff_ms + 1);
    } else if (known->failed_ns) {
        tr_expect(town.test, passed_ms == 0);
    }
    known->failed_ns = 0;
    return TR_OK;
}

static tr_err fail_as_ordered(tr_ctx *ctx, struct known_worker *known)
{
    known->failed_ns = tr_now_ns(ctx);
    known->backoff_ms = known->backoff_ms ? 2 * known->backoff_ms : BACKOFF_MIN;
    if (known->backoff_ms > BACKOFF_MAX)
        known->backoff_ms = BACKOFF_MAX;
    return tr_fail(ctx, TR_EUSER, "as ordered");
}

static void worker_stop(tr_ctx *ctx, void *state)
{
    /* Also before a restart, where the actor is alive. */
    (void)ctx;
    (void)state;
}

static tr_err on_note(tr_ctx *ctx, struct worker *self, const struct note *msg)
{
    struct known_worker *known = &town.workers[self->index];
    tr_expect(town.test, tr_pid_equal(known->pid, tr_self(ctx)));
    if (self->holds && tr_stash(ctx) == TR_OK)
        return TR_OK;
    if (msg->driver == DRIVERS) { /* passed on by another worker */
        town.passed_seen++;
        return TR_OK;
    }
    uint32_t *seen = &known->seen[msg->driver];
    tr_expect(town.test, msg->seq > *seen);
    tr_expect(town.test, !known->exact || msg->seq == *seen + 1);
    *seen = msg->seq;
    if (msg->what == FAIL)
        return fail_as_ordered(ctx, known);
    if (msg->what == STOP) {
        known->ended = true;
        tr_stop(ctx, tr_self(ctx));
    }
    for (uint32_t i = 0; msg->what == PASS_ON && i < WORKERS; i++) {
        town.passed_on++;
        tr_send(ctx, town.workers[town.now[i]].pid, note, .driver = DRIVERS);
    }
    return TR_OK;
}

static tr_err on_hold(tr_ctx *ctx, struct worker *self, const struct hold *msg)
{
    self->holds = msg->on;
    if (!self->holds)
        (void)tr_unstash(ctx, SIZE_MAX);
    return TR_OK;
}

static tr_err on_question(tr_ctx *ctx, struct worker *self, const struct question *msg)
{
    (void)self;
    if (!msg->silent)
        tr_reply(ctx, answer, .none = 0);
    return TR_OK;
}

#define WORKER_HANDLERS(ON) ON(note, on_note) ON(question, on_question) ON(hold, on_hold)
TR_DISPATCH(worker, WORKER_HANDLERS);
static const struct tr_actor worker_actor = {.name = "worker",
                                             .state_size = sizeof(struct worker),
                                             .arg_size = sizeof(struct worker_args),
                                             .init = worker_init,
                                             .receive = worker_receive,
                                             .stop = worker_stop,
                                             .accepts = worker_accepts};

/* Few failures are too many for it. */
static const struct tr_supervision patient = {
    .on_failure = TR_RESTART, .restarts_max = 63, .within_ms = 1000};
static const struct tr_supervision slow = {.on_failure = TR_RESTART,
                                           .restarts_max = 63,
                                           .within_ms = 1000,
                                           .backoff_ms_min = BACKOFF_MIN,
                                           .backoff_ms_max = BACKOFF_MAX};

static tr_pid spawn_worker(tr_ctx *ctx, uint32_t place)
{
    static const enum tr_overflow policies[] = {TR_QUEUE,       TR_DELAY,       TR_DELAY,
                                                TR_DROP_NEWEST, TR_DROP_OLDEST, TR_REFUSE};
    struct worker_args arg = {town.count};
    if (town.count == WORKERS_MAX)
        return TR_NOBODY;
    struct known_worker *known = &town.workers[town.count];
    enum tr_overflow policy = policies[place];
    known->exact = policy == TR_QUEUE || policy == TR_DELAY;
    known->slow = place % 2;
    known->pid = tr_spawn(ctx, &worker_actor, .arg = &arg, .mailbox_max = place == 0 ? 0 : 3,
                          .overflow = place == 0 ? TR_REFUSE : policy,
                          .supervise = place % 2 ? &slow : &patient);
    tr_expect(town.test, !tr_pid_is_nobody(known->pid));
    town.now[place] = town.count++;
    return known->pid;
}

/* ---- Drivers -------------------------------------------------------------- */

struct driver {
    uint32_t index;
};

static void watch_all(tr_ctx *ctx)
{
    for (uint32_t i = 0; i < WORKERS; i++)
        tr_watch(ctx, town.workers[town.now[i]].pid);
}

static void next_round(tr_ctx *ctx, uint32_t round, uint32_t pause_ms)
{
    uint64_t due_ns = tr_now_ns(ctx) + pause_ms * UINT64_C(1000000);
    tr_after(ctx, pause_ms, go, .round = round, .due_ns = due_ns);
}

static tr_err driver_init(tr_ctx *ctx, void *state, const void *arg)
{
    *(struct driver *)state = *(const struct driver *)arg;
    watch_all(ctx);
    next_round(ctx, 1, 1);
    return TR_OK;
}

static void act(tr_ctx *ctx, struct driver *self, uint64_t random)
{
    struct known_worker *known = &town.workers[town.now[random % WORKERS]];
    uint32_t what = (uint32_t)(random >> 8) % 40;
    if (what < 10 && town.call_count[self->index] < CALLS_MAX) {
        uint64_t call = tr_request(ctx, known->pid, 1 + (unsigned)(random >> 16) % 20, question,
                                   .silent = what == 0);
        town.calls[self->index][town.call_count[self->index]++] = call;
        return;
    }
    if (what >= 36) {
        tr_send(ctx, known->pid, hold, .on = what < 38);
        return;
    }
    what = what == 10 ? STOP : what < 14 ? FAIL : what < 22 ? PASS_ON : PLAIN;
    tr_send(ctx, known->pid, note, .driver = self->index, .seq = ++known->sent[self->index],
            .what = what);
}

static tr_err on_go(tr_ctx *ctx, struct driver *self, const struct go *msg)
{
    const struct plan *plan = &town.plans[self->index][msg->round];
    tr_expect(town.test, tr_now_ns(ctx) >= msg->due_ns);
    for (unsigned i = 0; i < plan->actions; i++) {
        if (plan->happens[i])
            act(ctx, self, plan->random[i]);
    }
    if (msg->round < ROUNDS)
        next_round(ctx, msg->round + 1, plan->pause_ms);
    return TR_OK;
}

static void outcome(tr_ctx *ctx, const struct driver *self)
{
    for (uint32_t i = 0; i < town.call_count[self->index]; i++) {
        if (town.calls[self->index][i] == tr_call(ctx)) {
            town.outcomes[self->index][i]++;
            return;
        }
    }
    tr_expect(town.test, !"an outcome of a call that was never made");
}

static tr_err on_answer(tr_ctx *ctx, struct driver *self, const struct answer *msg)
{
    (void)msg;
    outcome(ctx, self);
    return TR_OK;
}

static tr_err on_no_answer(tr_ctx *ctx, struct driver *self, const struct tr_request_failed *msg)
{
    (void)msg;
    outcome(ctx, self);
    return TR_OK;
}

/* Driver 0 has the worker replaced; all watch the new one when they hear of the old one's end. */
static tr_err on_down(tr_ctx *ctx, struct driver *self, const struct tr_down *msg)
{
    for (uint32_t i = 0; i < town.count; i++) {
        if (tr_pid_equal(town.workers[i].pid, msg->who))
            town.workers[i].downs[self->index]++;
    }
    for (uint32_t i = 0; self->index == 0 && !town.stopping && i < WORKERS; i++) {
        if (tr_pid_equal(town.workers[town.now[i]].pid, msg->who))
            (void)spawn_worker(ctx, i);
    }
    return TR_OK;
}

#define DRIVER_HANDLERS(ON)             \
    ON(go, on_go)                       \
    ON(answer, on_answer)               \
    ON(tr_request_failed, on_no_answer) \
    ON(tr_down, on_down)
TR_DISPATCH(driver, DRIVER_HANDLERS);
static const struct tr_actor driver_actor = {.name = "driver",
                                             .state_size = sizeof(struct driver),
                                             .arg_size = sizeof(struct driver),
                                             .init = driver_init,
                                             .receive = driver_receive,
                                             .accepts = driver_accepts};

/* ---- The test ------------------------------------------------------------- */

static void check(struct tr_test *t)
{
    for (uint32_t w = 0; w < town.count; w++) {
        const struct known_worker *known = &town.workers[w];
        bool alive = tr_alive(tr_test_ctx(t), known->pid);
        tr_expect(t, alive == !known->ended);
        for (uint32_t d = 0; d < DRIVERS; d++) {
            tr_expect(t, known->seen[d] <= known->sent[d]);
            tr_expect(t, !known->exact || known->ended || known->seen[d] == known->sent[d]);
            /* Only the first ones were watched by all. */
            tr_expect(t, known->downs[d] == (known->ended && w < WORKERS));
        }
        struct tr_accounts accounts;
        if (alive) {
            tr_expect(t, tr_actor_accounts(tr_test_ctx(t), known->pid, &accounts) == TR_OK);
            tr_expect(t, tr_accounts_balance(&accounts));
            tr_expect(t, accounts.queued == 0);
        }
    }
    for (uint32_t d = 0; d < DRIVERS; d++) {
        for (uint32_t c = 0; c < town.call_count[d]; c++)
            tr_expect(t, town.outcomes[d][c] == 1);
    }
    struct tr_accounts accounts;
    tr_system_accounts(tr_system_of(tr_test_ctx(t)), &accounts);
    tr_expect(t, accounts.queued == 0);
    tr_expect(t, tr_accounts_balance(&accounts));
}

static void make_plans(struct tr_test *t)
{
    for (uint32_t d = 0; d < DRIVERS; d++) {
        for (uint32_t round = 1; round <= ROUNDS; round++) {
            struct plan *plan = &town.plans[d][round];
            plan->pause_ms = 1 + (uint32_t)(tr_test_random(t) % 3);
            plan->actions = 1 + (uint32_t)(tr_test_random(t) % ACTIONS);
            for (uint32_t i = 0; i < plan->actions; i++) {
                plan->random[i] = tr_test_random(t);
                plan->happens[i] = tr_test_event(t);
            }
        }
    }
}

static void history(struct tr_test *t)
{
    memset(&town, 0, sizeof town);
    town.test = t;
    make_plans(t);
    for (uint32_t i = 0; i < WORKERS; i++)
        (void)spawn_worker(tr_test_ctx(t), i);
    for (uint32_t i = 0; i < DRIVERS; i++) {
        struct driver arg = {i};
        tr_pid driver = tr_spawn(tr_test_ctx(t), &driver_actor, .name = NULL, .arg = &arg);
        tr_expect(t, !tr_pid_is_nobody(driver));
    }
    tr_test_advance(t, 500); /* Back-off begins anew after a second. */
    for (uint32_t i = 0; i < town.count; i++)
        tr_send(tr_test_ctx(t), town.workers[i].pid, hold, .on = 0);
    tr_test_advance(t, 1500);
    check(t);
    town.stopping = true;
}

int main(int argc, char **argv)
{
    return tr_test_main(argc, argv, history);
}
