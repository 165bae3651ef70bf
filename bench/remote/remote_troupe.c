/*
 * Two nodes over loopback, as users write them.
 *   remote_troupe stream|window|ask PAIRS SIZE COUNT
 * stream: each of PAIRS actors sends COUNT messages of SIZE bytes (0 … 1,000) to its partner as
 * fast as it takes them; window: requests, 100 of each pair under way; ask: one at a time. Prints
 * messages (round trips) per second and processor nanoseconds per message, both ends together.
 */
#include "troupe/codec.h"
#include "troupe/remote.h"
#include "troupe/troupe.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DATA_MAX 1000u
#define WINDOW 100u
/* Messages of one turn of a sender. */
#define TURN 512u
#define WORKERS 1

/* ---- The message: bench.Blob { bytes data = 1; } ------------------------------------------- */

struct blob {
    uint32_t size;
    uint8_t data[]; /* as many */
};

static size_t blob_size(const void *body, size_t body_size)
{
    const struct blob *b = body;
    (void)body_size;
    return b->size ? 1 + tr_varint_size_(b->size) + b->size : 0;
}

static uint8_t *blob_encode(const void *body, size_t body_size, uint8_t *out)
{
    const struct blob *b = body;
    if (body_size < sizeof *b + b->size)
        return NULL;
    if (b->size == 0)
        return out;
    *out++ = 0x0a;
    return tr_put_bytes_(out, b->data, b->size);
}

/* Where the data are; NULL: malformed. */
static const uint8_t *blob_find(const uint8_t *data, size_t size, size_t *ret_size)
{
    const uint8_t *at = data, *end = data + size;
    const uint8_t *found = data;
    *ret_size = 0;
    while (at < end) {
        uint64_t tag;
        at = tr_get_varint_(at, end, &tag);
        if (at && tag == 0x0a) {
            at = tr_get_size_(at, end, ret_size);
            found = at;
            at = at ? at + *ret_size : NULL;
        } else if (at) {
            at = tr_skip_(at, end, tag);
        }
        if (!at)
            return NULL;
    }
    return found;
}

static tr_err blob_measure(const uint8_t *data, size_t size, size_t *ret_body_size)
{
    size_t bytes;
    if (!blob_find(data, size, &bytes))
        return TR_EPROTO;
    *ret_body_size = sizeof(struct blob) + bytes;
    return TR_OK;
}

static tr_err blob_decode(const uint8_t *data, size_t size, void *body, size_t body_size)
{
    struct blob *b = body;
    size_t bytes;
    const uint8_t *at = blob_find(data, size, &bytes);
    (void)body_size;
    if (!at)
        return TR_EPROTO;
    b->size = (uint32_t)bytes;
    memcpy(b->data, at, bytes);
    return TR_OK;
}

static const struct tr_codec blob_codec = {.encoded_size_max = 0,
                                           .encoded_size = blob_size,
                                           .encode = blob_encode,
                                           .measure = blob_measure,
                                           .decode = blob_decode};
static const struct tr_type blob_type = {"bench.Blob", sizeof(struct blob), &blob_codec, 0};
static const struct tr_type *const types[] = {&blob_type, NULL};

/* ---- The far end ------------------------------------------------------------------------------ */

struct sink {
    uint64_t count;
};

/* Counts; a request is answered, with the same if it has data. */
static tr_err sink_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct sink *self = state;
    const struct blob *b = tr_msg_body(msg);
    tr_caller caller = tr_caller_of(ctx);
    self->count++;
    if (!caller.call)
        return TR_OK;
    size_t size = sizeof *b + b->size;
    struct blob *answer = tr_msg_new(ctx, &blob_type, size);
    if (!answer)
        return tr_fail(ctx, TR_ENOMEM, "no memory for an answer");
    memcpy(answer, b, size);
    tr_reply_take(ctx, caller, answer);
    return TR_OK;
}

static const struct tr_actor sink_actor = {
    .name = "sink", .state_size = sizeof(struct sink), .receive = sink_receive};

static void must(tr_err err, const char *what)
{
    if (err) {
        fprintf(stderr, "remote_troupe: %s: %s\n", what, tr_strerror(err));
        exit(1);
    }
}

static tr_remote *start(tr_system **ret_sys)
{
    tr_remote *remote;
    struct tr_error error;
    const struct tr_config config = {.workers = WORKERS};
    const struct tr_remote_config node = {.types = types};
    must(tr_system_create(ret_sys, &config), "tr_system_create");
    if (tr_remote_start(*ret_sys, &node, &remote, &error)) {
        fprintf(stderr, "remote_troupe: %s\n", error.text);
        exit(1);
    }
    return remote;
}

/* Serves until `in` ends. */
static void serve(unsigned pairs, int in, int out)
{
    tr_system *sys;
    tr_remote *remote = start(&sys);
    for (unsigned i = 0; i < pairs; i++) {
        char name[32];
        snprintf(name, sizeof name, "sink%u", i);
        must(tr_pid_err(tr_spawn(tr_root(sys), &sink_actor, .name = name)), "spawn");
    }
    dprintf(out, "%s\n", tr_remote_address(remote));
    char c;
    while (read(in, &c, 1) > 0) {
    }
    (void)tr_remote_stop(remote, 2000);
    tr_system_destroy(sys);
}

/* ---- The near end -------------------------------------------------------------------------------- */

struct job {
    tr_pid to;
    char what;
    uint32_t size;
    uint64_t count;
};

struct source {
    struct job job;
    uint64_t sent;
    uint64_t answered;
};

struct go_on {
    char none;
};
TR_TYPE(go_on);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static unsigned done;

