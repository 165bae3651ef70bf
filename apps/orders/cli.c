/* cli.c - one table of options for all commands. */
#include "cli.h"

#include "generate.h"

#include <stddef.h>
#include <string.h>

struct option {
    char letter; /* in a command's list */
    const char *name;
    enum { FLAG, WORD, WORDS, NUMBER } type;
    size_t at; /* in struct cli */
    int64_t min, max;
    size_t given_at; /* a bool in struct cli; SIZE_MAX: none */
    const char *value, *help;
};

#define AT(member) offsetof(struct cli, member)
#define NONE SIZE_MAX
static const struct option options[] = {
    {'f', "--data", WORD, AT(data), 0, 0, NONE, "FILE",
     "orders as CSV in the UCI Online Retail layout, plain or .xz"},
    {'g', "--generate", NUMBER, AT(generate), 1, (int64_t)GENERATE_INVOICES_MAX, AT(generate_given),
     "N", "make up N orders (25900)"},
    {'s', "--seed", NUMBER, AT(seed), 0, INT64_MAX, NONE, "S",
     "seed of the made-up orders and of the payment provider (1)"},
    {'l', "--lines", NUMBER, AT(lines), 1, GENERATE_LINES_MAX, NONE, "N",
     "lines of every made-up order (as many as real ones have)"},
    {'o', "--out", WORD, AT(out), 0, 0, NONE, "FILE", "write there (standard output)"},
    {'b', "--db", WORD, AT(db), 0, 0, NONE, "PATH", "the database (orders.db)"},
    {'w', "--workers", NUMBER, AT(workers), 1, 256, NONE, "N", "worker threads (one per core)"},
    {'k', "--stock", NUMBER, AT(stock), 0, 1000000000, AT(stock_given), "N",
     "pieces of every product at the start (what is missing is got in)"},
    {'d', "--declines", NUMBER, AT(declines), 0, 1000, AT(declines_given), "PERMILLE",
     "payments declined by the provider (20; with --data 0)"},
    {'t', "--late", NUMBER, AT(late), 0, 1000, AT(late_given), "PERMILLE",
     "payments answered too late by the provider (2; with --data 0)"},
    {'m', "--duplicate-window", NUMBER, AT(window_min), 0, 1000000, NONE, "MINUTES",
     "park an order like one of that customer so short ago; 0: never (10)"},
    {'n', "--notices", WORD, AT(notices), 0, 0, NONE, "FILE",
     "append there what customers are told"},
    {'p', "--backpressure", WORD, AT(backpressure), 0, 0, NONE, "HOW",
     "when the ledger is too slow: delay, drop or queue orders (delay)"},
    {'u', "--under-way", NUMBER, AT(under_way), 16, 65536, NONE, "ORDERS",
     "how many may be under way (4096)"},
    {'r', "--dropped", WORD, AT(dropped), 0, 0, NONE, "FILE", "list dropped orders there"},
    {'R', "--role", WORD, AT(role), 0, 0, NONE, "ROLE",
     "what this node does: gateway, processing, ledger or all (all)"},
    {'L', "--listen", WORD, AT(listen), 0, 0, NONE, "HOST:PORT",
     "where other nodes reach it (a free port of this machine)"},
    {'P', "--peer", WORDS, AT(peer), 0, 0, NONE, "ROLE=HOST:PORT",
     "where the node of that role is; once for each"},
    {'D', "--until-done", FLAG, AT(until_done), 0, 0, NONE, NULL,
     "end when all orders have ended (go on serving)"},
    {'A', "--acknowledged", WORD, AT(acknowledged), 0, 0, NONE, "FILE",
     "append there the number of every order when it is acknowledged"},
    {'B', "--backlog", NUMBER, AT(backlog), 1, 1000000000, NONE, "N",
     "parcels kept for a node that is away (1000000)"},
    {'T', "--to", WORD, AT(to), 0, 0, NONE, "ID@HOST:PORT",
     "the actor that takes orders (order@127.0.0.1:9000)"},
    {'V', "--provider", WORD, AT(provider), 0, 0, NONE, "FILE",
     "where the payment provider remembers what it was asked for"},
    {'c', "--tls-cert", WORD, AT(tls_cert), 0, 0, NONE, "FILE",
     "speak mutual TLS with other nodes: the certificate of this one, PEM"},
    {'K', "--tls-key", WORD, AT(tls_key), 0, 0, NONE, "FILE", "the certificate's key"},
    {'a', "--tls-ca", WORD, AT(tls_ca), 0, 0, NONE, "FILE",
     "who certifies nodes; with others nothing is exchanged"},
    {'G', "--gateway", WORD, AT(gateway), 0, 0, NONE, "PATH", "the database of the gateway node"},
    {'C', "--processing", WORD, AT(processing), 0, 0, NONE, "PATH",
     "the database of the processing node"},
    {'j', "--json", FLAG, AT(json), 0, 0, NONE, NULL, "print JSON"},
    {'q', "--quiet", FLAG, AT(quiet), 0, 0, NONE, NULL, "show no progress"},
    {'h', "--help", FLAG, AT(help), 0, 0, NONE, NULL, "print this text"},
    {'v', "--version", FLAG, AT(version), 0, 0, NONE, NULL, "print the version"},
};
#define OPTIONS (sizeof(options) / sizeof(options[0]))

