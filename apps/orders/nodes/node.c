/* node.c - see node.h. */
#include "nodes/node.h"

#include "actors.h"
#include "guard.h"
#include "intake.h"
#include "messages.troupe.h"
#include "nodes/door.h"
#include "nodes/payment_layouts.h"
#include "nodes/window.h"
#include "talk.troupe.h"

#include "troupe/remote.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Orders between the intake and the gateway's database, and lines of theirs. */
#define WINDOW 4096u
#define WINDOW_LINES (WINDOW * 16u)
#define KEPT_LINES 64u
#define LOOK_MS 20u     /* how often the main thread looks around */
#define SETTLE_MS 2000u /* how long a node that ends waits for what is being written */
#define LINK_BYTES (64u << 20)

struct node {
    const struct node_options *options;
    struct node_result *result;
    struct ord_error *error;
    struct gate gate;
    tr_system *system;
    tr_ctx *root;
    tr_remote *remote;
    struct desk_config config[ROLE_COUNT];
    struct desk_board board[ROLE_COUNT];
    char path[ROLE_COUNT][1024];
    tr_pid desk[ROLE_COUNT];
    struct role_gateway *gateway;
    struct role_processing *processing;
    struct role_ledger *ledger;
    struct dict *products, *countries;
    struct intake *intake;
    struct doc *docs;
    pthread_t pump;
    bool pumping;
    pthread_mutex_t lock;
    bool stopping, pumped; /* under the lock */
    struct ord_error broken;
    uint64_t started_ns;
};

static const struct tr_supervision restart = {
    .on_failure = TR_RESTART, .restarts_max = 10, .within_ms = 1000};
static const struct tr_supervision end_node = {.on_failure = TR_STOP};

static bool has(const struct node *node, enum node_role role)
{
    return node->options->role == ROLE_NONE || node->options->role == role;
}

static bool spawned(struct node *node, tr_pid pid, const char *name)
{
    if (!tr_pid_is_nobody(pid))
        return true;
    return ord_fail(node->error, "actor '%s' cannot start: %s", name, tr_strerror(tr_pid_err(pid)));
}

/* ---- Setting up ------------------------------------------------------------ */

static void set_paths(struct node *node)
{
    const struct node_options *options = node->options;
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++)
        snprintf(node->path[role], sizeof(node->path[role]), "%s%s%s", options->db,
                 options->role == ROLE_NONE && role != ROLE_LEDGER ? "-" : "",
                 options->role == ROLE_NONE && role != ROLE_LEDGER
                     ? node_role_name((enum node_role)role)
                     : "");
}

static void complain(void *user, const struct doc *doc)
{
    struct node *node = user;
    char sentence[512];
    snprintf(sentence, sizeof(sentence), "%s: %s%s is refused: %s", node->options->name,
             doc->key[0] ? "order " : "a line", doc->key, doc->excerpt);
    node->options->complain(node->options->user, sentence);
}

static bool spawn_desk(struct node *node, enum node_role role, const struct desk_ops *ops,
                       void *state, struct outbox *outbox)
{
    char name[32];
    snprintf(name, sizeof(name), "post.%s", node_role_name(role));
    node->config[role] = (struct desk_config){
        .ops = ops,
        .state = state,
        .outbox = outbox,
        .gate = &node->gate,
        .board = &node->board[role],
        .backlog_max = node->options->backlog_max ? node->options->backlog_max : DESK_BACKLOG_MAX,
        .say = node->options->say,
        .user = node->options->user};
    node->result->has[role] = true;
    node->desk[role] = tr_spawn(node->root, &desk_actor, .name = name,
                                .arg = &(struct desk_args){&node->config[role]},
                                .supervise = &end_node);
    return spawned(node, node->desk[role], name);
}

/* Orders may come as messages. The dictionaries have one thread that adds words, the intake's:
 * a gateway that reads a file takes no messages. */
static bool open_door(struct node *node)
{
    static const char product[] = "MESSAGE", note[] = "an order that came as a message";
    static const char country[] = "Unspecified";
    struct door_args args = {
        .desk = node->desk[ROLE_GATEWAY],
        .product = dict_number(node->products, product, strlen(product), note, strlen(note)),
        .country = dict_number(node->countries, country, strlen(country), "", 0)};
    args.products_known = dict_count(node->products);
    args.countries_known = dict_count(node->countries);
    if (args.product == 0 || args.country == 0)
        return ord_fail(node->error, "memory is short");
    tr_pid door = tr_spawn(node->root, &door_actor, .name = "order", .arg = &args,
                           .supervise = &restart);
    return spawned(node, door, "order");
}

