/* Asking another node which actors it has: a call of its own, beside the link. */
#include "base/alloc.h"
#include "core/request.h"
#include "remote/far.h"
#include "remote/link.h"

#include <stdio.h>

#define LIST_PATH "/remote.Remoting/ListProcesses"
#define REQUEST_SIZE_MAX (TR_NAME_SIZE_MAX + 16)

const struct tr_type tr_remote_listing_type = {"tr_remote_listing",
                                               sizeof(struct tr_remote_listing), NULL, 0};

/* One question. The asker's thread makes it, the I/O thread answers and frees it. */
struct question {
    struct tri_wire_job job;
    struct tri_remote_io *io;
    tr_caller caller;
    bool answered;
    size_t size;
    uint8_t request[REQUEST_SIZE_MAX];
    char address[TR_ADDRESS_SIZE_MAX + 1];
};

static void refuse(struct question *question, tr_err reason)
{
    if (question->answered)
        return;
    question->answered = true;
    tr_reply_to(question->io->ctx, question->caller, tr_request_failed,
                .call = question->caller.call, .reason = reason);
}

/* How many ids an answer has, and how many bytes they take. */
static tr_err measure(const uint8_t *data, size_t size, struct tr_remote_listing *ret)
{
    struct tri_reader reader = {data, data + size};
    struct tri_wire_pid pid;
    tr_err err = TR_OK;
    *ret = (struct tr_remote_listing){0};
    while (tri_next_listed_process(&reader, &pid, &err)) {
        ret->count++;
        ret->text_size += pid.id.size + 1;
    }
    return err;
}

static void on_answer(void *user, struct tri_stream *stream, const uint8_t *data, size_t size)
{
    struct question *question = user;
    struct tr_remote_listing sizes;
    struct tri_reader reader = {data, data + size};
    struct tri_wire_pid pid;
    tr_err err = measure(data, size, &sizes);
    (void)stream;
    if (err || question->answered) {
        refuse(question, err);
        return;
    }
    struct tr_ctx *ctx = question->io->ctx;
    struct tr_remote_listing *listing = tr_msg_new(ctx, &tr_remote_listing_type,
                                                   sizeof *listing + sizes.text_size);
    if (!listing) {
        refuse(question, TR_EFULL);
        return;
    }
    *listing = sizes;
    char *at = (char *)(listing + 1);
    while (tri_next_listed_process(&reader, &pid, &err)) {
        if (pid.id.size)
            memcpy(at, pid.id.at, pid.id.size);
        at += pid.id.size;
        *at++ = '\0';
    }
    question->answered = true;
    tr_reply_take(ctx, question->caller, listing);
}

static void on_closed(void *user, struct tri_stream *stream, int status, const char *text)
{
    struct question *question = user;
    tr_err reason = TR_EPEER;
    (void)stream;
    (void)text;
    if (status == TRI_WIRE_PERMISSION_DENIED)
        reason = TR_EDENIED;
    else if (status == TRI_WIRE_UNIMPLEMENTED)
        reason = TR_ENOTSUP;
    refuse(question, reason);
    tri_free(question);
}

static const struct tri_wire_events events = {.message = on_answer, .closed = on_closed};

/* On the I/O thread. */
static void ask(struct tri_wire_job *job)
{
    struct question *question = TRI_CONTAINER_OF(job, struct question, job);
    struct tri_wire *wire = question->io->wire;
    struct tri_stream *stream = wire->dial(wire->self, question->address, LIST_PATH, &events,
                                           question);
    if (!stream) {
        refuse(question, TR_ENOMEM);
        tri_free(question);
        return;
    }
    if (!tri_link_say(wire, stream, question->request, question->size))
        wire->end(stream, TRI_WIRE_CANCELLED, NULL);
    else
        wire->close_send(stream);
}

/* Of the node at `address`, if it may be asked. */
static tr_err question_to(struct tr_remote *remote, const char *address, const char *pattern,
                          bool exact, struct question **ret)
{
    struct tri_link *link = tri_table_find(remote, tri_name(address));
    if (!link || !tri_load(&link->troupe, TRI_RELAXED)) /* Set once, by the handshake. */
        return TR_ENOTSUP;
    struct question *question = tri_calloc(1, sizeof *question);
    if (!question)
        return TR_ENOMEM;
    struct tri_writer writer = {.at = question->request,
                                .end = question->request + sizeof question->request};
    tri_write_list_processes_request(&writer, tri_name(pattern),
                                     exact ? TRI_MATCH_EXACT : TRI_MATCH_PART);
    question->size = (size_t)(writer.at - question->request);
    question->io = link->io;
    question->job.run = ask;
    int size = snprintf(question->address, sizeof question->address, "%s", address);
    if (writer.failed || size >= (int)sizeof question->address) {
        tri_free(question);
        return TR_EINVAL;
    }
    *ret = question;
    return TR_OK;
}

uint64_t tr_remote_list(tr_ctx *ctx, const char *address, const char *pattern, bool exact,
                        unsigned timeout_ms)
{
    const struct tri_transport *transport = tri_load(&ctx->sys->transport, TRI_ACQUIRE);
    uint64_t call = tri_request_open(ctx, timeout_ms);
    struct question *question = NULL;
    tr_err err = transport && call
                     ? question_to(transport->self, address, pattern, exact, &question)
                     : TR_ENOTSUP;
    if (err) {
        tr_reply_to(ctx, ((tr_caller){tr_self(ctx), call}), tr_request_failed, .call = call,
                    .reason = call ? err : TR_EFULL);
        return call;
    }
    question->caller = (tr_caller){tr_self(ctx), call};
    question->io->wire->post(question->io->wire->self, &question->job);
    return call;
}
