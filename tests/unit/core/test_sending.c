/* Sending: sizes, kept and shared messages at the cap, ends, and mail that comes too late. */
#include "doer.h"
#include "hoard.h"

#include "core/bound.h"
#include "core/delay.h"
#include "core/send.h"

struct lump {
    char bytes[8000];
};
struct word {
    char bytes[100];
};
struct urgent {
    char bytes[7000];
};
TR_TYPE(lump);
TR_TYPE(word);
TR_TYPE_FLAGS(urgent, TR_TYPE_CONTROL);

/* ---- Sizes -------------------------------------------------------------------------- */

static size_t sizes[3];
static uint32_t size_count;
static tr_err note_size(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)ctx, (void)state;
    sizes[size_count++] = tr_msg_size(msg);
    return TR_OK;
}
static const struct tr_actor size_actor = {.name = "size", .receive = note_size};

/* As its type says, a little longer, and so long that it has a mapping of its own. */
static void a_message_knows_its_size(void **state)
{
    static const size_t want[] = {sizeof(struct word), 333, 3000000};
    (void)state;
    tr_pid a = tr_spawn(root, &size_actor);
    size_count = 0;
    for (int i = 0; i < 3; i++) {
        void *body = tr_msg_new(root, &word_type, want[i]);
        assert_non_null(body);
        memset(body, 1, want[i]);
        tr_send_take(root, a, body);
    }
    run();
    assert_int_equal(size_count, 3);
    assert_memory_equal(sizes, want, sizeof want);
    tr_msg_free(root, NULL);
    tr_msg_unref(root, (tr_ref){NULL});
    assert_null(tr_msg_new(root, &word_type, TR_MESSAGE_SIZE_MAX + 1));
    /* One of a type's own size that fits no class. */
    static const struct tr_type huge_type = {"huge", 200000, NULL, 0};
    void *body = tr_msg_new(root, &huge_type, huge_type.size);
    assert_non_null(body);
    memset(body, 2, huge_type.size);
    size_count = 0;
    tr_send_take(root, a, body);
    run();
    assert_int_equal(sizes[0], 200000);
}

static void reasons_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < TR_DEAD_REASON_COUNT; i++)
        assert_string_not_equal(tr_dead_reason_name((enum tr_dead_reason)i), "unknown");
    assert_string_equal(tr_dead_reason_name(TR_DEAD_REASON_COUNT), "unknown");
}

/* ---- The memory cap ------------------------------------------------------------------- */

static uint64_t lost(void)
{
    return system_accounts().dead[TR_DEAD_MEMORY];
}

static tr_ref kept;
static tr_err keep_it(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    if (tr_as(msg, act))
        return tr_as(msg, act)->fn(ctx, msg);
    if (tr_as(msg, tr_request_failed))
        note("failed:%s", tr_strerror(tr_as(msg, tr_request_failed)->reason));
    else
        kept = tr_msg_ref(ctx, msg);
    return TR_OK;
}
static const struct tr_actor keeper = {.name = "keeper", .receive = keep_it};

static tr_err send_kept(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    tr_send_ref(ctx, other, kept);
    return TR_OK;
}
static tr_err drop_kept(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    tr_msg_unref(ctx, kept);
    return TR_OK;
}
static tr_err forward_it(tr_ctx *ctx, const tr_msg *msg)
{
    take_all(&item_type); /* No memory for an envelope. */
    take_all(&word_type);
    tr_forward(ctx, other, msg);
    return TR_OK;
}
static tr_err ask_forwarder(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    (void)tr_request(ctx, other, 1000, act, .fn = forward_it);
    return TR_OK;
}

static void without_an_envelope_it_is_a_dead_letter(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &keeper);
    tr_pid b = tr_spawn(root, &size_actor);
    tr_send(root, a, word, .bytes = {1});
    run();
    other = b;
    size_count = 0;
    does(a, send_kept);
    assert_int_equal(size_count, 1);
    take_all(&item_type);
    tr_pid both[] = {a, b};
    uint64_t before = lost();
    tr_broadcast(root, both, 2, word, .bytes = {2});
    run();
    assert_int_equal(lost(), before + 2); /* One for each who did not get it. */
    take_all(&word_type);
    tr_broadcast(root, both, 2, word, .bytes = {2});
    run();
    assert_int_equal(lost(), before + 4);
    give_all();
    does(a, drop_kept);
    /* Whoever waits for the answer to what could not be forwarded hears of it at once. */
    tr_pid asker = tr_spawn(root, &keeper);
    other = a;
    does(asker, ask_forwarder);
    assert_trace("failed:limit reached");
    give_all();
}