static bool open_gateway(struct node *node)
{
    const struct node_options *options = node->options;
    struct outbox *outbox;
    node->products = dict_create();
    node->countries = dict_create();
    node->docs = calloc(WINDOW, sizeof(*node->docs));
    if (!node->products || !node->countries || !node->docs)
        return ord_fail(node->error, "memory is short");
    if (options->source) /* A wrong file leaves no database behind. */
        node->intake = intake_create(&(struct intake_options){.source = options->source,
                                                              .name = options->name,
                                                              .products = node->products,
                                                              .countries = node->countries},
                                     node->error);
    if (options->source && !node->intake)
        return false;
    node->gateway = role_gateway_open(
        &(struct role_gateway_options){.path = node->path[ROLE_GATEWAY],
                                       .products = node->products,
                                       .countries = node->countries,
                                       .gate = &node->gate,
                                       .acknowledge = options->acknowledge,
                                       .acknowledge_user = options->user,
                                       .complain = complain,
                                       .complain_user = node},
        &outbox, node->error);
    return node->gateway &&
           spawn_desk(node, ROLE_GATEWAY, &role_gateway_ops, node->gateway, outbox) &&
           (options->source || open_door(node));
}

static bool open_processing(struct node *node)
{
    struct outbox *outbox;
    tr_pid validation = tr_spawn(node->root, &validation_actor, .name = "role.validation",
                                 .supervise = &end_node);
    tr_pid payment = tr_spawn(node->root, &payment_actor, .name = "role.payment",
                              .arg = &(struct payment_args){node->options->provider},
                              .supervise = &restart);
    if (!spawned(node, validation, "validation") || !spawned(node, payment, "payment"))
        return false;
    node->processing = role_processing_open(
        &(struct role_processing_options){.path = node->path[ROLE_PROCESSING],
                                          .window_s = node->options->window_s,
                                          .validation = validation,
                                          .payment = payment},
        &outbox, node->error);
    return node->processing &&
           spawn_desk(node, ROLE_PROCESSING, &role_processing_ops, node->processing, outbox) &&
           windows_open(node->root, ROLE_PROCESSING, node->path[ROLE_PROCESSING], node->error);
}

static bool open_ledger(struct node *node)
{
    struct outbox *outbox;
    node->ledger = role_ledger_open(
        &(struct role_ledger_options){.path = node->path[ROLE_LEDGER],
                                      .stock = node->options->stock,
                                      .stock_given = node->options->stock_given},
        &outbox, node->error);
    if (!node->ledger || !spawn_desk(node, ROLE_LEDGER, &role_ledger_ops, node->ledger, outbox))
        return false;
    tr_pid notification = tr_spawn(
        node->root, &notification_actor, .name = "role.notification",
        .arg = &(struct notification_args){role_ledger_noticed(node->ledger),
                                           node->desk[ROLE_LEDGER], node->options->deliver,
                                           node->options->user},
        .supervise = &end_node);
    return spawned(node, notification, "notification") &&
           role_ledger_notify(node->ledger, node->root, notification, node->error) &&
           windows_open(node->root, ROLE_LEDGER, node->path[ROLE_LEDGER], node->error);
}

/* Nothing but these types crosses, and nobody stops or spawns our actors from afar. */
static bool start_remote(struct node *node)
{
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
    struct tr_error why;
    struct tr_remote_config config = {.listen = node->options->listen,
                                      .types = types,
                                      .allow = TR_REMOTE_WATCH | TR_REMOTE_LIST,
                                      .queue_bytes = LINK_BYTES,
                                      .backoff_ms_min = 20,
                                      .backoff_ms_max = 500,
                                      .give_up_ms = 200};
    if (tr_remote_start(node->system, &config, &node->remote, &why) == TR_OK)
        return true;
    node->remote = NULL;
    return ord_fail(node->error, "%s", why.text);
}

