/*
 * tests/interop/actors.h - the actors of the test's node: the kinds that tests spawn, and one for
 * each thing that only actors can do.
 */
#ifndef TESTS_INTEROP_ACTORS_H
#define TESTS_INTEROP_ACTORS_H

#include "troupe/remote.h"
#include "values.h"

#include <pthread.h>
#include <stdarg.h>

#define TEXT_MAX 8192

static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

/* One line; those of several threads do not mix. */
static void say(const char *fmt, ...) TR_PRINTF(1, 2);
static void say(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    pthread_mutex_lock(&output);
    vprintf(fmt, args);
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&output);
    va_end(args);
}

/* "ID@ADDRESS", or "-". */
static const char *pid_text(tr_ctx *ctx, tr_pid pid, char text[TEXT_MAX])
{
    if (!tr_pid_text(ctx, pid, text, TEXT_MAX))
        snprintf(text, TEXT_MAX, "-");
    return text;
}

/* The id alone of the actor that runs. */
static const char *own_id(tr_ctx *ctx, char text[TEXT_MAX])
{
    (void)pid_text(ctx, tr_self(ctx), text);
    char *at = strrchr(text, '@');
    if (at)
        *at = '\0';
    return text;
}

/* ---- Kinds ------------------------------------------------------------------------------ */

/* Answers with what came, a text with "echo:" before it. */
static tr_err echo_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    char text[TEXT_MAX];
    (void)state;
    if (!value_text(msg, text, sizeof text))
        return tr_unhandled(ctx);
    if (msg->type != &text_type) {
        tr_reply_(ctx, msg->type, tr_msg_body(msg), tr_msg_size(msg));
        return TR_OK;
    }
    const struct blob *blob = tr_msg_body(msg);
    struct value answer = value_blob(&text_type, NULL, blob->size + 5);
    memcpy(((struct blob *)answer.body)->data, "echo:", 5);
    memcpy(((struct blob *)answer.body)->data + 5, blob->data, blob->size);
    tr_reply_(ctx, answer.type, answer.body, answer.size);
    free(answer.body);
    return TR_OK;
}

static tr_err quiet_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)ctx;
    (void)state;
    (void)msg;
    return TR_OK;
}

/* Tells of everything that comes, and from whom. */
static tr_err sink_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    char text[TEXT_MAX], self[TEXT_MAX], from[TEXT_MAX];
    (void)state;
    if (!value_text(msg, text, sizeof text))
        return tr_unhandled(ctx);
    say("got %s %s %s", own_id(ctx, self), text, pid_text(ctx, tr_sender(ctx), from));
    return TR_OK;
}

/* Answers with the headers that came; tests send one at a time. */
static tr_err headers_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    char text[TEXT_MAX];
    struct tr_header header;
    size_t at = 0, size = 0;
    (void)state;
    if (!value_text(msg, text, sizeof text))
        return tr_unhandled(ctx);
    while (tr_header_next(ctx, &at, &header))
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%s=%s", size ? "," : "",
                                 header.key, header.value);
    struct value answer = value_blob(&text_type, text, size);
    tr_reply_(ctx, answer.type, answer.body, answer.size);
    free(answer.body);
    return TR_OK;
}

/* Answers "later" to the last that has asked, two seconds after it. */
struct later {
    tr_caller caller;
};
struct now {
    uint64_t unused;
};
TR_TYPE(now);

static tr_err later_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct later *self = state;
    if (msg->type == &now_type) {
        struct value answer = value_blob(&text_type, "later", 5);
        tr_reply_to_(ctx, self->caller, answer.type, answer.body, answer.size);
        free(answer.body);
        return TR_OK;
    }
    self->caller = tr_caller_of(ctx);
    (void)tr_after(ctx, 2000, now);
    return TR_OK;
}

/* Account of the numbers of one source at one actor. */
#define NUMBERS_MAX (1u << 22)
#define TABLES_MAX 1024u
struct table {
    char name[256];
    uint64_t source, count, last, twice, disordered;
    uint8_t *seen; /* a bit each */
};
static struct table tables[TABLES_MAX];
static size_t table_count;
static pthread_mutex_t tables_lock = PTHREAD_MUTEX_INITIALIZER;

/* Under the lock; NULL if there is none and none is to be made. */
static struct table *table_of(const char *name, uint64_t source, bool make)
{
    for (size_t i = 0; i < table_count; i++)
        if (tables[i].source == source && strcmp(tables[i].name, name) == 0)
            return &tables[i];
    if (!make || table_count == TABLES_MAX)
        return NULL;
    struct table *table = &tables[table_count++];
    snprintf(table->name, sizeof table->name, "%.255s", name);
    table->source = source;
    table->seen = calloc(NUMBERS_MAX / 8, 1);
    return table->seen ? table : NULL;
}

