/* cli.c - one table of options for all commands. */
#include "cli.h"

#include "generate.h"

#include <stddef.h>
#include <string.h>

struct option {
    char letter; /* in a command's list */
    const char *name;
    enum { FLAG, WORD, NUMBER } type;
    size_t at; /* in struct cli */
    int64_t min, max;
    size_t given_at; /* a bool in struct cli; SIZE_MAX: none */
};

#define AT(member) offsetof(struct cli, member)
static const struct option options[] = {
    {'h', "--help", FLAG, AT(help), 0, 0, SIZE_MAX},
    {'v', "--version", FLAG, AT(version), 0, 0, SIZE_MAX},
    {'j', "--json", FLAG, AT(json), 0, 0, SIZE_MAX},
    {'q', "--quiet", FLAG, AT(quiet), 0, 0, SIZE_MAX},
    {'f', "--data", WORD, AT(data), 0, 0, SIZE_MAX},
    {'b', "--db", WORD, AT(db), 0, 0, SIZE_MAX},
    {'o', "--out", WORD, AT(out), 0, 0, SIZE_MAX},
    {'n', "--notices", WORD, AT(notices), 0, 0, SIZE_MAX},
    {'p', "--backpressure", WORD, AT(backpressure), 0, 0, SIZE_MAX},
    {'u', "--under-way", NUMBER, AT(under_way), 16, 65536, SIZE_MAX},
    {'r', "--dropped", WORD, AT(dropped), 0, 0, SIZE_MAX},
    {'g', "--generate", NUMBER, AT(generate), 1, (int64_t)GENERATE_INVOICES_MAX,
     AT(generate_given)},
    {'s', "--seed", NUMBER, AT(seed), 0, INT64_MAX, SIZE_MAX},
    {'l', "--lines", NUMBER, AT(lines), 1, GENERATE_LINES_MAX, SIZE_MAX},
    {'w', "--workers", NUMBER, AT(workers), 1, 256, SIZE_MAX},
    {'k', "--stock", NUMBER, AT(stock), 0, 1000000000, AT(stock_given)},
    {'d', "--declines", NUMBER, AT(declines), 0, 1000, AT(declines_given)},
    {'t', "--late", NUMBER, AT(late), 0, 1000, AT(late_given)},
    {'m', "--duplicate-window", NUMBER, AT(window_min), 0, 1000000, SIZE_MAX},
};

static const struct option *find(const char *word, size_t size, const char *allowed)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
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
    if (option->type == WORD) {
        if (value[0] == '\0')
            return ord_fail(error, "%s is empty", option->name);
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
            return ord_fail(error, "unknown option '%.64s'", argv[i]);
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
