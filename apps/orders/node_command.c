/* node_command.c - `orders node`: options in, words out; nodes/node.h does the work. */
#include "node_command.h"

#include "json.h"
#include "nodes/node.h"

#include <errno.h>
#include <string.h>

#define COMPLAINTS_SHOWN 20u

struct desk_words {
    FILE *notices, *acknowledged;
    pthread_mutex_t lock; /* of what several threads count */
    unsigned complaints;
};

static void say(void *user, enum node_role role, const char *sentence)
{
    (void)user;
    fprintf(stderr, "orders: %s: %s\n", role == ROLE_NONE ? "node" : node_role_name(role),
            sentence);
}

static void complain(void *user, const char *sentence)
{
    struct desk_words *words = user;
    pthread_mutex_lock(&words->lock);
    bool shown = words->complaints++ < COMPLAINTS_SHOWN;
    pthread_mutex_unlock(&words->lock);
    if (shown)
        say(user, ROLE_GATEWAY, sentence);
}

/* The database says that the notice was given, so it leaves the process at once. */
static bool give_notice(void *user, const struct notice *notice)
{
    struct desk_words *words = user;
    return fprintf(words->notices, "%s %s\n", notice->key, ord_state_name(notice->state)) > 0 &&
           fflush(words->notices) == 0;
}

static void acknowledge(void *user, const char *key)
{
    struct desk_words *words = user;
    fprintf(words->acknowledged, "%s\n", key);
    fflush(words->acknowledged);
}

static int cannot(const char *sentence)
{
    fprintf(stderr, "orders: %s\n", sentence);
    return EXIT_CANNOT;
}

static int wrong(const char *sentence)
{
    fprintf(stderr, "orders: %s\n", sentence);
    return EXIT_USAGE;
}

/* ---- Options --------------------------------------------------------------- */

static bool parse_peer(const char *text, struct node_options *options, struct ord_error *error)
{
    char name[16];
    const char *equals = strchr(text, '=');
    size_t size = equals ? (size_t)(equals - text) : 0;
    if (size == 0 || size >= sizeof(name) || equals[1] == '\0')
        return ord_fail(error, "--peer is '%.64s', want ROLE=HOST:PORT", text);
    memcpy(name, text, size);
    name[size] = '\0';
    enum node_role role = node_role_of(name);
    if (role == ROLE_NONE)
        return ord_fail(error, "--peer names '%s', want gateway, processing or ledger", name);
    if (options->role == ROLE_NONE || role == options->role)
        return ord_fail(error, "--peer %s: this node is that itself", name);
    if (options->peer[role])
        return ord_fail(error, "--peer %s is given twice", name);
    options->peer[role] = equals + 1;
    return true;
}

static bool check_tls(const struct cli *cli, struct ord_error *error)
{
    const char *missing = !cli->tls_cert  ? "--tls-cert"
                          : !cli->tls_key ? "--tls-key"
                          : !cli->tls_ca  ? "--tls-ca"
                                          : NULL;
    if (!missing || (!cli->tls_cert && !cli->tls_key && !cli->tls_ca))
        return true;
    return ord_fail(error, "--tls-cert, --tls-key and --tls-ca go together: %s is missing",
                    missing);
}

/* What this role does not do must not be asked of it. */
static bool check_options(const struct cli *cli, const struct node_options *options,
                          struct ord_error *error)
{
    enum node_role role = options->role;
    const char *only = NULL;
    if (role != ROLE_NONE && role != ROLE_GATEWAY &&
        (cli->data || cli->generate_given || cli->acknowledged || cli->until_done))
        only = "--data, --generate, --acknowledged and --until-done are for the gateway";
    else if (role != ROLE_NONE && role != ROLE_LEDGER && (cli->stock_given || cli->notices))
        only = "--stock and --notices are for the ledger";
    else if (role != ROLE_NONE && role != ROLE_PROCESSING &&
             (cli->declines_given || cli->late_given || cli->provider))
        only = "--declines, --late and --provider are for processing";
    else if (cli->data && cli->generate_given)
        only = "--data and --generate exclude each other";
    if (only)
        return ord_fail(error, "%s", only);
    if (!check_tls(cli, error))
        return false;
    for (int64_t i = 0; i < cli->peers; i++)
        if (!parse_peer(cli->peer[i], (struct node_options *)options, error))
            return false;
    for (int peer = ROLE_GATEWAY; role != ROLE_NONE && peer < ROLE_COUNT; peer++)
        if (peer != (int)role && !options->peer[peer])
            return ord_fail(error, "where is the %s? Say --peer %s=HOST:PORT",
                            node_role_name((enum node_role)peer),
                            node_role_name((enum node_role)peer));
    return true;
}

