/* bench remote: how fast messages go from node to node. */
#include "cli/cli.h"

#include <time.h>

/* Messages of a source between two marks, and marks under way. */
#define BURST 500u
#define WINDOW 4u

static const struct tr_type load_type = {"troupe.bench.Load", 0, &run_bytes_codec, 0};
static const struct tr_type mark_type = {"troupe.bench.Mark", 0, &run_bytes_codec, 0};
static const struct tr_type *const bench_types[] = {&load_type, &mark_type, NULL};

struct begin_bench {
    char none;
};
TR_TYPE(begin_bench);

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- The other end: takes loads, answers marks --------------------------------- */

static tr_err sink_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    if (msg->type == &mark_type) {
        void *body = tr_msg_new(ctx, &mark_type, 0);
        if (body)
            tr_reply_take(ctx, tr_caller_of(ctx), body);
    }
    return TR_OK;
}

static const struct tr_actor sink_actor = {.name = "bench-sink", .receive = sink_receive};

static bool serve(tr_node *node, unsigned pairs)
{
    for (unsigned i = 0; i < pairs; i++) {
        char name[32];
        struct tr_error error = {0};
        snprintf(name, sizeof name, "bench-%u", i);
        tr_pid pid = tr_spawn(tr_node_ctx(node), &sink_actor, .name = name, .error = &error);
        if (tr_pid_is_nobody(pid)) {
            fprintf(stderr, "troupe: %s\n", error.text);
            return false;
        }
    }
    return true;
}

/* ---- This end ------------------------------------------------------------------- */

/* One measurement; its sources run on one worker. */
struct phase {
    unsigned size, pairs;
    bool alone; /* one mark at a time, and nothing else */
    uint64_t until_ns, messages, marks;
};

struct bench {
    tr_node *node;
    const struct options *options;
    char address[TR_ADDRESS_SIZE_MAX + 1];
    struct phase phase;
    unsigned ended;
    uint64_t began_ns;
    int exit_code;
};

struct source {
    struct bench *bench;
    unsigned under_way;
    tr_pid sink;
};

/* From a source to the actor that started it. */
struct source_done {
    tr_err err;
};
TR_TYPE(source_done);

static tr_err source_init(tr_ctx *ctx, void *state, const void *arg)
{
    memcpy(state, arg, sizeof(struct source));
    tr_send(ctx, tr_self(ctx), begin_bench);
    return TR_OK;
}

static void burst(tr_ctx *ctx, struct source *s)
{
    struct phase *phase = &s->bench->phase;
    for (unsigned i = 0; !phase->alone && i < BURST; i++) {
        void *body = tr_msg_new(ctx, &load_type, phase->size);
        if (!body)
            break;
        memset(body, 'x', phase->size);
        tr_send_take(ctx, s->sink, body);
        phase->messages++;
    }
    void *mark = tr_msg_new(ctx, &mark_type, 0);
    if (mark) {
        (void)tr_request_take(ctx, s->sink, 10000, mark);
        s->under_way++;
    }
}

static tr_err source_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct source *s = state;
    struct phase *phase = &s->bench->phase;
    const struct tr_request_failed *failed = tr_as(msg, tr_request_failed);
    if (tr_as(msg, begin_bench)) {
        for (unsigned i = 0; i < (phase->alone ? 1 : WINDOW); i++)
            burst(ctx, s);
        return TR_OK;
    }
    s->under_way--;
    phase->marks++;
    if (!failed && now_ns() < phase->until_ns) {
        burst(ctx, s);
    } else if (failed || s->under_way == 0) {
        tr_send(ctx, tr_parent(ctx), source_done, .err = failed ? failed->reason : TR_OK);
        tr_stop(ctx, tr_self(ctx));
    }
    return TR_OK;
}

static const struct tr_actor source_actor = {.name = "bench-source",
                                             .state_size = sizeof(struct source),
                                             .arg_size = sizeof(struct source),
                                             .init = source_init,
                                             .receive = source_receive};

/* The end of it all. A failure of the bench's actor would begin it anew instead. */
static void cannot(struct bench *bench, const char *id, tr_err err)
{
    fprintf(stderr, "troupe: %s%s%s: %s\n", id, *id ? "@" : "", bench->address, tr_strerror(err));
    bench->exit_code = EXIT_CANNOT;
    tr_node_quit(bench->node);
}

