/* One run: our own node with the types of the given files, and an actor that does the work. */
#include "cli/cli.h"

#include <stdlib.h>

/* ---- Types that are bytes to us --------------------------------------------- */

static size_t bytes_size(const void *body, size_t body_size)
{
    (void)body;
    return body_size;
}

static uint8_t *bytes_encode(const void *body, size_t body_size, uint8_t *out)
{
    memcpy(out, body, body_size);
    return out + body_size;
}

static tr_err bytes_measure(const uint8_t *data, size_t size, size_t *ret_body_size)
{
    (void)data;
    *ret_body_size = size;
    return size <= TR_MESSAGE_SIZE_MAX ? TR_OK : TR_EFULL;
}

static tr_err bytes_decode(const uint8_t *data, size_t size, void *body, size_t body_size)
{
    (void)body_size;
    if (size)
        memcpy(body, data, size);
    return TR_OK;
}

const struct tr_codec run_bytes_codec = {.encoded_size = bytes_size,
                                         .encode = bytes_encode,
                                         .measure = bytes_measure,
                                         .decode = bytes_decode};

/* What protoactor-go's runtime says itself is dealt with below us. */
static bool of_the_runtime(const char *name)
{
    return strncmp(name, "actor.", 6) == 0 || strncmp(name, "remote.", 7) == 0;
}

static bool load_types(struct run *run)
{
    struct schema_error error;
    run->schema = schema_create();
    for (size_t i = 0; run->options->sets[i]; i++) {
        if (!schema_add_set(run->schema, run->options->sets[i], &error))
            return fprintf(stderr, "troupe: %s\n", error.text) < 0;
    }
    for (size_t i = 0; run->options->protos[i]; i++) {
        if (!schema_add_proto(run->schema, run->options->protos[i], run->options->folders, &error))
            return fprintf(stderr, "troupe: %s\n", error.text) < 0;
    }
    size_t count = schema_count(run->schema);
    run->types = calloc(count + 1, sizeof *run->types);
    run->type_list = calloc(count + 1, sizeof *run->type_list);
    if (!run->types || !run->type_list)
        return fprintf(stderr, "troupe: out of memory\n") < 0;
    for (size_t i = 0; i < count; i++) {
        struct tr_type *type = &run->types[run->type_count];
        const struct tr_type made = {schema_name(run->schema, i), 0, &run_bytes_codec, 0};
        if (of_the_runtime(made.name))
            continue;
        memcpy(type, &made, sizeof made);
        run->type_list[run->type_count++] = type;
    }
    return true;
}

const struct tr_type *run_type(struct run *run, const char *name)
{
    for (size_t i = 0; i < run->type_count; i++) {
        if (strcmp(run->types[i].name, name) == 0)
            return &run->types[i];
    }
    fprintf(stderr,
            "troupe: no message type '%.100s': name a file that has it with --proto or "
            "--descriptor-set\n",
            name);
    return NULL;
}

void *run_body(struct run *run, tr_ctx *ctx, const struct tr_type *type, const char *text)
{
    struct schema_error error;
    uint8_t *data;
    size_t size;
    if (!schema_encode(run->schema, type->name, text, run->options->format, &data, &size, &error)) {
        fprintf(stderr, "troupe: %s\n", error.text);
        return NULL;
    }
    void *body = tr_msg_new(ctx, type, size);
    if (body)
        memcpy(body, data, size);
    else
        fprintf(stderr, "troupe: a message of %zu bytes is too large\n", size);
    free(data);
    return body;
}

void run_print(struct run *run, const tr_msg *msg)
{
    char *text = schema_decode(run->schema, msg->type->name, tr_msg_body(msg), tr_msg_size(msg),
                               run->options->format);
    if (run->options->verbose)
        fprintf(stderr, "%s, %zu bytes\n", msg->type->name, tr_msg_size(msg));
    printf("%s\n", text ? text : "?");
    fflush(stdout);
    free(text);
}

