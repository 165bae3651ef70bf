/* cli.h - command lines: options in, values checked and named in errors. */
#ifndef ORDERS_CLI_H
#define ORDERS_CLI_H

#include "source.h"

#include <stdio.h>

/* Exit codes, as the manual says. */
enum { EXIT_GOOD = 0, EXIT_WRONG = 1, EXIT_USAGE = 2, EXIT_CANNOT = 3 };

/* How often --peer can be given. */
#define CLI_PEERS_MAX 8

struct cli {
    bool help, version, json, quiet;
    const char *data, *db, *out, *notices, *backpressure, *dropped;
    const char *role, *listen, *acknowledged, *gateway, *processing, *provider, *to;
    const char *tls_cert, *tls_key, *tls_ca;
    const char *peer[CLI_PEERS_MAX]; /* as often as --peer was given */
    int64_t peers, backlog;
    bool until_done;
    bool generate_given, stock_given, declines_given, late_given;
    int64_t generate, seed, lines, workers, stock, declines, late, window_min, under_way;
};

/* The options that a command takes, as letters of cli.c's table. False: *error says why. */
bool cli_parse(int argc, char **argv, const char *allowed, struct cli *ret_cli,
               struct ord_error *error);

/* Where --data or --generate say that orders come from. NULL with a sentence. */
struct ord_source *cli_source(const struct cli *cli, struct ord_error *error);

/* Those options, one a line, with what they mean. */
void cli_print_options(FILE *out, const char *allowed);

#endif
