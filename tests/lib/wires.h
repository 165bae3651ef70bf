/*
 * tests/lib/wires.h - two ends of a wire in one process, and a main thread that waits for what it
 * expects to have happened.
 */
#ifndef TROUPE_TESTS_WIRES_H
#define TROUPE_TESTS_WIRES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "os/clock.h"
#include "os/thread.h"
#include "remote/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tri_mutex lock;
static tri_cond happened;

/* Waits, with the lock held, until the condition holds; fails after a long time. */
#define WAIT_UNTIL(condition)                                                                 \
    do {                                                                                      \
        uint64_t until_ = tri_clock_mono_ns() + 30000000000u;                                 \
        while (!(condition)) {                                                                \
            if (tri_clock_mono_ns() > until_)                                                 \
                fail_msg("%s:%d: does not come to hold: %s", __FILE__, __LINE__, #condition); \
            (void)tri_cond_wait_for(&happened, &lock, 100000000);                             \
        }                                                                                     \
    } while (0)

/* ---- Messages ------------------------------------------------------------ */

static size_t unsent, written;

struct parcel {
    struct tri_buffer buffer;
    uint8_t bytes[];
};

static inline void parcel_release(struct tri_buffer *buffer, enum tri_buffer_fate fate)
{
    tri_mutex_lock(&lock);
    *(fate == TRI_BUFFER_WRITTEN ? &written : &unsent) += 1;
    tri_cond_broadcast(&happened);
    tri_mutex_unlock(&lock);
    free(TRI_CONTAINER_OF(buffer, struct parcel, buffer));
}

/* In two parts, cut anywhere. */
static inline struct tri_buffer *parcel(const void *bytes, size_t size)
{
    struct parcel *parcel = calloc(1, sizeof *parcel + size);
    assert_non_null(parcel);
    if (size > 0)
        memcpy(parcel->bytes, bytes, size);
    parcel->buffer.part[0].at = parcel->bytes;
    parcel->buffer.part[0].size = size / 3;
    parcel->buffer.part[1].at = parcel->bytes + size / 3;
    parcel->buffer.part[1].size = size - size / 3;
    parcel->buffer.release = parcel_release;
    return &parcel->buffer;
}

/* ---- Ends ---------------------------------------------------------------- */

/* What one end of a stream has seen. All fields under the lock. */
struct end {
    struct tri_wire *wire;
    struct tri_stream *stream; /* NULL: none, or closed */
    bool echoes, opened, ended, closed;
    int end_status; /* what an end that echoes ends with */
    const char *end_text;
    size_t messages, bytes, writables;
    uint64_t sum; /* of the bytes, each times its place */
    int status;
    char text[256], names[256];
    uint8_t last[64];
    size_t last_size;
};

static inline void end_opened(void *user, struct tri_stream *stream)
{
    struct end *end = user;
    tri_mutex_lock(&lock);
    end->opened = true;
    (void)snprintf(end->names, sizeof end->names, "%s", end->wire->peer_names(stream));
    tri_cond_broadcast(&happened);
    tri_mutex_unlock(&lock);
}

static inline void end_message(void *user, struct tri_stream *stream, const uint8_t *data,
                               size_t size)
{
    struct end *end = user;
    tri_mutex_lock(&lock);
    end->messages++;
    for (size_t i = 0; i < size; i++)
        end->sum += (uint64_t)data[i] * ++end->bytes;
    end->last_size = size < sizeof end->last ? size : sizeof end->last;
    memcpy(end->last, data, end->last_size);
    tri_cond_broadcast(&happened);
    tri_mutex_unlock(&lock);
    if (end->echoes)
        end->wire->send(stream, parcel(data, size));
}

static inline void end_writable(void *user, struct tri_stream *stream)
{
    (void)stream;
    struct end *end = user;
    tri_mutex_lock(&lock);
    end->writables++;
    tri_cond_broadcast(&happened);
    tri_mutex_unlock(&lock);
}

static inline void end_ended(void *user, struct tri_stream *stream)
{
    struct end *end = user;
    tri_mutex_lock(&lock);
    end->ended = true;
    tri_cond_broadcast(&happened);
    tri_mutex_unlock(&lock);
    if (end->echoes)
        end->wire->end(stream, end->end_status, end->end_text);
}

static inline void end_closed(void *user, struct tri_stream *stream, int status, const char *text)
{
    struct end *end = user;
    tri_mutex_lock(&lock);
    assert_ptr_equal(end->stream, stream);
    end->stream = NULL;
    end->closed = true;
    end->status = status;
    (void)snprintf(end->text, sizeof end->text, "%s", text);
    tri_cond_broadcast(&happened);
    tri_mutex_unlock(&lock);
}

static const struct tri_wire_events end_events = {.low_mark = 65536,
                                                  .opened = end_opened,
                                                  .message = end_message,
                                                  .writable = end_writable,
                                                  .ended = end_ended,
                                                  .closed = end_closed};

/* ---- A server, and a client ---------------------------------------------- */

#define ENDS_MAX 64

static struct tri_io_group *server, *client;
static char address[64];
static struct end accepted[ENDS_MAX], dialled[ENDS_MAX];
static size_t accepted_count;
static struct end accepts_like; /* what new accepted ends begin as */

static inline const struct tri_wire_events *accept_end(void *self, struct tri_wire *wire,
                                                       struct tri_stream *stream, const char *path,
                                                       void **ret_user)
{
    (void)self;
    const struct tri_wire_events *events = NULL;
    tri_mutex_lock(&lock);
    if (strncmp(path, "/test/", 6) == 0 && accepted_count < ENDS_MAX) {
        struct end *end = &accepted[accepted_count++];
        *end = accepts_like;
        end->wire = wire;
        end->stream = stream;
        (void)snprintf(end->names, sizeof end->names, "%s", wire->peer_names(stream));
        *ret_user = end;
        events = &end_events;
        tri_cond_broadcast(&happened);
    }
    tri_mutex_unlock(&lock);
    return events;
}

static inline void serve(struct tri_io_config config)
{
    struct tr_error error;
    uint16_t port;
    config.acceptor.accept = accept_end;
    if (tri_io_create(&config, &server, &error) != TR_OK ||
        tri_io_listen(server, "127.0.0.1:0", &port, &error) != TR_OK)
        fail_msg("%s", error.text);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
}

/* Resets what the ends have seen; both groups come up. */
static inline void begin_with(struct tri_io_config server_config,
                              struct tri_io_config client_config)
{
    struct tr_error error;
    /* A busy machine may take long; who tests that limit gives it. */
    if (!server_config.limits.handshake_ms)
        server_config.limits.handshake_ms = 60000;
    if (!client_config.limits.handshake_ms)
        client_config.limits.handshake_ms = 60000;
    memset(accepted, 0, sizeof accepted);
    memset(dialled, 0, sizeof dialled);
    memset(&accepts_like, 0, sizeof accepts_like);
    accepted_count = unsent = written = 0;
    serve(server_config);
    if (tri_io_create(&client_config, &client, &error) != TR_OK)
        fail_msg("%s", error.text);
}

static inline void begin(void)
{
    begin_with((struct tri_io_config){0}, (struct tri_io_config){0});
}

static inline void finish(void)
{
    tri_io_destroy(client);
    tri_io_destroy(server);
    client = server = NULL;
}

/* ---- Doing something on a wire's thread ----------------------------------- */

struct errand {
    struct tri_wire_job job;
    void (*fn)(struct tri_wire *wire, void *arg);
    struct tri_wire *wire;
    void *arg;
    bool done;
};

static inline void errand_run(struct tri_wire_job *job)
{
    struct errand *errand = TRI_CONTAINER_OF(job, struct errand, job);
    errand->fn(errand->wire, errand->arg);
    tri_mutex_lock(&lock);
    errand->done = true;
    tri_cond_broadcast(&happened);
    tri_mutex_unlock(&lock);
}

/* Without the lock; returns when it is done. */
static inline void on_wire(struct tri_wire *wire, void (*fn)(struct tri_wire *wire, void *arg),
                           void *arg)
{
    struct errand errand = {.job.run = errand_run, .fn = fn, .wire = wire, .arg = arg};
    wire->post(wire->self, &errand.job);
    tri_mutex_lock(&lock);
    WAIT_UNTIL(errand.done);
    tri_mutex_unlock(&lock);
}

struct dialling {
    struct end *end;
    const char *to, *path;
};

static inline void dial_run(struct tri_wire *wire, void *arg)
{
    struct dialling *dialling = arg;
    dialling->end->wire = wire;
    dialling->end->stream = wire->dial(wire->self, dialling->to, dialling->path, &end_events,
                                       dialling->end);
    assert_non_null(dialling->end->stream);
}

static inline struct end *dial(size_t number, const char *to, const char *path)
{
    struct dialling dialling = {&dialled[number], to, path};
    on_wire(tri_io_wire(client, 0), dial_run, &dialling);
    return &dialled[number];
}

struct sending {
    struct end *end;
    const void *bytes;
    size_t size, count;
    bool closes, ends, pauses, resumes;
    int status;
    const char *text;
    size_t queued; /* afterwards */
};

static inline void sending_run(struct tri_wire *wire, void *arg)
{
    struct sending *sending = arg;
    struct tri_stream *stream = sending->end->stream;
    if (!stream)
        return;
    if (sending->pauses || sending->resumes)
        wire->pause(stream, sending->pauses);
    for (size_t i = 0; i < sending->count; i++)
        wire->send(stream, parcel(sending->bytes, sending->size));
    if (sending->closes)
        wire->close_send(stream);
    if (sending->ends)
        wire->end(stream, sending->status, sending->text);
    sending->queued = wire->queued(stream);
}

static inline size_t act(struct sending sending)
{
    on_wire(sending.end->wire, sending_run, &sending);
    return sending.queued;
}

static inline void send_bytes(struct end *end, const void *bytes, size_t size)
{
    (void)act((struct sending){.end = end, .bytes = bytes, .size = size, .count = 1});
}

/* The first one to dial, with one byte sent: the other end has it, */
static inline struct end *dial_until_heard(const char *to, const char *path)
{
    struct end *end = dial(0, to, path);
    send_bytes(end, "1", 1);
    tri_mutex_lock(&lock);
    WAIT_UNTIL(accepted_count == 1 && accepted[0].messages == 1);
    tri_mutex_unlock(&lock);
    return end;
}
/* and has answered. */
static inline struct end *dial_until_answered(const char *to, const char *path)
{
    struct end *end = dial(0, to, path);
    send_bytes(end, "1", 1);
    tri_mutex_lock(&lock);
    WAIT_UNTIL(end->messages == 1);
    tri_mutex_unlock(&lock);
    return end;
}

static inline int wires_set_up(void **state)
{
    (void)state;
    tri_mutex_init(&lock);
    tri_cond_init(&happened);
    return 0;
}

#endif
