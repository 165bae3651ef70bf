/*
 * The stash against a model that shares no code with it: random messages that are put aside, taken
 * out and put aside again, a thousand runs of them. What the actor handled must be what the model
 * says, in the same order, and the accounts must balance after every run.
 */
#include "base/prng.h"
#include "stepped.h"

#include <stdlib.h>

#define MESSAGES 60u
#define RUNS 1000u
#define LOG_MAX 8192u

struct step {
    uint32_t n;     /* the message's number, in the order in which it is sent */
    uint32_t out;   /* take so many out of the stash, before anything else */
    uint32_t turns; /* how often it is put aside before it is taken */
};
TR_TYPE(step);

/* What was handled: message numbers; each visit of each message is one entry. */
struct history {
    uint32_t entries[LOG_MAX];
    uint32_t count;
};

static struct history real, model;
static uint32_t visits[MESSAGES];
static uint32_t model_visits[MESSAGES];

static void record(struct history *history, uint32_t n)
{
    assert_true(history->count < LOG_MAX);
    history->entries[history->count++] = n;
}

static tr_err receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    const struct step *step = tr_as(msg, step);
    (void)state;
    if (!step)
        return tr_unhandled(ctx);
    record(&real, step->n);
    (void)tr_unstash(ctx, step->out);
    return visits[step->n]++ < step->turns ? tr_stash(ctx) : TR_OK;
}
static const struct tr_actor actor = {.name = "model", .receive = receive};

/* ---- The model: three arrays of flags ------------------------------------- */

enum place { MAILBOX, AGAIN, ASIDE, GONE };

static void play(const struct step *steps)
{
    enum place at[MESSAGES] = {MAILBOX};
    for (;;) {
        int next = -1;
        for (int want = AGAIN; want >= MAILBOX && next < 0; want--) {
            for (uint32_t i = 0; i < MESSAGES && next < 0; i++)
                next = at[i] == (enum place)want ? (int)i : -1;
        }
        if (next < 0)
            return; /* What is aside now stays there. */
        record(&model, (uint32_t)next);
        at[next] = GONE; /* Not among those that it takes out itself. */
        uint32_t out = steps[next].out;
        for (uint32_t i = 0; i < MESSAGES && out; i++) {
            if (at[i] == ASIDE) {
                at[i] = AGAIN;
                out--;
            }
        }
        if (model_visits[next]++ < steps[next].turns)
            at[next] = ASIDE;
    }
}

static void one_run(uint64_t seed)
{
    struct tri_prng prng;
    struct step steps[MESSAGES];
    tri_prng_seed(&prng, seed);
    memset(&real, 0, sizeof real);
    memset(&model, 0, sizeof model);
    memset(visits, 0, sizeof visits);
    memset(model_visits, 0, sizeof model_visits);
    tr_pid pid = tr_spawn(root, &actor);
    uint64_t queued = system_accounts().queued;
    for (uint32_t i = 0; i < MESSAGES; i++) {
        uint64_t r = tri_prng_next(&prng);
        steps[i] = (struct step){
            .n = i, .out = r % 3 ? 0 : (uint32_t)(r >> 8) % 6, .turns = (uint32_t)(r >> 16) % 4};
        tr_send_value(root, pid, step, &steps[i]);
    }
    run();
    play(steps);
    if (real.count != model.count ||
        memcmp(real.entries, model.entries, real.count * sizeof real.entries[0]) != 0)
        fail_msg("seed %" PRIu64 ": %u handled, the model says %u, or in another order", seed,
                 real.count, model.count);
    uint32_t left = 0;
    for (uint32_t i = 0; i < MESSAGES; i++)
        left += visits[i] <= steps[i].turns;
    assert_int_equal(system_accounts().queued - queued, left);
    assert_int_equal(accounts_of(pid).queued, left);
    tr_stop(root, pid);
    run();
}

static void a_thousand_runs_are_as_the_model_says(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= RUNS; seed++)
        one_run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(a_thousand_runs_are_as_the_model_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