/* Tells each desk here where the others' are. */
static bool connect_desks(struct node *node)
{
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
        struct desk_peers peers = {.pid = {TR_NOBODY}};
        if (!has(node, (enum node_role)role))
            continue;
        for (int peer = ROLE_GATEWAY; peer < ROLE_COUNT; peer++) {
            char id[32];
            const char *address = node->options->peer[peer];
            if (peer == role)
                continue;
            snprintf(id, sizeof(id), "post.%s", node_role_name((enum node_role)peer));
            if (has(node, (enum node_role)peer))
                peers.pid[peer] = node->desk[peer];
            else if (address)
                peers.pid[peer] = tr_remote_pid(node->root, address, id);
            if (address && tr_pid_is_nobody(peers.pid[peer]))
                return ord_fail(node->error, "peer %s at '%.100s' cannot be addressed: %s",
                                node_role_name((enum node_role)peer), address,
                                tr_strerror(tr_pid_err(peers.pid[peer])));
        }
        tr_send_(node->root, node->desk[role], &desk_peers_type, &peers, sizeof(peers));
    }
    return true;
}

/* A hello to a node that is away becomes a dead letter, ten times a second: the desk has said
 * that it is away. */
static void log_line(void *user, enum tr_log_level level, const char *line)
{
    const struct node *node = user;
    static const char hello[] = "dead letter: troupe.orders.Hello";
    if (level >= TR_LOG_WARN && strncmp(line, hello, sizeof(hello) - 1) != 0)
        node->options->say(node->options->user, node->options->role, line);
}

static bool start(struct node *node)
{
    struct tr_error why;
    struct tr_config config = {.node = node_role_name(node->options->role),
                               .workers = node->options->workers,
                               .offload_threads = 6, /* three writers, and windows */
                               .watchdog_ms = 5000,
                               .log = log_line,
                               .log_user = node};
    if (tr_system_create_(&node->system, &config, &why))
        return ord_fail(node->error, "actors cannot run: %s", why.text);
    node->root = tr_root(node->system);
    tr_pid guard = tr_spawn(node->root, &guard_actor, .name = "guard",
                            .arg = &(struct guard_args){&node->gate}, .supervise = &end_node);
    if (!spawned(node, guard, "guard"))
        return false;
    tr_system_run(node->system); /* It listens before anything can fail. */
    return (!has(node, ROLE_GATEWAY) || open_gateway(node)) &&
           (!has(node, ROLE_PROCESSING) || open_processing(node)) &&
           (!has(node, ROLE_LEDGER) || open_ledger(node)) && start_remote(node) &&
           connect_desks(node);
}

/* ---- Taking orders in ------------------------------------------------------ */

static bool stopping(struct node *node)
{
    pthread_mutex_lock(&node->lock);
    bool stop = node->stopping;
    pthread_mutex_unlock(&node->lock);
    return stop;
}

static void take_in(struct node *node, tr_ctx *ctx)
{
    struct ord_error why;
    uint64_t seq = 0, lines = 0;
    while (!stopping(node)) {
        struct doc *doc = &node->docs[seq % WINDOW];
        if (!gate_wait(&node->gate, seq < WINDOW ? 0 : seq - WINDOW + 1, lines, WINDOW_LINES, &why))
            return;
        if (doc->lines_max > KEPT_LINES) { /* Shrinks what a huge order has blown up. */
            free(doc->line);
            doc->line = NULL;
            doc->lines_max = 0;
        }
        enum intake_result got = intake_next(node->intake, doc, &node->broken);
        if (got == INTAKE_BROKEN)
            node->result->broken = true;
        if (got != INTAKE_DOC)
            break;
        doc->seq = seq++;
        doc->started_ns = ord_now_ns();
        lines += doc->lines;
        tr_send(ctx, node->desk[ROLE_GATEWAY], gateway_submit, .doc = doc);
    }
    gate_wait(&node->gate, seq, 0, UINT64_MAX, &why);
}

static void *pump(void *arg)
{
    struct node *node = arg;
    tr_ctx *ctx = tr_attach(node->system);
    if (ctx) {
        take_in(node, ctx);
        tr_detach(ctx);
    } else {
        gate_fail(&node->gate, "the intake cannot speak with its actors");
    }
    pthread_mutex_lock(&node->lock);
    node->pumped = true;
    pthread_mutex_unlock(&node->lock);
    return NULL;
}

/* ---- Running --------------------------------------------------------------- */

static struct desk_board look(struct node *node, enum node_role role)
{
    struct desk_board *board = &node->board[role];
    pthread_mutex_lock(&board->lock);
    struct desk_board seen = *board;
    pthread_mutex_unlock(&board->lock);
    return seen;
}

/* Everything that was accepted has ended, and the others know that we know. */
static bool done(struct node *node)
{
    struct role_gateway_figures figures;
    pthread_mutex_lock(&node->lock);
    bool pumped = node->pumped || !node->pumping;
    pthread_mutex_unlock(&node->lock);
    if (!node->options->until_done || !pumped || !node->gateway)
        return false;
    role_gateway_figures(node->gateway, &figures);
    return figures.accepted == figures.ended;
}

