/* Bounded mailboxes: every policy, classes of messages, delays in circles, the accounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "troupe/troupe.h"

struct item {
    uint32_t n;
};
struct other {
    uint32_t n;
};
struct urgent {
    uint32_t n;
};
struct promised {
    uint32_t n;
};
struct produce {
    tr_pid to[3];
    uint32_t count; /* to each */
    uint32_t again; /* then tell itself so often */
};
TR_TYPE(item);
TR_TYPE(other);
TR_TYPE_FLAGS(urgent, TR_TYPE_CONTROL);
TR_TYPE_FLAGS(promised, TR_TYPE_DURABLE);
TR_TYPE(produce);

#define SEEN_MAX 4096u
static struct {
    uint32_t order[SEEN_MAX];
    uint32_t count, produced, failed, batches;
} seen;

struct sink {
    char none;
};

static tr_err note(uint32_t n)
{
    assert_true(seen.count < SEEN_MAX);
    seen.order[seen.count++] = n;
    return TR_OK;
}

#define NOTE(T)                                                                   \
    static tr_err on_##T(tr_ctx *ctx, struct sink *self, const struct T *message) \
    {                                                                             \
        (void)ctx;                                                                \
        (void)self;                                                               \
        return note(message->n);                                                  \
    }
NOTE(item)
NOTE(other)
NOTE(urgent)
NOTE(promised)

static tr_err on_items(tr_ctx *ctx, struct sink *self, const struct item *const *items,
                       size_t count)
{
    (void)ctx;
    (void)self;
    seen.batches++;
    for (size_t i = 0; i < count; i++)
        (void)note(items[i]->n);
    return TR_OK;
}

static tr_err on_produce(tr_ctx *ctx, struct sink *self, const struct produce *msg)
{
    (void)self;
    seen.produced++;
    for (uint32_t i = 0; i < msg->count; i++) {
        for (int t = 0; t < 3; t++) {
            if (!tr_pid_is_nobody(msg->to[t]))
                tr_send(ctx, msg->to[t], item, .n = i);
        }
    }
    if (msg->again > 0)
        tr_send(ctx, tr_self(ctx), produce, .to = {msg->to[0], msg->to[1], msg->to[2]},
                .count = msg->count, .again = msg->again - 1);
    return TR_OK;
}

static tr_err on_request_failed(tr_ctx *ctx, struct sink *self, const struct tr_request_failed *msg)
{
    (void)ctx;
    (void)self;
    seen.failed += msg->reason == TR_EFULL;
    return TR_OK;
}

#define SINK_HANDLERS(ON) \
    ON(item, on_item)     \
    ON(other, on_other)   \
    ON(urgent, on_urgent) \
    ON(promised, on_promised)
TR_DISPATCH(sink, SINK_HANDLERS);
TR_BATCH(sink, item, on_items);
static const struct tr_actor sink_actor = {
    .name = "sink", .receive = sink_receive, .accepts = sink_accepts};

/* Accepts nothing durable, so that any policy may be its default. */
static const struct tr_actor plain_actor = {.name = "plain", .receive = sink_receive};
static const struct tr_actor batch_actor = {.name = "batch",
                                            .receive = sink_receive,
                                            .receive_batch = sink_receive_batch,
                                            .batch_type = &item_type,
                                            .batch_max = 8};

struct source {
    char none;
};
static tr_err on_source_produce(tr_ctx *ctx, struct source *self, const struct produce *msg)
{
    return on_produce(ctx, (struct sink *)(void *)self, msg);
}
static tr_err on_source_failed(tr_ctx *ctx, struct source *self,
                               const struct tr_request_failed *msg)
{
    return on_request_failed(ctx, (struct sink *)(void *)self, msg);
}
static tr_err on_source_item(tr_ctx *ctx, struct source *self, const struct item *msg)
{
    return on_item(ctx, (struct sink *)(void *)self, msg);
}
#define SOURCE_HANDLERS(ON)        \
    ON(produce, on_source_produce) \
    ON(item, on_source_item)       \
    ON(tr_request_failed, on_source_failed)
