/*
 * tests/interop/node.c - a node of ours that a test drives by lines, as peer/ is one of
 * protoactor-go; see README.md. On the public API alone.
 */
#include "actors.h"

#include <time.h>
#include <unistd.h>

#define WORDS_MAX 8

struct node {
    tr_system *sys;
    tr_ctx *ctx;
    tr_remote *remote;
    tr_pid driver;
};

static struct node node;

/* ---- Reading ------------------------------------------------------------------------------ */

/* Nobody, and why in an answer, if there can be none. */
static tr_pid pid_of(const char *text)
{
    char id[TEXT_MAX];
    const char *at = strrchr(text, '@');
    tr_pid pid = TR_NOBODY;
    if (!at) {
        pid = tr_lookup(node.ctx, text);
    } else {
        snprintf(id, sizeof id, "%.*s", (int)(at - text), text);
        pid = tr_remote_pid(node.ctx, at + 1, id);
    }
    return pid;
}

static bool answer_pid(tr_pid pid, const char *text)
{
    if (!tr_pid_is_nobody(pid))
        return true;
    say("error %s: %s", text, tr_strerror(tr_pid_err(pid)));
    return false;
}

static bool answer_value(struct value value, const char *text)
{
    if (value.type)
        return true;
    say("error there is no message %s", text);
    return false;
}

static void answer_spawned(tr_pid pid)
{
    char text[TEXT_MAX];
    if (answer_pid(pid, "spawn"))
        say("ok %s", pid_text(node.ctx, pid, text));
}

/* ---- Commands ----------------------------------------------------------------------------- */

static void do_spawn(char **words)
{
    for (const struct tr_remote_kind *kind = kinds; kind->kind; kind++) {
        if (strcmp(kind->kind, words[1]) == 0) {
            answer_spawned(tr_spawn(node.ctx, kind->args.actor, .name = words[0]));
            return;
        }
    }
    say("error there is no kind %s", words[1]);
}

static void do_forwarder(char **words)
{
    struct forwarder arg = {pid_of(words[1])};
    if (answer_pid(arg.to, words[1]))
        answer_spawned(tr_spawn(node.ctx, &forwarder_actor, .name = words[0], .arg = &arg));
}

static void do_send(char **words)
{
    tr_pid to = pid_of(words[0]);
    struct value value = value_parse(words[1]);
    if (!answer_pid(to, words[0]) || !answer_value(value, words[1]))
        return;
    tr_send_copy_(node.ctx, to, value.type, value.body, value.size);
    free(value.body);
    say("ok");
}

static void give_order(char what, const char *pid, struct value value)
{
    struct order order = {.what = what, .to = pid_of(pid), .value = value};
    if (!answer_pid(order.to, pid))
        return;
    tr_send_copy_(node.ctx, node.driver, &order_type, &order, sizeof order);
    say("ok");
}

static void do_request(char **words)
{
    struct value value = value_parse(words[1]);
    if (answer_value(value, words[1]))
        give_order('m', words[0], value);
}

static void do_watch(char **words)
{
    give_order('w', words[0], (struct value){NULL, 0, NULL});
}

static void do_unwatch(char **words)
{
    give_order('u', words[0], (struct value){NULL, 0, NULL});
}

static void send_on_errand(struct errand *errand)
{
    tr_pid pid = tr_spawn(node.ctx, &errand_actor, .arg = errand);
    if (answer_pid(pid, "errand"))
        say("ok");
}

static void do_ask(char **words)
{
    bool touch = strcmp(words[3], "touch") == 0;
    struct errand errand = {.what = touch ? 't' : 'a', .to = pid_of(words[1])};
    if (!touch)
        errand.value = value_parse(words[3]);
    if (!answer_pid(errand.to, words[1]) || (!touch && !answer_value(errand.value, words[3])))
        return;
    snprintf(errand.tag, sizeof errand.tag, "%s", words[0]);
    errand.ms = (unsigned)strtoul(words[2], NULL, 10);
    send_on_errand(&errand);
}