static void settle(struct node *node)
{
    struct timespec nap = {0, LOOK_MS * 1000000L};
    for (unsigned waited = 0; waited < SETTLE_MS; waited += LOOK_MS) {
        bool settled = true;
        for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
            struct desk_board board = look(node, (enum node_role)role);
            settled = settled &&
                      (!node->result->has[role] || board.failed || (board.open == 0 && board.tidy));
        }
        if (settled)
            return;
        nanosleep(&nap, NULL);
    }
}

/* Until a signal comes, the gate fails, or all is done. */
static bool serve(struct node *node, const sigset_t *signals)
{
    struct timespec nap = {0, LOOK_MS * 1000000L};
    for (;;) {
        if (sigtimedwait(signals, NULL, &nap) > 0 || done(node))
            return true;
        if (!gate_wait(&node->gate, 0, 0, UINT64_MAX, node->error))
            return false;
    }
}

static void stop_pump(struct node *node)
{
    pthread_mutex_lock(&node->lock);
    node->stopping = true;
    pthread_mutex_unlock(&node->lock);
    if (!node->pumping)
        return;
    bool pumped = done(node);
    if (!pumped)
        gate_fail(&node->gate, "the node was asked to end");
    pthread_join(node->pump, NULL);
}

static void sum_up(struct node *node)
{
    struct node_result *result = node->result;
    struct tr_accounts accounts;
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
        struct desk_board board = look(node, (enum node_role)role);
        memcpy(result->peer[role], board.peer, sizeof(board.peer));
        result->batches[role] = board.batches;
    }
    if (node->gateway)
        role_gateway_figures(node->gateway, &result->gateway);
    tr_system_accounts(node->system, &accounts);
    result->accounts_balance = tr_accounts_balance(&accounts);
}

static void tear_down(struct node *node)
{
    if (node->remote)
        tr_remote_stop(node->remote, 2000);
    if (node->system) {
        tr_system_stop(node->system, 5000);
        sum_up(node);
        tr_system_destroy(node->system);
    }
    role_gateway_close(node->gateway);
    role_processing_close(node->processing);
    role_ledger_close(node->ledger);
    intake_destroy(node->intake);
    dict_destroy(node->products);
    dict_destroy(node->countries);
    for (uint32_t i = 0; node->docs && i < WINDOW; i++)
        free(node->docs[i].line);
    free(node->docs);
    for (int role = 0; role < ROLE_COUNT; role++)
        pthread_mutex_destroy(&node->board[role].lock);
    pthread_mutex_destroy(&node->lock);
    gate_fini(&node->gate);
}

static void say_serving(struct node *node)
{
    char sentence[512];
    size_t used = (size_t)snprintf(sentence, sizeof(sentence), "serves on %s",
                                   tr_remote_address(node->remote));
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT && used < sizeof(sentence); role++)
        if (!has(node, (enum node_role)role))
            used += (size_t)snprintf(sentence + used, sizeof(sentence) - used, "; %s %s%s",
                                     node_role_name((enum node_role)role),
                                     node->options->peer[role] ? "is looked for at "
                                                               : "has no address",
                                     node->options->peer[role] ? node->options->peer[role] : "");
    node->options->say(node->options->user, node->options->role, sentence);
}

bool node_run(const struct node_options *options, struct node_result *result,
              struct ord_error *error)
{
    struct node node = {.options = options, .result = result, .error = error};
    sigset_t signals;
    memset(result, 0, sizeof(*result));
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* All threads: this one waits for them. */
    if (!gate_init(&node.gate))
        return ord_fail(error, "no lock can be made");
    pthread_mutex_init(&node.lock, NULL);
    for (int role = 0; role < ROLE_COUNT; role++)
        pthread_mutex_init(&node.board[role].lock, NULL);
    set_paths(&node);
    bool good = start(&node);
    if (good) {
        say_serving(&node);
        node.started_ns = ord_now_ns();
        node.pumping = node.intake && pthread_create(&node.pump, NULL, pump, &node) == 0;
        good = serve(&node, &signals);
        result->seconds = (double)(ord_now_ns() - node.started_ns) / 1e9;
        stop_pump(&node);
        if (good)
            settle(&node);
    }
    tear_down(&node);
    if (good && result->broken)
        *error = node.broken;
    return good;
}
