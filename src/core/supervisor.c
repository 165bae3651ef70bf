/* The supervisor's half of a failure: what becomes of the child, and who is told. */
#include "core/cold.h"
#include "core/family.h"
#include "core/life.h"
#include "core/log.h"
#include "core/send.h"
#include "troupe/timer.h"

#include <stdio.h>

/*
 * What the supervisor needs to know of a failed child. A copy: while the child is suspended
 * anybody may stop it, and then it ends on another worker. It unlinks itself before it frees
 * anything, so under its parent's lock a matching generation means that all is still there.
 */
struct failed_child {
    tr_pid pid;
    const struct tr_actor *actor;
    const struct tr_supervision *policy;
    struct tri_restarts restarts;
    tr_err code;
    char text[256];
};

static const char *name_of(const struct failed_child *child)
{
    return child->actor->name ? child->actor->name : "?";
}

/* False if the child has ended. */
static bool read_child(struct tr_ctx *ctx, struct tri_cell *parent, tr_pid pid,
                       struct failed_child *ret)
{
    tri_spin_lock(&parent->lock);
    const struct tri_cell *child = tri_pid_cell(&ctx->sys->slots, pid);
    if (child) {
        ret->pid = pid;
        ret->actor = child->cold->fail_actor;
        ret->policy = child->supervise;
        ret->restarts = child->cold->restarts;
        ret->text[0] = '\0';
        if (child->cold->fail_text)
            memcpy(ret->text, child->cold->fail_text, sizeof ret->text);
    }
    tri_spin_unlock(&parent->lock);
    return child != NULL;
}

static void write_restarts(struct tr_ctx *ctx, struct tri_cell *parent,
                           const struct failed_child *from)
{
    tri_spin_lock(&parent->lock);
    const struct tri_cell *child = tri_pid_cell(&ctx->sys->slots, from->pid);
    if (child)
        child->cold->restarts = from->restarts;
    tri_spin_unlock(&parent->lock);
}

/* A failure that nobody took: the system ends, with a report. */
static void root_failed(struct tr_ctx *ctx, const struct failed_child *child)
{
    struct tr_system *sys = ctx->sys;
    tri_mutex_lock(&sys->failure_lock);
    if (sys->failure == TR_OK) {
        sys->failure = child->code;
        snprintf(sys->failure_text, sizeof sys->failure_text, "actor %s (%" PRIx64 "): %s%s%.160s",
                 name_of(child), child->pid.bits, tr_strerror(child->code),
                 child->text[0] ? ": " : "", child->text);
    }
    tri_mutex_unlock(&sys->failure_lock);
    tri_log(sys, TR_LOG_ERROR, "a failure reached the root, all actors stop: %s",
            sys->failure_text);
    tri_family_stop(ctx, sys->guardian);
}

static void publish_failure(struct tr_ctx *ctx, const struct failed_child *child,
                            const struct tri_decision *decision)
{
    static const char *const words[] = {"restart", "stop", "escalate", "resume"};
    struct tr_actor_failed event = {.who = child->pid,
                                    .actor = child->actor,
                                    .code = child->code,
                                    .directive = decision->directive,
                                    .restarts = decision->failures};
    memcpy(event.text, child->text, sizeof event.text);
    tri_log(ctx->sys, TR_LOG_WARN, "actor %s (%" PRIx64 ") failed: %s%s%s; %s", name_of(child),
            child->pid.bits, tr_strerror(child->code), child->text[0] ? ": " : "", child->text,
            words[decision->directive]);
    tr_publish_(ctx, &tr_actor_failed_type, &event, sizeof event);
}

void tri_life_child_failed(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid child_pid, tr_err err)
{
    struct failed_child child = {.code = err};
    if (!read_child(ctx, cell, child_pid, &child))
        return;
    /* Not under the lock: this may call the user's decider. */
    struct tri_decision d = tri_supervise(child.policy, &child.restarts, err, tri_ctx_now_ns(ctx),
                                          tr_random(ctx));
    write_restarts(ctx, cell, &child);
    publish_failure(ctx, &child, &d);
    enum tr_strategy strategy = child.policy ? child.policy->strategy : TR_ONE_FOR_ONE;
    uint32_t last = strategy == TR_ALL_FOR_ONE ? 0 : (uint32_t)child_pid.bits;
    enum tri_sys_kind kind = TRI_SYS_RESUME;
    uint64_t arg = 0;
    switch (d.directive) {
    case TR_RESTART:
        kind = TRI_SYS_RESTART;
        arg = (uint64_t)d.delay_ms << 32 | (uint64_t)err;
        break;
    case TR_STOP:
        kind = TRI_SYS_STOP;
        arg = (uint64_t)err;
        break;
    case TR_RESUME:
        strategy = TR_ONE_FOR_ONE;
        break;
    case TR_ESCALATE:
        if (cell->flags & TRI_CELL_GUARDIAN) {
            root_failed(ctx, &child);
        } else {
            ctx->fail_code = err;
            snprintf(ctx->fail_text, sizeof ctx->fail_text, "child %" PRIx64 ": %.220s",
                     child_pid.bits, child.text);
            tri_life_failed(ctx, cell, err);
        }
        return;
    }
    if (strategy == TR_ONE_FOR_ONE)
        tri_sys_send(ctx, child_pid, kind, TR_NOBODY, arg);
    else
        tri_family_tell(ctx, cell, kind, arg, last);
}
