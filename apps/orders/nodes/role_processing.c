/*
 * role_processing.c - orders through validation and payment, in the order of the gateway.
 *
 *   taken → started, on disk → an order actor → decided → with its parcel, on disk → ledger
 *
 * That an order was started is on disk before a capture is asked for. What was started before this
 * process began asks first what became of it: a capture is asked for once, whoever dies when.
 */
#include "actors.h"
#include "nodes/roles.h"
#include "recent.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static const char schema[] =
    "CREATE TABLE orders(number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,"
    " state INTEGER NOT NULL, reason INTEGER NOT NULL, amount INTEGER NOT NULL,"
    " paid INTEGER NOT NULL, placed_at INTEGER NOT NULL, basket INTEGER) STRICT;"
    "CREATE TABLE refunds(key TEXT PRIMARY KEY, pence INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE started(one INTEGER PRIMARY KEY, number INTEGER NOT NULL) STRICT;"
    "INSERT INTO started VALUES(1, 0);";

enum statement { ORDER, REFUND, START, STATEMENTS };
static const char *const sql[STATEMENTS] = {
    [ORDER] = "INSERT INTO orders VALUES(?,?,?,?,?,?,?,?)",
    [REFUND] = "INSERT INTO refunds VALUES(?,?)",
    [START] = "UPDATE started SET number=? WHERE one=1",
};

struct role_processing {
    struct role_processing_options options;
    struct outbox *outbox;
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENTS];
    struct recent recent;
    uint64_t resumed;                      /* started before this process: up to here */
    uint64_t taken;                        /* from the gateway */
    uint64_t started, starting;            /* on disk; being written */
    struct desk_item *first, **last;       /* taken and not yet started */
    struct desk_item *refund[POST_WINDOW]; /* those out with payment, by number */
};

/* ---- Opening --------------------------------------------------------------- */

static bool load(struct role_processing *self, struct ord_error *error)
{
    uint64_t basket[RECENT_ORDERS];
    int64_t placed_at[RECENT_ORDERS];
    char key[RECENT_ORDERS][ORDER_KEY_MAX + 1];
    unsigned found = 0;
    sqlite3_stmt *rows = NULL;
    bool good = sqlite3_prepare_v2(self->db, "SELECT number FROM started", -1, &rows, NULL) ==
                    SQLITE_OK &&
                sqlite3_step(rows) == SQLITE_ROW;
    if (good)
        self->resumed = self->started = self->starting = (uint64_t)sqlite3_column_int64(rows, 0);
    sqlite3_finalize(rows);
    rows = NULL;
    int step = SQLITE_ERROR;
    if (good &&
        sqlite3_prepare_v2(self->db,
                           "SELECT basket, placed_at, key FROM orders WHERE basket IS NOT NULL"
                           " ORDER BY number DESC LIMIT 1024",
                           -1, &rows, NULL) == SQLITE_OK)
        while ((step = sqlite3_step(rows)) == SQLITE_ROW && found < RECENT_ORDERS) {
            basket[found] = (uint64_t)sqlite3_column_int64(rows, 0);
            const char *text = (const char *)sqlite3_column_text(rows, 2);
            snprintf(key[found], sizeof(key[found]), "%s", text ? text : "");
            placed_at[found++] = sqlite3_column_int64(rows, 1);
        }
    sqlite3_finalize(rows);
    if (step != SQLITE_DONE)
        return outbox_failed(self->outbox, "cannot be read", error);
    while (found-- > 0)
        recent_add(&self->recent, basket[found], key[found], placed_at[found]);
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(self->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &self->statement[i],
                               NULL) != SQLITE_OK)
            return outbox_failed(self->outbox, "cannot be used", error);
    return true;
}

struct role_processing *role_processing_open(const struct role_processing_options *options,
                                             struct outbox **ret_outbox, struct ord_error *error)
{
    struct role_processing *self = calloc(1, sizeof(*self));
    if (!self) {
        ord_fail(error, "memory is short opening '%s'", options->path);
        return NULL;
    }
    self->options = *options;
    self->last = &self->first;
    self->outbox = outbox_open(options->path, ROLE_PROCESSING, schema, error);
    if (self->outbox)
        self->db = outbox_connection(self->outbox);
    if (!self->outbox || !load(self, error)) {
        role_processing_close(self);
        return NULL;
    }
    *ret_outbox = self->outbox;
    return self;
}