TR_DISPATCH(source, SOURCE_HANDLERS);
static const struct tr_actor source_actor = {.name = "source", .receive = source_receive};

static tr_system *create(void)
{
    tr_system *sys;
    seen.count = seen.produced = seen.failed = seen.batches = 0;
    assert_int_equal(
        tr_system_create(&sys, &(struct tr_config){.manual = true, .seed = 1, .log = tr_log_none}),
        TR_OK);
    return sys;
}

static struct tr_accounts accounts_of(tr_system *sys)
{
    struct tr_accounts accounts;
    tr_system_accounts(sys, &accounts);
    assert_true(tr_accounts_balance(&accounts));
    return accounts;
}

static void finish(tr_system *sys)
{
    assert_int_equal(tr_system_stop(sys, 30000), TR_OK);
    struct tr_accounts accounts = accounts_of(sys);
    assert_int_equal(accounts.queued, 0);
    tr_system_destroy(sys);
}

static void drop_newest(void **state)
{
    (void)state;
    tr_system *sys = create();
    tr_ctx *root = tr_root(sys);
    tr_pid sink = tr_spawn(root, &plain_actor, .mailbox_max = 4, .overflow = TR_DROP_NEWEST);
    for (uint32_t i = 0; i < 10; i++)
        tr_send(root, sink, item, .n = i);
    assert_int_equal(tr_try_send(root, sink, item, .n = 99), TR_EFULL);
    tr_system_run(sys);
    assert_int_equal(seen.count, 4);
    assert_int_equal(seen.order[3], 3);
    struct tr_accounts all = accounts_of(sys), own;
    assert_int_equal(all.dropped_newest, 6);
    assert_int_equal(all.dropped, 6);
    assert_int_equal(tr_actor_accounts(root, sink, &own), TR_OK);
    assert_int_equal(own.accepted, 10);
    assert_int_equal(own.dropped_newest, 6);
    assert_true(tr_accounts_balance(&own));
    finish(sys);
}

static void drop_oldest(void **state)
{
    (void)state;
    tr_system *sys = create();
    tr_ctx *root = tr_root(sys);
    tr_pid sink = tr_spawn(root, &plain_actor, .mailbox_max = 4, .overflow = TR_DROP_OLDEST);
    tr_send(root, sink, urgent, .n = 100); /* passed over, whatever waits behind it */
    for (uint32_t i = 0; i < 10; i++)
        tr_send(root, sink, item, .n = i);
    tr_send(root, sink, promised, .n = 200); /* durable: queued whatever the policy says */
    tr_system_run(sys);
    const uint32_t want[] = {100, 6, 7, 8, 9, 200};
    assert_int_equal(seen.count, 6);
    assert_memory_equal(seen.order, want, sizeof want);
    struct tr_accounts all = accounts_of(sys);
    assert_int_equal(all.dropped_oldest, 6);
    assert_int_equal(all.dropped_newest, 0);
    finish(sys);
}

static void refuse_and_queue(void **state)
{
    (void)state;
    tr_system *sys = create();
    tr_ctx *root = tr_root(sys);
    tr_pid refuses = tr_spawn(root, &sink_actor, .mailbox_max = 4);
    tr_pid queues = tr_spawn(root, &sink_actor, .mailbox_max = 4, .overflow = TR_QUEUE);
    for (uint32_t i = 0; i < 10; i++) {
        tr_send(root, refuses, item, .n = i);
        tr_send(root, queues, item, .n = i);
    }
    tr_system_run(sys);
    assert_int_equal(seen.count, 14);
    struct tr_accounts all = accounts_of(sys), own;
    assert_int_equal(all.dead[TR_DEAD_REFUSED], 6);
    assert_int_equal(all.dropped, 0);
    assert_int_equal(tr_actor_accounts(root, refuses, &own), TR_OK);
    assert_int_equal(own.dead[TR_DEAD_REFUSED], 6);
    assert_true(tr_accounts_balance(&own));
    finish(sys);
}

