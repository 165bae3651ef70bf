#include "core/offload.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/plant.h"
#include "core/send.h"
#include "core/spawn.h"

#include <stdio.h>

struct job {
    struct job *next;
    tr_offload_fn fn;
    const struct tr_type *result_type;
    tr_pid to;
    uint64_t call;
    void *result;
    _Alignas(16) char arg[];
};

struct tri_offload {
    struct tr_system *sys;
    tri_mutex lock;
    tri_cond cond;
    struct job *first;
    struct job *last;
    struct tri_thread *threads;
    unsigned count;
    unsigned idle;
    unsigned max;
    bool quit;
};

struct tri_offload *tri_offload_create(struct tr_system *sys, unsigned threads_max)
{
    struct tri_offload *o = tri_calloc(1, sizeof *o);
    struct tri_thread *threads = tri_calloc(threads_max, sizeof *threads);
    if (!o || !threads) {
        tri_free(o);
        tri_free(threads);
        return NULL;
    }
    o->sys = sys;
    o->threads = threads;
    o->max = threads_max;
    tri_mutex_init(&o->lock);
    tri_cond_init(&o->cond);
    return o;
}

static struct job *take(struct tri_offload *o)
{
    struct job *job = o->first;
    if (job) {
        o->first = job->next;
        if (!o->first)
            o->last = NULL;
    }
    return job;
}

/* Runs a job and sends what came of it. */
static void finish(struct tr_ctx *ctx, struct job *job)
{
    tr_err err = job->fn(job->arg, job->result);
    if (err) {
        struct tr_request_failed failed = {.call = job->call, .to = job->to, .reason = err};
        tri_send_reserved(ctx, job->to, &tr_request_failed_type, &failed, job->call,
                          TRI_BLOCK_REPLY);
    } else if (!TRI_PLANTED(RESULT_LOST) || (job->call >> 16) % 4 != 0) {
        tri_send_reserved(ctx, job->to, job->result_type, job->result, job->call, TRI_BLOCK_REPLY);
    }
    tri_free(job->result);
    tri_free(job);
    tri_fetch_sub(&ctx->sys->offload_pending, 1u, TRI_SEQ_CST);
}

static void thread_main(void *arg)
{
    struct tri_offload *o = arg;
    tr_ctx *ctx = tr_attach(o->sys);
    TRI_ASSERT(ctx != NULL); /* Places are reserved: see tr_system_create_(). */
    tri_mutex_lock(&o->lock);
    while (!o->quit) {
        struct job *job = take(o);
        if (job) {
            tri_mutex_unlock(&o->lock);
            finish(ctx, job);
            tri_mutex_lock(&o->lock);
            continue;
        }
        o->idle++;
        tri_cond_wait(&o->cond, &o->lock);
        o->idle--;
    }
    tri_mutex_unlock(&o->lock);
    tr_detach(ctx);
}

void tri_offload_destroy(struct tri_offload *o)
{
    if (!o)
        return;
    tri_mutex_lock(&o->lock);
    o->quit = true;
    tri_cond_broadcast(&o->cond);
    tri_mutex_unlock(&o->lock);
    for (unsigned i = 0; i < o->count; i++)
        tri_thread_join(&o->threads[i]);
    for (struct job *job = take(o); job; job = take(o)) {
        tri_free(job->result);
        tri_free(job);
    }
    tri_cond_fini(&o->cond);
    tri_mutex_fini(&o->lock);
    tri_free(o->threads);
    tri_free(o);
}

static struct job *take_at(struct tri_offload *o, size_t index)
{
    struct job *before = NULL, *job = o->first;
    for (; job && index > 0; index--) {
        before = job;
        job = job->next;
    }
    if (!job || !before)
        return job ? take(o) : NULL;
    before->next = job->next;
    if (o->last == job)
        o->last = before;
    return job;
}

bool tri_offload_step(struct tri_offload *o, struct tr_ctx *ctx, size_t index)
{
    tri_mutex_lock(&o->lock);
    struct job *job = take_at(o, index);
    tri_mutex_unlock(&o->lock);
    if (job)
        finish(ctx, job);
    return job != NULL;
}

size_t tri_offload_ready(struct tri_offload *o)
{
    size_t count = 0;
    tri_mutex_lock(&o->lock);
    for (const struct job *job = o->first; job && count < o->max; job = job->next)
        count++;
    tri_mutex_unlock(&o->lock);
    return count;
}

/* Under the lock: a thread more if all are busy. */
static void start_thread(struct tri_offload *o)
{
    if (o->sys->config.manual || o->idle > 0 || o->count == o->max)
        return;
    char name[16];
    snprintf(name, sizeof name, "tr-offload-%u", o->count);
    if (tri_thread_create(&o->threads[o->count], name, thread_main, o))
        o->count++;
}

uint64_t tr_offload_(tr_ctx *ctx, tr_offload_fn fn, const struct tr_type *result_type,
                     const struct tr_type *type, const void *arg, size_t size)
{
    struct tri_offload *o = ctx->sys->offload;
    struct job *job = tri_malloc(sizeof *job + size);
    void *result = tri_calloc(1, result_type->size ? result_type->size : 1);
    uint64_t call = job && result ? tri_request_open_offload(ctx) : 0;
    (void)type;
    if (!call) {
        struct tr_request_failed failed = {.to = tri_ctx_self(ctx), .reason = TR_EFULL};
        tri_free(job);
        tri_free(result);
        tri_send_reserved(ctx, failed.to, &tr_request_failed_type, &failed, 0, 0);
        return 0;
    }
    *job = (struct job){.fn = fn,
                        .result_type = result_type,
                        .to = tri_ctx_self(ctx),
                        .call = call,
                        .result = result};
    memcpy(job->arg, arg, size);
    tri_fetch_add(&ctx->sys->offload_pending, 1u, TRI_SEQ_CST);
    tri_mutex_lock(&o->lock);
    if (o->last)
        o->last->next = job;
    else
        o->first = job;
    o->last = job;
    start_thread(o);
    tri_cond_signal(&o->cond);
    tri_mutex_unlock(&o->lock);
    return call;
}