/* What must arrive has a reserve; ordinary messages do not get it. */
static void control_messages_come_at_the_cap(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &size_actor);
    run();
    take_all(&lump_type);
    size_count = 0;
    uint64_t before = lost();
    tr_send(root, a, lump, .bytes = {1});
    run();
    assert_int_equal(size_count, 0);
    assert_int_equal(lost(), before + 1);
    tr_send(root, a, urgent, .bytes = {1});
    run();
    assert_int_equal(size_count, 1);
    assert_int_equal(lost(), before + 1);
    static char large[sizeof(struct urgent) + 100];
    tr_send_copy_(root, a, &urgent_type, large, sizeof large); /* Not of its type's size. */
    run();
    assert_int_equal(lost(), before + 2);
    give_all();
}

/* ---- After the end ---------------------------------------------------------------------- */

static void a_closed_system_takes_nothing(void **state)
{
    (void)state;
    tr_pid a = doer();
    assert_int_equal(tr_system_stop(sys, 30000), TR_OK);
    assert_int_equal(tr_system_stop(sys, 30000), TR_OK); /* Once is enough. */
    tr_send(root, a, item, .n = 1);
    tr_poison(root, a);
    assert_int_equal(tr_try_send(root, a, item, .n = 2), TR_ECLOSING);
    assert_int_equal(tr_pid_err(tr_spawn(root, &doer_actor)), TR_ECLOSING);
    assert_int_equal(system_accounts().dead[TR_DEAD_CLOSING], 1);
    assert_trace("");
}

static tr_err try_other(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    note("try:%s", tr_strerror(tr_try_send(ctx, other, item, .n = 1)));
    return TR_OK;
}

static void trying_says_why_not(void **state)
{
    (void)state;
    tr_pid a = doer();
    other = tr_spawn(root, &doer_actor, .mailbox_max = 1);
    run();
    does(a, try_other);
    assert_trace("try:success item1");
    tr_send(root, other, item, .n = 7);
    tr_send(root, a, act, .fn = try_other);
    run();
    stop(other);
    trace_size = 0;
    trace[0] = '\0';
    does(a, try_other);
    assert_trace("try:no such actor");
}

/* ---- Mail for a slot's last tenant ---------------------------------------------------------
 *
 * A sender that looked before the end and puts its message in after it: on one thread only by
 * doing by hand what the sender does.
 */

static struct tri_block *block_to(tr_pid to, tr_pid from, uint8_t flags)
{
    struct tri_block *block = tri_block_new(root, &item_type, sizeof(struct item), false);
    assert_non_null(block);
    memset(tri_block_body(block), 0, sizeof(struct item));
    block->from = from;
    block->call = flags ? 99 : 0;
    block->flags |= flags;
    tri_store(&block->gen, (uint32_t)(to.bits >> 32), TRI_RELAXED);
    tri_count(&root->counts.accepted, 1);
    return block;
}
static void push_late(struct tri_cell *cell, struct tri_block *block)
{
    if (tri_mailbox_push(cell, block))
        tri_schedule(root, cell);
}