/* ask-outside PID MS num:N: of a thread that is no worker, which waits for it. */
static void do_ask_outside(char **words)
{
    struct number answer;
    struct value value = value_parse(words[2]);
    if (value.type != &number_type) {
        say("error %s is not num:N", words[2]);
        free(value.body);
        return;
    }
    tr_err err = tr_ask(node.ctx, pid_of(words[0]), TR_INTO(number, &answer),
                        (unsigned)strtoul(words[1], NULL, 10), number,
                        .value = ((const struct number *)value.body)->value);
    free(value.body);
    if (err)
        say("error %s", tr_strerror(err));
    else
        say("ok num:%" PRIu64, answer.value);
}

static void do_ask_with(char **words)
{
    struct errand errand = {.what = 'h', .to = pid_of(words[1]), .value = value_parse(words[3])};
    if (!answer_pid(errand.to, words[1]) || !answer_value(errand.value, words[3]))
        return;
    snprintf(errand.tag, sizeof errand.tag, "%s", words[0]);
    snprintf(errand.name, sizeof errand.name, "%s", words[4]);
    errand.ms = (unsigned)strtoul(words[2], NULL, 10);
    send_on_errand(&errand);
}

static void do_end(char **words)
{
    struct errand errand = {.what = words[1][0], .to = pid_of(words[2])};
    if (!answer_pid(errand.to, words[2]))
        return;
    snprintf(errand.tag, sizeof errand.tag, "%s", words[0]);
    send_on_errand(&errand);
}

static void do_spawn_at(char **words)
{
    struct errand errand = {.what = 'n', .ms = (unsigned)strtoul(words[4], NULL, 10)};
    snprintf(errand.tag, sizeof errand.tag, "%s", words[0]);
    snprintf(errand.address, sizeof errand.address, "%s", words[1]);
    snprintf(errand.name, sizeof errand.name, "%s", strcmp(words[2], "-") == 0 ? "" : words[2]);
    snprintf(errand.kind, sizeof errand.kind, "%s", words[3]);
    send_on_errand(&errand);
}

static void do_stop(char **words)
{
    tr_pid pid = pid_of(words[0]);
    if (!answer_pid(pid, words[0]))
        return;
    tr_stop(node.ctx, pid);
    say("ok");
}

static void do_poison(char **words)
{
    tr_pid pid = pid_of(words[0]);
    if (!answer_pid(pid, words[0]))
        return;
    tr_poison(node.ctx, pid);
    say("ok");
}

static void do_flood(char **words)
{
    struct flood flood = {.to = pid_of(words[1]),
                          .source = strtoull(words[2], NULL, 10),
                          .pause_us = strtoull(words[4], NULL, 10),
                          .hard = strcmp(words[4], "hard") == 0};
    uint64_t count;
    if (!answer_pid(flood.to, words[1]))
        return;
    if (sscanf(words[3], "%" SCNu64 ":%" SCNu64, &flood.next, &count) != 2) {
        say("error %s is not FROM:COUNT", words[3]);
        return;
    }
    flood.end = flood.next + count;
    snprintf(flood.tag, sizeof flood.tag, "%s", words[0]);
    if (answer_pid(tr_spawn(node.ctx, &flood_actor, .arg = &flood), "flood"))
        say("ok");
}

static void do_numbers(char **words)
{
    pthread_mutex_lock(&tables_lock);
    struct table *table = table_of(words[0], strtoull(words[1], NULL, 10), false);
    struct table copy = table ? *table : (struct table){.count = 0};
    pthread_mutex_unlock(&tables_lock);
    say("ok %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, copy.count, copy.last, copy.twice,
        copy.disordered);
}

static void do_dead(char **words)
{
    struct tr_accounts accounts;
    uint64_t dead = 0;
    (void)words;
    tr_system_accounts(node.sys, &accounts);
    for (size_t i = 0; i < TR_DEAD_REASON_COUNT; i++)
        dead += accounts.dead[i];
    say("ok %" PRIu64, dead);
}

