/* Links whose queue is full: senders that are held back, and what is dropped. */
#include "nodes.h"

#include "base/atomic.h"

static struct node a, b;
static char address[80];

/* An address that nobody listens on yet, and will. */
static void reserve(void)
{
    forget();
    b = start_node((struct tr_remote_config){0});
    snprintf(address, sizeof address, "%.79s", tr_remote_address(b.remote));
    stop_node(&b);
}

/* At rest: then they are exact, and somebody who asks disturbs nobody. */
static struct tr_accounts accounts_of(struct node *node)
{
    struct tr_accounts accounts;
    tr_system_run(node->sys);
    tr_system_accounts(node->sys, &accounts);
    assert_true(tr_accounts_balance(&accounts));
    return accounts;
}

static void pause(void)
{
    const struct timespec ms = {.tv_nsec = 1000000};
    (void)nanosleep(&ms, NULL);
}

/* ---- Who counts, and who sends ------------------------------------------------------------- */

#define COUNT 20000u

static struct {
    pthread_mutex_t lock;
    unsigned count, first, last, gaps;
    bool disordered;
} got = {.lock = PTHREAD_MUTEX_INITIALIZER};

static tr_err counter_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    const struct words *w = tr_body(msg, &words_type);
    if (!w)
        return tr_unhandled(ctx);
    unsigned number = (unsigned)strtoul(w->text, NULL, 10);
    pthread_mutex_lock(&got.lock);
    if (got.count == 0)
        got.first = number;
    else if (number <= got.last)
        got.disordered = true;
    else if (number != got.last + 1)
        got.gaps++;
    got.last = number;
    got.count++;
    pthread_mutex_unlock(&got.lock);
    if (number == COUNT)
        note("all");
    return TR_OK;
}
static const struct tr_actor counter_actor = {.name = "counter", .receive = counter_receive};

static void begin_counting(void)
{
    pthread_mutex_lock(&got.lock);
    got.count = got.first = got.last = got.gaps = 0;
    got.disordered = false;
    pthread_mutex_unlock(&got.lock);
}

static void number_of(struct words *w, unsigned number)
{
    memset(w, 0, sizeof *w);
    snprintf(w->text, sizeof w->text, "%u and something that takes room", number);
}

/* Sends ten numbers a turn, and tells how far it has come. */
struct source {
    tr_pid to;
    unsigned next;
    unsigned second; /* 0, or 1 */
};
static TRI_ATOMIC(unsigned) sent, sent_second;
struct go_on {
    uint64_t unused;
};
TR_TYPE(go_on);

static tr_err source_init(tr_ctx *ctx, void *state, const void *arg)
{
    *(struct source *)state = *(const struct source *)arg;
    tr_send(ctx, tr_self(ctx), go_on);
    return TR_OK;
}

static tr_err source_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct source *self = state;
    struct words w;
    if (msg->type != &go_on_type)
        return tr_unhandled(ctx);
    for (int i = 0; i < 10 && self->next <= COUNT; i++) {
        number_of(&w, self->next++);
        tr_send_(ctx, self->to, &words_type, &w, sizeof w);
    }
    tri_store(self->second ? &sent_second : &sent, self->next - 1, TRI_RELAXED);
    if (self->next <= COUNT)
        tr_send(ctx, tr_self(ctx), go_on);
    return TR_OK;
}
static const struct tr_actor source_actor = {.name = "source",
                                             .state_size = sizeof(struct source),
                                             .arg_size = sizeof(struct source),
                                             .init = source_init,
                                             .receive = source_receive};

static void start_counter(void)
{
    begin_counting();
    b = start_node((struct tr_remote_config){.listen = address});
    tr_pid pid = tr_spawn(tr_root(b.sys), &counter_actor, .name = "counter");
    assert_int_equal(tr_pid_err(pid), TR_OK);
}

static tr_pid counter_there(void)
{
    tr_pid pid = tr_remote_pid(tr_root(a.sys), address, "counter");
    assert_int_equal(tr_pid_err(pid), TR_OK);
    return pid;
}

static struct tr_link_stats link_of_a(void)
{
    struct tr_link_stats link;
    assert_int_equal(tr_remote_links(a.remote, &link, 1), 1);
    return link;
}

static uint64_t delays(void)
{
    struct tr_stats stats;
    tr_system_stats(a.sys, &stats);
    return stats.delays;
}

