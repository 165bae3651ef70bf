/* role_ledger.c - reserves stock and enters orders, in the order of the gateway, then tells it. */
#include "actors.h"
#include "nodes/roles.h"
#include "rules.h"
#include "stock.h"

#include <stdlib.h>

struct role_ledger {
    struct role_ledger_options options;
    struct outbox *outbox;
    struct dict *products, *countries;
    struct store *store;
    struct stock_table stock;
    struct doc **docs;       /* scratch of a batch */
    struct parcel_end *ends; /* likewise */
    tr_pid notification;
    int64_t noticed, noticing; /* told by notification; being written */
};

struct role_ledger *role_ledger_open(const struct role_ledger_options *options,
                                     struct outbox **ret_outbox, struct ord_error *error)
{
    struct role_ledger *self = calloc(1, sizeof(*self));
    if (!self) {
        ord_fail(error, "memory is short opening '%s'", options->path);
        return NULL;
    }
    self->options = *options;
    self->products = dict_create();
    self->countries = dict_create();
    self->docs = calloc(DESK_BATCH_MAX, sizeof(struct doc *));
    self->ends = calloc(DESK_BATCH_MAX, sizeof(*self->ends));
    bool good = self->products && self->countries && self->docs && self->ends;
    if (!good)
        ord_fail(error, "memory is short opening '%s'", options->path);
    if (good)
        self->store = store_open(&(struct store_options){.path = options->path,
                                                         .products = self->products,
                                                         .countries = self->countries,
                                                         .stock = options->stock,
                                                         .stock_given = options->stock_given,
                                                         .node = true},
                                 error);
    if (self->store)
        self->outbox = outbox_within(store_connection(self->store), options->path, ROLE_LEDGER,
                                     error);
    if (self->outbox && !stock_init(&self->stock, self->store, dict_count(self->products))) {
        ord_fail(error, "memory is short for the stock of '%s'", options->path);
        good = false;
    }
    if (!good || !self->outbox) {
        role_ledger_close(self);
        return NULL;
    }
    *ret_outbox = self->outbox;
    return self;
}

void role_ledger_close(struct role_ledger *self)
{
    if (!self)
        return;
    outbox_close(self->outbox);
    stock_fini(&self->stock);
    store_close(self->store);
    dict_destroy(self->products);
    dict_destroy(self->countries);
    free(self->docs);
    free(self->ends);
    free(self);
}

/* ---- Notices --------------------------------------------------------------- */

struct telling {
    tr_ctx *ctx;
    tr_pid notification;
};

static void tell(tr_ctx *ctx, tr_pid notification, int64_t id, uint8_t state, const char *key)
{
    struct notice notice = {.id = id, .state = state};
    size_t size = strlen(key);
    memcpy(notice.key, key, size < ORDER_KEY_MAX ? size : ORDER_KEY_MAX);
    tr_send_(ctx, notification, &notice_type, &notice, sizeof(notice));
}

static void tell_again(void *user, int64_t id, uint8_t state, int64_t amount, const char *key)
{
    struct telling *telling = user;
    (void)amount; /* What is owed goes out as a parcel of its own. */
    tell(telling->ctx, telling->notification, id, state, key);
    if (id % 8192 == 0)
        tr_system_run(tr_system_of(telling->ctx)); /* Never more of them than fit. */
}

int64_t role_ledger_noticed(const struct role_ledger *self)
{
    return store_noticed_position(self->store);
}

bool role_ledger_notify(struct role_ledger *self, tr_ctx *ctx, tr_pid notification,
                        struct ord_error *error)
{
    struct telling telling = {ctx, notification};
    struct store_reader *reader = store_reader_open(self->options.path, error);
    if (!reader)
        return false;
    self->notification = notification;
    bool good = store_each_after(reader, role_ledger_noticed(self), tell_again, &telling, error);
    store_reader_close(reader);
    return good;
}

/* ---- The writer's ---------------------------------------------------------- */

static bool owe_refund(struct outbox *outbox, const struct doc *doc, struct ord_error *error)
{
    struct parcel_refund refund = {.pence = doc->amount};
    uint8_t body[PARCEL_REFUND_SIZE_MAX];
    memcpy(refund.key, doc->key, sizeof(refund.key));
    size_t size = parcel_refund_encode(&refund, body);
    return outbox_put(outbox, ROLE_PROCESSING, PARCEL_REFUND, body, size, error);
}

