/* desk.c - see desk.h. */
#include "nodes/desk_batch.h"

#include "plant.h"

#include "talk.troupe.h"

#include <stdio.h>
#include <stdlib.h>

struct desk_tick {
    char none;
};
TR_TYPE(desk_tick);

struct desk {
    const struct desk_config *config;
    const struct desk_ops *ops;
    struct outbox *outbox;
    struct desk_peers peers;
    uint64_t start; /* of this process */
    struct post post[ROLE_COUNT];
    struct desk_item **ring[ROLE_COUNT]; /* taken, by number */
    uint64_t drained[ROLE_COUNT];        /* up to here they are in the queue */
    bool meet[ROLE_COUNT], forget[ROLE_COUNT];
    struct desk_item *queue, **queue_tail;
    uint64_t open, batches;
    struct desk_job *job;
    bool busy, failed, connected, strange;
};

/* ---- Words to the outside -------------------------------------------------- */

static void fail(struct desk *self, const char *why)
{
    if (self->failed)
        return;
    self->failed = true;
    gate_fail(self->config->gate, why);
}

static void say(struct desk *self, const char *sentence)
{
    self->config->say(self->config->user, self->ops->role, sentence);
}

static void publish(struct desk *self)
{
    struct desk_board *board = self->config->board;
    pthread_mutex_lock(&board->lock);
    board->open = self->open;
    board->batches = self->batches;
    board->failed = self->failed;
    board->tidy = !self->busy; /* What is being written is not yet there. */
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
        const struct post *post = &self->post[role];
        board->tidy = board->tidy && !self->forget[role] && !self->meet[role];
        board->peer[role] = (struct desk_peer_status){.configured = self->ring[role] != NULL,
                                                      .up = post->up,
                                                      .trouble = post->trouble,
                                                      .kept = post->kept,
                                                      .acked = post->acked,
                                                      .applied = post->applied,
                                                      .repeated = post->repeated,
                                                      .went_back = post->went_back};
    }
    pthread_mutex_unlock(&board->lock);
}

/* ---- Start and end --------------------------------------------------------- */

static void desk_stop(tr_ctx *ctx, void *state)
{
    struct desk *self = state;
    (void)ctx;
    desk_items_free(self->queue);
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
        for (uint32_t i = 0; self->ring[role] && i < POST_WINDOW; i++) {
            struct desk_item *item = self->ring[role][i];
            if (item)
                item->next = NULL; /* It may be in a list of the role's. */
            desk_items_free(item);
        }
        free(self->ring[role]);
    }
}

static tr_err desk_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct desk *self = state;
    self->config = ((const struct desk_args *)arg)->config;
    self->ops = self->config->ops;
    self->outbox = self->config->outbox;
    self->queue_tail = &self->queue;
    self->job = self->config->job;
    while (self->start == 0)
        self->start = tr_random(ctx);
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
        const struct outbox_peer *peer = outbox_peer(self->outbox, (enum node_role)role);
        post_open(&self->post[role], peer->identity, peer->kept,
                  ORDERS_PLANTED(PARCEL_LOST) ? peer->kept : peer->acked, peer->applied);
        self->drained[role] = peer->applied;
        if (role == (int)self->ops->role)
            continue;
        self->ring[role] = calloc(POST_WINDOW, sizeof(struct desk_item *));
        if (!self->ring[role]) {
            desk_stop(ctx, state); /* Nobody else does, of an actor that has not begun. */
            return tr_fail(ctx, TR_ENOMEM, "no memory for %u parcels", POST_WINDOW);
        }
    }
    tr_every(ctx, DESK_TICK_MS, desk_tick);
    publish(self);
    return TR_OK;
}

/* ---- Batches ------------------------------------------------------------- */

/* How many orders may be written before the backlog for some peer is full. */
static uint64_t room_for_orders(const struct desk *self)
{
    uint64_t most = 0;
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
        uint64_t backlog = self->post[role].kept - self->post[role].acked;
        most = backlog > most ? backlog : most;
    }
    return most < self->config->backlog_max ? self->config->backlog_max - most : 0;
}

/* Moves up to a batch of items from the queue into the job. An order makes at most one parcel for
 * each of the others: while the backlog is full it waits, and so does what comes after it. */
static void gather(struct desk *self)
{
    struct desk_job *job = self->job;
    struct desk_item **tail = &job->items;
    uint64_t room = room_for_orders(self);
    for (unsigned i = 0; i < DESK_BATCH_MAX && self->queue; i++) {
        struct desk_item *item = self->queue;
        bool order = item->from == ROLE_NONE || item->kind == PARCEL_ORDER;
        if (order && room == 0)
            break;
        room -= order;
        self->queue = item->next;
        item->next = NULL;
        *tail = item;
        tail = &item->next;
        if (item->from != ROLE_NONE)
            job->peer[item->from].applied = item->number;
    }
    if (!self->queue)
        self->queue_tail = &self->queue;
    job->writes = job->items != NULL;
}