void role_processing_close(struct role_processing *self)
{
    if (!self)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(self->statement[i]);
    outbox_close(self->outbox);
    free(self);
}

/* ---- The writer's ---------------------------------------------------------- */

static bool run(struct role_processing *self, enum statement which, const char *doing,
                struct ord_error *error)
{
    sqlite3_stmt *statement = self->statement[which];
    int step = sqlite3_step(statement);
    if (step != SQLITE_DONE)
        outbox_failed(self->outbox, doing, error);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return step == SQLITE_DONE;
}

static bool write_order(struct role_processing *self, struct outbox *outbox,
                        const struct desk_item *item, struct ord_error *error)
{
    const struct parcel_order *order = item->order;
    const struct doc *doc = &order->doc;
    if (doc->what == DOC_ORDER) {
        sqlite3_stmt *insert = self->statement[ORDER];
        sqlite3_bind_int64(insert, 1, (int64_t)item->number);
        sqlite3_bind_text(insert, 2, doc->key, -1, SQLITE_STATIC);
        sqlite3_bind_int(insert, 3, doc->state);
        sqlite3_bind_int(insert, 4, doc->reason);
        sqlite3_bind_int64(insert, 5, doc->amount);
        sqlite3_bind_int(insert, 6, doc->paid);
        sqlite3_bind_int64(insert, 7, doc->placed_at);
        if (recent_compares(doc->key, doc->customer))
            sqlite3_bind_int64(insert, 8,
                               (int64_t)recent_basket(doc->customer, doc->line, doc->lines));
        if (!run(self, ORDER, "an order cannot be entered", error))
            return false;
    }
    size_t size;
    uint8_t *body = parcel_order_encode(doc, order->number, order->word, order->countries,
                                        order->products, &size);
    if (!body)
        return ord_fail(error, "memory is short at order %s", doc->key);
    bool good = outbox_put(outbox, ROLE_LEDGER, PARCEL_ORDER, body, size, error);
    free(body);
    return good;
}

static bool processing_write(void *state, struct outbox *outbox, struct desk_item *items,
                             struct ord_error *error)
{
    struct role_processing *self = state;
    if (self->starting > self->started) {
        sqlite3_bind_int64(self->statement[START], 1, (int64_t)self->starting);
        if (!run(self, START, "what was started cannot be entered", error))
            return false;
    }
    for (struct desk_item *item = items; item; item = item->next) {
        if (item->kind == PARCEL_ORDER) {
            if (!write_order(self, outbox, item, error))
                return false;
            continue;
        }
        sqlite3_stmt *insert = self->statement[REFUND];
        sqlite3_bind_text(insert, 1, item->refund.key, -1, SQLITE_STATIC);
        sqlite3_bind_int64(insert, 2, item->refund.pence);
        if (!run(self, REFUND, "a refund cannot be entered", error))
            return false;
    }
    return true;
}

/* ---- The desk's: orders ---------------------------------------------------- */

static const struct tr_supervision end_node = {.on_failure = TR_STOP};

static void start(tr_ctx *ctx, struct desk *desk, struct role_processing *self,
                  struct desk_item *item)
{
    struct doc *doc = &item->order->doc;
    if (doc->what == DOC_REFUSED) {
        desk_ready(ctx, desk, item);
        return;
    }
    struct order_peers peers = {.validation = self->options.validation,
                                .payment = self->options.payment,
                                .inventory = tr_self(ctx)};
    doc->resumed = item->number <= self->resumed;
    doc->order = tr_spawn(ctx, &order_actor, .arg = &peers, .supervise = &end_node);
    tr_send(ctx, doc->order, order_place, .doc = doc);
}

static void start_all(tr_ctx *ctx, struct desk *desk, struct role_processing *self)
{
    while (self->first && self->first->number <= self->started) {
        struct desk_item *item = self->first;
        self->first = item->next;
        if (!self->first)
            self->last = &self->first;
        item->next = NULL;
        start(ctx, desk, self, item);
    }
}