/* Whether there ever was a link to that node. */
static bool was_linked(struct run *run, const char *address)
{
    struct tr_link_stats links[8];
    size_t count = tr_remote_links(tr_node_remote(run->node), links, 8);
    for (size_t i = 0; i < count && i < 8; i++) {
        if (strcmp(links[i].address, address) == 0)
            return links[i].connects > 0;
    }
    return false;
}

int run_failed(struct run *run, const struct target *target, tr_err reason)
{
    if (reason == TR_ETIMEDOUT && !was_linked(run, target->address))
        reason = TR_EPEER;
    const char *id = target->id[0] ? target->id : "the node";
    switch (reason) {
    case TR_ENOACTOR:
        fprintf(stderr, "troupe: there is no actor '%s' at %s\n", id, target->address);
        return EXIT_NO;
    case TR_ETIMEDOUT:
        fprintf(stderr, "troupe: no answer in time from %s at %s\n", id, target->address);
        return EXIT_NO;
    case TR_EPEER:
        fprintf(stderr, "troupe: %s cannot be reached\n", target->address);
        return EXIT_CANNOT;
    default:
        fprintf(stderr, "troupe: %s at %s: %s\n", id, target->address, tr_strerror(reason));
        return EXIT_NO;
    }
}

/* ---- The node ---------------------------------------------------------------- */

static bool parse_dialect(const char *word, enum tr_dialect *ret)
{
    static const char *const words[] = {"detect", "a", "b", "dotnet"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret = (enum tr_dialect)i;
            return true;
        }
    }
    fprintf(stderr, "troupe: --dialect is '%.40s', want a, b or dotnet\n", word);
    return false;
}

/* The peer whose dialect is given: the address in the first word. */
static bool set_peer(const struct options *o, struct target *target, struct tr_remote_peer *ret)
{
    if (!o->dialect || o->word_count == 0)
        return true;
    ret->address = target->address;
    return target_parse(o->words[0], true, target) && parse_dialect(o->dialect, &ret->dialect);
}

bool run_begin(struct run *run, const struct options *options)
{
    struct target target;
    struct tr_error error = {0};
    struct tr_remote_peer peers[2] = {{0}};
    const struct tr_remote_tls tls = {options->certificate, options->key, options->ca};
    *run = (struct run){.options = options, .exit_code = EXIT_CANNOT};
    if (!load_types(run) || !set_peer(options, &target, peers))
        return false;
    struct tr_node_config config = {
        .system = {.node = "troupe-cli", .workers = 1, .log = tr_log_none},
        .stop_ms = options->timeout_ms,
        .remote = {.listen = options->listen,
                   .advertise = options->advertise,
                   .dial_only = options->client,
                   .plaintext = options->plaintext,
                   .tls = options->certificate ? &tls : NULL,
                   .types = run->type_list,
                   .peers = options->dialect ? peers : NULL,
                   .give_up_ms = options->timeout_ms,
                   .allow = TR_REMOTE_WATCH}};
    if (tr_node_start(&run->node, &config, &error)) {
        fprintf(stderr, "troupe: %s\n", error.text);
        return false;
    }
    return true;
}

void run_quit(struct run *run, int exit_code)
{
    run->exit_code = exit_code;
    tr_node_quit(run->node);
}

int run_actor(struct run *run, const struct tr_actor *actor, const void *work)
{
    struct tr_error error = {0};
    tr_pid pid = tr_spawn(tr_node_ctx(run->node), actor, .arg = &work, .error = &error);
    if (tr_pid_is_nobody(pid)) {
        fprintf(stderr, "troupe: %s\n", error.text);
        return EXIT_CANNOT;
    }
    if (tr_node_run(run->node) != TR_OK)
        return EXIT_CANNOT;
    (void)tr_node_stop(run->node);
    return run->exit_code;
}

void run_end(struct run *run)
{
    tr_node_destroy(run->node);
    free(run->types);
    free(run->type_list);
    schema_destroy(run->schema);
}