static tr_err numbers_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    char self[TEXT_MAX];
    (void)state;
    const struct number *number = tr_body(msg, &number_type);
    if (!number)
        return tr_unhandled(ctx);
    uint64_t at = number->value & UINT32_MAX;
    (void)own_id(ctx, self);
    pthread_mutex_lock(&tables_lock);
    struct table *table = table_of(self, number->value >> 32, true);
    if (!table || at >= NUMBERS_MAX)
        abort();
    if (table->seen[at / 8] >> at % 8 & 1)
        table->twice++;
    else if (table->count > 0 && at < table->last)
        table->disordered++;
    table->seen[at / 8] |= (uint8_t)(1u << at % 8);
    table->last = at > table->last ? at : table->last;
    table->count++;
    pthread_mutex_unlock(&tables_lock);
    return TR_OK;
}

/* Hands everything on, with the sender it came from. */
struct forwarder {
    tr_pid to;
};

static tr_err forwarder_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    *(struct forwarder *)state = *(const struct forwarder *)arg;
    return TR_OK;
}

static tr_err forwarder_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    tr_forward(ctx, ((struct forwarder *)state)->to, msg);
    return TR_OK;
}

static const struct tr_actor echo_actor = {.name = "echo", .receive = echo_receive};
static const struct tr_actor quiet_actor = {.name = "quiet", .receive = quiet_receive};
static const struct tr_actor sink_actor = {.name = "sink", .receive = sink_receive};
static const struct tr_actor headers_actor = {.name = "headers", .receive = headers_receive};
static const struct tr_actor later_actor = {
    .name = "later", .state_size = sizeof(struct later), .receive = later_receive};
static const struct tr_actor numbers_actor = {.name = "numbers", .receive = numbers_receive};
static const struct tr_actor forwarder_actor = {.name = "forwarder",
                                                .state_size = sizeof(struct forwarder),
                                                .arg_size = sizeof(struct forwarder),
                                                .init = forwarder_init,
                                                .receive = forwarder_receive};
static const struct tr_remote_kind kinds[] = {{"echo", {.actor = &echo_actor}},
                                              {"quiet", {.actor = &quiet_actor}},
                                              {"sink", {.actor = &sink_actor}},
                                              {"headers", {.actor = &headers_actor}},
                                              {"later", {.actor = &later_actor}},
                                              {"numbers", {.actor = &numbers_actor}},
                                              {NULL, {0}}};

/* ---- Errands ------------------------------------------------------------------------------ */

/* What an actor does once on behalf of the test, and then ends. */
struct errand {
    char what; /* a: ask, h: ask with a header, t: touch, s: stop, p: poison, n: spawn elsewhere */
    tr_pid to;
    unsigned ms;
    char tag[64];
    struct value value; /* taken */
    char address[256], kind[64], name[256];
};
struct too_late {
    uint64_t unused;
};
TR_TYPE(too_late);

/* `name` is KEY=VALUE. Only messages have headers, requests have not: the answer is a message. */
static void ask_with_header(tr_ctx *ctx, struct errand *self)
{
    char *value = strchr(self->name, '=');
    if (value)
        *value++ = '\0';
    const struct tr_header header = {self->name, value ? value : ""};
    void *body = tr_msg_new_headers(ctx, self->value.type, self->value.size, &header, 1);
    if (!body)
        abort();
    memcpy(body, self->value.body, self->value.size);
    tr_send_take(ctx, self->to, body);
    (void)tr_after(ctx, self->ms, too_late);
}

static tr_err errand_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct errand *self = state;
    *self = *(const struct errand *)arg;
    switch (self->what) {
    case 'a':
        (void)tr_request_(ctx, self->to, self->ms, self->value.type, self->value.body,
                          self->value.size);
        free(self->value.body);
        break;
    case 'h':
        ask_with_header(ctx, self);
        free(self->value.body);
        break;
    case 't':
        (void)tr_touch(ctx, self->to, self->ms);
        break;
    case 'n':
        (void)tr_remote_spawn(ctx, self->address, self->kind, self->name, self->ms);
        break;
    default:
        tr_watch(ctx, self->to);
        if (self->what == 's')
            tr_stop(ctx, self->to);
        else
            tr_poison(ctx, self->to);
        break;
    }
    return TR_OK;
}

static void errand_failed(struct errand *self, tr_err reason)
{
    if (reason == TR_ETIMEDOUT)
        say("failed %s timeout", self->tag);
    else if (reason == TR_ENOACTOR)
        say("failed %s dead-letter", self->tag);
    else
        say("failed %s \"%s\"", self->tag, tr_strerror(reason));
}

