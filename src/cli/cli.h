/*
 * cli.h - the `troupe` command: talks to the actors of any node, from the shell.
 */
#ifndef TROUPE_CLI_H
#define TROUPE_CLI_H

#include "cli/schema.h"

#include "troupe/codec.h"
#include "troupe/node.h"
#include "troupe/troupe.h"

#include <stdio.h>

/* Exit codes, as the manual says. */
enum { EXIT_GOOD = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_CANNOT = 3 };

#define FILES_MAX 64

struct options {
    const char *listen, *advertise, *dialect;
    const char *certificate, *key, *ca;
    const char *name; /* --name */
    const char *sets[FILES_MAX + 1], *protos[FILES_MAX + 1], *folders[FILES_MAX + 1];
    unsigned timeout_ms, count, interval_ms, seconds, size, pairs;
    enum schema_format format;
    bool client, plaintext, exact, no_wait, verbose, serve, help, version;
    char **words; /* what is no option, the command left out */
    int word_count;
};

/* Reads argv after the command; false: an error was printed. */
bool options_parse(int argc, char **argv, struct options *ret);
void options_print(FILE *out);

/* `id@host:port`, or with `node` `host:port` alone, which leaves `ret_id` empty. */
struct target {
    char id[TR_NAME_SIZE_MAX + 1];
    char address[TR_ADDRESS_SIZE_MAX + 1];
};
bool target_parse(const char *text, bool node, struct target *ret);

/* ---- A run: one node of our own, and one actor that does what was asked ---- */

struct run {
    const struct options *options;
    struct schema *schema;
    struct tr_type *types; /* one for each message of the schema */
    const struct tr_type **type_list;
    size_t type_count;
    tr_node *node;
    int exit_code; /* set by the actor before it quits the node */
};

/* Types whose bodies are their encoding. */
extern const struct tr_codec run_bytes_codec;

/* Starts the node; false: an error was printed. */
bool run_begin(struct run *run, const struct options *options);
/* Runs `actor`, whose argument is the pointer `work`, until it quits; then ends everything. */
int run_actor(struct run *run, const struct tr_actor *actor, const void *work);
void run_end(struct run *run);
/* For the actor: the end, with that exit code. */
void run_quit(struct run *run, int exit_code);
/* NULL: an error was printed. */
const struct tr_type *run_type(struct run *run, const char *name);
/* A body for tr_send_take() out of a text; NULL: an error was printed. */
void *run_body(struct run *run, tr_ctx *ctx, const struct tr_type *type, const char *text);
/* Prints a message that came. */
void run_print(struct run *run, const tr_msg *msg);
/* Prints why a request failed; the exit code for that. */
int run_failed(struct run *run, const struct target *target, tr_err reason);

/* ---- Commands: words and options in, exit code out ---- */

int command_send(const struct options *options);
int command_ask(const struct options *options);
int command_watch(const struct options *options);
int command_spawn(const struct options *options);
int command_ps(const struct options *options);
int command_ping(const struct options *options);
int command_stop(const struct options *options);
int command_bench(const struct options *options);

#endif