static bool parse_role(const char *text, enum node_role *ret_role, struct ord_error *error)
{
    *ret_role = ROLE_NONE;
    if (!text || strcmp(text, "all") == 0)
        return true;
    *ret_role = node_role_of(text);
    return *ret_role != ROLE_NONE ||
           ord_fail(error, "--role is '%.64s', want gateway, processing, ledger or all", text);
}

/* ---- The report at the end ------------------------------------------------- */

static void report_text(FILE *out, const struct node_result *result)
{
    const struct role_gateway_figures *figures = &result->gateway;
    char a[32], b[32], c[32];
    if (result->has[ROLE_GATEWAY]) {
        fprintf(out, "gateway: accepted %s orders and refusals so far, %s of them have ended\n",
                ord_count(a, (int64_t)figures->accepted), ord_count(b, (int64_t)figures->ended));
        fprintf(out, "   this time: %s orders accepted, %s recognised, %s refused in %.2f s\n",
                ord_count(a, (int64_t)figures->entered), ord_count(b, (int64_t)figures->known),
                ord_count(c, (int64_t)figures->refused), result->seconds);
    }
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
        for (int i = ROLE_GATEWAY; result->has[role] && i < ROLE_COUNT; i++) {
            const struct desk_peer_status *peer = &result->peer[role][i];
            if (!peer->configured)
                continue;
            fprintf(out, "%s: to %s %s parcels, %s not acknowledged; from it %s, ",
                    node_role_name((enum node_role)role), node_role_name((enum node_role)i),
                    ord_count(a, (int64_t)peer->kept),
                    ord_count(b, (int64_t)(peer->kept - peer->acked)),
                    ord_count(c, (int64_t)peer->applied));
            fprintf(out, "%s came again\n", ord_count(a, (int64_t)peer->repeated));
        }
    }
}

static void report_json(FILE *out, const struct node_result *result)
{
    struct json json = {.out = out};
    const struct role_gateway_figures *figures = &result->gateway;
    json_open(&json, NULL, '{');
    if (result->has[ROLE_GATEWAY]) {
        json_int(&json, "accepted", (int64_t)figures->accepted);
        json_int(&json, "ended", (int64_t)figures->ended);
        json_int(&json, "orders_entered", (int64_t)figures->entered);
        json_int(&json, "lines_entered", (int64_t)figures->entered_lines);
        json_int(&json, "orders_known", (int64_t)figures->known);
        json_int(&json, "lines_known", (int64_t)figures->known_lines);
        json_int(&json, "refused", (int64_t)figures->refused);
        json_int(&json, "refused_lines", (int64_t)figures->refused_lines);
    }
    json_real(&json, "seconds", result->seconds);
    json_bool(&json, "messages_accounted", result->accounts_balance);
    json_open(&json, "pairs", '[');
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
        for (int i = ROLE_GATEWAY; result->has[role] && i < ROLE_COUNT; i++) {
            const struct desk_peer_status *peer = &result->peer[role][i];
            if (!peer->configured)
                continue;
            json_open(&json, NULL, '{');
            json_text(&json, "node", node_role_name((enum node_role)role));
            json_text(&json, "peer", node_role_name((enum node_role)i));
            json_int(&json, "sent", (int64_t)peer->kept);
            json_int(&json, "acknowledged", (int64_t)peer->acked);
            json_int(&json, "received", (int64_t)peer->applied);
            json_int(&json, "repeated", (int64_t)peer->repeated);
            json_int(&json, "went_back", (int64_t)peer->went_back);
            json_close(&json, '}');
        }
    }
    json_close(&json, ']');
    json_close(&json, '}');
}