static void work(tr_ctx *ctx, struct desk *self, bool tidy)
{
    struct desk_job *job = self->job;
    if (self->busy || self->failed)
        return;
    *job = (struct desk_job){.config = self->config};
    gather(self);
    bool sends = false;
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
        struct post *post = &self->post[role];
        job->peer[role].after = post->sent;
        job->peer[role].window = post_window(post, &job->peer[role].bytes);
        sends = sends || (job->peer[role].window > 0 && post->kept > post->sent);
        if (self->meet[role]) {
            job->peer[role].meet = post->identity;
            job->writes = true;
        }
        job->writes = job->writes || (tidy && self->forget[role]);
    }
    if (self->ops->prepare && self->ops->prepare(self->config->state))
        job->writes = true;
    if (!job->writes && !sends)
        return;
    for (int role = ROLE_GATEWAY; job->writes && role < ROLE_COUNT; role++) {
        job->peer[role].forget = self->forget[role] ? self->post[role].acked : 0;
        self->forget[role] = self->meet[role] = false;
    }
    self->busy = true;
    tr_offload(ctx, desk_write_batch, desk_batch_written, desk_batch, .job = job);
}

/* ---- With the peers -------------------------------------------------------- */

static const char *trouble_text(enum post_trouble trouble)
{
    switch (trouble) {
    case POST_OTHER_DATABASE:
        return "works on another database than before: nothing is exchanged with it until it is "
               "started on the right one";
    case POST_WENT_BACK:
        return "knows of more than this node's database holds, which must have been put back to an "
               "older state: nothing is exchanged with it; start this node on the right one";
    default:
        return "sent a parcel that makes no sense: nothing is exchanged with it until one of the "
               "two nodes is replaced";
    }
}

static void tell_news(struct desk *self, enum node_role role, unsigned actions)
{
    const struct post *post = &self->post[role];
    const char *name = node_role_name(role);
    struct ord_error words;
    if (actions & POST_DO_UP) {
        ord_fail(&words, "%s is there: %llu parcels wait for it", name,
                 (unsigned long long)(post->kept - post->acked));
        say(self, words.text);
    }
    if (actions & POST_DO_DOWN) {
        ord_fail(&words, "%s is away: %s", name, self->ops->away[role]);
        say(self, words.text);
    }
    if (actions & POST_DO_REFUSE) {
        ord_fail(&words, "%s %s", name, trouble_text(post->trouble));
        say(self, words.text);
    }
}

static void act(tr_ctx *ctx, struct desk *self, enum node_role role, unsigned actions,
                uint64_t echo)
{
    struct post *post = &self->post[role];
    const char *me = node_role_name(self->ops->role);
    uint64_t identity = outbox_identity(self->outbox);
    self->meet[role] = self->meet[role] || (actions & POST_DO_MEET);
    self->forget[role] = self->forget[role] || (actions & POST_DO_FORGET);
    tell_news(self, role, actions);
    if (actions & POST_DO_HELLO) {
        struct talk_hello hello = {
            .identity = identity, .start = self->start, .sent = post->sent, .acked = post->acked};
        snprintf(hello.from, sizeof(hello.from), "%s", me);
        tr_send_(ctx, self->peers.pid[role], &talk_hello_type, &hello, sizeof(hello));
    }
    if (actions & POST_DO_ACK) {
        struct talk_ack ack = {.identity = identity,
                               .start = self->start,
                               .applied = ORDERS_PLANTED(PARCEL_EARLY) ? post->taken
                                                                       : post->applied,
                               .taken = post->taken,
                               .sent = echo};
        snprintf(ack.from, sizeof(ack.from), "%s", me);
        tr_send_(ctx, self->peers.pid[role], &talk_ack_type, &ack, sizeof(ack));
    }
}

static void step(tr_ctx *ctx, struct desk *self, enum node_role role, struct post_event event,
                 uint64_t echo)
{
    event.now_ns = tr_now_ns(ctx);
    act(ctx, self, role, post_step(&self->post[role], &event), echo);
}

/* Who says so? ROLE_NONE: nobody that this node speaks with. */
static enum node_role peer_of(struct desk *self, const char *from)
{
    enum node_role role = node_role_of(from);
    if (role != ROLE_NONE && self->ring[role] && !tr_pid_is_nobody(self->peers.pid[role]))
        return role;
    if (!self->strange && self->connected) {
        struct ord_error words;
        ord_fail(&words, "'%.15s' is no peer of this node: what it sends is not taken", from);
        say(self, words.text);
    }
    self->strange = self->connected;
    return ROLE_NONE;
}

