/* node.c - see node.h. */
#include "nodes/node.h"

#include "nodes/parts.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

#define LOOK_MS 20u     /* how often the main thread looks around */
#define SETTLE_MS 2000u /* how long a node that ends waits for what is being written */

struct node {
    const struct node_options *options;
    struct node_result *result;
    struct ord_error *error;
    struct parts parts;
    tr_system *system;
    tr_remote *remote;
    pthread_t pump;
    bool pumping;
    pthread_mutex_t lock;
    bool stopping, pumped; /* under the lock */
    struct ord_error broken;
    uint64_t started_ns;
};

/* A hello to a node that is away becomes a dead letter, ten times a second: the desk has said
 * that it is away. */
static void log_line(void *user, enum tr_log_level level, const char *line)
{
    const struct node *node = user;
    static const char hello[] = "dead letter: troupe.orders.Hello";
    if (level >= TR_LOG_WARN && strncmp(line, hello, sizeof(hello) - 1) != 0)
        node->options->say(node->options->user, node->options->role, line);
}

static bool start_remote(struct node *node)
{
    struct tr_error why;
    struct tr_remote_config config = parts_remote();
    config.listen = node->options->listen;
    config.tls = node->options->tls;
    if (tr_remote_start(node->system, &config, &node->remote, &why) == TR_OK)
        return true;
    node->remote = NULL;
    return ord_fail(node->error, "%s", why.text);
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
    return parts_open(&node->parts, tr_root(node->system)) && start_remote(node) &&
           parts_connect(&node->parts);
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
    while (!stopping(node)) {
        if (!parts_await_room(&node->parts))
            return;
        enum intake_result got = parts_take(&node->parts, ctx, &node->broken);
        if (got == INTAKE_BROKEN)
            node->result->broken = true;
        if (got != INTAKE_DOC)
            break;
    }
    gate_wait(&node->parts.gate, node->parts.seq, 0, UINT64_MAX, &why);
}

static void *pump(void *arg)
{
    struct node *node = arg;
    tr_ctx *ctx = tr_attach(node->system);
    if (ctx) {
        take_in(node, ctx);
        tr_detach(ctx);
    } else {
        gate_fail(&node->parts.gate, "the intake cannot speak with its actors");
    }
    pthread_mutex_lock(&node->lock);
    node->pumped = true;
    pthread_mutex_unlock(&node->lock);
    return NULL;
}

/* ---- Running --------------------------------------------------------------- */

/* Everything that was accepted has ended, and the others know that we know. */
static bool done(struct node *node)
{
    struct role_gateway_figures figures;
    pthread_mutex_lock(&node->lock);
    bool pumped = node->pumped || !node->pumping;
    pthread_mutex_unlock(&node->lock);
    if (!node->options->until_done || !pumped || !node->parts.gateway)
        return false;
    role_gateway_figures(node->parts.gateway, &figures);
    return figures.accepted == figures.ended;
}

static void settle(struct node *node)
{
    struct timespec nap = {0, LOOK_MS * 1000000L};
    for (unsigned waited = 0; waited < SETTLE_MS; waited += LOOK_MS) {
        if (parts_settled(&node->parts))
            return;
        nanosleep(&nap, NULL);
    }
}

/* What cannot be read leaves things as they are. */
static void reload_tls(struct node *node)
{
    struct tr_error why;
    char sentence[sizeof(why.text) + 64];
    tr_err err = tr_remote_reload_tls(node->remote, &why);
    snprintf(sentence, sizeof(sentence), "SIGHUP: %s",
             err ? why.text : "the TLS files are read again, for connections from now on");
    node->options->say(node->options->user, node->options->role, sentence);
}

/* Until a signal comes, the gate fails, or all is done. */
static bool serve(struct node *node, const sigset_t *signals)
{
    struct timespec nap = {0, LOOK_MS * 1000000L};
    for (;;) {
        int signal = sigtimedwait(signals, NULL, &nap);
        if (signal == SIGHUP)
            reload_tls(node);
        else if (signal > 0 || done(node))
            return true;
        if (!gate_wait(&node->parts.gate, 0, 0, UINT64_MAX, node->error))
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
        gate_fail(&node->parts.gate, "the node was asked to end");
    pthread_join(node->pump, NULL);
}

static void sum_up(struct node *node)
{
    struct node_result *result = node->result;
    struct tr_accounts accounts;
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
        struct desk_board board = parts_look(&node->parts, (enum node_role)role);
        memcpy(result->peer[role], board.peer, sizeof(board.peer));
        result->batches[role] = board.batches;
    }
    if (node->parts.gateway)
        role_gateway_figures(node->parts.gateway, &result->gateway);
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
    parts_fini(&node->parts);
    pthread_mutex_destroy(&node->lock);
}

static void say_serving(struct node *node)
{
    char sentence[512];
    size_t used = (size_t)snprintf(sentence, sizeof(sentence), "serves on %s",
                                   tr_remote_address(node->remote));
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT && used < sizeof(sentence); role++)
        if (!parts_has(&node->parts, (enum node_role)role))
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
    if (options->tls)
        sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* All threads: this one waits for them. */
    if (!parts_init(&node.parts, options, error))
        return false;
    pthread_mutex_init(&node.lock, NULL);
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++)
        result->has[role] = parts_has(&node.parts, (enum node_role)role);
    bool good = start(&node);
    if (good) {
        say_serving(&node);
        node.started_ns = ord_now_ns();
        node.pumping = node.parts.intake && pthread_create(&node.pump, NULL, pump, &node) == 0;
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