/* Each class has its policy; what one drops is not another's. */
static void classes(void **state)
{
    (void)state;
    static const struct tr_overflow_rule rules[] = {
        {&item_type, TR_DROP_OLDEST}, {&other_type, TR_DROP_NEWEST}, {NULL, TR_REFUSE}};
    tr_system *sys = create();
    tr_ctx *root = tr_root(sys);
    tr_pid sink = tr_spawn(root, &sink_actor, .mailbox_max = 3, .overflow = TR_QUEUE,
                           .overflow_rules = rules);
    tr_send(root, sink, other, .n = 1);
    tr_send(root, sink, item, .n = 2);
    tr_send(root, sink, promised, .n = 3);
    tr_send(root, sink, promised, .n = 4); /* by the default: queued */
    tr_send(root, sink, other, .n = 5);    /* dropped: newest */
    tr_send(root, sink, item, .n = 6);     /* 2 goes */
    tr_send(root, sink, urgent, .n = 7);
    tr_system_run(sys);
    const uint32_t want[] = {1, 3, 4, 6, 7};
    assert_int_equal(seen.count, 5);
    assert_memory_equal(seen.order, want, sizeof want);
    /* A class that finds only others waiting drops itself. */
    for (uint32_t i = 0; i < 3; i++)
        tr_send(root, sink, promised, .n = i);
    tr_send(root, sink, item, .n = 50);
    tr_system_run(sys);
    struct tr_accounts all = accounts_of(sys);
    assert_int_equal(all.dropped_oldest, 1);
    assert_int_equal(all.dropped_newest, 2);
    assert_int_equal(all.accepted, 11);
    finish(sys);
}

static void bad_policies(void **state)
{
    (void)state;
    static const struct tr_overflow_rule rules[] = {{&promised_type, TR_DROP_NEWEST},
                                                    {NULL, TR_REFUSE}};
    static const struct tr_overflow_rule fine[] = {{&promised_type, TR_DELAY}, {NULL, TR_REFUSE}};
    tr_system *sys = create();
    tr_ctx *root = tr_root(sys);
    struct tr_error error;
    tr_pid pid = tr_spawn(root, &sink_actor, .mailbox_max = 4, .overflow = TR_DROP_OLDEST,
                          .error = &error);
    assert_int_equal(tr_pid_err(pid), TR_EINVAL);
    assert_string_equal(error.text,
                        "actor 'sink': message type 'promised' is durable, but its overflow policy "
                        "is 'drop oldest'; want 'delay', 'queue' or 'refuse'");
    pid = tr_spawn(root, &plain_actor, .mailbox_max = 4, .overflow_rules = rules, .error = &error);
    assert_int_equal(tr_pid_err(pid), TR_EINVAL);
    pid = tr_spawn(root, &plain_actor, .overflow = TR_DELAY, .error = &error);
    assert_int_equal(tr_pid_err(pid), TR_EINVAL);
    pid = tr_spawn(root, &plain_actor, .mailbox_max = 1, .overflow = (enum tr_overflow)9);
    assert_int_equal(tr_pid_err(pid), TR_EINVAL);
    pid = tr_spawn(root, &sink_actor, .mailbox_max = 4, .overflow = TR_DROP_OLDEST,
                   .overflow_rules = fine);
    assert_int_equal(tr_pid_err(pid), TR_OK);
    finish(sys);
}

static void batches(void **state)
{
    (void)state;
    tr_system *sys = create();
    tr_ctx *root = tr_root(sys);
    tr_pid sink = tr_spawn(root, &batch_actor, .mailbox_max = 16, .overflow = TR_DROP_OLDEST);
    for (uint32_t i = 0; i < 20; i++)
        tr_send(root, sink, item, .n = i);
    tr_send(root, sink, other, .n = 77);
    tr_send(root, sink, item, .n = 20);
    tr_poison(root, sink);
    tr_system_run(sys);
    assert_int_equal(seen.count, 16);
    assert_int_equal(seen.order[0], 6);
    assert_int_equal(seen.order[14], 77);
    assert_int_equal(seen.order[15], 20);
    assert_int_equal(seen.batches, 3);
    assert_false(tr_alive(root, sink));
    (void)accounts_of(sys);
    finish(sys);
}

