/* parts.c - see parts.h. */
#include "nodes/parts.h"

#include "actors.h"
#include "guard.h"
#include "messages.troupe.h"
#include "nodes/door.h"
#include "nodes/payment_layouts.h"
#include "nodes/window.h"
#include "talk.troupe.h"

#include <stdio.h>
#include <stdlib.h>

/* Orders between the intake and the gateway's database, and lines of theirs for each. */
#define UNDER_WAY 4096u
#define LINES_EACH 16u
#define KEPT_LINES 64u
#define LINK_BYTES (64u << 20)
/* A link to a host that says nothing is made anew after so long: otherwise, when the network is whole
 * again, TCP would take about as long to try again as it was cut. */
#define LOST_MS 10000u

static const struct tr_supervision restart = {
    .on_failure = TR_RESTART, .restarts_max = 10, .within_ms = 1000};
static const struct tr_supervision end_node = {.on_failure = TR_STOP};

bool parts_has(const struct parts *parts, enum node_role role)
{
    return parts->options->role == ROLE_NONE || parts->options->role == role;
}

static bool spawned(struct parts *parts, tr_pid pid, const char *name)
{
    if (!tr_pid_is_nobody(pid))
        return true;
    return ord_fail(parts->error, "actor '%s' cannot start: %s", name,
                    tr_strerror(tr_pid_err(pid)));
}

/* ---- Setting up ------------------------------------------------------------ */

static void set_paths(struct parts *parts)
{
    const struct node_options *options = parts->options;
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++)
        snprintf(parts->path[role], sizeof(parts->path[role]), "%s%s%s", options->db,
                 options->role == ROLE_NONE && role != ROLE_LEDGER ? "-" : "",
                 options->role == ROLE_NONE && role != ROLE_LEDGER
                     ? node_role_name((enum node_role)role)
                     : "");
}

static void complain(void *user, const struct doc *doc)
{
    struct parts *parts = user;
    char sentence[512];
    snprintf(sentence, sizeof(sentence), "%s: %s%s is refused: %s", parts->options->name,
             doc->key[0] ? "order " : "a line", doc->key, doc->excerpt);
    parts->options->complain(parts->options->user, sentence);
}

static bool spawn_desk(struct parts *parts, enum node_role role, const struct desk_ops *ops,
                       void *state, struct outbox *outbox)
{
    char name[32];
    snprintf(name, sizeof(name), "post.%s", node_role_name(role));
    parts->config[role] = (struct desk_config){
        .ops = ops,
        .state = state,
        .outbox = outbox,
        .gate = &parts->gate,
        .board = &parts->board[role],
        .backlog_max = parts->options->backlog_max ? parts->options->backlog_max : DESK_BACKLOG_MAX,
        .say = parts->options->say,
        .user = parts->options->user};
    if (!desk_prepare(&parts->config[role]))
        return ord_fail(parts->error, "memory is short");
    parts->desk[role] = tr_spawn(parts->root, &desk_actor, .name = name,
                                 .arg = &(struct desk_args){&parts->config[role]},
                                 .supervise = &end_node);
    return spawned(parts, parts->desk[role], name);
}

/* Orders may come as messages. The dictionaries have one thread that adds words, the intake's:
 * a gateway that reads a file takes no messages. */
static bool open_door(struct parts *parts)
{
    static const char product[] = "MESSAGE", note[] = "an order that came as a message";
    static const char country[] = "Unspecified";
    struct door_args args = {
        .desk = parts->desk[ROLE_GATEWAY],
        .product = dict_number(parts->products, product, strlen(product), note, strlen(note)),
        .country = dict_number(parts->countries, country, strlen(country), "", 0)};
    args.products_known = dict_count(parts->products);
    args.countries_known = dict_count(parts->countries);
    if (args.product == 0 || args.country == 0)
        return ord_fail(parts->error, "memory is short");
    tr_pid door = tr_spawn(parts->root, &door_actor, .name = "order", .arg = &args,
                           .supervise = &restart);
    return spawned(parts, door, "order");
}