/* ---- Running --------------------------------------------------------------- */

static bool open_outputs(const struct cli *cli, struct desk_words *words, struct ord_error *error)
{
    if (cli->notices && !(words->notices = fopen(cli->notices, "a")))
        return ord_fail(error, "'%s' cannot be opened: %s", cli->notices, strerror(errno));
    if (cli->acknowledged && !(words->acknowledged = fopen(cli->acknowledged, "a")))
        return ord_fail(error, "'%s' cannot be opened: %s", cli->acknowledged, strerror(errno));
    return true;
}

static bool close_outputs(struct desk_words *words)
{
    bool good = true;
    if (words->notices)
        good = fclose(words->notices) == 0;
    if (words->acknowledged)
        good = fclose(words->acknowledged) == 0 && good;
    return good;
}

static int run_node(const struct cli *cli, struct node_options *options, struct desk_words *words)
{
    struct ord_error error = {.text = ""};
    struct node_result result;
    if (cli->data || cli->generate_given) {
        options->source = cli_source(cli, &error);
        if (!options->source)
            return cannot(error.text);
    }
    bool opened = open_outputs(cli, words, &error);
    options->deliver = words->notices ? give_notice : NULL;
    options->acknowledge = words->acknowledged ? acknowledge : NULL;
    bool good = opened && node_run(options, &result, &error);
    struct ord_source *source = options->source;
    ord_source_close(source);
    if (!close_outputs(words) && good)
        good = ord_fail(&error, "what was told cannot be written: %s", strerror(errno));
    if (!good)
        return cannot(error.text);
    if (result.broken)
        fprintf(stderr, "orders: %s\n", error.text);
    if (cli->json)
        report_json(stdout, &result);
    else
        report_text(stdout, &result);
    if (fflush(stdout) != 0)
        return cannot("the report cannot be written");
    /* What others send and is refused is theirs to mend; a file is ours. */
    bool refused = source && result.gateway.refused > 0;
    return refused || result.broken || !result.accounts_balance ? EXIT_WRONG : EXIT_GOOD;
}

int node_command(const struct cli *cli)
{
    struct ord_error error;
    struct desk_words words = {.notices = NULL};
    struct seeded_provider provider;
    bool made_up = !cli->data;
    seeded_provider_init(&provider, (uint64_t)cli->seed,
                         cli->declines_given || !made_up ? (unsigned)cli->declines : 20,
                         cli->late_given || !made_up ? (unsigned)cli->late : 2);
    struct tr_remote_tls tls = {
        .certificate_file = cli->tls_cert, .key_file = cli->tls_key, .ca_file = cli->tls_ca};
    struct node_options options = {
        .db = cli->db,
        .listen = cli->listen,
        .tls = cli->tls_cert ? &tls : NULL,
        .workers = (unsigned)cli->workers,
        .backlog_max = (uint64_t)cli->backlog,
        .name = cli->data             ? cli->data
                : cli->generate_given ? "generator"
                                      : "a message",
        .until_done = cli->until_done,
        .window_s = cli->window_min * 60,
        .provider = &provider.base,
        .stock = cli->stock,
        .stock_given = cli->stock_given,
        .complain = complain,
        .say = say,
        .user = &words,
    };
    if (!parse_role(cli->role, &options.role, &error) || !check_options(cli, &options, &error))
        return wrong(error.text);
    if (cli->provider && !seeded_provider_remember(&provider, cli->provider, &error)) {
        seeded_provider_fini(&provider);
        return cannot(error.text);
    }
    pthread_mutex_init(&words.lock, NULL);
    int code = run_node(cli, &options, &words);
    pthread_mutex_destroy(&words.lock);
    seeded_provider_fini(&provider);
    return code;
}
