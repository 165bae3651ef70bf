/*
 * tests/lib/nodes.h - nodes in a test's process, and what their actors saw: lines that the test
 * waits for.
 */
#ifndef TESTS_LIB_NODES_H
#define TESTS_LIB_NODES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "troupe/remote.h"
#include "troupe/troupe.h"
#include "words.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- What happened -------------------------------------------------------------------- */

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t log_cond = PTHREAD_COND_INITIALIZER;
static char seen[1 << 20] = "\n";
static size_t seen_size = 1;

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *fmt, ...)
{
    va_list args;
    char line[256];
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    pthread_mutex_lock(&log_lock);
    seen_size += (size_t)snprintf(seen + seen_size, sizeof seen - seen_size, "%s\n", line);
    assert_true(seen_size < sizeof seen);
    pthread_cond_broadcast(&log_cond);
    pthread_mutex_unlock(&log_lock);
}

/* Waits until something that contains `whole` has been noted. */
static inline void await_text(const char *whole)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 20;
    pthread_mutex_lock(&log_lock);
    while (!strstr(seen, whole)) {
        if (pthread_cond_timedwait(&log_cond, &log_lock, &end)) {
            fprintf(stderr, "waited in vain for '%s'; seen:%s", whole, seen);
            pthread_mutex_unlock(&log_lock);
            fail();
        }
    }
    pthread_mutex_unlock(&log_lock);
}

/* Waits until `line` has been noted. */
static inline void await(const char *line)
{
    char whole[300];
    snprintf(whole, sizeof whole, "\n%.290s\n", line);
    await_text(whole);
}

/* Waits until a line that begins like that has been noted. */
static inline void await_begin(const char *begin)
{
    char whole[300];
    snprintf(whole, sizeof whole, "\n%.290s", begin);
    await_text(whole);
}

static inline void forget(void)
{
    pthread_mutex_lock(&log_lock);
    memcpy(seen, "\n", 2);
    seen_size = 1;
    pthread_mutex_unlock(&log_lock);
}

/* ---- Actors ----------------------------------------------------------------------------- */

/* Answers requests, notes everything else. */
static tr_err echo_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    const struct words *w = tr_body(msg, &words_type);
    if (!w)
        return tr_unhandled(ctx);
    struct words answer;
    snprintf(answer.text, sizeof answer.text, "echo:%.100s", w->text);
    tr_reply_to_(ctx, tr_caller_of(ctx), &words_type, &answer, sizeof answer);
    note("echo %s", w->text);
    if (tr_header(ctx, "color"))
        note("echo header %s", tr_header(ctx, "color"));
    return TR_OK;
}

static const struct tr_actor echo_actor = {.name = "echo", .receive = echo_receive};

/* What a test tells its actor to do. */
struct order {
    tr_pid to;
    char
        what; /* s: send, h: with headers, r: request, w: watch, u: unwatch, l: link, t: touch, p: spawn */
    char text[120];
    char address[64];
};
TR_TYPE(order);

static tr_err on_order(tr_ctx *ctx, const struct order *order)
{
    struct words w = {""};
    snprintf(w.text, sizeof w.text, "%.119s", order->text);
    switch (order->what) {
    case 's':
        tr_send_(ctx, order->to, &words_type, &w, sizeof w);
        break;
    case 'r':
        (void)tr_request_(ctx, order->to, 10000, &words_type, &w, sizeof w);
        break;
    case 'h': {
        const struct tr_header headers[] = {{"size", "large"}, {"color", "green"}};
        struct words *body = tr_msg_new_headers(ctx, &words_type, sizeof w, headers, 2);
        if (!body)
            return TR_ENOMEM;
        *body = w;
        tr_send_take(ctx, order->to, body);
        break;
    }
    case 'w':
        tr_watch(ctx, order->to);
        break;
    case 'u':
        tr_unwatch(ctx, order->to);
        break;
    case 'l':
        return tr_link(ctx, order->to);
    case 't':
        (void)tr_touch(ctx, order->to, 10000);
        break;
    case 'p':
        (void)tr_remote_spawn(ctx, order->address, order->text, "", 10000);
        break;
    case 'q':
        (void)tr_remote_spawn(ctx, order->address, order->text, "named", 10000);
        break;
    default:
        break;
    }
    return TR_OK;
}