static bool ledger_write(void *state, struct outbox *outbox, struct desk_item *items,
                         struct ord_error *error)
{
    struct role_ledger *self = state;
    size_t count = 0, size;
    int64_t id = store_orders(self->store);
    for (struct desk_item *item = items; item; item = item->next) {
        struct doc *doc = &item->order->doc;
        bool order = doc->what == DOC_ORDER;
        if (!stock_grow(&self->stock, doc->products_known))
            return ord_fail(error, "memory is short for %u products", doc->products_known);
        if (order && doc->state == STATE_FULFILLED && !stock_reserve(&self->stock, doc) &&
            rules_short(doc) && !owe_refund(outbox, doc, error))
            return false;
        item->order_id = order ? ++id : 0;
        self->docs[count++] = doc;
    }
    if (self->noticing > 0)
        store_noticed(self->store, self->noticing);
    if (!store_enter(self->store, self->docs, count, error))
        return false;
    if (count == 0)
        return true;
    count = 0;
    for (struct desk_item *item = items; item; item = item->next)
        self->ends[count++] = (struct parcel_end){item->order->number, item->order->doc.state,
                                                  item->order->doc.reason};
    uint8_t *body = parcel_ends_encode(self->ends, count, &size);
    bool good = body ? outbox_put(outbox, ROLE_GATEWAY, PARCEL_ENDS, body, size, error)
                     : ord_fail(error, "memory is short for %zu orders", count);
    free(body);
    return good;
}

/* ---- The desk's ------------------------------------------------------------ */

/* Words that are new here; the gateway has numbered them. */
static bool learn(struct dict *dict, const struct parcel_word *word, uint32_t count, uint32_t known,
                  const char *what, struct ord_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = known - count + i + 1;
        uint32_t found = dict_number(dict, word[i].text, word[i].size, word[i].note,
                                     word[i].note_size);
        if (found == 0 && dict_count(dict) < DICT_WORDS_MAX)
            return ord_starve(error, "memory is short for %s '%.*s'", what, (int)word[i].size,
                              word[i].text);
        if (found != number)
            return ord_fail(error, "%s %u is '%.*s' there, and number %u here", what, number,
                            (int)word[i].size, word[i].text, found);
    }
    if (known > dict_count(dict))
        return ord_fail(error, "it uses %s %u, and only %u are known here", what, known,
                        dict_count(dict));
    return true;
}

static bool ledger_take(tr_ctx *ctx, struct desk *desk, void *state, struct desk_item *item,
                        struct ord_error *error)
{
    struct role_ledger *self = state;
    if (item->kind != PARCEL_ORDER || item->from != ROLE_PROCESSING)
        return ord_fail(error, "parcels of kind %d are not for the ledger", (int)item->kind);
    struct parcel_order *order = item->order;
    if (!learn(self->countries, order->word, order->countries, order->doc.countries_known,
               "country", error) ||
        !learn(self->products, order->word + order->countries, order->products,
               order->doc.products_known, "product", error))
        return false;
    desk_ready(ctx, desk, item);
    return true;
}

static bool ledger_prepare(void *state)
{
    struct role_ledger *self = state;
    bool moved = self->noticed > self->noticing;
    self->noticing = self->noticed;
    return moved;
}

static void ledger_written(tr_ctx *ctx, struct desk *desk, void *state, struct desk_item *items)
{
    struct role_ledger *self = state;
    (void)desk;
    for (struct desk_item *item = items; item; item = item->next)
        if (item->order_id > 0)
            tell(ctx, self->notification, item->order_id, item->order->doc.state,
                 item->order->doc.key);
}

static tr_err ledger_receive(tr_ctx *ctx, struct desk *desk, void *state, const tr_msg *msg)
{
    struct role_ledger *self = state;
    const struct ledger_noticed *noticed = tr_as(msg, ledger_noticed);
    (void)desk;
    if (!noticed)
        return tr_unhandled(ctx);
    self->noticed = noticed->position;
    return TR_OK;
}

const struct desk_ops role_ledger_ops = {
    .role = ROLE_LEDGER,
    .away = {[ROLE_GATEWAY] = "orders are entered into the books; how they ended is kept for it",
             [ROLE_PROCESSING] = "no orders come in to be entered; refunds that are owed are kept "
                                 "for it"},
    .take = ledger_take,
    .prepare = ledger_prepare,
    .write = ledger_write,
    .written = ledger_written,
    .receive = ledger_receive,
};