void cli_print_options(FILE *out, const char *allowed)
{
    fputs("\noptions (with their defaults):\n", out);
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct option *option = &options[i];
        char word[64];
        if (!strchr(allowed, option->letter))
            continue;
        snprintf(word, sizeof(word), "%s%s%s", option->name, option->value ? " " : "",
                 option->value ? option->value : "");
        fprintf(out, "  %-28s %s\n", word, option->help);
    }
}

static const struct option *find(const char *word, size_t size, const char *allowed)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (strlen(options[i].name) == size && memcmp(options[i].name, word, size) == 0 &&
            strchr(allowed, options[i].letter))
            return &options[i];
    return NULL;
}

static bool set(struct cli *cli, const struct option *option, const char *value,
                struct ord_error *error)
{
    char *base = (char *)cli;
    int64_t number;
    if (option->type == WORD || option->type == WORDS) {
        if (value[0] == '\0')
            return ord_fail(error, "%s is empty", option->name);
        if (option->type == WORDS && cli->peers == CLI_PEERS_MAX)
            return ord_fail(error, "%s is given more than %d times", option->name, CLI_PEERS_MAX);
        if (option->type == WORDS)
            base += (size_t)cli->peers++ * sizeof(value);
        memcpy(base + option->at, &value, sizeof(value));
        return true;
    }
    if (!ord_parse_int(value, strlen(value), option->min, option->max, &number))
        return ord_fail(error, "%s is '%.64s', want a whole number from %lld to %lld", option->name,
                        value, (long long)option->min, (long long)option->max);
    memcpy(base + option->at, &number, sizeof(number));
    if (option->given_at != SIZE_MAX)
        *(bool *)(base + option->given_at) = true;
    return true;
}

bool cli_parse(int argc, char **argv, const char *allowed, struct cli *cli, struct ord_error *error)
{
    *cli = (struct cli){.db = "orders.db", .seed = 1, .stock = -1, .window_min = 10};
    for (int i = 0; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        size_t size = equals ? (size_t)(equals - argv[i]) : strlen(argv[i]);
        const struct option *option = find(argv[i], size, allowed);
        if (!option)
            return ord_fail(
                error, argv[i][0] == '-' ? "unknown option '%.64s'" : "unexpected argument '%.64s'",
                argv[i]);
        if (option->type == FLAG) {
            if (equals)
                return ord_fail(error, "%s takes no value", option->name);
            *((bool *)((char *)cli + option->at)) = true;
            continue;
        }
        const char *value = equals ? equals + 1 : ++i < argc ? argv[i] : NULL;
        if (!value)
            return ord_fail(error, "%s wants a value", option->name);
        if (!set(cli, option, value, error))
            return false;
    }
    return true;
}

struct ord_source *cli_source(const struct cli *cli, struct ord_error *error)
{
    if (cli->data)
        return ord_source_open(cli->data, error);
    struct generate_options made_up = {cli->generate_given ? (uint64_t)cli->generate : 25900,
                                       (uint64_t)cli->seed, (uint32_t)cli->lines};
    struct ord_source *source = generate_open(&made_up);
    if (!source)
        ord_fail(error, "memory is short");
    return source;
}
