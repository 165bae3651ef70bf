/* send, ask, stop, spawn, watch: what is said to actors. */
#include "cli/cli.h"

/* What an actor of a command begins with: its argument. */
struct work {
    struct run *run;
    struct target target;
    const struct tr_type *type;
    const char *text;
};

static tr_err work_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    memcpy(state, arg, sizeof(struct work *));
    return TR_OK;
}

static struct work *work_of(void *state)
{
    return *(struct work **)state;
}

/* The first message to ourselves: begin() talks to other actors only once we run. */
struct begin {
    char none;
};
TR_TYPE(begin);

static tr_pid find(tr_ctx *ctx, const struct work *work)
{
    tr_pid pid = tr_remote_pid(ctx, work->target.address, work->target.id);
    if (tr_pid_is_nobody(pid))
        run_quit(work->run, run_failed(work->run, &work->target, tr_pid_err(pid)));
    return pid;
}

static tr_err given_up(tr_ctx *ctx, const struct work *work, const tr_msg *msg)
{
    const struct tr_request_failed *failed = tr_as(msg, tr_request_failed);
    if (!failed)
        return tr_unhandled(ctx);
    run_quit(work->run, run_failed(work->run, &work->target, failed->reason));
    return TR_OK;
}

/* What the words of a command are. */
enum words { NODE_AND_KIND, AN_ACTOR, ACTOR_AND_MESSAGE };

/* Runs an actor that begins at once. */
static int talk(const struct options *options, const struct tr_actor *actor, enum words what)
{
    struct run run;
    struct work work = {.run = &run};
    int code = EXIT_USAGE;
    const char *empty = options->format == SCHEMA_JSON ? "{}" : "";
    if (!run_begin(&run, options)) {
        run_end(&run);
        return EXIT_CANNOT;
    }
    bool good = target_parse(options->words[0], what == NODE_AND_KIND, &work.target);
    if (good && what == NODE_AND_KIND)
        work.text = options->words[1];
    if (good && what == ACTOR_AND_MESSAGE) {
        work.text = options->word_count > 2 ? options->words[2] : empty;
        work.type = run_type(&run, options->words[1]);
        good = work.type != NULL;
    }
    if (good)
        code = run_actor(&run, actor, &work);
    run_end(&run);
    return code;
}

static bool words(const struct options *options, int least, int most, const char *usage)
{
    if (options->word_count >= least && options->word_count <= most)
        return true;
    fprintf(stderr, "usage: troupe %s\n", usage);
    return false;
}

static tr_err begin_init(tr_ctx *ctx, void *state, const void *arg)
{
    tr_err err = work_init(ctx, state, arg);
    tr_send(ctx, tr_self(ctx), begin);
    return err;
}

/* ---- send, stop --------------------------------------------------------------- */

/* A Touch behind the message comes back when the actor has got to it. */
static tr_err send_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct work *work = work_of(state);
    if (tr_as(msg, begin)) {
        tr_pid pid = find(ctx, work);
        if (tr_pid_is_nobody(pid))
            return TR_OK;
        void *body = work->type ? run_body(work->run, ctx, work->type, work->text) : NULL;
        if (work->type && !body) {
            run_quit(work->run, EXIT_USAGE);
            return TR_OK;
        }
        if (body)
            tr_send_take(ctx, pid, body);
        if (work->run->options->no_wait)
            run_quit(work->run, EXIT_GOOD);
        else
            (void)tr_touch(ctx, pid, work->run->options->timeout_ms);
        return TR_OK;
    }
    if (tr_as(msg, tr_touched)) {
        run_quit(work->run, EXIT_GOOD);
        return TR_OK;
    }
    return given_up(ctx, work, msg);
}

static const struct tr_actor send_actor = {.name = "send",
                                           .state_size = sizeof(struct work *),
                                           .arg_size = sizeof(struct work *),
                                           .init = begin_init,
                                           .receive = send_receive};

int command_send(const struct options *options)
{
    if (!words(options, 2, 3, "send ID@HOST:PORT TYPE [MESSAGE]"))
        return EXIT_USAGE;
    return talk(options, &send_actor, ACTOR_AND_MESSAGE);
}

/* Watches, so that the end is known; then poisons: what is queued there is handled first. */
static tr_err stop_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct work *work = work_of(state);
    const struct tr_down *down = tr_as(msg, tr_down);
    if (tr_as(msg, begin)) {
        tr_pid pid = find(ctx, work);
        if (tr_pid_is_nobody(pid))
            return TR_OK;
        tr_watch(ctx, pid);
        tr_poison(ctx, pid);
        return tr_receive_timeout(ctx, work->run->options->timeout_ms);
    }
    if (down) {
        bool good = down->reason == TR_OK;
        run_quit(work->run, good ? EXIT_GOOD : run_failed(work->run, &work->target, down->reason));
        return TR_OK;
    }
    if (tr_as(msg, tr_idle)) {
        run_quit(work->run, run_failed(work->run, &work->target, TR_ETIMEDOUT));
        return TR_OK;
    }
    return given_up(ctx, work, msg);
}