static void finish(void)
{
    pthread_mutex_lock(&lock);
    done++;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&lock);
}

static const union {
    struct blob blob;
    uint8_t bytes[sizeof(struct blob) + DATA_MAX];
} zeroes;

static void ask(tr_ctx *ctx, struct source *self)
{
    union {
        struct blob blob;
        uint8_t bytes[sizeof(struct blob) + DATA_MAX];
    } b;
    b.blob.size = self->job.size;
    memcpy(b.blob.data, zeroes.blob.data, self->job.size);
    self->sent++;
    (void)tr_request_copy_(ctx, self->job.to, 60000, &blob_type, &b,
                           sizeof b.blob + self->job.size);
}

static tr_err flood(tr_ctx *ctx, struct source *self)
{
    union {
        struct blob blob;
        uint8_t bytes[sizeof(struct blob) + DATA_MAX];
    } b;
    b.blob.size = self->job.size;
    memcpy(b.blob.data, zeroes.blob.data, self->job.size);
    for (unsigned i = 0; i < TURN && self->sent < self->job.count; i++) {
        tr_err err = tr_try_send_(ctx, self->job.to, &blob_type, &b,
                                  sizeof b.blob + self->job.size);
        if (err == TR_EFULL) {
            (void)tr_after(ctx, 1, go_on);
            return TR_OK;
        }
        if (err)
            return err;
        self->sent++;
    }
    if (self->sent < self->job.count)
        tr_send(ctx, tr_self(ctx), go_on);
    else
        ask(ctx, self); /* Answered when all that was sent before has been handled. */
    return TR_OK;
}

static tr_err source_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct source *self = state;
    if (msg->type == &go_on_type && self->job.what == 's')
        return flood(ctx, self);
    if (msg->type == &go_on_type) {
        for (unsigned i = 0; i < (self->job.what == 'w' ? WINDOW : 1); i++)
            ask(ctx, self);
        return TR_OK;
    }
    if (msg->type == &tr_request_failed_type && self->job.what == 's') {
        (void)tr_after(ctx, 1, go_on); /* The queue is full of what was sent before. */
        return TR_OK;
    }
    if (msg->type == &tr_request_failed_type)
        return tr_fail(ctx, TR_EPEER, "a request failed");
    self->answered++;
    if (self->job.what == 's' || self->answered == self->job.count)
        finish();
    else if (self->sent < self->job.count)
        ask(ctx, self);
    return TR_OK;
}

static tr_err source_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct source *self = state;
    memcpy(&self->job, arg, sizeof self->job);
    (void)ctx;
    return TR_OK;
}

static const struct tr_actor source_actor = {.name = "source",
                                             .state_size = sizeof(struct source),
                                             .arg_size = sizeof(struct job),
                                             .init = source_init,
                                             .receive = source_receive};

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu_s(int who)
{
    struct rusage u;
    (void)getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static void drive(char what, unsigned pairs, uint32_t size, uint64_t count, const char *address,
                  double *ret_s)
{
    tr_system *sys;
    tr_remote *remote = start(&sys);
    tr_ctx *root = tr_root(sys);
    for (unsigned i = 0; i < pairs; i++) { /* The link first: that is not what is timed. */
        char name[32];
        struct job job = {.what = what, .size = size, .count = count};
        snprintf(name, sizeof name, "sink%u", i);
        job.to = tr_remote_pid(root, address, name);
        must(tr_pid_err(job.to), name);
        if (i == 0) {
            struct blob empty = {0};
            struct blob answer;
            must(tr_ask_(root, job.to, 5000, &blob_type, &answer, &blob_type, &empty, sizeof empty),
                 "the first request");
        }
        snprintf(name, sizeof name, "source%u", i);
        must(tr_pid_err(tr_spawn(root, &source_actor, .arg = &job, .name = name)), "spawn");
    }
    double began = now_s();
    for (unsigned i = 0; i < pairs; i++) {
        char name[32];
        snprintf(name, sizeof name, "source%u", i);
        tr_send(root, tr_lookup(root, name), go_on);
    }
    pthread_mutex_lock(&lock);
    while (done < pairs)
        pthread_cond_wait(&cond, &lock);
    pthread_mutex_unlock(&lock);
    *ret_s = now_s() - began;
    (void)tr_remote_stop(remote, 2000);
    tr_system_destroy(sys);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: %s stream|window|ask PAIRS SIZE COUNT\n", argv[0]);
        return 2;
    }
    unsigned pairs = (unsigned)atoi(argv[2]);
    uint32_t size = (uint32_t)atoi(argv[3]);
    uint64_t count = strtoull(argv[4], NULL, 10);
    int to[2];
    int from[2];
    char address[128] = "";
    double s = 0;
    if (size > DATA_MAX || pairs == 0 || count == 0 || pipe(to) || pipe(from))
        return 2;
    pid_t child = fork();
    if (child == 0) {
        (void)close(to[1]);
        serve(pairs, to[0], from[1]);
        return 0;
    }
    (void)close(to[0]);
    ssize_t got = read(from[0], address, sizeof address - 1);
    if (got <= 0)
        return 1;
    address[strcspn(address, "\n")] = '\0';
    drive(argv[1][0], pairs, size, count, address, &s);
    (void)close(to[1]);
    (void)waitpid(child, NULL, 0);
    double total = (double)pairs * (double)count;
    double cpu = cpu_s(RUSAGE_SELF) + cpu_s(RUSAGE_CHILDREN);
    printf("%s pairs %u size %u: %.3f M/s, %.0f ns of processor time a message, %.2f us each\n",
           argv[1], pairs, size, total / s * 1e-6, cpu / total * 1e9, s / (double)count * 1e6);
    return 0;
}