static bool open_gateway(struct parts *parts)
{
    const struct node_options *options = parts->options;
    struct outbox *outbox;
    parts->products = dict_create();
    parts->countries = dict_create();
    parts->docs = calloc(parts->under_way, sizeof(*parts->docs));
    if (!parts->products || !parts->countries || !parts->docs)
        return ord_fail(parts->error, "memory is short");
    if (options->source) /* A wrong file leaves no database behind. */
        parts->intake = intake_create(&(struct intake_options){.source = options->source,
                                                               .name = options->name,
                                                               .products = parts->products,
                                                               .countries = parts->countries},
                                      parts->error);
    if (options->source && !parts->intake)
        return false;
    parts->gateway = role_gateway_open(
        &(struct role_gateway_options){.path = parts->path[ROLE_GATEWAY],
                                       .products = parts->products,
                                       .countries = parts->countries,
                                       .gate = &parts->gate,
                                       .acknowledge = options->acknowledge,
                                       .acknowledge_user = options->user,
                                       .complain = complain,
                                       .complain_user = parts},
        &outbox, parts->error);
    return parts->gateway &&
           spawn_desk(parts, ROLE_GATEWAY, &role_gateway_ops, parts->gateway, outbox) &&
           (options->source || open_door(parts));
}

static bool open_processing(struct parts *parts)
{
    struct outbox *outbox;
    tr_pid validation = tr_spawn(parts->root, &validation_actor, .name = "role.validation",
                                 .supervise = &end_node);
    tr_pid payment = tr_spawn(parts->root, &payment_actor, .name = "role.payment",
                              .arg = &(struct payment_args){parts->options->provider},
                              .supervise = &restart);
    if (!spawned(parts, validation, "validation") || !spawned(parts, payment, "payment"))
        return false;
    parts->processing = role_processing_open(
        &(struct role_processing_options){.path = parts->path[ROLE_PROCESSING],
                                          .window_s = parts->options->window_s,
                                          .validation = validation,
                                          .payment = payment},
        &outbox, parts->error);
    return parts->processing &&
           spawn_desk(parts, ROLE_PROCESSING, &role_processing_ops, parts->processing, outbox) &&
           windows_open(parts->root, ROLE_PROCESSING, parts->path[ROLE_PROCESSING], parts->error);
}

static bool open_ledger(struct parts *parts)
{
    struct outbox *outbox;
    parts->ledger = role_ledger_open(
        &(struct role_ledger_options){.path = parts->path[ROLE_LEDGER],
                                      .stock = parts->options->stock,
                                      .stock_given = parts->options->stock_given},
        &outbox, parts->error);
    if (!parts->ledger || !spawn_desk(parts, ROLE_LEDGER, &role_ledger_ops, parts->ledger, outbox))
        return false;
    tr_pid notification = tr_spawn(
        parts->root, &notification_actor, .name = "role.notification",
        .arg = &(struct notification_args){role_ledger_noticed(parts->ledger),
                                           parts->desk[ROLE_LEDGER], parts->options->deliver,
                                           parts->options->user},
        .supervise = &end_node);
    return spawned(parts, notification, "notification") &&
           role_ledger_notify(parts->ledger, parts->root, notification, parts->error) &&
           windows_open(parts->root, ROLE_LEDGER, parts->path[ROLE_LEDGER], parts->error);
}

bool parts_connect(struct parts *parts)
{
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
        struct desk_peers peers = {.pid = {TR_NOBODY}};
        if (!parts_has(parts, (enum node_role)role))
            continue;
        for (int peer = ROLE_GATEWAY; peer < ROLE_COUNT; peer++) {
            char id[32];
            const char *address = parts->options->peer[peer];
            if (peer == role)
                continue;
            snprintf(id, sizeof(id), "post.%s", node_role_name((enum node_role)peer));
            if (parts_has(parts, (enum node_role)peer))
                peers.pid[peer] = parts->desk[peer];
            else if (address)
                peers.pid[peer] = tr_remote_pid(parts->root, address, id);
            if (address && tr_pid_is_nobody(peers.pid[peer]))
                return ord_fail(parts->error, "peer %s at '%.100s' cannot be addressed: %s",
                                node_role_name((enum node_role)peer), address,
                                tr_strerror(tr_pid_err(peers.pid[peer])));
        }
        tr_send_(parts->root, parts->desk[role], &desk_peers_type, &peers, sizeof(peers));
    }
    return true;
}

bool parts_open(struct parts *parts, tr_ctx *root)
{
    parts->root = root;
    tr_pid guard = tr_spawn(root, &guard_actor, .name = "guard",
                            .arg = &(struct guard_args){&parts->gate}, .supervise = &end_node);
    if (!spawned(parts, guard, "guard"))
        return false;
    tr_system_run(tr_system_of(root)); /* It listens before anything can fail. */
    return (!parts_has(parts, ROLE_GATEWAY) || open_gateway(parts)) &&
           (!parts_has(parts, ROLE_PROCESSING) || open_processing(parts)) &&
           (!parts_has(parts, ROLE_LEDGER) || open_ledger(parts));
}

