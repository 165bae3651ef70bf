/*
 * bench_remote.c - the benchmark between two nodes of ours; see README.md.
 *   bench_remote serve ADDRESS [ALIASES]
 *   bench_remote run ADDRESS       then lines on standard input:
 *       stream|window|ask SIZE PAIRS COUNT    "end SECONDS COUNT"
 *       links COUNT                           one request on each link: "end SECONDS COUNT"
 *       quiet LINKS MS NOISY                  "end P50_NS P99_NS REQUESTS"
 * Links beyond one go to 127.0.A.B: the aliases that the server was given.
 */
#include "load.troupe.h"
#include "troupe/node.h"
#include "troupe/troupe.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PAIRS_MAX 100u
#define WINDOW 1000u /* requests under way, of all pairs together */
#define TURN 512u    /* messages that a source sends in one handler */
#define TIMEOUT_MS 120000u
#define LINKS_MAX 4096u

static const struct tr_type *const types[] = {&bench_nothing_type, &bench_load_type,
                                              &bench_count_type, NULL};

/* ---- What the main thread waits for ------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned finished;

static void finish(void)
{
    pthread_mutex_lock(&lock);
    finished++;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void await(unsigned count)
{
    pthread_mutex_lock(&lock);
    while (finished < count)
        pthread_cond_wait(&changed, &lock);
    finished = 0;
    pthread_mutex_unlock(&lock);
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_remote: %s: %s\n", what, why);
    exit(1);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- Servers ------------------------------------------------------------------------------ */

/* Counts what comes, and answers when as many have come as it was told. */
struct sink {
    uint64_t left;
    tr_caller caller;
};

static tr_err sink_on_count(tr_ctx *ctx, struct sink *self, const struct bench_count *msg)
{
    self->left = msg->value;
    self->caller = tr_caller_of(ctx);
    return TR_OK;
}

static void sink_took(tr_ctx *ctx, struct sink *self)
{
    if (self->left == 0)
        die("a sink", "more has come than was announced");
    if (--self->left == 0)
        tr_reply_to(ctx, self->caller, bench_count, .value = 0);
}

static tr_err sink_on_load(tr_ctx *ctx, struct sink *self, const struct bench_load *msg)
{
    (void)msg;
    sink_took(ctx, self);
    return TR_OK;
}

static tr_err sink_on_nothing(tr_ctx *ctx, struct sink *self, const struct bench_nothing *msg)
{
    (void)msg;
    sink_took(ctx, self);
    return TR_OK;
}

#define SINK_HANDLERS(ON) \
    ON(bench_load, sink_on_load) ON(bench_nothing, sink_on_nothing) ON(bench_count, sink_on_count)
TR_DISPATCH(sink, SINK_HANDLERS);
static const struct tr_actor sink_actor = {.name = "sink",
                                           .state_size = sizeof(struct sink),
                                           .receive = sink_receive,
                                           .accepts = sink_accepts};

/* Answers with a message of its own, as long as the one that came. */
struct echo {
    char unused;
};

static tr_err echo_on_load(tr_ctx *ctx, struct echo *self, const struct bench_load *msg)
{
    (void)self;
    struct bench_load answer = {.data_size = msg->data_size};
    memcpy(answer.data, msg->data, msg->data_size);
    tr_reply_(ctx, &bench_load_type, &answer, sizeof answer);
    return TR_OK;
}

static tr_err echo_on_nothing(tr_ctx *ctx, struct echo *self, const struct bench_nothing *msg)
{
    (void)self;
    (void)msg;
    tr_reply(ctx, bench_nothing);
    return TR_OK;
}

#define ECHO_HANDLERS(ON) ON(bench_load, echo_on_load) ON(bench_nothing, echo_on_nothing)
TR_DISPATCH(echo, ECHO_HANDLERS);
static const struct tr_actor echo_actor = {.name = "echo",
                                           .state_size = sizeof(struct echo),
                                           .receive = echo_receive,
                                           .accepts = echo_accepts};

/* ---- Clients ------------------------------------------------------------------------------ */

struct task {
    tr_pid to;
    uint32_t size, at_once;
    uint64_t count;
};
struct go_on {
    char unused;
};
TR_TYPE(go_on);

static void failed(const struct tr_request_failed *msg)
{
    die("a request failed", tr_strerror(msg->reason));
}

/* Sends a stream to its sink, no faster than the link takes it. */
struct source {
    struct task task;
    uint64_t sent;
};

