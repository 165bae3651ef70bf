/*
 * send_command.c - `orders send`: orders as messages.OrderMessage to one actor of any node, each
 * asked again until it is answered. The receiver knows an order by its order_id, so that does no
 * harm. What the answers say is counted by status.
 */
#include "send_command.h"

#include "intake.h"
#include "json.h"
#include "messages.troupe.h"

#include "troupe/remote.h"
#include "troupe/troupe.h"

#include <math.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#define UNDER_WAY 256u
#define PATIENCE_MS 3000u
#define TRIES_MAX 40u
#define STATUSES_MAX 16u

struct tally {
    uint64_t sent, answered, again, without_answer, skipped;
    uint64_t amounts_differ; /* the answer names another amount */
    struct {
        char text[64];
        uint64_t count;
    } status[STATUSES_MAX];
    unsigned statuses;
};

/* One that is under way; places are used in turn. */
struct pending {
    uint64_t call;
    unsigned tries;
    struct messages_order_message order;
};

struct sender_args {
    tr_pid to;
    struct tally *tally; /* the actor's until the system has ended */
    sem_t *room;         /* as many as may still be sent */
};
struct sender {
    struct sender_args args;
    struct pending pending[UNDER_WAY];
};

static tr_err sender_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct sender *)state)->args = *(const struct sender_args *)arg;
    return TR_OK;
}

static void ask(tr_ctx *ctx, struct sender *self, struct pending *pending)
{
    pending->tries++;
    pending->call = tr_request_(ctx, self->args.to, PATIENCE_MS, &messages_order_message_type,
                                &pending->order, sizeof(pending->order));
}

static tr_err on_order(tr_ctx *ctx, struct sender *self, const struct messages_order_message *msg)
{
    for (unsigned i = 0; i < UNDER_WAY; i++) {
        if (self->pending[i].call != 0)
            continue;
        self->pending[i] = (struct pending){.order = *msg};
        self->args.tally->sent++;
        ask(ctx, self, &self->pending[i]);
        return TR_OK;
    }
    return tr_fail(ctx, TR_EFULL, "more than %u orders are under way", UNDER_WAY);
}

static struct pending *find(tr_ctx *ctx, struct sender *self)
{
    for (unsigned i = 0; i < UNDER_WAY; i++)
        if (self->pending[i].call == tr_call(ctx))
            return &self->pending[i];
    return NULL;
}

static void finish(struct sender *self, struct pending *pending)
{
    pending->call = 0;
    sem_post(self->args.room);
}

static void count_status(struct tally *tally, const char *text)
{
    unsigned i = 0;
    while (i < tally->statuses && strcmp(tally->status[i].text, text) != 0)
        i++;
    if (i == STATUSES_MAX)
        i = STATUSES_MAX - 1; /* The last one stands for all others. */
    if (i == tally->statuses) {
        snprintf(tally->status[i].text, sizeof(tally->status[i].text), "%s", text);
        tally->statuses++;
    }
    tally->status[i].count++;
}

static tr_err on_answer(tr_ctx *ctx, struct sender *self, const struct messages_ledger_message *msg)
{
    struct pending *pending = find(ctx, self);
    struct tally *tally = self->args.tally;
    if (!pending)
        return TR_OK;
    tally->answered++;
    tally->amounts_differ += fabsf(msg->amount - pending->order.amount) > 0.005f ||
                             strcmp(msg->order_id, pending->order.order_id) != 0;
    count_status(tally, msg->status);
    finish(self, pending);
    return TR_OK;
}

static tr_err on_no_answer(tr_ctx *ctx, struct sender *self, const struct tr_request_failed *msg)
{
    struct pending *pending = find(ctx, self);
    (void)msg;
    if (pending && pending->tries < TRIES_MAX) {
        self->args.tally->again++;
        ask(ctx, self, pending);
    } else if (pending) {
        self->args.tally->without_answer++;
        finish(self, pending);
    }
    return TR_OK;
}

#define SENDER_HANDLERS(ON)                \
    ON(messages_order_message, on_order)   \
    ON(messages_ledger_message, on_answer) \
    ON(tr_request_failed, on_no_answer)
TR_DISPATCH(sender, SENDER_HANDLERS);

static const struct tr_actor sender_actor = {
    .name = "sender",
    .state_size = sizeof(struct sender),
    .arg_size = sizeof(struct sender_args),
    .init = sender_init,
    .receive = sender_receive,
    .accepts = sender_accepts,
};

/* ---- From orders to messages ----------------------------------------------- */

/* What is to be paid for. False: a cancellation, or nothing with a price. */
static bool make_message(const struct doc *doc, struct messages_order_message *message)
{
    int64_t pence = 0;
    if (doc->what != DOC_ORDER || doc->key[0] == 'C' || doc->key[0] == 'A')
        return false;
    for (uint32_t i = 0; i < doc->lines; i++)
        if (doc->line[i].amount > 0)
            pence += doc->line[i].amount;
    if (pence == 0)
        return false;
    *message = (struct messages_order_message){.amount = (float)((double)pence / 100)};
    snprintf(message->order_id, sizeof(message->order_id), "%s", doc->key);
    snprintf(message->user_id, sizeof(message->user_id), "%u", doc->customer);
    return true;
}

