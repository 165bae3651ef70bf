/* overload_troupe.c - Troupe under ten times the load it can take: see overload.h. */
#include "overload.h"

#include "troupe/troupe.h"

#include <stdatomic.h>

#define MAILBOX_MAX 16u
#define MEMORY_MAX ((size_t)32 << 20)
#define SOURCES 10u

struct work {
    uint64_t sent_ns;
};
struct steer {
    uint64_t sent_ns;
};
struct turn {
    char none;
};
TR_TYPE(work);
TR_TYPE_FLAGS(steer, TR_TYPE_CONTROL);
TR_TYPE(turn);

struct target {
    tr_ctx *root;
    tr_pid server;
    tr_pid source[SOURCES];
    atomic_bool flood;
    atomic_ullong flooded;
};

struct server {
    struct ov_run *run;
};
static tr_err server_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    *(struct server *)state = *(const struct server *)arg;
    return TR_OK;
}
static tr_err on_work(tr_ctx *ctx, struct server *self, const struct work *msg)
{
    (void)ctx;
    ov_work(self->run, msg->sent_ns);
    return TR_OK;
}
static tr_err on_steer(tr_ctx *ctx, struct server *self, const struct steer *msg)
{
    (void)ctx;
    ov_controlled(self->run, msg->sent_ns);
    return TR_OK;
}
#define SERVER_HANDLERS(ON) ON(work, on_work) ON(steer, on_steer)
TR_DISPATCH(server, SERVER_HANDLERS);
static const struct tr_actor server_actor = {.name = "server",
                                             .state_size = sizeof(struct server),
                                             .arg_size = sizeof(struct server),
                                             .init = server_init,
                                             .receive = server_receive,
                                             .accepts = server_accepts};

/* A source sends as fast as it is let. */
static tr_err on_turn(tr_ctx *ctx, struct server *self, const struct turn *msg)
{
    (void)msg;
    struct target *target = self->run->user;
    if (!atomic_load_explicit(&target->flood, memory_order_relaxed))
        return TR_OK;
    tr_send(ctx, target->server, work, .sent_ns = ov_now());
    atomic_fetch_add_explicit(&target->flooded, 1, memory_order_relaxed);
    tr_send(ctx, tr_self(ctx), turn);
    return TR_OK;
}
static tr_err source_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    if (msg->type == &turn_type)
        return on_turn(ctx, state, NULL);
    return tr_unhandled(ctx);
}
static const struct tr_actor source_actor = {.name = "source",
                                             .state_size = sizeof(struct server),
                                             .arg_size = sizeof(struct server),
                                             .init = server_init,
                                             .receive = source_receive};

static void send_work(struct ov_run *run, uint64_t now_ns)
{
    struct target *target = run->user;
    tr_send(target->root, target->server, work, .sent_ns = now_ns);
}

static void send_control(struct ov_run *run, uint64_t now_ns)
{
    struct target *target = run->user;
    tr_send(target->root, target->server, steer, .sent_ns = now_ns);
}

static void flood(struct ov_run *run, int on)
{
    struct target *target = run->user;
    atomic_store_explicit(&target->flood, on != 0, memory_order_relaxed);
    for (unsigned i = 0; on && i < SOURCES; i++)
        tr_send(target->root, target->source[i], turn);
}

static const char *const policies[] = {"refuse", "drop-newest", "drop-oldest", "delay", "queue"};

int main(int argc, char **argv)
{
    static struct ov_run run;
    static struct target target;
    int policy = -1;
    for (int i = 0; argc == 4 && i < 5; i++)
        policy = strcmp(argv[1], policies[i]) == 0 ? i : policy;
    int work_us = argc == 4 ? atoi(argv[2]) : 0, seconds = argc == 4 ? atoi(argv[3]) : 0;
    if (policy < 0 || work_us < 1 || seconds < 1) {
        fprintf(stderr, "usage: overload_troupe refuse|drop-newest|drop-oldest|delay|queue "
                        "WORK_US OVERLOAD_S\n");
        return 2;
    }
    tr_system *sys;
    struct tr_config config = {.workers = 1, .memory_max = MEMORY_MAX, .log = tr_log_none};
    if (ov_init(&run, (unsigned)work_us, (unsigned)seconds) || tr_system_create(&sys, &config))
        return 1;
    struct server arg = {&run};
    run.user = &target;
    run.send = send_work;
    run.control = send_control;
    run.flood = policy == TR_DELAY ? flood : NULL;
    target.root = tr_root(sys);
    target.server = tr_spawn(target.root, &server_actor, .arg = &arg, .mailbox_max = MAILBOX_MAX,
                             .overflow = (enum tr_overflow)policy);
    bool good = tr_pid_err(target.server) == TR_OK;
    for (unsigned i = 0; i < SOURCES; i++) {
        target.source[i] = tr_spawn(target.root, &source_actor, .arg = &arg);
        good = good && tr_pid_err(target.source[i]) == TR_OK;
    }
    if (!good)
        return 1;
    ov_run_all(&run);
    struct tr_stats stats;
    tr_system_stats(sys, &stats);
    (void)tr_system_stop(sys, 60000);
    struct tr_accounts a;
    tr_system_accounts(sys, &a);
    uint64_t dead = a.dead[TR_DEAD_NO_ACTOR] + a.dead[TR_DEAD_STOPPED] + a.dead[TR_DEAD_CLOSING];
    char more[512];
    snprintf(more, sizeof more,
             "\"policy\":\"%s\",\"accepted\":%llu,\"processed\":%llu,\"dropped\":%llu,"
             "\"refused\":%llu,\"memory\":%llu,\"dead\":%llu,\"delays\":%llu,\"balanced\":%s,"
             "\"message_bytes\":%llu,",
             policies[policy], (unsigned long long)a.accepted, (unsigned long long)a.processed,
             (unsigned long long)a.dropped, (unsigned long long)a.dead[TR_DEAD_REFUSED],
             (unsigned long long)a.dead[TR_DEAD_MEMORY], (unsigned long long)dead,
             (unsigned long long)stats.delays, tr_accounts_balance(&a) ? "true" : "false",
             (unsigned long long)stats.message_bytes);
    ov_report(&run, "troupe", more, stdout);
    tr_system_destroy(sys);
    free(run.window);
    return tr_accounts_balance(&a) ? 0 : 1;
}