struct tr_remote_config parts_remote(void)
{
    /* Nothing but these types crosses, and nobody stops or spawns our actors from afar. */
    static const struct tr_type *const types[] = {&talk_hello_type,
                                                  &talk_ack_type,
                                                  &talk_parcel_type,
                                                  &messages_order_message_type,
                                                  &messages_validation_message_type,
                                                  &payment_layouts_type,
                                                  &messages_inventory_message_type,
                                                  &messages_ledger_message_type,
                                                  &messages_notification_message_type,
                                                  NULL};
    return (struct tr_remote_config){.types = types,
                                     .allow = TR_REMOTE_WATCH | TR_REMOTE_LIST,
                                     .queue_bytes = LINK_BYTES,
                                     .backoff_ms_min = 20,
                                     .backoff_ms_max = 500,
                                     .give_up_ms = 200,
                                     .lost_ms = LOST_MS};
}

/* ---- Taking orders in ------------------------------------------------------ */

bool parts_may_take(struct parts *parts)
{
    uint64_t seq = parts->seq, under_way = parts->under_way;
    return gate_passable(&parts->gate, seq < under_way ? 0 : seq - under_way + 1, parts->lines,
                         (uint64_t)under_way * LINES_EACH);
}

bool parts_await_room(struct parts *parts)
{
    struct ord_error why;
    uint64_t seq = parts->seq, under_way = parts->under_way;
    return gate_wait(&parts->gate, seq < under_way ? 0 : seq - under_way + 1, parts->lines,
                     (uint64_t)under_way * LINES_EACH, &why);
}

enum intake_result parts_take(struct parts *parts, tr_ctx *ctx, struct ord_error *broken)
{
    struct doc *doc = &parts->docs[parts->seq % parts->under_way];
    if (doc->lines_max > KEPT_LINES) { /* Shrinks what a huge order has blown up. */
        free(doc->line);
        doc->line = NULL;
        doc->lines_max = 0;
    }
    enum intake_result got = intake_next(parts->intake, doc, broken);
    if (got != INTAKE_DOC)
        return got;
    doc->seq = parts->seq++;
    doc->started_ns = ord_now_ns();
    parts->lines += doc->lines;
    tr_send(ctx, parts->desk[ROLE_GATEWAY], gateway_submit, .doc = doc);
    return got;
}

/* ---- Beginning, looking, ending -------------------------------------------- */

struct desk_board parts_look(struct parts *parts, enum node_role role)
{
    struct desk_board *board = &parts->board[role];
    pthread_mutex_lock(&board->lock);
    struct desk_board seen = *board;
    pthread_mutex_unlock(&board->lock);
    return seen;
}

bool parts_settled(struct parts *parts)
{
    bool settled = true;
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
        struct desk_board board = parts_look(parts, (enum node_role)role);
        settled = settled && (!parts_has(parts, (enum node_role)role) || board.failed ||
                              (board.open == 0 && board.tidy));
    }
    return settled;
}

bool parts_init(struct parts *parts, const struct node_options *options, struct ord_error *error)
{
    memset(parts, 0, sizeof(*parts));
    parts->options = options;
    parts->error = error;
    parts->under_way = options->under_way ? options->under_way : UNDER_WAY;
    if (!gate_init(&parts->gate))
        return ord_fail(error, "no lock can be made");
    for (int role = 0; role < ROLE_COUNT; role++)
        pthread_mutex_init(&parts->board[role].lock, NULL);
    set_paths(parts);
    return true;
}

void parts_fini(struct parts *parts)
{
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++)
        desk_fini(&parts->config[role]);
    role_gateway_close(parts->gateway);
    role_processing_close(parts->processing);
    role_ledger_close(parts->ledger);
    intake_destroy(parts->intake);
    dict_destroy(parts->products);
    dict_destroy(parts->countries);
    for (uint32_t i = 0; parts->docs && i < parts->under_way; i++)
        free(parts->docs[i].line);
    free(parts->docs);
    for (int role = 0; role < ROLE_COUNT; role++)
        pthread_mutex_destroy(&parts->board[role].lock);
    gate_fini(&parts->gate);
}