static bool processing_prepare(void *state)
{
    struct role_processing *self = state;
    self->starting = self->taken > self->started ? self->taken : self->started;
    return self->starting > self->started;
}

static void processing_written(tr_ctx *ctx, struct desk *desk, void *state, struct desk_item *items)
{
    struct role_processing *self = state;
    (void)items;
    self->started = self->starting;
    start_all(ctx, desk, self);
}

/* The order actor has decided, and hands the document to where it thinks stock is. */
static tr_err on_decided(tr_ctx *ctx, struct desk *desk, const struct inventory_reserve *msg)
{
    struct parcel_order *order = (struct parcel_order *)msg->doc;
    tr_stop(ctx, msg->doc->order);
    desk_ready(ctx, desk, order->owner);
    return TR_OK;
}

/* ---- The desk's: refunds --------------------------------------------------- */

static void give_back(tr_ctx *ctx, struct role_processing *self, struct desk_item *item)
{
    unsigned doublings = item->attempts < 6 ? item->attempts : 6;
    struct payment_refund msg = {.pence = item->refund.pence};
    memcpy(msg.key, item->refund.key, sizeof(msg.key));
    item->attempts++;
    self->refund[item->number % POST_WINDOW] = item;
    item->call = tr_request_(ctx, self->options.payment, PAYMENT_PATIENCE_MS << doublings,
                             &payment_refund_type, &msg, sizeof(msg));
}

/* The answer to a refund, or none: then it is asked for again, until it is done. */
static tr_err on_answer(tr_ctx *ctx, struct desk *desk, struct role_processing *self, bool done)
{
    uint64_t call = tr_call(ctx);
    for (uint32_t i = 0; i < POST_WINDOW; i++) {
        struct desk_item *item = self->refund[i];
        if (!item || item->call != call)
            continue;
        self->refund[i] = NULL;
        if (done)
            desk_ready(ctx, desk, item);
        else
            give_back(ctx, self, item);
        return TR_OK;
    }
    return TR_OK;
}

static bool processing_take(tr_ctx *ctx, struct desk *desk, void *state, struct desk_item *item,
                            struct ord_error *error)
{
    struct role_processing *self = state;
    if (item->kind == PARCEL_REFUND && item->from == ROLE_LEDGER) {
        give_back(ctx, self, item);
        return true;
    }
    if (item->kind != PARCEL_ORDER || item->from != ROLE_GATEWAY)
        return ord_fail(error, "parcels of kind %d are not for processing", (int)item->kind);
    struct doc *doc = &item->order->doc;
    if (doc->what == DOC_ORDER && self->options.window_s > 0 &&
        recent_looks_twice(&self->recent, doc->key, doc->customer, doc->placed_at, doc->line,
                           doc->lines, self->options.window_s))
        doc->flags |= ORDER_SUSPECT;
    self->taken = item->number;
    *self->last = item;
    self->last = &item->next;
    start_all(ctx, desk, self);
    return true;
}

static tr_err processing_receive(tr_ctx *ctx, struct desk *desk, void *state, const tr_msg *msg)
{
    struct role_processing *self = state;
    if (msg->type == &inventory_reserve_type)
        return on_decided(ctx, desk, tr_msg_body(msg));
    if (msg->type == &payment_result_type)
        return on_answer(ctx, desk, self, tr_as(msg, payment_result)->answer == PAYMENT_APPROVED);
    if (msg->type == &tr_request_failed_type)
        return on_answer(ctx, desk, self, false);
    return tr_unhandled(ctx);
}

const struct desk_ops role_processing_ops = {
    .role = ROLE_PROCESSING,
    .away = {[ROLE_GATEWAY] = "no new orders come in; those that are here are decided and passed "
                              "on",
             [ROLE_LEDGER] = "orders are validated and paid, and kept for it; none is entered into "
                             "the books until it is back"},
    .take = processing_take,
    .prepare = processing_prepare,
    .write = processing_write,
    .written = processing_written,
    .receive = processing_receive,
};
