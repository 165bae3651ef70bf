/* flow.c - wires the actors, lets orders in at the rate the ledger commits, and sums up. */
#include "flow.h"

#include "actors.h"
#include "guard.h"
#include "intake.h"
#include "known.h"
#include "plant.h"
#include "rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Documents that are under way at most unless told otherwise, and lines of theirs: they bound
 * memory and latency. */
#define WINDOW 4096u
#define LINES_PER_ORDER 16u
#define WINDOW_LINES (WINDOW * LINES_PER_ORDER)
/* With back-pressure by queueing so many times as much. */
#define QUEUE_TIMES 16u
/* Room for lines that a document keeps when it is used again. */
#define KEPT_LINES 64u
#define PROGRESS_NS UINT64_C(200000000)

struct flow {
    const struct flow_options *options;
    struct flow_result *result;
    struct ord_error *error;
    struct dict *products, *countries;
    struct store *store;
    struct known *known;
    struct intake *intake;
    struct gate gate;
    struct doc *docs; /* `window` of them, used in turn */
    struct doc spare; /* BACKPRESSURE_DROP: what is read while there is no room */
    uint32_t window, window_lines;
    tr_system *system;
    tr_ctx *root;
    tr_pid notification;
    struct order_peers peers;
    uint64_t seq;        /* documents let in */
    uint64_t lines_sent; /* of theirs */
    uint64_t started_ns, progress_ns;
    double started_cpu;
};

/* Payment keeps nothing: it may start again, and orders that waited ask. The others hold
 * documents or sequences, which only the database can give back: the run ends. */
static const struct tr_supervision restart = {
    .on_failure = TR_RESTART, .restarts_max = 10, .within_ms = 1000};
static const struct tr_supervision end_run = {.on_failure = TR_STOP};

/* ---- Setting up ------------------------------------------------------------ */

static bool open_books(struct flow *flow)
{
    const struct flow_options *options = flow->options;
    flow->products = dict_create();
    flow->countries = dict_create();
    uint32_t times = options->backpressure == BACKPRESSURE_QUEUE ? QUEUE_TIMES : 1;
    flow->window = 1;
    while (flow->window < (options->under_way ? options->under_way : WINDOW))
        flow->window *= 2;
    flow->window *= times;
    flow->window_lines = flow->window < WINDOW ? WINDOW_LINES : flow->window * LINES_PER_ORDER;
    flow->docs = calloc(flow->window, sizeof(*flow->docs));
    if (!flow->products || !flow->countries || !flow->docs)
        return ord_fail(flow->error, "memory is short");
    /* The input is looked at first: a wrong file leaves no database behind. */
    flow->intake = intake_create(&(struct intake_options){.source = options->source,
                                                          .name = options->name,
                                                          .products = flow->products,
                                                          .countries = flow->countries,
                                                          .window_s = options->window_s},
                                 flow->error);
    if (!flow->intake)
        return false;
    flow->store = store_open(&(struct store_options){.path = options->db,
                                                     .products = flow->products,
                                                     .countries = flow->countries,
                                                     .stock = options->stock,
                                                     .stock_given = options->stock_given},
                             flow->error);
    if (!flow->store)
        return false;
    flow->known = known_open(options->db, flow->error);
    return flow->known != NULL;
}

static bool spawned(struct flow *flow, tr_pid pid, const char *name)
{
    if (!tr_pid_is_nobody(pid))
        return true;
    return ord_fail(flow->error, "actor '%s' cannot start: %s", name, tr_strerror(tr_pid_err(pid)));
}

