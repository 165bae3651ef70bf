/*
 * tests/lib/doer.h - an actor that runs functions of the test as its handlers, on a stepped system,
 * and notes in the trace what else it gets.
 */
#ifndef TROUPE_TESTS_DOER_H
#define TROUPE_TESTS_DOER_H

#include "stepped.h"

struct item {
    uint32_t n;
};
struct act {
    tr_err (*fn)(tr_ctx *ctx, const tr_msg *msg);
};
TR_TYPE(item);
TR_TYPE(act);

/* Whom the functions are about. */
TR_MAYBE_UNUSED static tr_pid other;

static inline tr_err doer_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    if (tr_as(msg, act))
        return tr_as(msg, act)->fn(ctx, msg);
    if (tr_as(msg, item))
        note("item%u", tr_as(msg, item)->n);
    else if (tr_as(msg, tr_down))
        note("down:%s", tr_strerror(tr_as(msg, tr_down)->reason));
    else if (tr_as(msg, tr_request_failed))
        note("failed:%s", tr_strerror(tr_as(msg, tr_request_failed)->reason));
    else if (tr_as(msg, tr_idle))
        note("idle");
    else if (tr_as(msg, tr_dead_letter))
        note("dead:%s:%s", tr_as(msg, tr_dead_letter)->type->name,
             tr_dead_reason_name(tr_as(msg, tr_dead_letter)->reason));
    else if (tr_as(msg, tr_actor_failed))
        note("failure:%s:%s", tr_strerror(tr_as(msg, tr_actor_failed)->code),
             tr_as(msg, tr_actor_failed)->text);
    else
        return tr_unhandled(ctx);
    return TR_OK;
}

static const struct tr_actor doer_actor = {
    .name = "doer", .state_size = 8, .receive = doer_receive};

static inline tr_pid doer(void)
{
    tr_pid pid = tr_spawn(root, &doer_actor);
    run();
    assert_int_equal(tr_pid_err(pid), TR_OK);
    return pid;
}

static inline void does(tr_pid who, tr_err (*fn)(tr_ctx *, const tr_msg *))
{
    tr_send(root, who, act, .fn = fn);
    run();
}

static inline void stop(tr_pid pid)
{
    tr_stop(root, pid);
    run();
}

/* Notes dead letters from now on. */
static inline tr_err listen_dead(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    return tr_subscribe(ctx, tr_dead_letter);
}
static inline tr_pid listener(void)
{
    tr_pid pid = doer();
    does(pid, listen_dead);
    return pid;
}

#endif