static void start_a(enum tr_overflow overflow, uint32_t queue_messages, unsigned give_up_ms)
{
    reserve();
    a = start_node((struct tr_remote_config){.queue_bytes = 65536,
                                             .queue_messages = queue_messages,
                                             .overflow = overflow,
                                             .give_up_ms = give_up_ms,
                                             .backoff_ms_min = 10,
                                             .backoff_ms_max = 10});
}

static void start_source(void)
{
    struct source source = {.to = counter_there(), .next = 1};
    tri_store(&sent, 0u, TRI_RELAXED);
    assert_int_equal(tr_pid_err(tr_spawn(tr_root(a.sys), &source_actor, .arg = &source)), TR_OK);
}

/* Until the source is held by a full link, and nothing moves any more. */
static void await_held(void)
{
    while (delays() == 0 || link_of_a().queued_bytes < 65536)
        pause();
    assert_int_equal(accounts_of(&a).queued, tri_load(&sent, TRI_RELAXED) + 1);
}

/* ---- Holding back ---------------------------------------------------------------------------- */

static void senders_are_held_back(void **state)
{
    (void)state;
    start_a(TR_DELAY, 100, 60000);
    start_source();
    await_held();
    unsigned so_far = tri_load(&sent, TRI_RELAXED);
    struct tr_link_stats link = link_of_a();
    assert_true(so_far < COUNT / 4);
    assert_true(link.queued_bytes >= 65536 && link.queued_bytes < 65536 + 4096);
    assert_true(so_far - link.queued <= 100 + 20);
    assert_int_equal(link.refused, 0);
    /* Others are not: neither who sends elsewhere nor an outside thread. */
    tell(&a, 's', a.user, "alive");
    await("user alive");
    assert_int_equal(tri_load(&sent, TRI_RELAXED), so_far);
    start_counter();
    await("all");
    assert_int_equal(got.count, COUNT);
    assert_int_equal(got.gaps, 0);
    assert_false(got.disordered);
    struct tr_accounts accounts = accounts_of(&a);
    for (size_t i = 0; i < TR_DEAD_REASON_COUNT; i++)
        assert_int_equal(accounts.dead[i], 0);
    stop_node(&a);
    stop_node(&b);
}

/* Nobody is there: what is given up makes room, and is accounted for. */
static void senders_go_on_when_a_node_is_given_up(void **state)
{
    (void)state;
    start_a(TR_DELAY, 100, 20);
    start_source();
    while (tri_load(&sent, TRI_RELAXED) < COUNT)
        pause();
    while (link_of_a().dead < COUNT)
        pause();
    struct tr_accounts accounts; /* The I/O thread counts when it has begun to bury them. */
    do
        tr_system_accounts(a.sys, &accounts);
    while (accounts.dead[TR_DEAD_LINK] < COUNT);
    assert_true(delays() > 0);
    stop_node(&a);
}

/* A node that leaves lets everybody go on, and loses nothing silently. */
static void senders_go_on_when_this_node_leaves(void **state)
{
    (void)state;
    start_a(TR_DELAY, 10, 60000);
    start_source();
    await_held();
    (void)tr_remote_stop(a.remote, 50);
    while (tri_load(&sent, TRI_RELAXED) < COUNT)
        pause();
    assert_int_equal(tr_system_stop(a.sys, 5000), TR_OK);
    struct tr_accounts accounts = accounts_of(&a);
    uint64_t dead = 0;
    for (size_t i = 0; i < TR_DEAD_REASON_COUNT; i++)
        dead += accounts.dead[i];
    assert_int_equal(dead, COUNT);
    tr_system_destroy(a.sys);
}

static bool noted(const char *text)
{
    pthread_mutex_lock(&log_lock);
    bool found = strstr(seen, text) != NULL;
    pthread_mutex_unlock(&log_lock);
    return found;
}

/* What all links may hold together is used up by two: who uses one of them has less than its share,
 * waits as well, and goes on when the other has been emptied. */
