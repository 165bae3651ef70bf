/* Headers of messages, and tr_touch(). */
#include "stepped.h"

struct parcel {
    char text[40];
};
struct begin {
    tr_pid to;
    char what; /* h: with headers, t: touch, T: touch, and the actor is poisoned before */
};
TR_TYPE(parcel);
TR_TYPE(begin);

static tr_pid beyond; /* to whom a relay passes on */

static tr_err sink_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct tr_header header;
    (void)state;
    if (msg->type != &parcel_type)
        return tr_unhandled(ctx);
    note("%s/%zu", ((const struct parcel *)tr_msg_body(msg))->text, tr_msg_size(msg));
    for (size_t at = 0; tr_header_next(ctx, &at, &header);)
        note("%.9s=%.9s", header.key, header.value);
    if (tr_header(ctx, "b"))
        note("b:%s", tr_header(ctx, "b"));
    return TR_OK;
}

static tr_err relay_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    tr_forward(ctx, beyond, msg);
    return TR_OK;
}

static tr_err user_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    const struct begin *begin = tr_as(msg, begin);
    (void)state;
    if (begin && begin->what == 'T')
        tr_poison(ctx, begin->to);
    if (begin)
        (void)tr_touch(ctx, begin->to, 1000);
    else if (msg->type == &tr_touched_type)
        note("touched");
    else if (msg->type == &tr_request_failed_type)
        note("failed:%s",
             tr_strerror(((const struct tr_request_failed *)tr_msg_body(msg))->reason));
    return TR_OK;
}

static const struct tr_actor sink_actor = {.name = "sink", .receive = sink_receive};
static const struct tr_actor relay_actor = {.name = "relay", .receive = relay_receive};
static const struct tr_actor user_actor = {.name = "user", .receive = user_receive};

static void send_with(tr_pid to, const char *text, const struct tr_header *headers, size_t count)
{
    struct parcel *p = tr_msg_new_headers(root, &parcel_type, sizeof *p, headers, count);
    assert_non_null(p);
    memset(p, 0, sizeof *p);
    snprintf(p->text, sizeof p->text, "%s", text);
    tr_send_take(root, to, p);
}

static void headers_come_with_the_message(void **state)
{
    static const struct tr_header headers[] = {{"a", "1"}, {"b", ""}, {"", "x"}, {"b", "3"}};
    (void)state;
    tr_pid sink = tr_spawn(root, &sink_actor);
    send_with(sink, "none", NULL, 0);
    send_with(sink, "four", headers, 4);
    tr_send(root, sink, parcel, .text = "plain");
    run();
    assert_trace("none/40 four/40 a=1 b= =x b=3 b: plain/40");
}

static void and_are_passed_on(void **state)
{
    static const struct tr_header headers[] = {{"b", "2"}};
    (void)state;
    beyond = tr_spawn(root, &sink_actor);
    tr_pid relay = tr_spawn(root, &relay_actor);
    send_with(relay, "on", headers, 1);
    run();
    assert_trace("on/40 b=2 b:2");
}

static void their_number_and_size_are_bounded(void **state)
{
    struct tr_header headers[TR_HEADERS_MAX + 1];
    static char large[TR_HEADERS_SIZE_MAX];
    (void)state;
    tr_pid sink = tr_spawn(root, &sink_actor);
    for (size_t i = 0; i <= TR_HEADERS_MAX; i++)
        headers[i] = (struct tr_header){"k", "v"};
    assert_null(tr_msg_new_headers(root, &parcel_type, 40, headers, TR_HEADERS_MAX + 1));
    tr_msg_free(root, tr_msg_new_headers(root, &parcel_type, 40, headers, TR_HEADERS_MAX));
    memset(large, 'x', sizeof large - 1);
    headers[0].value = large; /* "k", its NUL, and one byte too many */
    assert_null(tr_msg_new_headers(root, &parcel_type, 40, headers, 1));
    large[sizeof large - 3] = '\0';
    send_with(sink, "full", headers, 1); /* Not a byte is left. */
    run();
    assert_trace("full/40 k=xxxxxxxxx");
    /* Also where the whole would be as large as the struct of the type. */
    for (size_t size = 0; size <= 40; size++) {
        headers[0].value = "v";
        void *body = tr_msg_new_headers(root, &parcel_type, size, headers, 1);
        assert_int_equal(tr_msg_size(tr_msg_of(body)), size);
        tr_msg_free(root, body);
    }
}

static void touching_tells_who_is_there(void **state)
{
    (void)state;
    tr_pid user = tr_spawn(root, &user_actor);
    tr_pid sink = tr_spawn(root, &sink_actor);
    tr_pid bounded = tr_spawn(root, &sink_actor, .mailbox_max = 2);
    tr_send(root, user, begin, .to = sink);
    tr_send(root, user, begin, .to = bounded);
    run();
    assert_trace("touched touched");
    tr_send(root, user, begin, .to = sink, .what = 'T'); /* It ends before it gets there. */
    run();
    assert_trace("failed:no such actor");
    tr_send(root, user, begin, .to = sink);
    tr_send(root, user, begin, .to = TR_NOBODY);
    run();
    assert_trace("failed:no such actor failed:no such actor");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(headers_come_with_the_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(and_are_passed_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(their_number_and_size_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(touching_tells_who_is_there, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