/* Who waits for an answer hears at once that its question was dropped. */
struct asker {
    tr_pid to;
};
static tr_err asker_init(tr_ctx *ctx, void *self, const void *arg)
{
    (void)self;
    const struct asker *asker = arg;
    for (uint32_t i = 0; i < 6; i++)
        tr_request(ctx, asker->to, 1000, item, .n = i);
    return TR_OK;
}
static const struct tr_actor asker_actor = {.name = "asker",
                                            .arg_size = sizeof(struct asker),
                                            .init = asker_init,
                                            .receive = source_receive};

static void dropped_requests(void **state)
{
    (void)state;
    tr_system *sys = create();
    tr_ctx *root = tr_root(sys);
    struct asker newest = {
        tr_spawn(root, &plain_actor, .mailbox_max = 2, .overflow = TR_DROP_NEWEST)};
    struct asker oldest = {
        tr_spawn(root, &plain_actor, .mailbox_max = 2, .overflow = TR_DROP_OLDEST)};
    assert_false(tr_pid_is_nobody(tr_spawn(root, &asker_actor, .arg = &newest)));
    assert_false(tr_pid_is_nobody(tr_spawn(root, &asker_actor, .arg = &oldest)));
    tr_system_run(sys);
    assert_int_equal(seen.failed, 8);
    assert_int_equal(seen.count, 4);
    finish(sys);
}

static struct {
    uint32_t items, urgent;
} counted;

static tr_err count_receive(tr_ctx *ctx, void *self, const tr_msg *msg)
{
    (void)ctx;
    (void)self;
    counted.items += msg->type == &item_type;
    counted.urgent += msg->type == &urgent_type;
    return TR_OK;
}
static const struct tr_actor count_actor = {.name = "count", .receive = count_receive};

/* ---- Delay --------------------------------------------------------------- */

/* A source that would flood is held back: the mailbox never exceeds its bound by more than one
 * handler sends, and all that was sent arrives. */
static void delay_holds_back(void **state)
{
    (void)state;
    tr_system *sys = create();
    tr_ctx *root = tr_root(sys);
    tr_pid sink = tr_spawn(root, &sink_actor, .mailbox_max = 8, .overflow = TR_DELAY);
    tr_pid source = tr_spawn(root, &source_actor);
    tr_send(root, source, produce, .to = {sink}, .count = 5, .again = 99);
    struct tr_accounts own;
    uint64_t most = 0;
    /* The source alone is stepped as far as it gets: each step is one message. */
    while (tr_system_step(sys, 1) > 0) {
        assert_int_equal(tr_actor_accounts(root, sink, &own), TR_OK);
        uint64_t sent = (uint64_t)seen.produced * 5;
        uint64_t waiting = sent - seen.count;
        most = waiting > most ? waiting : most;
    }
    assert_int_equal(seen.count, 500);
    assert_true(most >= 8 && most < 8 + 5);
    struct tr_stats stats;
    tr_system_stats(sys, &stats);
    assert_true(stats.delays > 10);
    finish(sys);
}

/* System messages reach an actor that is held back; its end lets its messages stay. */
static void delayed_actor_can_be_stopped(void **state)
{
    (void)state;
    tr_system *sys = create();
    tr_ctx *root = tr_root(sys);
    tr_pid sink = tr_spawn(root, &sink_actor, .mailbox_max = 2, .overflow = TR_DELAY);
    tr_pid source = tr_spawn(root, &source_actor);
    tr_send(root, source, produce, .to = {sink}, .count = 10, .again = 1);
    while (seen.produced == 0)
        (void)tr_system_step(sys, 1);
    tr_stop(root, source);
    tr_system_run(sys);
    assert_false(tr_alive(root, source));
    assert_int_equal(seen.count, 10);
    assert_int_equal(seen.produced, 1);
    finish(sys);
}

