/*
 * Sending a struct that is there already, through each of the calls: what arrives is what it was
 * when it was sent, whole, also where it does not fit into a small block.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "troupe/troupe.h"

#include <stdio.h>

struct word {
    uint64_t n;
};
struct page {
    uint64_t n;
    char text[120];
};
TR_TYPE(word);
TR_TYPE(page);

enum act { SEND, TRY, BROADCAST, REPLY, REPLY_TO, AFTER, EVERY, PUBLISH, ACTS };
struct job {
    enum act act;
    bool large; /* a page, not a word */
    uint64_t n;
};
TR_TYPE(job);

/* The system runs on the test's thread. */
static uint64_t now_ns;
static tr_pid passer, sink;
static struct {
    uint64_t words, pages, last;
} seen;

static uint64_t test_clock(void *user)
{
    (void)user;
    return now_ns;
}

static struct page page_of(uint64_t n)
{
    struct page page = {.n = n};
    snprintf(page.text, sizeof page.text, "%0119" PRIu64, n);
    return page;
}

/* Passes the value on, and spoils it right afterwards: it has to be copied by then. */
#define PASS(T)                                                        \
    static tr_err pass_##T(tr_ctx *ctx, enum act act, struct T *value) \
    {                                                                  \
        const tr_pid both[] = {sink, sink};                            \
        const struct T *same = value;                                  \
        tr_err err = TR_OK;                                            \
        switch (act) {                                                 \
        case SEND:                                                     \
            tr_send_value(ctx, sink, T, same);                         \
            break;                                                     \
        case TRY:                                                      \
            err = tr_try_send_value(ctx, sink, T, value);              \
            break;                                                     \
        case BROADCAST:                                                \
            tr_broadcast_value(ctx, both, 2, T, value);                \
            break;                                                     \
        case REPLY:                                                    \
            tr_reply_value(ctx, T, value);                             \
            break;                                                     \
        case REPLY_TO:                                                 \
            tr_reply_to_value(ctx, tr_caller_of(ctx), T, value);       \
            break;                                                     \
        case AFTER:                                                    \
            (void)tr_after_value(ctx, 10, T, value);                   \
            break;                                                     \
        case EVERY:                                                    \
            (void)tr_every_value(ctx, 10, T, value);                   \
            break;                                                     \
        case PUBLISH:                                                  \
            tr_publish_value(ctx, T, value);                           \
            break;                                                     \
        case ACTS:                                                     \
            break;                                                     \
        }                                                              \
        memset(value, 0xee, sizeof *value);                            \
        return err;                                                    \
    }
PASS(word)
PASS(page)

struct actor {
    char none;
};

/* The passer passes on; the sink asks the passer to. */
static tr_err on_job(tr_ctx *ctx, struct actor *self, const struct job *msg)
{
    (void)self;
    if (tr_pid_equal(tr_self(ctx), sink)) {
        (void)tr_request_value(ctx, passer, 100, job, msg);
        return TR_OK;
    }
    struct word word = {msg->n};
    struct page page = page_of(msg->n);
    return msg->large ? pass_page(ctx, msg->act, &page) : pass_word(ctx, msg->act, &word);
}

static tr_err on_word(tr_ctx *ctx, struct actor *self, const struct word *msg)
{
    (void)ctx;
    (void)self;
    seen.words++;
    seen.last = msg->n;
    return TR_OK;
}

static tr_err on_page(tr_ctx *ctx, struct actor *self, const struct page *msg)
{
    (void)self;
    const struct page want = page_of(msg->n);
    if (memcmp(&want, msg, sizeof want) != 0)
        return tr_fail(ctx, TR_EINVAL, "page %" PRIu64 " came spoilt", msg->n);
    seen.pages++;
    seen.last = msg->n;
    return TR_OK;
}

/* A timer's message comes to whoever set it: the passer counts those itself. */
#define ACTOR_HANDLERS(ON) \
    ON(job, on_job)        \
    ON(word, on_word)      \
    ON(page, on_page)
TR_DISPATCH(actor, ACTOR_HANDLERS);

/* The argument says whether to listen to what is published. */
static tr_err listen(tr_ctx *ctx, void *state, const void *arg)
{
    (void)state;
    const bool *listens = arg;
    if (!*listens)
        return TR_OK;
    tr_err err = tr_subscribe(ctx, word);
    return err ? err : tr_subscribe(ctx, page);
}

static const struct tr_actor actor = {
    .name = "actor",
    .state_size = sizeof(struct actor),
    .arg_size = sizeof(bool),
    .init = listen,
    .receive = actor_receive,
    .accepts = actor_accepts,
};

static void stop(tr_system *sys)
{
    struct tr_accounts accounts;
    assert_int_equal(tr_system_stop(sys, 10000), TR_OK);
    tr_system_accounts(sys, &accounts);
    assert_true(tr_accounts_balance(&accounts));
    tr_system_destroy(sys);
}

/* What came of one job, after 35 ms. */
static void play(const struct job *job)
{
    tr_system *sys;
    const struct tr_config config = {
        .manual = true, .log = tr_log_none, .clock = {.mono_ns = test_clock}, .seed = 1};
    memset(&seen, 0, sizeof seen);
    now_ns = 1000000000;
    assert_int_equal(tr_system_create(&sys, &config), TR_OK);
    tr_ctx *root = tr_root(sys);
    passer = tr_spawn(root, &actor);
    sink = tr_spawn(root, &actor, .arg = &(bool){true});
    tr_system_run(sys);
    tr_send_value(root, sink, job, job);
    for (unsigned ms = 0; ms <= 35; ms++, now_ns += 1000000)
        tr_system_run(sys);
    stop(sys);
}

static void each_call_copies_the_value(void **state)
{
    (void)state;
    static const uint64_t expected[ACTS] = {
        [SEND] = 1,  [TRY] = 1,   [BROADCAST] = 2, [REPLY] = 1,
        [AFTER] = 1, [EVERY] = 3, [REPLY_TO] = 1,  [PUBLISH] = 1};
    for (unsigned i = 0; i < 2 * ACTS; i++) {
        const struct job job = {.act = i % ACTS, .large = i >= ACTS, .n = 1000 + i};
        play(&job);
        uint64_t got = job.large ? seen.pages : seen.words;
        if (got != expected[job.act] || seen.words + seen.pages != got || seen.last != job.n)
            fail_msg("act %d, %s: %" PRIu64 " words, %" PRIu64 " pages, the last is %" PRIu64,
                     (int)job.act, job.large ? "a page" : "a word", seen.words, seen.pages,
                     seen.last);
    }
}

static void asks_with_a_value(void **state)
{
    (void)state;
    tr_system *sys;
    assert_int_equal(tr_system_create(&sys, &(struct tr_config){.workers = 1, .log = tr_log_none}),
                     TR_OK);
    tr_ctx *root = tr_root(sys);
    tr_pid replier = tr_spawn(root, &actor);
    const struct job job = {.act = REPLY, .large = true, .n = 7};
    const struct page want = page_of(7);
    struct page page = {0};
    tr_err err = tr_ask_value(root, replier, TR_INTO(page, &page), 10000, job, &job);
    assert_int_equal(err, TR_OK);
    assert_memory_equal(&page, &want, sizeof want);
    stop(sys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_copies_the_value),
        cmocka_unit_test(asks_with_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