static tr_err on_hello(tr_ctx *ctx, struct desk *self, const struct talk_hello *msg)
{
    enum node_role role = peer_of(self, msg->from);
    struct post_event event = {.kind = POST_HELLO,
                               .identity = msg->identity,
                               .start = msg->start,
                               .sent = msg->sent,
                               .acked = msg->acked};
    if (role != ROLE_NONE)
        step(ctx, self, role, event, msg->sent);
    work(ctx, self, false);
    return TR_OK;
}

static tr_err on_ack(tr_ctx *ctx, struct desk *self, const struct talk_ack *msg)
{
    enum node_role role = peer_of(self, msg->from);
    struct post_event event = {.kind = POST_ACK,
                               .identity = msg->identity,
                               .start = msg->start,
                               .applied = msg->applied,
                               .taken = msg->taken,
                               .sent = msg->sent};
    if (role != ROLE_NONE)
        step(ctx, self, role, event, 0);
    work(ctx, self, false);
    return TR_OK;
}

static void nonsense(struct desk *self, enum node_role role, uint64_t number, const char *why)
{
    struct ord_error words;
    self->post[role].trouble = POST_NONSENSE;
    ord_fail(&words, "%s %s (parcel %llu: %s)", node_role_name(role), trouble_text(POST_NONSENSE),
             (unsigned long long)number, why);
    say(self, words.text);
}

/* Opens a parcel. False: *why. */
static bool open_parcel(struct desk_item *item, const struct talk_parcel *msg,
                        struct ord_error *why)
{
    uint8_t *copy = NULL;
    switch (item->kind) {
    case PARCEL_ORDER: /* It looks into the bytes for as long as it lives. */
        copy = malloc((size_t)msg->body_size + 1);
        if (!copy)
            return ord_starve(why, "memory is short for %u bytes", msg->body_size);
        memcpy(copy, msg->body, msg->body_size);
        item->order = parcel_order_decode(copy, msg->body_size, why);
        if (item->order)
            item->order->owner = item;
        return item->order != NULL;
    case PARCEL_ENDS:
        return parcel_ends_decode(msg->body, msg->body_size, &item->ends, &item->end_count, why);
    case PARCEL_REFUND:
        return parcel_refund_decode(msg->body, msg->body_size, &item->refund, why);
    default:
        return ord_fail(why, "its kind is %u", msg->kind);
    }
}

static tr_err on_parcel(tr_ctx *ctx, struct desk *self, const tr_msg *msg)
{
    const struct talk_parcel *parcel = tr_msg_body(msg);
    enum node_role role = peer_of(self, parcel->from);
    if (role == ROLE_NONE || self->failed || parcel->body_size > tr_msg_size(msg) - sizeof(*parcel))
        return TR_OK;
    uint64_t taken = self->post[role].taken;
    step(ctx, self, role,
         (struct post_event){.kind = POST_PARCEL,
                             .identity = parcel->identity,
                             .start = parcel->start,
                             .number = parcel->number},
         parcel->number - 1);
    if (self->post[role].taken == taken)
        return TR_OK;
    struct ord_error why;
    struct desk_item *item = calloc(1, sizeof(*item));
    if (!item) {
        fail(self, "memory is short for a parcel");
        return TR_OK;
    }
    *item = (struct desk_item){
        .from = role, .number = parcel->number, .kind = (enum parcel_kind)parcel->kind};
    self->open++;
    self->ring[role][item->number % POST_WINDOW] = item;
    if (!open_parcel(item, parcel, &why) ||
        !self->ops->take(ctx, self, self->config->state, item, &why)) {
        if (why.starved)
            fail(self, why.text); /* It is ours to mend: another process takes it again. */
        else
            nonsense(self, role, parcel->number, why.text);
    }
    return TR_OK;
}

/* ---- Items ----------------------------------------------------------------- */

static void enqueue(struct desk *self, struct desk_item *item)
{
    *self->queue_tail = item;
    self->queue_tail = &item->next;
}

void desk_ready(tr_ctx *ctx, struct desk *self, struct desk_item *item)
{
    enum node_role role = item->from;
    struct desk_item **place;
    item->ready = true;
    while ((place = &self->ring[role][(self->drained[role] + 1) % POST_WINDOW]), *place) {
        if (!(*place)->ready)
            break;
        enqueue(self, *place);
        *place = NULL;
        self->drained[role]++;
    }
    work(ctx, self, false);
}