static bool send_all(struct intake *intake, tr_ctx *root, tr_pid sender, sem_t *room,
                     struct tally *tally, struct ord_error *error)
{
    struct doc doc = {.line = NULL};
    enum intake_result got;
    uint64_t skipped = 0;
    while ((got = intake_next(intake, &doc, error)) == INTAKE_DOC) {
        struct messages_order_message message;
        if (!make_message(&doc, &message)) {
            skipped++;
            continue;
        }
        while (sem_wait(room) != 0) {
        }
        tr_send_(root, sender, &messages_order_message_type, &message, sizeof(message));
    }
    for (unsigned i = 0; i < UNDER_WAY; i++) /* Everything has its answer, or none for good. */
        while (sem_wait(room) != 0) {
        }
    tally->skipped = skipped;
    free(doc.line);
    return got == INTAKE_END;
}

static int report(const struct cli *cli, const struct tally *tally)
{
    struct json json = {.out = stdout};
    char count[32];
    if (cli->json) {
        json_open(&json, NULL, '{');
        json_int(&json, "sent", (int64_t)tally->sent);
        json_int(&json, "answered", (int64_t)tally->answered);
        json_int(&json, "sent_again", (int64_t)tally->again);
        json_int(&json, "without_answer", (int64_t)tally->without_answer);
        json_int(&json, "skipped", (int64_t)tally->skipped);
        json_int(&json, "amounts_differ", (int64_t)tally->amounts_differ);
        json_open(&json, "status", '{');
        for (unsigned i = 0; i < tally->statuses; i++)
            json_int(&json, tally->status[i].text, (int64_t)tally->status[i].count);
        json_close(&json, '}');
        json_close(&json, '}');
    } else {
        printf("%s orders sent", ord_count(count, (int64_t)tally->sent));
        printf(", %s of them again\n", ord_count(count, (int64_t)tally->again));
        for (unsigned i = 0; i < tally->statuses; i++)
            printf("   %-50s %16s\n", tally->status[i].text,
                   ord_count(count, (int64_t)tally->status[i].count));
        printf("   %-50s %16s\n", "no answer", ord_count(count, (int64_t)tally->without_answer));
        printf("   %-50s %16s\n", "not sent: cancellations, nothing to pay, refused",
               ord_count(count, (int64_t)tally->skipped));
    }
    if (fflush(stdout) != 0)
        return EXIT_CANNOT;
    return tally->without_answer + tally->amounts_differ > 0 ? EXIT_WRONG : EXIT_GOOD;
}

/* ---- Running --------------------------------------------------------------- */

static bool run(tr_system *system, const char *to, struct intake *intake, struct tally *tally,
                struct ord_error *error)
{
    static const struct tr_type *const types[] = {&messages_order_message_type,
                                                  &messages_ledger_message_type, NULL};
    struct tr_error why;
    struct tr_remote_config config = {
        .types = types, .allow = TR_REMOTE_NOTHING, .backoff_ms_max = 500};
    tr_remote *remote;
    sem_t room;
    if (tr_remote_start(system, &config, &remote, &why))
        return ord_fail(error, "%s", why.text);
    tr_ctx *root = tr_root(system);
    struct sender_args args = {.to = tr_lookup(root, to), .tally = tally, .room = &room};
    if (tr_pid_is_nobody(args.to))
        return ord_fail(error, "--to '%.100s' cannot be addressed: %s", to,
                        tr_strerror(tr_pid_err(args.to)));
    tr_pid sender = tr_spawn(root, &sender_actor, .arg = &args);
    if (tr_pid_is_nobody(sender))
        return ord_fail(error, "the sender cannot start: %s", tr_strerror(tr_pid_err(sender)));
    sem_init(&room, 0, UNDER_WAY);
    bool good = send_all(intake, root, sender, &room, tally, error);
    tr_remote_stop(remote, 2000);
    tr_system_stop(system, 2000);
    sem_destroy(&room);
    return good;
}

int send_command(const struct cli *cli)
{
    struct ord_error error = {.text = ""};
    struct tally tally = {0};
    struct tr_error why;
    tr_system *system = NULL;
    if (cli->data && cli->generate_given) {
        fputs("orders: --data and --generate exclude each other\n", stderr);
        return EXIT_USAGE;
    }
    struct ord_source *source = cli_source(cli, &error);
    struct dict *products = dict_create(), *countries = dict_create();
    struct intake *intake = NULL;
    bool good = source && products && countries;
    if (good)
        intake = intake_create(&(struct intake_options){.source = source,
                                                        .name = cli->data ? cli->data : "generator",
                                                        .products = products,
                                                        .countries = countries},
                               &error);
    else if (source)
        ord_fail(&error, "memory is short");
    good = good && intake;
    if (good && tr_system_create_(&system, &(struct tr_config){.node = "send"}, &why))
        good = ord_fail(&error, "actors cannot run: %s", why.text);
    good = good && run(system, cli->to ? cli->to : "order@127.0.0.1:9000", intake, &tally, &error);
    tr_system_destroy(system);
    intake_destroy(intake);
    ord_source_close(source);
    dict_destroy(products);
    dict_destroy(countries);
    if (good)
        return report(cli, &tally);
    fprintf(stderr, "orders: %s\n", error.text);
    return EXIT_CANNOT;
}