static tr_err source_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct source *self = state;
    self->task = *(const struct task *)arg;
    (void)tr_request(ctx, self->task.to, TIMEOUT_MS, bench_count, .value = self->task.count);
    tr_send(ctx, tr_self(ctx), go_on);
    return TR_OK;
}

static tr_err source_on_go_on(tr_ctx *ctx, struct source *self, const struct go_on *msg)
{
    (void)msg;
    for (unsigned i = 0; i < TURN && self->sent < self->task.count; i++) {
        tr_err err = self->task.size == 0 ? tr_try_send(ctx, self->task.to, bench_nothing)
                                          : tr_try_send(ctx, self->task.to, bench_load,
                                                        .data_size = self->task.size);
        if (err == TR_EFULL) {
            (void)tr_after(ctx, 1, go_on);
            return TR_OK;
        }
        if (err)
            return tr_fail(ctx, err, "cannot send");
        self->sent++;
    }
    if (self->sent < self->task.count)
        tr_send(ctx, tr_self(ctx), go_on);
    return TR_OK;
}

static tr_err source_on_count(tr_ctx *ctx, struct source *self, const struct bench_count *msg)
{
    (void)self;
    (void)msg;
    finish();
    tr_stop(ctx, tr_self(ctx));
    return TR_OK;
}

static tr_err source_on_failed(tr_ctx *ctx, struct source *self,
                               const struct tr_request_failed *msg)
{
    (void)ctx;
    (void)self;
    failed(msg);
    return TR_OK;
}

#define SOURCE_HANDLERS(ON)    \
    ON(go_on, source_on_go_on) \
    ON(bench_count, source_on_count) ON(tr_request_failed, source_on_failed)
TR_DISPATCH(source, SOURCE_HANDLERS);
static const struct tr_actor source_actor = {.name = "source",
                                             .state_size = sizeof(struct source),
                                             .arg_size = sizeof(struct task),
                                             .init = source_init,
                                             .receive = source_receive,
                                             .accepts = source_accepts};

/* Keeps some requests under way. */
struct asker {
    struct task task;
    uint64_t sent, got;
};

static void ask_one(tr_ctx *ctx, struct asker *self)
{
    if (self->sent == self->task.count)
        return;
    self->sent++;
    if (self->task.size == 0)
        (void)tr_request(ctx, self->task.to, TIMEOUT_MS, bench_nothing);
    else
        (void)tr_request(ctx, self->task.to, TIMEOUT_MS, bench_load, .data_size = self->task.size);
}

static tr_err asker_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct asker *self = state;
    self->task = *(const struct task *)arg;
    for (uint32_t i = 0; i < self->task.at_once; i++)
        ask_one(ctx, self);
    return TR_OK;
}

static void asker_got(tr_ctx *ctx, struct asker *self)
{
    self->got++;
    if (self->got < self->task.count) {
        ask_one(ctx, self);
        return;
    }
    finish();
    tr_stop(ctx, tr_self(ctx));
}

static tr_err asker_on_load(tr_ctx *ctx, struct asker *self, const struct bench_load *msg)
{
    (void)msg;
    asker_got(ctx, self);
    return TR_OK;
}

static tr_err asker_on_nothing(tr_ctx *ctx, struct asker *self, const struct bench_nothing *msg)
{
    (void)msg;
    asker_got(ctx, self);
    return TR_OK;
}

static tr_err asker_on_failed(tr_ctx *ctx, struct asker *self, const struct tr_request_failed *msg)
{
    (void)ctx;
    (void)self;
    failed(msg);
    return TR_OK;
}

#define ASKER_HANDLERS(ON)        \
    ON(bench_load, asker_on_load) \
    ON(bench_nothing, asker_on_nothing) ON(tr_request_failed, asker_on_failed)
TR_DISPATCH(asker, ASKER_HANDLERS);
static const struct tr_actor asker_actor = {.name = "asker",
                                            .state_size = sizeof(struct asker),
                                            .arg_size = sizeof(struct task),
                                            .init = asker_init,
                                            .receive = asker_receive,
                                            .accepts = asker_accepts};

/* Asks now and then until its time is over, and notes how long each answer took. */
#define PERIOD_MS 500u
#define SAMPLES_MAX (1u << 20)
static uint32_t samples[SAMPLES_MAX];
static unsigned sample_count; /* under `lock` */