static bool start_actors(struct flow *flow)
{
    const struct flow_options *options = flow->options;
    struct tr_error why;
    struct tr_config config = {
        .node = "orders", .workers = options->workers, .offload_threads = 1, .watchdog_ms = 5000};
    if (options->stage)
        flow->system = options->stage->system;
    else if (tr_system_create_(&flow->system, &config, &why))
        return ord_fail(flow->error, "the actor system cannot start: %s", why.text);
    flow->root = tr_root(flow->system);

    tr_pid guard = tr_spawn(flow->root, &guard_actor, .name = "guard",
                            .arg = &(struct guard_args){&flow->gate}, .supervise = &end_run);
    if (!spawned(flow, guard, "guard"))
        return false;
    tr_system_run(flow->system);      /* It listens before anything can fail. */
    if (!tr_alive(flow->root, guard)) /* … and of its own failure nobody would hear. */
        return ord_fail(flow->error, "actor 'guard' cannot start: memory is short");
    struct order_peers *peers = &flow->peers;
    peers->gate = &flow->gate;
    peers->validation = tr_spawn(flow->root, &validation_actor, .name = "validation",
                                 .supervise = &end_run);
    peers->payment = tr_spawn(flow->root, &payment_actor, .name = "payment",
                              .arg = &(struct payment_args){options->provider},
                              .supervise = &restart);
    peers->inventory = tr_spawn(
        flow->root, &inventory_actor, .name = "inventory",
        .arg = &(struct inventory_args){flow->store, flow->products, flow->window},
        .supervise = &end_run);
    peers->ledger = tr_spawn(flow->root, &ledger_actor, .name = "ledger",
                             .arg = &(struct ledger_args){flow->store, &flow->gate, flow->window},
                             .supervise = &end_run);
    peers->notification = tr_spawn(
        flow->root, &notification_actor, .name = "notification",
        .arg = &(struct notification_args){known_noticed(flow->known), peers->ledger,
                                           options->deliver, options->user},
        .supervise = &end_run);
    tr_system_run(flow->system); /* Stock is read before the first order comes in. */
    return spawned(flow, peers->validation, "validation") &&
           spawned(flow, peers->payment, "payment") &&
           spawned(flow, peers->inventory, "inventory") && spawned(flow, peers->ledger, "ledger") &&
           spawned(flow, peers->notification, "notification");
}

/* What an earlier run has entered, and perhaps not told; money that goes back goes before. */
static void give_notice(void *user, int64_t id, uint8_t state, int64_t amount, const char *key)
{
    struct flow *flow = user;
    if (state == STATE_REFUNDED) {
        struct order_owes owes = {.id = id, .pence = amount};
        snprintf(owes.key, sizeof(owes.key), "%s", key);
        tr_pid order = tr_spawn(flow->root, &order_actor, .arg = &flow->peers,
                                .supervise = &end_run);
        gate_owe(&flow->gate);
        if (!spawned(flow, order, "order"))
            gate_fail(&flow->gate, flow->error->text);
        tr_send_value(flow->root, order, order_owes, &owes);
    } else {
        struct notice notice = {.id = id, .state = state};
        snprintf(notice.key, sizeof(notice.key), "%s", key);
        tr_send_value(flow->root, flow->peers.notification, notice, &notice);
    }
    if (id % 8192 == 0)
        tr_system_run(flow->system); /* Never more of them than fit. */
}

/* ---- Letting orders in ----------------------------------------------------- */

static void progress(struct flow *flow, bool last)
{
    const struct flow_options *options = flow->options;
    uint64_t now = ord_now_ns();
    if (!options->progress || (!last && now - flow->progress_ns < PROGRESS_NS))
        return;
    flow->progress_ns = now;
    options->progress(options->user,
                      &(struct flow_progress){.done = options->source->done,
                                              .total = options->source->total,
                                              .orders = flow->seq + flow->result->orders_known,
                                              .lines = intake_lines(flow->intake),
                                              .seconds = (double)(now - flow->started_ns) / 1e9,
                                              .last = last});
}

static void complain(struct flow *flow, const struct doc *doc, const char *what)
{
    char sentence[512];
    if (!flow->options->complain)
        return;
    snprintf(sentence, sizeof(sentence), "%s: %s%s%s: %s", flow->options->name,
             doc->key[0] ? "order " : "a line", doc->key, what, doc->excerpt);
    flow->options->complain(flow->options->user, sentence);
}

