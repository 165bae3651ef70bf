/* The composition root: troupe/node.h. */
#include "troupe/node.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/error.h"
#include "os/clock.h"
#include "os/park.h"
#include "os/signals.h"

#define STOP_MS_DEFAULT 10000u
/* How often tr_node_run() looks whether the system still is what it should be. */
#define LOOK_NS 50000000

struct tr_node {
    tr_system *sys;
    tr_remote *remote;
    struct tri_signals signals;
    bool holds; /* signals */
    unsigned stop_ms;
    bool stopped;
    tr_err stop_err;
    TRI_ATOMIC(bool) quit;
    struct tri_park park;
};

static void release(struct tr_node *node)
{
    if (node->holds)
        tri_signals_release(&node->signals);
    node->holds = false;
}

tr_err tr_node_start(tr_node **ret_node, const struct tr_node_config *config,
                     struct tr_error *error)
{
    static const struct tr_node_config none;
    if (!config)
        config = &none;
    struct tr_node *node = tri_calloc(1, sizeof *node);
    if (!node)
        return tri_error_set(error, TR_ENOMEM, 0, "no memory for a node");
    node->stop_ms = config->stop_ms ? config->stop_ms : STOP_MS_DEFAULT;
    tri_park_init(&node->park);
    node->holds = !config->no_signals;
    if (node->holds)
        tri_signals_hold(&node->signals);
    tr_err err = tr_system_create_(&node->sys, &config->system, error);
    if (!err && !config->local)
        err = tr_remote_start(node->sys, &config->remote, &node->remote, error);
    if (err) {
        tr_system_destroy(node->sys);
        release(node);
        tri_free(node);
        return err;
    }
    *ret_node = node;
    return TR_OK;
}

tr_system *tr_node_system(tr_node *node)
{
    return node->sys;
}

tr_ctx *tr_node_ctx(tr_node *node)
{
    return tr_root(node->sys);
}

tr_remote *tr_node_remote(tr_node *node)
{
    return node->remote;
}

tr_err tr_node_run(tr_node *node)
{
    for (;;) {
        tr_err failure = tr_system_failure(node->sys, NULL, 0);
        if (failure)
            return failure;
        /* Acquire pairs with the release in tr_node_quit(). */
        if (tri_load(&node->quit, TRI_ACQUIRE))
            return TR_OK;
        if (node->holds && tri_signals_wait(LOOK_NS))
            return TR_OK;
        if (!node->holds)
            (void)tri_park_wait(&node->park, LOOK_NS);
    }
}

void tr_node_quit(tr_node *node)
{
    tri_store(&node->quit, true, TRI_RELEASE);
    tri_park_wake(&node->park);
}

/* What is left of the time, in milliseconds. */
static unsigned left_ms(uint64_t deadline_ns)
{
    uint64_t now = tri_clock_mono_ns();
    return now >= deadline_ns ? 0 : (unsigned)((deadline_ns - now) / 1000000u);
}

tr_err tr_node_stop(tr_node *node)
{
    if (node->stopped)
        return node->stop_err;
    node->stopped = true;
    release(node); /* Whoever cannot wait may say so again. */
    uint64_t deadline = tri_clock_mono_ns() + (uint64_t)node->stop_ms * 1000000u;
    tr_err left = node->remote ? tr_remote_stop(node->remote, left_ms(deadline)) : TR_OK;
    tr_err err = tr_system_stop(node->sys, left_ms(deadline));
    node->stop_err = err ? err : left;
    return node->stop_err;
}

void tr_node_destroy(tr_node *node)
{
    if (!node)
        return;
    (void)tr_node_stop(node);
    tr_system_destroy(node->sys);
    tri_free(node);
}