/* accounts: "ACCEPTED PROCESSED DROPPED DEAD DEAD-OF-LINKS QUEUED UNKNOWN BALANCED" */
static void do_accounts(char **words)
{
    struct tr_accounts a;
    uint64_t dead = 0;
    (void)words;
    tr_system_accounts(node.sys, &a);
    for (size_t i = 0; i < TR_DEAD_REASON_COUNT; i++)
        dead += a.dead[i];
    say("ok %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %d",
        a.accepted, a.processed, a.dropped, dead, a.dead[TR_DEAD_LINK], a.queued, a.unknown,
        tr_accounts_balance(&a));
}

/* link ADDRESS: "STATE DIALECT SENT RECEIVED QUEUED DEAD UNKNOWN REFUSED REJECTED CONNECTS
 * FORWARDED" */
static void do_link(char **words)
{
    static struct tr_link_stats links[4096];
    size_t count = tr_remote_links(node.remote, links, sizeof links / sizeof links[0]);
    for (size_t i = 0; i < count && i < sizeof links / sizeof links[0]; i++) {
        const struct tr_link_stats *l = &links[i];
        if (strcmp(l->address, words[0]) != 0)
            continue;
        say("ok %d %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
            " %" PRIu64 " %" PRIu64 " %" PRIu64,
            (int)l->state, (int)l->dialect, l->sent, l->received, l->queued, l->dead, l->unknown,
            l->refused, l->rejected, l->connects, l->forwarded);
        return;
    }
    say("error there is no link to %s", words[0]);
}

static void do_shutdown(char **words)
{
    tr_err err = tr_remote_stop(node.remote, strcmp(words[0], "graceful") == 0 ? 5000 : 0);
    if (err)
        say("error %s", tr_strerror(err));
    else
        say("ok");
}

static void do_block(char **words)
{
    tr_err err = tr_remote_block(node.remote, words[0]);
    if (err)
        say("error %s", tr_strerror(err));
    else
        say("ok");
}

static const struct {
    const char *name;
    int words;
    void (*run)(char **words);
} commands[] = {
    {"spawn", 2, do_spawn},
    {"forwarder", 2, do_forwarder},
    {"send", 2, do_send},
    {"request", 2, do_request},
    {"ask", 4, do_ask},
    {"ask-with", 5, do_ask_with},
    {"watch", 1, do_watch},
    {"unwatch", 1, do_unwatch},
    {"stop", 1, do_stop},
    {"poison", 1, do_poison},
    {"end", 3, do_end},
    {"spawn-at", 5, do_spawn_at},
    {"flood", 5, do_flood},
    {"numbers", 2, do_numbers},
    {"ask-outside", 3, do_ask_outside},
    {"dead", 0, do_dead},
    {"accounts", 0, do_accounts},
    {"link", 1, do_link},
    {"block", 1, do_block},
    {"shutdown", 1, do_shutdown},
};

static void obey(char *line)
{
    char *words[WORDS_MAX];
    int count = 0;
    for (char *word = strtok(line, " \n"); word && count < WORDS_MAX; word = strtok(NULL, " \n"))
        words[count++] = word;
    if (count == 0)
        return;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, words[0]) != 0)
            continue;
        if (commands[i].words == count - 1)
            commands[i].run(words + 1);
        else
            say("error %s: wrong number of words", words[0]);
        return;
    }
    say("error %s: no such command", words[0]);
}

/* With TROUPE_INTEROP_VERBOSE everything that the node logs. */
static void log_all(void *user, enum tr_log_level level, const char *line)
{
    (void)user;
    fprintf(stderr, "%d %s\n", (int)level, line);
}

/* ---- Start and end ------------------------------------------------------------------------ */

/* NAME=TO, or NAME=TO=TYPE with the only type that may pass. */
static bool option_route(struct tr_remote_config *config, const char *value)
{
    static struct tr_remote_route routes[64];
    static const char *types[64][2];
    static size_t count;
    char *text = count < 63 ? strdup(value) : NULL;
    char *to = text ? strchr(text, '=') : NULL;
    if (!to)
        return false;
    *to++ = '\0';
    char *type = strchr(to, '=');
    if (type) {
        *type++ = '\0';
        types[count][0] = type;
    }
    routes[count] = (struct tr_remote_route){text, to, type ? types[count] : NULL};
    count++;
    config->routes = routes;
    return true;
}