static tr_err user_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    char text[600];
    (void)state;
    if (msg->type == &order_type)
        return on_order(ctx, tr_msg_body(msg));
    if (msg->type == &words_type) {
        note("user %s%s", ((const struct words *)tr_msg_body(msg))->text,
             tr_call(ctx) ? " (answer)" : "");
    } else if (msg->type == &tr_down_type) {
        note("user down %s", tr_strerror(((const struct tr_down *)tr_msg_body(msg))->reason));
    } else if (msg->type == &tr_request_failed_type) {
        const struct tr_request_failed *f = tr_msg_body(msg);
        note("user failed %s%s", tr_strerror(f->reason), f->call == tr_call(ctx) ? "" : " (call?)");
    } else if (msg->type == &tr_touched_type) {
        note("user touched");
    } else if (msg->type == &tr_remote_spawned_type) {
        const struct tr_remote_spawned *s = tr_msg_body(msg);
        (void)tr_pid_text(ctx, s->pid, text, sizeof text);
        note("user spawned %s %.30s", tr_strerror(s->err), text);
    } else {
        note("user got %s", msg->type->name);
    }
    return TR_OK;
}

static const struct tr_actor user_actor = {.name = "user", .receive = user_receive};

/* ---- Nodes -------------------------------------------------------------------------------- */

struct node {
    tr_system *sys;
    tr_remote *remote;
    tr_pid user;
};

static const struct tr_type *const types[] = {&words_type, NULL};
static const struct tr_remote_kind kinds[] = {{"echo", {.actor = &echo_actor}}, {NULL, {0}}};

static size_t node_memory; /* of nodes started from now on; 0: the default */

static inline struct node start_node(struct tr_remote_config config)
{
    struct node node;
    struct tr_error error;
    const struct tr_config sys_config = {
        .workers = 2, .log = tr_log_none, .memory_max = node_memory};
    assert_int_equal(tr_system_create(&node.sys, &sys_config), TR_OK);
    config.types = types;
    config.kinds = kinds;
    if (tr_remote_start(node.sys, &config, &node.remote, &error)) {
        fprintf(stderr, "tr_remote_start: %s\n", error.text);
        fail();
    }
    node.user = tr_spawn(tr_root(node.sys), &user_actor, .name = "user");
    assert_false(tr_pid_is_nobody(node.user));
    return node;
}

static inline void check_accounts(struct node *node, bool stopped)
{
    struct tr_accounts a;
    tr_system_accounts(node->sys, &a);
    if (!tr_accounts_balance(&a) || (stopped && a.queued)) {
        fprintf(stderr, "accepted %" PRIu64 " processed %" PRIu64 " queued %" PRIu64 "\n",
                a.accepted, a.processed, a.queued);
        fail();
    }
}

static inline void stop_node(struct node *node)
{
    assert_int_equal(tr_remote_stop(node->remote, 5000), TR_OK);
    assert_int_equal(tr_system_stop(node->sys, 30000), TR_OK);
    check_accounts(node, true);
    tr_system_destroy(node->sys);
}

static inline tr_pid far(struct node *from, struct node *to, const char *id)
{
    tr_pid pid = tr_remote_pid(tr_root(from->sys), tr_remote_address(to->remote), id);
    assert_int_equal(tr_pid_err(pid), TR_OK);
    return pid;
}

static inline void tell(struct node *node, char what, tr_pid to, const char *text)
{
    struct order order = {.to = to, .what = what};
    snprintf(order.text, sizeof order.text, "%s", text);
    tr_send_(tr_root(node->sys), node->user, &order_type, &order, sizeof order);
}

#endif
