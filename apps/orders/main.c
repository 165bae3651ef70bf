/* main.c - the `orders` command. */
#include "cli.h"
#include "flow.h"
#include "generate.h"
#include "node_command.h"
#include "progress.h"
#include "report.h"
#include "send_command.h"
#include "verify.h"

#include "troupe/version.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define COMPLAINTS_SHOWN 20u

static const char usage[] =
    "usage: orders run      [--data FILE | --generate N] [--db PATH] [options]\n"
    "       orders generate [--generate N] [--seed S] [--out FILE] [options]\n"
    "       orders report   [--db PATH] [--json]\n"
    "       orders verify   [--db PATH] [--gateway PATH --processing PATH] [--json]\n"
    "       orders node     [--role ROLE] [--listen HOST:PORT] [--peer ROLE=HOST:PORT]…\n"
    "                       [--db PATH] [options]\n"
    "       orders send     [--to ID@HOST:PORT] [--data FILE | --generate N] [options]\n"
    "       orders COMMAND --help | --version\n";

static const char exit_codes[] =
    "\nexit code: 0 good; 1 something was refused, dropped or does not balance; 2 wrong usage;\n"
    "3 could not go on (run again to resume)\n";

/* What the callbacks of a run need. */
struct screen {
    struct progress progress;
    unsigned complaints;
    FILE *notices, *dropped;
};

static int failed(const char *sentence)
{
    fprintf(stderr, "orders: %s\n", sentence);
    return EXIT_CANNOT;
}

static void show_progress(void *user, const struct flow_progress *now)
{
    progress_show(&((struct screen *)user)->progress, now);
}

static void show_complaint(void *user, const char *sentence)
{
    struct screen *screen = user;
    if (screen->complaints++ >= COMPLAINTS_SHOWN)
        return;
    progress_clear(&screen->progress);
    fprintf(stderr, "orders: %s\n", sentence);
}

/* Each notice leaves the process at once: the books remember it as given, so it must not be lost
 * with a buffer when the process is killed. */
static bool write_notice(void *user, const struct notice *notice)
{
    struct screen *screen = user;
    return fprintf(screen->notices, "%s %s\n", notice->key, ord_state_name(notice->state)) > 0 &&
           fflush(screen->notices) == 0;
}

static void write_dropped(void *user, const char *key)
{
    struct screen *screen = user;
    fprintf(screen->dropped, "%s\n", key);
}

static bool parse_backpressure(const char *word, enum flow_backpressure *ret,
                               struct ord_error *error)
{
    static const char *const words[] = {"delay", "drop", "queue"};
    *ret = BACKPRESSURE_DELAY;
    if (!word)
        return true;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret = (enum flow_backpressure)i;
            return true;
        }
    }
    return ord_fail(error, "--backpressure is '%.64s', want delay, drop or queue", word);
}

static bool open_output(const char *path, FILE **ret_file, struct ord_error *error)
{
    if (path && !(*ret_file = fopen(path, "a")))
        return ord_fail(error, "'%s' cannot be opened: %s", path, strerror(errno));
    return true;
}

static bool close_output(const char *path, FILE *file, struct ord_error *error)
{
    if (file && fclose(file) != 0)
        return ord_fail(error, "'%s' cannot be written: %s", path, strerror(errno));
    return true;
}

static int finish_run(const struct cli *cli, const struct screen *screen,
                      const struct flow_result *result, struct ord_error *error)
{
    bool balanced = false;
    if (screen->complaints > COMPLAINTS_SHOWN)
        fprintf(stderr, "orders: … and %u more; all are in the database, table refusals\n",
                screen->complaints - COMPLAINTS_SHOWN);
    if (result->broken)
        failed(error->text);
    struct ord_error why;
    if (!report_books(stdout, cli->db, cli->json, result, &balanced, &why))
        return failed(why.text);
    if (fflush(stdout) != 0)
        return failed("the report cannot be written");
    bool good = balanced && result->lines_accounted && result->messages_accounted &&
                result->refused == 0 && result->dropped == 0 && !result->broken;
    return good ? EXIT_GOOD : EXIT_WRONG;
}

static int run(const struct cli *cli)
{
    struct ord_error error = {.text = ""};
    struct screen screen = {.notices = NULL};
    progress_init(&screen.progress, stderr, cli->quiet);
    if (cli->data && cli->generate_given) {
        fputs("orders: --data and --generate exclude each other\n", stderr);
        return EXIT_USAGE;
    }
    enum flow_backpressure backpressure;
    if (!parse_backpressure(cli->backpressure, &backpressure, &error)) {
        fprintf(stderr, "orders: %s\n", error.text);
        return EXIT_USAGE;
    }
    struct ord_source *source = cli_source(cli, &error);
    if (!source)
        return failed(error.text);
    if (!open_output(cli->notices, &screen.notices, &error) ||
        !open_output(cli->dropped, &screen.dropped, &error)) {
        ord_source_close(source);
        return failed(error.text);
    }
    /* Made-up orders show every outcome; a real file is taken as it is. */
    struct seeded_provider provider;
    seeded_provider_init(&provider, (uint64_t)cli->seed,
                         cli->declines_given || cli->data ? (unsigned)cli->declines : 20,
                         cli->late_given || cli->data ? (unsigned)cli->late : 2);
    struct flow_options options = {
        .source = source,
        .name = cli->data ? cli->data : "generator",
        .db = cli->db,
        .workers = (unsigned)cli->workers,
        .stock = cli->stock,
        .stock_given = cli->stock_given,
        .backpressure = backpressure,
        .under_way = (uint32_t)cli->under_way,
        .dropped = screen.dropped ? write_dropped : NULL,
        .window_s = cli->window_min * 60,
        .provider = &provider.base,
        .progress = show_progress,
        .complain = show_complaint,
        .deliver = screen.notices ? write_notice : NULL,
        .user = &screen,
    };
    struct flow_result result;
    bool good = flow_run(&options, &result, &error);
    progress_clear(&screen.progress);
    ord_source_close(source);
    struct ord_error why;
    bool closed = close_output(cli->notices, screen.notices, &why);
    closed = close_output(cli->dropped, screen.dropped, &why) && closed;
    if (good && !closed) {
        error = why;
        good = false;
    }
    return good ? finish_run(cli, &screen, &result, &error) : failed(error.text);
}