static tr_err errand_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct errand *self = state;
    char text[TEXT_MAX];
    const struct tr_request_failed *failed = tr_as(msg, tr_request_failed);
    const struct tr_touched *touched = tr_as(msg, tr_touched);
    const struct tr_remote_spawned *spawned = tr_as(msg, tr_remote_spawned);
    if (failed)
        errand_failed(self, failed->reason);
    else if (tr_as(msg, too_late))
        errand_failed(self, TR_ETIMEDOUT);
    else if (touched)
        say("answer %s touched:%s", self->tag, pid_text(ctx, touched->who, text));
    else if (spawned)
        say("spawned %s %d %s", self->tag, spawned->status, pid_text(ctx, spawned->pid, text));
    else if (tr_as(msg, tr_down))
        say("answer %s terminated", self->tag);
    else if (value_text(msg, text, sizeof text))
        say("answer %s %s", self->tag, text);
    else
        return tr_unhandled(ctx);
    tr_stop(ctx, tr_self(ctx));
    return TR_OK;
}

static const struct tr_actor errand_actor = {.name = "errand",
                                             .state_size = sizeof(struct errand),
                                             .arg_size = sizeof(struct errand),
                                             .init = errand_init,
                                             .receive = errand_receive};

/* ---- Numbered messages -------------------------------------------------------------------- */

struct flood {
    tr_pid to;
    uint64_t source, next, end;
    uint64_t pause_us;
    bool hard;
    char tag[64];
};
struct go_on {
    uint64_t unused;
};
TR_TYPE(go_on);

static tr_err flood_init(tr_ctx *ctx, void *state, const void *arg)
{
    *(struct flood *)state = *(const struct flood *)arg;
    tr_send(ctx, tr_self(ctx), go_on);
    return TR_OK;
}

/* A few at a time, and no more than the link takes, unless it is `hard`. */
static tr_err flood_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct flood *self = state;
    if (msg->type != &go_on_type)
        return tr_unhandled(ctx);
    unsigned count = self->pause_us == 0 ? 100 : self->pause_us >= 1000 ? 1 : 1000 / self->pause_us;
    for (; count > 0 && self->next < self->end; count--) {
        struct number number = {self->source << 32 | self->next};
        tr_err err = TR_OK;
        if (self->hard)
            tr_send_copy_(ctx, self->to, &number_type, &number, sizeof number);
        else
            err = tr_try_send_(ctx, self->to, &number_type, &number, sizeof number);
        if (err == TR_EFULL) {
            (void)tr_after(ctx, 1, go_on);
            return TR_OK;
        }
        if (err)
            say("flood-error %s %s", self->tag, tr_strerror(err));
        self->next++;
    }
    if (self->next == self->end) {
        say("flooded %s", self->tag);
        tr_stop(ctx, tr_self(ctx));
    } else if (self->pause_us == 0) {
        tr_send(ctx, tr_self(ctx), go_on);
    } else {
        unsigned ms = (unsigned)(self->pause_us / 1000);
        (void)tr_after(ctx, ms ? ms : 1, go_on);
    }
    return TR_OK;
}

static const struct tr_actor flood_actor = {.name = "flood",
                                            .state_size = sizeof(struct flood),
                                            .arg_size = sizeof(struct flood),
                                            .init = flood_init,
                                            .receive = flood_receive};

/* ---- The driver --------------------------------------------------------------------------- */

struct order {
    char what; /* w: watch, u: unwatch, m: send a message with itself as the sender */
    tr_pid to;
    struct value value; /* taken */
};
TR_TYPE(order);

static tr_err on_order(tr_ctx *ctx, const struct order *order)
{
    switch (order->what) {
    case 'w':
        tr_watch(ctx, order->to);
        break;
    case 'u':
        tr_unwatch(ctx, order->to);
        break;
    default:
        tr_send_copy_(ctx, order->to, order->value.type, order->value.body, order->value.size);
        free(order->value.body);
        break;
    }
    return TR_OK;
}

/* As protoactor-go numbers them. */
static int why_number(tr_err reason)
{
    return reason == TR_OK ? 0 : reason == TR_EPEER ? 1 : reason == TR_ENOACTOR ? 2 : 100;
}

static tr_err driver_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    char text[TEXT_MAX], from[TEXT_MAX];
    (void)state;
    if (msg->type == &order_type)
        return on_order(ctx, tr_msg_body(msg));
    const struct tr_down *down = tr_as(msg, tr_down);
    if (down)
        say("terminated %s %d", pid_text(ctx, down->who, text), why_number(down->reason));
    else if (value_text(msg, text, sizeof text))
        say("got driver %s %s", text, pid_text(ctx, tr_sender(ctx), from));
    else
        return tr_unhandled(ctx);
    return TR_OK;
}

static const struct tr_actor driver_actor = {.name = "driver", .receive = driver_receive};

#endif
