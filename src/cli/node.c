/* ping, ps: what is asked of nodes. */
#include "cli/cli.h"

#include <time.h>

/* Nobody's id: a node that says so is there. */
#define NOBODY_ID "$troupe-ping"

struct begin_ping {
    char none;
};
TR_TYPE(begin_ping);

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct pinger {
    struct run *run;
    struct target target;
    bool node; /* only whether the node is there */
    unsigned sent, came;
    uint64_t began_ns, least_ns, most_ns, sum_ns;
};

static tr_err pinger_init(tr_ctx *ctx, void *state, const void *arg)
{
    memcpy(state, arg, sizeof(struct pinger *));
    tr_send(ctx, tr_self(ctx), begin_ping);
    return TR_OK;
}

static void touch(tr_ctx *ctx, struct pinger *p)
{
    tr_pid pid = tr_remote_pid(ctx, p->target.address, p->node ? NOBODY_ID : p->target.id);
    if (tr_pid_is_nobody(pid)) {
        run_quit(p->run, run_failed(p->run, &p->target, tr_pid_err(pid)));
        return;
    }
    p->began_ns = now_ns();
    p->sent++;
    (void)tr_touch(ctx, pid, p->run->options->timeout_ms);
}

static void report(const struct pinger *p)
{
    printf("%u sent, %u answered", p->sent, p->came);
    if (p->came)
        printf(", least/mean/most %.3f/%.3f/%.3f ms", (double)p->least_ns / 1e6,
               (double)p->sum_ns / p->came / 1e6, (double)p->most_ns / 1e6);
    printf("\n");
}

static void answered(tr_ctx *ctx, struct pinger *p)
{
    uint64_t took = now_ns() - p->began_ns;
    p->came++;
    p->sum_ns += took;
    p->least_ns = p->came == 1 || took < p->least_ns ? took : p->least_ns;
    p->most_ns = took > p->most_ns ? took : p->most_ns;
    printf("%s%s%s: %.3f ms\n", p->target.id, p->node ? "" : "@", p->target.address,
           (double)took / 1e6);
    fflush(stdout);
    if (p->sent == p->run->options->count) {
        report(p);
        run_quit(p->run, EXIT_GOOD);
    } else if (!p->run->options->interval_ms) {
        touch(ctx, p);
    } else {
        (void)tr_after(ctx, p->run->options->interval_ms, begin_ping);
    }
}

static tr_err pinger_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct pinger *p = *(struct pinger **)state;
    const struct tr_request_failed *failed = tr_as(msg, tr_request_failed);
    if (tr_as(msg, begin_ping)) {
        touch(ctx, p);
        return TR_OK;
    }
    if (tr_as(msg, tr_touched) || (failed && p->node && failed->reason == TR_ENOACTOR)) {
        answered(ctx, p);
        return TR_OK;
    }
    if (!failed)
        return tr_unhandled(ctx);
    int code = run_failed(p->run, &p->target, failed->reason);
    report(p);
    run_quit(p->run, code);
    return TR_OK;
}

static const struct tr_actor ping_actor = {.name = "ping",
                                           .state_size = sizeof(struct pinger *),
                                           .arg_size = sizeof(struct pinger *),
                                           .init = pinger_init,
                                           .receive = pinger_receive};

int command_ping(const struct options *options)
{
    struct run run;
    struct pinger pinger = {.run = &run};
    int code = EXIT_CANNOT;
    if (options->word_count != 1) {
        fprintf(stderr, "usage: troupe ping HOST:PORT | ID@HOST:PORT\n");
        return EXIT_USAGE;
    }
    if (!target_parse(options->words[0], true, &pinger.target))
        return EXIT_USAGE;
    pinger.node = pinger.target.id[0] == '\0';
    if (run_begin(&run, options))
        code = run_actor(&run, &ping_actor, &pinger);
    run_end(&run);
    return code;
}

/* ---- ps ------------------------------------------------------------------------- */

/* First a touch, so that there is a link and we know what kind of node it is: one of
 * protoactor-go ends when it is asked for its actors, so it is not asked. */
static tr_err lister_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct pinger *p = *(struct pinger **)state;
    const struct options *options = p->run->options;
    const struct tr_request_failed *failed = tr_as(msg, tr_request_failed);
    const struct tr_remote_listing *listing = tr_as(msg, tr_remote_listing);
    const char *pattern = options->word_count > 1 ? options->words[1] : "";
    if (tr_as(msg, begin_ping)) {
        touch(ctx, p);
        return TR_OK;
    }
    if (!p->came && (tr_as(msg, tr_touched) || (failed && failed->reason == TR_ENOACTOR))) {
        p->came = 1;
        (void)tr_remote_list(ctx, p->target.address, pattern, options->exact, options->timeout_ms);
        return TR_OK;
    }
    if (failed && failed->reason == TR_ENOTSUP) {
        fprintf(stderr,
                "troupe: %s is no node of Troupe's and is not asked for its actors: nodes of "
                "protoactor-go end when they are\n",
                p->target.address);
        run_quit(p->run, EXIT_NO);
        return TR_OK;
    }
    if (failed) {
        run_quit(p->run, run_failed(p->run, &p->target, failed->reason));
        return TR_OK;
    }
    if (!listing)
        return tr_unhandled(ctx);
    const char *ids = tr_remote_listing_ids(listing);
    for (const char *at = ids; at < ids + listing->text_size; at += strlen(at) + 1)
        printf("%s@%s\n", at, p->target.address);
    run_quit(p->run, EXIT_GOOD);
    return TR_OK;
}

static const struct tr_actor ps_actor = {.name = "ps",
                                         .state_size = sizeof(struct pinger *),
                                         .arg_size = sizeof(struct pinger *),
                                         .init = pinger_init,
                                         .receive = lister_receive};

int command_ps(const struct options *options)
{
    struct run run;
    struct pinger lister = {.run = &run, .node = true};
    int code = EXIT_CANNOT;
    if (options->word_count < 1 || options->word_count > 2) {
        fprintf(stderr, "usage: troupe ps HOST:PORT [PART-OF-A-NAME]\n");
        return EXIT_USAGE;
    }
    if (!target_parse(options->words[0], true, &lister.target))
        return EXIT_USAGE;
    if (run_begin(&run, options))
        code = run_actor(&run, &ps_actor, &lister);
    run_end(&run);
    return code;
}