static int generate(const struct cli *cli)
{
    struct ord_error error = {.text = ""};
    char buffer[65536];
    long n;
    FILE *out = cli->out ? fopen(cli->out, "w") : stdout;
    if (!out) {
        ord_fail(&error, "'%s' cannot be opened: %s", cli->out, strerror(errno));
        return failed(error.text);
    }
    struct ord_source *source = cli_source(cli, &error);
    bool good = source != NULL;
    while (good && (n = source->read(source, buffer, sizeof(buffer), &error)) != 0)
        good = n > 0 && fwrite(buffer, 1, (size_t)n, out) == (size_t)n;
    /* cppcheck-suppress useClosedFile ; it is closed or flushed, never both */
    good = (cli->out ? fclose(out) : fflush(out)) == 0 && good;
    ord_source_close(source);
    if (!good && error.text[0] == '\0')
        ord_fail(&error, "'%s' cannot be written: %s", cli->out ? cli->out : "output",
                 strerror(errno));
    return good ? EXIT_GOOD : failed(error.text);
}

static int report(const struct cli *cli)
{
    struct ord_error error;
    bool balanced = false;
    if (!report_books(stdout, cli->db, cli->json, NULL, &balanced, &error))
        return failed(error.text);
    return fflush(stdout) != 0 ? failed("the report cannot be written")
           : balanced          ? EXIT_GOOD
                               : EXIT_WRONG;
}

static int verify(const struct cli *cli)
{
    struct verify_result result;
    char why[VERIFY_TEXT_SIZE];
    if (!cli->gateway != !cli->processing) {
        fputs("orders: --gateway and --processing go together: the nodes are checked against each "
              "other\n",
              stderr);
        return EXIT_USAGE;
    }
    if (!verify_books(cli->db, &result, why) ||
        (cli->gateway && !verify_nodes(cli->db, cli->gateway, cli->processing, &result, why)))
        return failed(why);
    report_verified(stdout, cli->db, cli->json, &result);
    return fflush(stdout) != 0  ? failed("the result cannot be written")
           : result.failed == 0 ? EXIT_GOOD
                                : EXIT_WRONG;
}

static const struct command {
    const char *name, *options, *summary;
    int (*function)(const struct cli *cli);
} commands[] = {
    {"run", "hvjqfbngslwkdtmpru",
     "Takes orders through validation, payment, inventory and ledger into the database, then\n"
     "reports. Without --data, orders are made up. Orders that the database knows already are\n"
     "recognised: a run that was interrupted is resumed by running it again.\n",
     run},
    {"generate", "hvgslo", "Writes made-up orders as CSV: the same options, the same bytes.\n",
     generate},
    {"report", "hvjb", "Tells what the books hold.\n", report},
    {"verify", "hvjbGC",
     "Checks every promise of the books from the database alone. With the databases of the other\n"
     "two nodes, also that all three say the same.\n",
     verify},
    {"node", "hvjfbngslwkdtmRLPcKaDABV",
     "One of three nodes: the gateway takes orders in, processing validates them and asks for\n"
     "payment, the ledger reserves stock, keeps the books and tells customers. Each has a "
     "database\n"
     "of its own. Whichever is away or killed, the others do what they can, and what is missing "
     "is\n"
     "made up when it is back. Runs until SIGTERM.\n",
     node_command},
    {"send", "hvjfgslT",
     "Sends orders as messages.OrderMessage to an actor of any node of Proto.Actor, such as the\n"
     "actor `order` of a gateway, and counts what it answers. What gets no answer is sent again.\n",
     send_command},
};

static void print_help(const struct command *command)
{
    if (!command) {
        fputs(usage, stdout);
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
            fprintf(stdout, "\n%s\n%s", commands[i].name, commands[i].summary);
    } else {
        fprintf(stdout, "usage: orders %s [options]\n\n%s", command->name, command->summary);
        cli_print_options(stdout, command->options);
    }
    fputs(exit_codes, stdout);
}

int main(int argc, char **argv)
{
    struct ord_error error;
    struct cli cli;
    signal(SIGPIPE, SIG_IGN); /* A reader that went away is an error of writing, told as such, */
    signal(SIGXFSZ, SIG_IGN); /* and so is a file that must not grow. */
    size_t command = 0, count = sizeof(commands) / sizeof(commands[0]);
    if (argc >= 2)
        while (command < count && strcmp(argv[1], commands[command].name) != 0)
            command++;
    bool named = argc >= 2 && command < count;
    bool good = cli_parse(argc - 1 - named, argv + 1 + named,
                          named ? commands[command].options : "hv", &cli, &error);
    if (!good && !named)
        ord_fail(&error,
                 "unknown command '%.64s', want run, generate, report, verify, node or send",
                 argv[1]);
    if (!good || (argc < 2)) {
        fprintf(stderr, "orders: %s\n%s", good ? "no command" : error.text, usage);
        return EXIT_USAGE;
    }
    if (cli.help || cli.version) {
        if (cli.help)
            print_help(named ? &commands[command] : NULL);
        else
            fputs("orders " TR_VERSION_STRING "\n", stdout);
        return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_CANNOT;
    }
    return commands[command].function(&cli);
}