/* The end of the receiver lets the sender go on. */
static void receiver_ends(void **state)
{
    (void)state;
    tr_system *sys = create();
    tr_ctx *root = tr_root(sys);
    tr_pid sink = tr_spawn(root, &sink_actor, .mailbox_max = 2, .overflow = TR_DELAY);
    tr_pid source = tr_spawn(root, &source_actor);
    tr_send(root, source, produce, .to = {sink}, .count = 10, .again = 3);
    while (seen.produced == 0)
        (void)tr_system_step(sys, 1);
    tr_stop(root, sink);
    tr_system_run(sys);
    assert_int_equal(seen.produced, 4);
    struct tr_accounts all = accounts_of(sys);
    assert_int_equal(all.dead[TR_DEAD_STOPPED] + all.dead[TR_DEAD_NO_ACTOR] + seen.count, 40);
    finish(sys);
}

/* Each of `count` actors floods the next one, and itself when `count` is 1. */
static void circle(uint32_t count)
{
    tr_system *sys = create();
    tr_ctx *root = tr_root(sys);
    tr_pid ring[3];
    for (uint32_t i = 0; i < count; i++)
        ring[i] = tr_spawn(root, &source_actor, .mailbox_max = 4, .overflow = TR_DELAY);
    for (uint32_t i = 0; i < count; i++)
        tr_send(root, ring[i], produce, .to = {ring[(i + 1) % count]}, .count = 20, .again = 19);
    tr_system_run(sys);
    assert_int_equal(seen.produced, count * 20);
    assert_int_equal(seen.count, count * 20 * 20);
    assert_int_equal(accounts_of(sys).queued, 0);
    finish(sys);
}

static void circles(void **state)
{
    (void)state;
    circle(1);
    circle(2);
    circle(3);
}

/* ---- The system's memory ------------------------------------------------- */

/* At the cap ordinary messages become dead letters, control messages and answers still go
 * through, tr_try_send() says no, and when the backlog is gone all is as before. */
static void memory_cap(void **state)
{
    (void)state;
    tr_system *sys;
    seen.count = 0;
    struct tr_config config = {
        .manual = true, .seed = 1, .log = tr_log_none, .memory_max = (size_t)1 << 20};
    assert_int_equal(tr_system_create(&sys, &config), TR_OK);
    tr_ctx *root = tr_root(sys);
    tr_pid sink = tr_spawn(root, &count_actor, .mailbox_max = 16, .overflow = TR_QUEUE);
    tr_system_run(sys);
    counted.items = counted.urgent = 0;
    for (uint32_t round = 1; round <= 3; round++) {
        for (uint32_t i = 0; i < 100000; i++)
            tr_send(root, sink, item, .n = i);
        struct tr_stats stats;
        tr_system_stats(sys, &stats);
        assert_true(stats.message_bytes <= stats.message_bytes_max + ((size_t)1 << 20));
        assert_int_equal(tr_try_send(root, sink, item, .n = 1), TR_EFULL);
        for (uint32_t i = 0; i < 100; i++)
            tr_send(root, sink, urgent, .n = i);
        tr_system_run(sys);
        assert_int_equal(counted.urgent, 100 * round);
        assert_int_equal(tr_try_send(root, sink, item, .n = 1), TR_OK);
        tr_system_run(sys);
    }
    struct tr_accounts all = accounts_of(sys);
    assert_true(counted.items > 3000);
    assert_int_equal(all.dead[TR_DEAD_MEMORY] + counted.items, 300003);
    finish(sys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drop_newest),
        cmocka_unit_test(drop_oldest),
        cmocka_unit_test(refuse_and_queue),
        cmocka_unit_test(classes),
        cmocka_unit_test(bad_policies),
        cmocka_unit_test(batches),
        cmocka_unit_test(dropped_requests),
        cmocka_unit_test(delay_holds_back),
        cmocka_unit_test(delayed_actor_can_be_stopped),
        cmocka_unit_test(receiver_ends),
        cmocka_unit_test(circles),
        cmocka_unit_test(memory_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