struct prober_args {
    tr_pid to;
    uint64_t until_ns;
    unsigned first_ms;
};
struct prober {
    struct prober_args args;
    uint64_t asked_ns;
};

static tr_err prober_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct prober *self = state;
    self->args = *(const struct prober_args *)arg;
    (void)tr_after(ctx, self->args.first_ms, go_on);
    return TR_OK;
}

static tr_err prober_on_go_on(tr_ctx *ctx, struct prober *self, const struct go_on *msg)
{
    (void)msg;
    self->asked_ns = tr_now_ns(ctx);
    (void)tr_request(ctx, self->args.to, TIMEOUT_MS, bench_nothing);
    return TR_OK;
}

static tr_err prober_on_nothing(tr_ctx *ctx, struct prober *self, const struct bench_nothing *msg)
{
    uint64_t now_ns = tr_now_ns(ctx);
    (void)msg;
    pthread_mutex_lock(&lock);
    if (sample_count < SAMPLES_MAX)
        samples[sample_count++] = (uint32_t)(now_ns - self->asked_ns);
    pthread_mutex_unlock(&lock);
    if (now_ns < self->args.until_ns) {
        (void)tr_after(ctx, PERIOD_MS, go_on);
        return TR_OK;
    }
    finish();
    tr_stop(ctx, tr_self(ctx));
    return TR_OK;
}

static tr_err prober_on_failed(tr_ctx *ctx, struct prober *self,
                               const struct tr_request_failed *msg)
{
    (void)ctx;
    (void)self;
    failed(msg);
    return TR_OK;
}

#define PROBER_HANDLERS(ON)    \
    ON(go_on, prober_on_go_on) \
    ON(bench_nothing, prober_on_nothing) ON(tr_request_failed, prober_on_failed)
TR_DISPATCH(prober, PROBER_HANDLERS);
static const struct tr_actor prober_actor = {.name = "prober",
                                             .state_size = sizeof(struct prober),
                                             .arg_size = sizeof(struct prober_args),
                                             .init = prober_init,
                                             .receive = prober_receive,
                                             .accepts = prober_accepts};

/* ---- Workloads ----------------------------------------------------------------------------- */

static tr_node *node;
static const char *server;

static tr_pid spawn(const struct tr_actor *actor, const void *arg, const char *name)
{
    tr_pid pid = tr_spawn(tr_node_ctx(node), actor, .arg = arg, .name = name);
    if (tr_pid_is_nobody(pid))
        die("cannot spawn", tr_strerror(tr_pid_err(pid)));
    return pid;
}

static tr_pid there(const char *address, const char *kind, unsigned number)
{
    char id[32];
    snprintf(id, sizeof id, "%s%u", kind, number);
    tr_pid pid = tr_remote_pid(tr_node_ctx(node), address, id);
    if (tr_pid_is_nobody(pid))
        die(address, tr_strerror(tr_pid_err(pid)));
    return pid;
}

/* The server by one of its other addresses. */
static tr_pid there_by(unsigned link, const char *kind, unsigned number)
{
    char address[64];
    snprintf(address, sizeof address, "127.0.%u.%u%s", 1 + link / 250, 1 + link % 250,
             strrchr(server, ':'));
    return there(address, kind, number);
}

static void play(const char *workload, unsigned size, unsigned pairs, uint64_t count)
{
    bool stream = strcmp(workload, "stream") == 0;
    if (pairs == 0 || pairs > PAIRS_MAX || count < pairs)
        die(workload, "wants 1 to 100 pairs, and a message for each");
    struct task task = {.size = size, .count = count / pairs};
    task.at_once = strcmp(workload, "window") == 0 ? WINDOW / pairs : 1;
    double began = seconds();
    for (unsigned i = 0; i < pairs; i++) {
        task.to = there(server, stream ? "sink" : "echo", i);
        (void)spawn(stream ? &source_actor : &asker_actor, &task, NULL);
    }
    await(pairs);
    printf("end %.9f %" PRIu64 "\n", seconds() - began, task.count * pairs);
}