static void late_mail_is_nobodys(void **state)
{
    (void)state;
    tr_pid asker = doer();
    (void)listener();
    tr_pid old = doer();
    struct tri_cell *cell = tri_slot_cell(&sys->slots, (uint32_t)old.bits);
    stop(old);
    tr_pid next = doer();
    assert_int_equal((uint32_t)next.bits, (uint32_t)old.bits);
    push_late(cell, block_to(old, TR_NOBODY, 0));
    run();
    assert_trace("dead:item:no-actor");
    push_late(cell, block_to(old, TR_NOBODY, TRI_BLOCK_REPLY));
    run();
    assert_trace("dead:item:late"); /* The call ended with its caller. */
    push_late(cell, block_to(old, asker, TRI_BLOCK_REQUEST));
    run();
    assert_non_null(strstr(trace, "dead:item:no-actor"));
    trace_size = 0;
    trace[0] = '\0';
    tr_send(root, next, item, .n = 4);
    run();
    assert_trace("item4");
    struct tr_accounts a = accounts_of(next);
    assert_int_equal(a.accepted, 1);
    assert_int_equal(a.processed, 1);
    /* To an empty slot. */
    stop(next);
    push_late(cell, block_to(next, TR_NOBODY, 0));
    run();
    assert_trace("dead:item:no-actor");
}

static void late_mail_to_a_closed_mailbox_too(void **state)
{
    (void)state;
    (void)listener();
    tr_pid old = tr_spawn(root, &doer_actor, .mailbox_max = 2);
    run();
    struct tri_cell *cell = tri_slot_cell(&sys->slots, (uint32_t)old.bits);
    stop(old);
    assert_int_equal(tr_actor_accounts(root, old, &(struct tr_accounts){0}), TR_ENOACTOR);
    tri_bound_deliver(root, old, cell, block_to(old, TR_NOBODY, 0));
    run();
    assert_trace("dead:item:no-actor");
    struct tri_block *block = block_to(old, TR_NOBODY, 0);
    assert_int_equal(tri_bound_try(root, old, cell, block, false), TR_ENOACTOR);
    tri_dead_letter(root, old, block, TR_DEAD_NO_ACTOR);
    run();
    assert_trace("dead:item:no-actor");
    /* And where never a bounded one was. */
    tr_pid first = doer(), never = doer();
    cell = tri_slot_cell(&sys->slots, (uint32_t)never.bits);
    assert_true(tr_alive(root, first) && !tri_cell_bound(&sys->slots, cell));
    assert_int_equal(tri_bound_count(sys, cell), 0);
    block = block_to(never, TR_NOBODY, 0);
    assert_int_equal(tri_bound_try(root, never, cell, block, false), TR_ENOACTOR);
    tri_bound_deliver(root, never, cell, block);
    run();
    assert_trace("dead:item:no-actor");
}

/* A decision about an actor that runs again, or has ended, changes nothing. */
static void late_decisions_change_nothing(void **state)
{
    (void)state;
    tr_pid a = doer();
    tri_sys_send(root, a, TRI_SYS_RESUME, TR_NOBODY, 0);
    run();
    tr_send(root, a, item, .n = 1);
    run();
    assert_trace("item1");
    stop(a);
    tri_sys_send(root, a, TRI_SYS_RESUME, TR_NOBODY, 0);
    tri_sys_send(root, a, TRI_SYS_RESTART, TR_NOBODY, TR_EIO);
    tri_sys_send(root, a, TRI_SYS_UNDELAY, TR_NOBODY, 0);
    tri_sys_send(root, a, TRI_SYS_STOP, TR_NOBODY, 0);
    run();
    assert_false(tr_alive(root, a));
    tr_pid b = doer();
    tri_sys_send(root, b, TRI_SYS_LINK_FAILED, a, TR_EIO); /* Never linked. */
    tri_sys_send(root, b, TRI_SYS_DOWN, a, TR_EIO);        /* Never watched. */
    tri_sys_send(root, b, TRI_SYS_GONE, a, TR_EIO);        /* Never asked. */
    tri_sys_send(root, b, TRI_SYS_UNWATCH, a, 0);
    tri_sys_send(root, b, TRI_SYS_UNLINK, a, 0);
    run();
    assert_true(tr_alive(root, b));
    assert_trace("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_knows_its_size),
        TEST(reasons_have_names),
        SMALL_TEST(without_an_envelope_it_is_a_dead_letter),
        SMALL_TEST(control_messages_come_at_the_cap),
        TEST(a_closed_system_takes_nothing),
        TEST(trying_says_why_not),
        TEST(late_mail_is_nobodys),
        TEST(late_mail_to_a_closed_mailbox_too),
        TEST(late_decisions_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