static void links_share_what_they_may_hold(void **state)
{
    (void)state;
    reserve();
    a = start_node((struct tr_remote_config){.queue_bytes = 150000,
                                             .queue_bytes_total = 200000,
                                             .batch_bytes = 16384,
                                             .queue_messages = 100,
                                             .overflow = TR_DELAY,
                                             .give_up_ms = 60000,
                                             .backoff_ms_min = 10,
                                             .backoff_ms_max = 10});
    struct source source = {.to = counter_there(), .next = 1};
    tri_store(&sent, 0u, TRI_RELAXED);
    tri_store(&sent_second, 0u, TRI_RELAXED);
    assert_int_equal(tr_pid_err(tr_spawn(tr_root(a.sys), &source_actor, .arg = &source)), TR_OK);
    /* Chunks count for all when they are sealed, so there may be one more. */
    while (delays() == 0)
        pause();
    struct source other = {
        .to = tr_remote_pid(tr_root(a.sys), "127.0.0.1:1", "x"), .next = 1, .second = 1};
    assert_int_equal(tr_pid_err(tr_spawn(tr_root(a.sys), &source_actor, .arg = &other)), TR_OK);
    while (delays() == 1)
        pause();
    unsigned held_at = tri_load(&sent_second, TRI_RELAXED);
    assert_true(held_at < COUNT);
    start_counter();
    await("all");
    assert_int_equal(got.count, COUNT);
    while (tri_load(&sent_second, TRI_RELAXED) <= held_at)
        pause();
    struct tr_link_stats links[2];
    assert_int_equal(tr_remote_links(a.remote, links, 2), 2);
    assert_int_equal(links[0].refused + links[1].refused, 0);
    stop_node(&b);
    (void)tr_remote_stop(a.remote, 50);
    assert_int_equal(tr_system_stop(a.sys, 5000), TR_OK);
    check_accounts(&a, true);
    tr_system_destroy(a.sys);
}

/* Trying in vain, however often, leaves nothing behind. */
static void trying_is_told_that_it_is_full(void **state)
{
    (void)state;
    struct words w;
    struct tr_link_stats link;
    start_a(TR_DELAY, 10, 60000);
    tr_pid to = counter_there();
    unsigned next = 1;
    number_of(&w, next);
    do { /* It stops an eighth before the bound. */
        if (tr_try_send_(tr_root(a.sys), to, &words_type, &w, sizeof w) == TR_OK)
            number_of(&w, ++next);
        link = link_of_a();
    } while (link.queued_bytes < 65536 / 8 * 7);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(tr_try_send_(tr_root(a.sys), to, &words_type, &w, sizeof w), TR_EFULL);
    start_counter();
    while (next <= COUNT) {
        if (tr_try_send_(tr_root(a.sys), to, &words_type, &w, sizeof w) == TR_OK)
            number_of(&w, ++next);
    }
    await("all");
    assert_int_equal(got.count, COUNT);
    assert_false(got.disordered);
    stop_node(&a);
    stop_node(&b);
}

/* ---- Dropping ---------------------------------------------------------------------------------- */

static void the_oldest_are_dropped(void **state)
{
    (void)state;
    struct words w;
    start_a(TR_DROP_OLDEST, 100, 60000);
    tr_pid to = counter_there();
    for (unsigned i = 1; i <= COUNT; i++) {
        number_of(&w, i);
        tr_send_(tr_root(a.sys), to, &words_type, &w, sizeof w);
    }
    tr_system_run(a.sys);
    struct tr_link_stats link = link_of_a();
    struct tr_accounts before = accounts_of(&a);
    assert_int_equal(link.refused, 0);
    assert_true(before.dropped_oldest > COUNT / 2);
    assert_int_equal(before.dropped_oldest, COUNT - 100 - link.queued);
    /* Who asks is told at once, once there are others behind it. */
    tell(&a, 'r', to, "asked");
    for (unsigned i = 0; !noted("user failed limit reached"); i++) {
        number_of(&w, i % COUNT);
        tr_send_(tr_root(a.sys), to, &words_type, &w, sizeof w);
    }
    for (unsigned i = COUNT - 99; i <= COUNT; i++) {
        number_of(&w, i);
        tr_send_(tr_root(a.sys), to, &words_type, &w, sizeof w);
    }
    start_counter();
    await("all");
    /* The first ones were in the link's queue, the last ones have waited. */
    assert_int_equal(got.first, 1);
    assert_int_equal(got.count, link.queued + 100);
    assert_false(got.disordered);
    stop_node(&a);
    stop_node(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(senders_are_held_back),
        cmocka_unit_test(senders_go_on_when_a_node_is_given_up),
        cmocka_unit_test(senders_go_on_when_this_node_leaves),
        cmocka_unit_test(links_share_what_they_may_hold),
        cmocka_unit_test(trying_is_told_that_it_is_full),
        cmocka_unit_test(the_oldest_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