static void play_links(unsigned count)
{
    struct task task = {.count = 1, .at_once = 1};
    double began = seconds();
    for (unsigned i = 0; i < count; i++) {
        task.to = there_by(i, "echo", 0);
        (void)spawn(&asker_actor, &task, NULL);
    }
    await(count);
    printf("end %.9f %u\n", seconds() - began, count);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Link 0 is the noisy one: `noisy` messages of 100 bytes go over it, as fast as it takes them. */
static void play_quiet(unsigned links, unsigned ms, uint64_t noisy)
{
    struct prober_args args = {.until_ns = tr_now_ns(tr_node_ctx(node)) + (uint64_t)ms * 1000000};
    sample_count = 0;
    for (unsigned i = 1; i < links; i++) {
        args.to = there_by(i, "echo", i % PAIRS_MAX);
        args.first_ms = 1 + i % PERIOD_MS;
        (void)spawn(&prober_actor, &args, NULL);
    }
    if (noisy) {
        struct task task = {.to = there_by(0, "sink", 0), .size = 100, .count = noisy};
        (void)spawn(&source_actor, &task, NULL);
    }
    await(links - 1 + (noisy ? 1 : 0));
    qsort(samples, sample_count, sizeof samples[0], compare);
    printf("end %u %u %u\n", samples[sample_count / 2], samples[(uint64_t)sample_count * 99 / 100],
           sample_count);
}

/* ---- Start ----------------------------------------------------------------------------------- */

static void start(const char *listen, unsigned alias_count)
{
    static char texts[LINKS_MAX][24];
    static const char *aliases[LINKS_MAX + 1];
    static char any[64];
    struct tr_remote_tls tls = {getenv("BENCH_CERT"), getenv("BENCH_KEY"), getenv("BENCH_CA")};
    const char *workers = getenv("BENCH_WORKERS");
    struct tr_error error;
    struct tr_node_config config = {.system = {.log = tr_log_none},
                                    .remote = {.listen = listen, .types = types}};
    config.system.workers = workers ? (unsigned)strtoul(workers, NULL, 10) : 0;
    if (tls.certificate_file)
        config.remote.tls = &tls;
    if (alias_count > 0 && alias_count <= LINKS_MAX) {
        for (unsigned i = 0; i < alias_count; i++) {
            snprintf(texts[i], sizeof texts[i], "127.0.%u.%u%s", 1 + i / 250, 1 + i % 250,
                     strrchr(listen, ':'));
            aliases[i] = texts[i];
        }
        snprintf(any, sizeof any, "0.0.0.0%s", strrchr(listen, ':'));
        config.remote.listen = any;
        config.remote.advertise = listen;
        config.remote.aliases = aliases;
        config.remote.plaintext = true;
    }
    if (tr_node_start(&node, &config, &error))
        die("cannot start", error.text);
}

/* No figure counts if messages were lost. */
static void check_accounts(void)
{
    struct tr_accounts accounts;
    uint64_t dead = 0;
    tr_system_accounts(tr_node_system(node), &accounts);
    for (size_t i = 0; i < TR_DEAD_REASON_COUNT; i++)
        dead += accounts.dead[i];
    if (dead || accounts.dropped || accounts.unknown)
        die("the accounts", "messages were lost");
}

static void run(void)
{
    char line[200], workload[32];
    while (fgets(line, sizeof line, stdin)) {
        unsigned a = 0, b = 0;
        uint64_t c = 0;
        if (sscanf(line, "%31s %u %u %" SCNu64, workload, &a, &b, &c) < 2)
            die(line, "wants WORKLOAD and numbers");
        if (strcmp(workload, "links") == 0)
            play_links(a);
        else if (strcmp(workload, "quiet") == 0)
            play_quiet(a, b, c);
        else
            play(workload, a, b, c);
        fflush(stdout);
        check_accounts();
    }
}

int main(int argc, char **argv)
{
    bool serve = argc >= 3 && strcmp(argv[1], "serve") == 0;
    if (argc < 3 || argc > 4 || (!serve && strcmp(argv[1], "run") != 0)) {
        fputs("usage: bench_remote serve ADDRESS [ALIASES] | run ADDRESS\n", stderr);
        return 2;
    }
    start(serve ? argv[2] : "127.0.0.1:0", argc == 4 ? (unsigned)strtoul(argv[3], NULL, 10) : 0);
    for (unsigned i = 0; serve && i < PAIRS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "sink%u", i);
        (void)spawn(&sink_actor, NULL, name);
        snprintf(name, sizeof name, "echo%u", i);
        (void)spawn(&echo_actor, NULL, name);
    }
    printf("ready %s\n", tr_remote_address(tr_node_remote(node)));
    fflush(stdout);
    server = argv[2];
    if (serve)
        while (getchar() != EOF)
            continue;
    else
        run();
    tr_err err = tr_node_stop(node);
    tr_node_destroy(node);
    return err ? 1 : 0;
}