void desk_enter(tr_ctx *ctx, struct desk *self, struct doc *doc, struct door_order *door)
{
    struct desk_item *item = calloc(1, sizeof(*item));
    if (!item) {
        free(door);
        fail(self, "memory is short for an order");
        return;
    }
    *item = (struct desk_item){.doc = doc, .door = door, .ready = true};
    self->open++;
    enqueue(self, item);
    work(ctx, self, false);
}

/* ---- After a batch --------------------------------------------------------- */

/* What could not be sent after all is fetched again when it can be. */
static void send_fetched(tr_ctx *ctx, struct desk *self)
{
    uint64_t bytes;
    while (self->job->fetched) {
        struct outbox_parcel *parcel = self->job->fetched;
        struct post *post = &self->post[parcel->to];
        self->job->fetched = parcel->next;
        struct talk_parcel *body = NULL;
        if (parcel->number == post->sent + 1 && post_window(post, &bytes) > 0)
            body = tr_msg_new(ctx, &talk_parcel_type, sizeof(*body) + parcel->size);
        if (body) {
            *body = (struct talk_parcel){.identity = outbox_identity(self->outbox),
                                         .start = self->start,
                                         .number = parcel->number,
                                         .kind = (uint32_t)parcel->kind,
                                         .body_size = parcel->size};
            snprintf(body->from, sizeof(body->from), "%s", node_role_name(self->ops->role));
            memcpy(body->body, parcel->body, parcel->size);
            tr_send_take(ctx, self->peers.pid[parcel->to], body);
            step(ctx, self, parcel->to,
                 (struct post_event){
                     .kind = POST_SENT, .number = parcel->number, .size = parcel->size},
                 0);
        }
        free(parcel);
    }
}

static tr_err on_written(tr_ctx *ctx, struct desk *self, const struct desk_batch_written *msg)
{
    struct desk_job *job = self->job;
    self->batches += job->writes;
    if (!msg->good) {
        self->busy = false;
        fail(self, msg->why.text);
        publish(self);
        return TR_OK;
    }
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
        enum node_role peer = (enum node_role)role;
        uint64_t kept = outbox_peer(self->outbox, peer)->kept;
        if (kept > self->post[role].kept)
            step(ctx, self, peer, (struct post_event){.kind = POST_KEPT, .number = kept}, 0);
        if (job->peer[role].applied)
            step(ctx, self, peer,
                 (struct post_event){.kind = POST_APPLIED, .number = job->peer[role].applied}, 0);
    }
    if (job->writes)
        self->ops->written(ctx, self, self->config->state, job->items);
    self->open -= desk_items_free(job->items);
    job->items = NULL;
    send_fetched(ctx, self);
    self->busy = false; /* Only now: all of the above may ask for work. */
    publish(self);
    work(ctx, self, false);
    return TR_OK;
}

static tr_err on_tick(tr_ctx *ctx, struct desk *self)
{
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++)
        if (self->ring[role] && !tr_pid_is_nobody(self->peers.pid[role]))
            step(ctx, self, (enum node_role)role, (struct post_event){.kind = POST_TICK}, 0);
    work(ctx, self, true);
    publish(self);
    return TR_OK;
}

static tr_err on_write_lost(tr_ctx *ctx, struct desk *self, const struct tr_request_failed *msg)
{
    char why[160];
    (void)ctx;
    snprintf(why, sizeof(why), "a batch could not be handed to the writer: %s",
             tr_strerror(msg->reason));
    fail(self, why);
    return TR_OK;
}

static tr_err desk_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct desk *self = state;
    if (msg->type == &talk_parcel_type)
        return on_parcel(ctx, self, msg);
    if (msg->type == &talk_ack_type)
        return on_ack(ctx, self, tr_msg_body(msg));
    if (msg->type == &talk_hello_type)
        return on_hello(ctx, self, tr_msg_body(msg));
    if (msg->type == &desk_batch_written_type)
        return on_written(ctx, self, tr_msg_body(msg));
    if (msg->type == &desk_tick_type)
        return on_tick(ctx, self);
    if (msg->type == &desk_peers_type) {
        self->peers = *(const struct desk_peers *)tr_msg_body(msg);
        self->connected = true;
        return on_tick(ctx, self);
    }
    if (msg->type == &tr_request_failed_type &&
        tr_pid_equal(tr_as(msg, tr_request_failed)->to, tr_self(ctx)))
        return on_write_lost(ctx, self, tr_msg_body(msg));
    return self->ops->receive(ctx, self, self->config->state, msg);
}

const struct tr_actor desk_actor = {
    .name = "desk",
    .state_size = sizeof(struct desk),
    .arg_size = sizeof(struct desk_args),
    .init = desk_init,
    .receive = desk_receive,
    .stop = desk_stop,
};