static const struct tr_actor stop_actor = {.name = "stop",
                                           .state_size = sizeof(struct work *),
                                           .arg_size = sizeof(struct work *),
                                           .init = begin_init,
                                           .receive = stop_receive};

int command_stop(const struct options *options)
{
    if (!words(options, 1, 1, "stop ID@HOST:PORT"))
        return EXIT_USAGE;
    return talk(options, &stop_actor, AN_ACTOR);
}

/* ---- ask ---------------------------------------------------------------------- */

static tr_err ask_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct work *work = work_of(state);
    if (tr_as(msg, begin)) {
        tr_pid pid = find(ctx, work);
        void *body = tr_pid_is_nobody(pid) ? NULL
                                           : run_body(work->run, ctx, work->type, work->text);
        if (body)
            (void)tr_request_take(ctx, pid, work->run->options->timeout_ms, body);
        else if (!tr_pid_is_nobody(pid))
            run_quit(work->run, EXIT_USAGE);
        return TR_OK;
    }
    if (tr_as(msg, tr_request_failed))
        return given_up(ctx, work, msg);
    run_print(work->run, msg);
    run_quit(work->run, EXIT_GOOD);
    return TR_OK;
}

static const struct tr_actor ask_actor = {.name = "ask",
                                          .state_size = sizeof(struct work *),
                                          .arg_size = sizeof(struct work *),
                                          .init = begin_init,
                                          .receive = ask_receive};

int command_ask(const struct options *options)
{
    if (!words(options, 2, 3, "ask ID@HOST:PORT TYPE [MESSAGE]"))
        return EXIT_USAGE;
    return talk(options, &ask_actor, ACTOR_AND_MESSAGE);
}

/* ---- spawn -------------------------------------------------------------------- */

static tr_err spawn_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct work *work = work_of(state);
    const struct options *options = work->run->options;
    const struct tr_remote_spawned *spawned = tr_as(msg, tr_remote_spawned);
    char text[TR_NAME_SIZE_MAX + TR_ADDRESS_SIZE_MAX + 2];
    if (tr_as(msg, begin)) {
        (void)tr_remote_spawn(ctx, work->target.address, work->text,
                              options->name ? options->name : "", options->timeout_ms);
        return TR_OK;
    }
    if (!spawned)
        return given_up(ctx, work, msg);
    if (!tr_pid_is_nobody(spawned->pid) && tr_pid_text(ctx, spawned->pid, text, sizeof text))
        printf("%s\n", text);
    if (spawned->err == TR_EEXIST)
        fprintf(stderr, "troupe: %s has an actor of that name already\n", work->target.address);
    else if (spawned->err)
        fprintf(stderr, "troupe: %s spawns no '%s' (status %d)\n", work->target.address, work->text,
                spawned->status);
    run_quit(work->run, spawned->err ? EXIT_NO : EXIT_GOOD);
    return TR_OK;
}

static const struct tr_actor spawn_actor = {.name = "spawn",
                                            .state_size = sizeof(struct work *),
                                            .arg_size = sizeof(struct work *),
                                            .init = begin_init,
                                            .receive = spawn_receive};

int command_spawn(const struct options *options)
{
    if (!words(options, 2, 2, "spawn HOST:PORT KIND [--name NAME]"))
        return EXIT_USAGE;
    return talk(options, &spawn_actor, NODE_AND_KIND);
}

/* ---- watch -------------------------------------------------------------------- */

static tr_err watch_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct work *work = work_of(state);
    const struct tr_down *down = tr_as(msg, tr_down);
    if (tr_as(msg, begin)) {
        tr_pid pid = find(ctx, work);
        if (!tr_pid_is_nobody(pid))
            tr_watch(ctx, pid);
        return TR_OK;
    }
    if (!down)
        return given_up(ctx, work, msg);
    printf("%s@%s %s\n", work->target.id, work->target.address,
           down->reason == TR_OK         ? "stopped"
           : down->reason == TR_ENOACTOR ? "not found"
           : down->reason == TR_EPEER    ? "node gone"
                                         : tr_strerror(down->reason));
    run_quit(work->run, down->reason == TR_OK ? EXIT_GOOD : EXIT_NO);
    return TR_OK;
}

static const struct tr_actor watch_actor = {.name = "watch",
                                            .state_size = sizeof(struct work *),
                                            .arg_size = sizeof(struct work *),
                                            .init = begin_init,
                                            .receive = watch_receive};

int command_watch(const struct options *options)
{
    if (!words(options, 1, 1, "watch ID@HOST:PORT"))
        return EXIT_USAGE;
    return talk(options, &watch_actor, AN_ACTOR);
}