static bool option(struct tr_remote_config *config, struct tr_remote_tls *tls, const char *name,
                   const char *value)
{
    static struct tr_remote_peer peers[64];
    static size_t peer_count;
    unsigned number = (unsigned)strtoul(value, NULL, 10);
    if (strcmp(name, "--listen") == 0)
        config->listen = value;
    else if (strcmp(name, "--advertise") == 0)
        config->advertise = value;
    else if (strcmp(name, "--tls-cert") == 0)
        tls->certificate_file = value;
    else if (strcmp(name, "--tls-key") == 0)
        tls->key_file = value;
    else if (strcmp(name, "--tls-ca") == 0)
        tls->ca_file = value;
    else if (strcmp(name, "--backoff") == 0)
        config->backoff_ms_min = config->backoff_ms_max = number;
    else if (strcmp(name, "--give-up") == 0)
        config->give_up_ms = number;
    else if (strcmp(name, "--idle") == 0)
        config->idle_ms = number;
    else if (strcmp(name, "--lost") == 0)
        config->lost_ms = number;
    else if (strcmp(name, "--plaintext") == 0)
        config->plaintext = number != 0;
    else if (strcmp(name, "--queue") == 0)
        config->queue_bytes = number;
    else if (strcmp(name, "--overflow") == 0)
        config->overflow = (enum tr_overflow)number;
    else if (strcmp(name, "--watches") == 0)
        config->watches_max = number;
    else if (strcmp(name, "--message-bytes") == 0)
        config->message_bytes = number;
    else if (strcmp(name, "--allow") == 0)
        config->allow = number ? number : TR_REMOTE_NOTHING;
    else if (strcmp(name, "--route") == 0)
        return option_route(config, value);
    else if (strcmp(name, "--dial-only") == 0)
        config->dial_only = number != 0;
    else if (strncmp(name, "--dialect-", 10) == 0 && peer_count < 63) {
        peers[peer_count].address = value;
        peers[peer_count++].dialect = name[10] == 'a'   ? TR_DIALECT_A
                                      : name[10] == 'b' ? TR_DIALECT_B
                                                        : TR_DIALECT_DOTNET;
        config->peers = peers;
    } else
        return false;
    return true;
}

static void start(int argc, char **argv)
{
    struct tr_remote_tls tls = {NULL, NULL, NULL};
    struct tr_remote_config config = {.types = value_types, .kinds = kinds};
    struct tr_error error;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !option(&config, &tls, argv[i], argv[i + 1])) {
            fprintf(stderr, "interop_node: cannot make sense of '%s'\n", argv[i]);
            exit(2);
        }
    }
    if (tls.certificate_file)
        config.tls = &tls;
    struct tr_config system = {.workers = 2};
    if (getenv("TROUPE_INTEROP_VERBOSE"))
        system.log = log_all;
    if (tr_system_create_(&node.sys, &system, &error) ||
        tr_remote_start(node.sys, &config, &node.remote, &error)) {
        fprintf(stderr, "interop_node: %s\n", error.text);
        tr_system_destroy(node.sys);
        exit(2);
    }
    node.ctx = tr_root(node.sys);
    node.driver = tr_spawn(node.ctx, &driver_actor, .name = "driver");
    if (tr_pid_is_nobody(node.driver))
        abort();
    say("ready %s %d", tr_remote_address(node.remote), (int)getpid());
}

/* The accounts must balance at the end; the test sees it by the exit code. */
static int end(void)
{
    struct tr_accounts accounts;
    (void)tr_remote_stop(node.remote, 5000);
    (void)tr_system_stop(node.sys, 5000);
    tr_system_accounts(node.sys, &accounts);
    bool balanced = tr_accounts_balance(&accounts) && accounts.queued == 0;
    if (!balanced)
        fprintf(stderr, "interop_node: the accounts do not balance\n");
    tr_system_destroy(node.sys);
    for (size_t i = 0; i < table_count; i++)
        free(tables[i].seen);
    return balanced ? 0 : 1;
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t line_size = 0;
    start(argc, argv);
    while (getline(&line, &line_size, stdin) > 0 && strcmp(line, "exit\n") != 0)
        obey(line);
    free(line);
    int code = end();
    say("ok");
    return code;
}