static void play(tr_ctx *ctx, struct bench *bench, struct phase phase)
{
    bench->began_ns = now_ns();
    bench->phase = phase;
    bench->phase.until_ns = bench->began_ns + (uint64_t)bench->options->seconds * 1000000000u;
    bench->ended = 0;
    for (unsigned i = 0; i < phase.pairs; i++) {
        char id[32];
        snprintf(id, sizeof id, "bench-%u", i);
        const struct source arg = {.bench = bench, .sink = tr_remote_pid(ctx, bench->address, id)};
        tr_pid pid = arg.sink;
        if (!tr_pid_is_nobody(pid))
            pid = tr_spawn(ctx, &source_actor, .arg = &arg);
        if (tr_pid_is_nobody(pid)) {
            cannot(bench, id, tr_pid_err(pid));
            return;
        }
    }
}

static void report(const struct bench *bench)
{
    const struct phase *phase = &bench->phase;
    double seconds = (double)(now_ns() - bench->began_ns) / 1e9;
    if (phase->alone)
        printf("round trip %10.1f µs, one request at a time\n",
               seconds * 1e6 / (double)phase->marks);
    else
        printf("one way    %10.0f messages/s of %u bytes, pairs: %u\n",
               (double)(phase->messages + phase->marks) / seconds, phase->size, phase->pairs);
    fflush(stdout);
}

/* Plays one phase after the other. */
static tr_err bench_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct bench *bench = *(struct bench **)state;
    const struct options *o = bench->options;
    const struct source_done *done = tr_as(msg, source_done);
    if (tr_as(msg, begin_bench)) {
        play(ctx, bench, (struct phase){.size = o->size, .pairs = o->pairs});
    } else if (!done) {
        return tr_unhandled(ctx);
    } else if (done->err) {
        cannot(bench, "", done->err);
    } else if (++bench->ended == bench->phase.pairs) {
        report(bench);
        if (!bench->phase.alone) {
            play(ctx, bench, (struct phase){.pairs = 1, .alone = true});
            return TR_OK;
        }
        bench->exit_code = EXIT_GOOD;
        tr_node_quit(bench->node);
    }
    return TR_OK;
}

static tr_err bench_init(tr_ctx *ctx, void *state, const void *arg)
{
    memcpy(state, arg, sizeof(struct bench *));
    tr_send(ctx, tr_self(ctx), begin_bench);
    return TR_OK;
}

static const struct tr_actor bench_actor = {.name = "bench",
                                            .state_size = sizeof(struct bench *),
                                            .arg_size = sizeof(struct bench *),
                                            .init = bench_init,
                                            .receive = bench_receive};

static int measure(tr_node *node, const char *address, const struct options *o)
{
    struct bench bench = {.node = node, .options = o, .exit_code = EXIT_CANNOT};
    const struct bench *arg = &bench;
    snprintf(bench.address, sizeof bench.address, "%s", address);
    if (tr_pid_is_nobody(tr_spawn(tr_node_ctx(node), &bench_actor, .arg = &arg)) ||
        tr_node_run(node) != TR_OK)
        return EXIT_CANNOT;
    (void)tr_node_stop(node);
    return bench.exit_code;
}

static tr_node *start(const char *listen, const struct options *o)
{
    tr_node *node = NULL;
    struct tr_error error = {0};
    const struct tr_remote_tls tls = {o->certificate, o->key, o->ca};
    struct tr_node_config config = {.system = {.node = "troupe-bench", .workers = 1},
                                    .remote = {.listen = listen,
                                               .advertise = listen ? o->advertise : NULL,
                                               .plaintext = o->plaintext,
                                               .tls = o->certificate ? &tls : NULL,
                                               .types = bench_types}};
    if (tr_node_start(&node, &config, &error))
        fprintf(stderr, "troupe: %s\n", error.text);
    return node;
}

int command_bench(const struct options *o)
{
    struct target target;
    int code = EXIT_CANNOT;
    if (o->word_count < 1 || o->word_count > 2 || strcmp(o->words[0], "remote") != 0 ||
        (o->serve && o->word_count > 1)) {
        fprintf(stderr, "usage: troupe bench remote [HOST:PORT | --serve]\n");
        return EXIT_USAGE;
    }
    if (o->word_count > 1 && !target_parse(o->words[1], true, &target))
        return EXIT_USAGE;
    tr_node *node = start(o->listen, o);
    tr_node *other = node && o->word_count == 1 && !o->serve ? start(NULL, o) : NULL;
    if (node && o->serve && serve(node, o->pairs)) {
        printf("%s\n", tr_remote_address(tr_node_remote(node)));
        fflush(stdout);
        code = tr_node_run(node) == TR_OK ? EXIT_GOOD : EXIT_CANNOT;
    } else if (node && o->word_count > 1) {
        code = measure(node, target.address, o);
    } else if (other && serve(other, o->pairs)) {
        code = measure(node, tr_remote_address(tr_node_remote(other)), o);
    }
    tr_node_destroy(node);
    tr_node_destroy(other);
    return code;
}
