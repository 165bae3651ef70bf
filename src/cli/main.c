/* main.c - the `troupe` command. */
#include "cli/cli.h"

#include "troupe/version.h"

static const struct command {
    const char *word;
    int (*run)(const struct options *options);
    const char *usage, *what;
} commands[] = {
    {"send", command_send, "ID@HOST:PORT TYPE [MESSAGE]", "sends a message to an actor"},
    {"ask", command_ask, "ID@HOST:PORT TYPE [MESSAGE]", "sends one and prints the answer"},
    {"watch", command_watch, "ID@HOST:PORT", "waits for the end of an actor"},
    {"stop", command_stop, "ID@HOST:PORT", "ends an actor after what is queued for it"},
    {"spawn", command_spawn, "HOST:PORT KIND", "has a node spawn an actor"},
    {"ps", command_ps, "HOST:PORT [PART]", "lists the named actors of a node"},
    {"ping", command_ping, "[ID@]HOST:PORT", "how long an actor, or a node, takes to answer"},
    {"bench", command_bench, "remote [HOST:PORT]", "how fast messages go from node to node"},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static void usage(FILE *out)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "%s troupe %-5s %-28s %s\n", i ? "      " : "usage:", commands[i].word,
                commands[i].usage, commands[i].what);
    fprintf(out, "       troupe COMMAND --help | --version\n");
}

static void help(const struct command *only)
{
    if (only)
        printf("usage: troupe %s %s [options]\n%s\n", only->word, only->usage, only->what);
    else
        usage(stdout);
    options_print(stdout);
    printf("\nexit code: 0 good; 1 the answer was no, or none came; 2 wrong usage; 3 could not "
           "begin, or\nnot reach the node\n");
}

int main(int argc, char **argv)
{
    struct options options;
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    const struct command *command = NULL;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].word) == 0)
            command = &commands[i];
    }
    if (!command && argv[1][0] != '-') {
        fprintf(stderr, "troupe: no command '%.40s'\n", argv[1]);
        usage(stderr);
        return EXIT_USAGE;
    }
    int skipped = command ? 1 : 0;
    argv[skipped] = argv[0];
    if (!options_parse(argc - skipped, argv + skipped, &options)) {
        fprintf(stderr, "troupe: see troupe --help\n");
        return EXIT_USAGE;
    }
    if (options.help) {
        help(command);
        return EXIT_GOOD;
    }
    if (options.version) {
        printf("troupe %s\n", TR_VERSION_STRING);
        return EXIT_GOOD;
    }
    if (!command) {
        usage(stderr);
        return EXIT_USAGE;
    }
    return command->run(&options);
}