/* Finds out whether the order was seen before. False: the run cannot go on. */
static bool recognise(struct flow *flow, struct doc *doc, bool *ret_new)
{
    struct flow_result *result = flow->result;
    enum store_known known = STORE_NEW;
    if (doc->what == DOC_ORDER && known_maybe(flow->known, doc)) {
        /* One of that number may be under way: it has to be entered before it can be seen. */
        if (!ORDERS_PLANTED(TWIN_UNSEEN) &&
            known_under_way(flow->known, doc, gate_committed(&flow->gate), flow->seq) &&
            !gate_wait(&flow->gate, flow->seq, 0, UINT64_MAX, flow->error))
            return false;
        known = known_find(flow->known, doc, flow->error);
    }
    if (known == STORE_OTHER)
        rules_conflict(doc);
    if (doc->what == DOC_REFUSED) {
        result->refused++;
        result->refused_lines += doc->lines;
        complain(flow, doc, " is refused");
        known = known_find(flow->known, doc, flow->error);
    } else if (known == STORE_SAME) {
        result->orders_known++;
        result->lines_known += doc->lines;
    }
    *ret_new = known == STORE_NEW;
    return known != STORE_FAILED;
}

static bool let_in(struct flow *flow, struct doc *doc)
{
    doc->seq = flow->seq;
    doc->started_ns = ord_now_ns();
    known_add(flow->known, doc);
    if (doc->what == DOC_ORDER) {
        flow->result->orders_entered++;
        flow->result->lines_entered += doc->lines;
    }
    flow->lines_sent += doc->lines;
    flow->seq++;
    tr_pid order = tr_spawn(flow->root, &order_actor, .arg = &flow->peers, .supervise = &end_run);
    if (!spawned(flow, order, "order"))
        return false;
    doc->order = order;
    tr_send(flow->root, order, order_place, .doc = doc);
    return true;
}

/* How far the ledger must have come before the next document's memory is free. */
static uint64_t wanted(const struct flow *flow)
{
    return flow->seq < flow->window ? 0 : flow->seq - flow->window + 1;
}

static bool has_room(struct flow *flow)
{
    return gate_passable(&flow->gate, wanted(flow), flow->lines_sent, flow->window_lines);
}

/* Waits until there is room for one more, and counts the waiting. */
static bool wait_for_room(struct flow *flow)
{
    struct flow_result *result = flow->result;
    uint64_t under_way = flow->seq - gate_committed(&flow->gate);
    if (under_way > result->under_way_most)
        result->under_way_most = under_way;
    uint64_t before = has_room(flow) ? 0 : ord_now_ns();
    if (!gate_wait(&flow->gate, wanted(flow), flow->lines_sent, flow->window_lines, flow->error))
        return false;
    if (before) {
        result->waits++;
        result->seconds_waited += (double)(ord_now_ns() - before) / 1e9;
    }
    return true;
}

/* Where to read the next order to; shrinks what a huge order has blown up. NULL: the run has
 * failed. */
static struct doc *next_doc(struct flow *flow)
{
    struct doc *doc = &flow->docs[flow->seq % flow->window];
    if (flow->options->backpressure == BACKPRESSURE_DROP && !has_room(flow))
        doc = &flow->spare;
    else if (!wait_for_room(flow))
        return NULL;
    if (doc->lines_max > KEPT_LINES) {
        free(doc->line);
        doc->line = NULL;
        doc->lines_max = 0;
    }
    return doc;
}

/* An order that was read into the spare document: NULL if there is still no room, and then it
 * is turned away. Nothing was entered and nobody told, so a later run takes it as new. */
static struct doc *room_for_spare(struct flow *flow)
{
    struct doc *doc = &flow->docs[flow->seq % flow->window];
    if (has_room(flow)) {
        struct doc read = flow->spare;
        flow->spare = *doc;
        *doc = read;
        return doc;
    }
    flow->result->dropped++;
    flow->result->dropped_lines += flow->spare.lines;
    if (flow->options->dropped)
        flow->options->dropped(flow->options->user, flow->spare.key);
    return NULL;
}

static bool pump(struct flow *flow)
{
    const struct flow_stage *stage = flow->options->stage;
    for (;;) {
        if (stage)
            stage->meanwhile(stage->user);
        struct doc *doc = next_doc(flow);
        if (!doc)
            return false;
        enum intake_result result = intake_next(flow->intake, doc, flow->error);
        if (result == INTAKE_BROKEN) {
            flow->result->broken = true;
            return true;
        }
        if (result == INTAKE_END)
            return true;
        bool new = false;
        if (!recognise(flow, doc, &new))
            return false;
        if (new &&doc == &flow->spare)
            doc = room_for_spare(flow);
        if (new &&doc && !let_in(flow, doc))
            return false;
        progress(flow, false);
    }
}

/* ---- Ending ---------------------------------------------------------------- */

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static bool settle(struct flow *flow)
{
    struct flow_result *result = flow->result;
    struct ord_error why;
    if (!gate_wait(&flow->gate, flow->seq, 0, UINT64_MAX, &why) ||
        !gate_wait_paid_back(&flow->gate, &why)) {
        *flow->error = why;
        return false;
    }
    result->seconds = (double)(ord_now_ns() - flow->started_ns) / 1e9;
    result->cpu_seconds = cpu_seconds() - flow->started_cpu;
    progress(flow, true);
    tr_system_run(flow->system);
    struct notice_position noticed = {0};
    tr_err err = tr_ask(flow->root, flow->peers.notification, TR_INTO(notice_position, &noticed),
                        5000, notice_question);
    if (err && !gate_wait(&flow->gate, 0, 0, UINT64_MAX, flow->error))
        return false; /* It failed, and the guard knows why. */
    if (err)
        return ord_fail(flow->error, "notification does not answer: %s", tr_strerror(err));
    result->notices = noticed.delivered;
    store_noticed(flow->store, noticed.position);
    tr_system_run(flow->system);
    return true;
}

static void sum_up(struct flow *flow)
{
    struct flow_result *result = flow->result;
    struct tr_accounts *accounts = &result->accounts;
    tr_system_accounts(flow->system, accounts);
    uint64_t lost = accounts->queued + accounts->dropped + accounts->unknown;
    for (int i = 0; i < TR_DEAD_REASON_COUNT; i++)
        if (i != TR_DEAD_LATE)
            lost += accounts->dead[i];
    result->messages_accounted = tr_accounts_balance(accounts) && lost == 0;
    result->figures = flow->gate.figures;
    result->lines_read = intake_lines(flow->intake);
    result->lines_accounted = result->lines_read == result->lines_entered + result->lines_known +
                                                        result->refused_lines +
                                                        result->dropped_lines;
}

static void tear_down(struct flow *flow)
{
    if (flow->system) {
        tr_err err = tr_system_stop(flow->system, 10000);
        if (err && flow->result->messages_accounted)
            flow->result->messages_accounted = false;
        if (!flow->options->stage)
            tr_system_destroy(flow->system);
    }
    known_close(flow->known);
    store_close(flow->store);
    intake_destroy(flow->intake);
    dict_destroy(flow->products);
    dict_destroy(flow->countries);
    for (uint32_t i = 0; flow->docs && i < flow->window; i++)
        free(flow->docs[i].line);
    free(flow->spare.line);
    free(flow->docs);
    gate_fini(&flow->gate);
}

bool flow_run(const struct flow_options *options, struct flow_result *result,
              struct ord_error *error)
{
    struct flow flow = {.options = options, .result = result, .error = error};
    struct ord_error broken = {.text = ""};
    memset(result, 0, sizeof(*result));
    if (!gate_init(&flow.gate))
        return ord_fail(error, "no lock can be made");
    if (options->stage) {
        flow.gate.next = options->stage->next;
        flow.gate.user = options->stage->user;
    }
    bool good = open_books(&flow) && start_actors(&flow) &&
                (ORDERS_PLANTED(NOTICE_LOST) ||
                 known_each_unnoticed(flow.known, give_notice, &flow, error));
    if (good) {
        flow.started_ns = flow.progress_ns = ord_now_ns();
        flow.started_cpu = cpu_seconds();
        good = pump(&flow);
        broken = *error; /* of the source; settle() may find another error, which then counts */
        good = good && settle(&flow);
        sum_up(&flow);
    }
    tear_down(&flow);
    if (good && result->broken)
        *error = broken;
    return good;
}
