/* role_gateway.c - accepts orders, each once, and keeps how they end. */
#include "nodes/door.h"
#include "nodes/roles.h"
#include "rules.h"

#include <sqlite3.h>
#include <stdlib.h>

static const char schema[] =
    "CREATE TABLE accepted(number INTEGER PRIMARY KEY, what INTEGER NOT NULL, key TEXT NOT NULL,"
    " content BLOB NOT NULL, lines INTEGER NOT NULL, state INTEGER, reason INTEGER) STRICT;"
    "CREATE UNIQUE INDEX accepted_orders ON accepted(key) WHERE what = 0;"
    "CREATE UNIQUE INDEX accepted_refusals ON accepted(content) WHERE what = 1;"
    "CREATE TABLE words(kind INTEGER NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL,"
    " note TEXT NOT NULL, PRIMARY KEY(kind, number)) STRICT, WITHOUT ROWID;";

enum statement { FIND_ORDER, FIND_REFUSAL, ACCEPT, END, WORD, STATEMENTS };
static const char *const sql[STATEMENTS] = {
    [FIND_ORDER] = "SELECT content, number, state FROM accepted WHERE what = 0 AND key = ?",
    [FIND_REFUSAL] = "SELECT content, number, state FROM accepted WHERE what = 1"
                     " AND content = ?",
    [ACCEPT] = "INSERT INTO accepted VALUES(?,?,?,?,?,NULL,NULL)",
    [END] = "UPDATE accepted SET state=?2, reason=?3 WHERE number=?1 AND state IS NULL",
    [WORD] = "INSERT INTO words VALUES(?,?,?,?)",
};
enum { WORD_COUNTRY, WORD_PRODUCT };

struct role_gateway {
    struct role_gateway_options options;
    struct outbox *outbox;
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENTS];
    uint32_t countries_written, products_written;
    struct parcel_word *word; /* scratch */
    uint32_t word_room;
    struct doc **done; /* scratch of written() */
    struct door_waiting waiting;
    pthread_mutex_t lock;
    struct role_gateway_figures figures;
};

/* ---- Opening --------------------------------------------------------------- */

static bool load_words(struct role_gateway *self, int kind, struct dict *dict, uint32_t *ret_count,
                       struct ord_error *error)
{
    sqlite3_stmt *rows = NULL;
    int step = SQLITE_ERROR;
    *ret_count = 0;
    if (sqlite3_prepare_v2(self->db,
                           "SELECT number, text, note FROM words WHERE kind = ? ORDER BY number",
                           -1, &rows, NULL) == SQLITE_OK) {
        sqlite3_bind_int(rows, 1, kind);
        while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
            const char *text = (const char *)sqlite3_column_text(rows, 1);
            const char *note = (const char *)sqlite3_column_text(rows, 2);
            uint32_t number = dict_number(dict, text, (size_t)sqlite3_column_bytes(rows, 1), note,
                                          (size_t)sqlite3_column_bytes(rows, 2));
            if (number != ++*ret_count || sqlite3_column_int64(rows, 0) != number) {
                sqlite3_finalize(rows);
                return ord_fail(error, "'%s' is damaged: word %u is not as written",
                                self->options.path, *ret_count);
            }
        }
    }
    sqlite3_finalize(rows);
    return step == SQLITE_DONE || outbox_failed(self->outbox, "cannot be read", error);
}

static bool count(struct role_gateway *self, const char *text, uint64_t *ret_count)
{
    sqlite3_stmt *query = NULL;
    bool good = sqlite3_prepare_v2(self->db, text, -1, &query, NULL) == SQLITE_OK &&
                sqlite3_step(query) == SQLITE_ROW;
    if (good)
        *ret_count = (uint64_t)sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    return good;
}

static bool set_up(struct role_gateway *self, struct ord_error *error)
{
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(self->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &self->statement[i],
                               NULL) != SQLITE_OK)
            return outbox_failed(self->outbox, "cannot be used", error);
    if (!count(self, "SELECT count(*) FROM accepted", &self->figures.accepted) ||
        !count(self, "SELECT count(state) FROM accepted", &self->figures.ended))
        return outbox_failed(self->outbox, "cannot be read", error);
    return load_words(self, WORD_COUNTRY, self->options.countries, &self->countries_written,
                      error) &&
           load_words(self, WORD_PRODUCT, self->options.products, &self->products_written, error);
}

struct role_gateway *role_gateway_open(const struct role_gateway_options *options,
                                       struct outbox **ret_outbox, struct ord_error *error)
{
    struct role_gateway *self = calloc(1, sizeof(*self));
    struct doc **done = calloc(DESK_BATCH_MAX, sizeof(struct doc *));
    if (!self || !done || pthread_mutex_init(&self->lock, NULL) != 0) {
        free(self);
        free(done);
        ord_fail(error, "memory is short opening '%s'", options->path);
        return NULL;
    }
    self->done = done;
    self->options = *options;
    self->outbox = outbox_open(options->path, ROLE_GATEWAY, schema, error);
    if (self->outbox)
        self->db = outbox_connection(self->outbox);
    if (!self->outbox || !set_up(self, error)) {
        role_gateway_close(self);
        return NULL;
    }
    *ret_outbox = self->outbox;
    return self;
}

void role_gateway_close(struct role_gateway *self)
{
    if (!self)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(self->statement[i]);
    outbox_close(self->outbox);
    door_waiting_fini(&self->waiting);
    pthread_mutex_destroy(&self->lock);
    free(self->word);
    free(self->done);
    free(self);
}

void role_gateway_figures(struct role_gateway *self, struct role_gateway_figures *ret_figures)
{
    pthread_mutex_lock(&self->lock);
    *ret_figures = self->figures;
    pthread_mutex_unlock(&self->lock);
}

/* ---- The writer's ---------------------------------------------------------- */

static bool run(struct role_gateway *self, enum statement which, const char *doing,
                struct ord_error *error)
{
    sqlite3_stmt *statement = self->statement[which];
    int step = sqlite3_step(statement);
    if (step != SQLITE_DONE)
        outbox_failed(self->outbox, doing, error);
    sqlite3_reset(statement);
    return step == SQLITE_DONE;
}

static enum store_known find(struct role_gateway *self, const struct desk_item *item,
                             struct ord_error *error)
{
    const struct doc *doc = item->doc;
    bool order = doc->what == DOC_ORDER;
    sqlite3_stmt *find = self->statement[order ? FIND_ORDER : FIND_REFUSAL];
    enum store_known known = STORE_NEW;
    if (order)
        sqlite3_bind_text(find, 1, doc->key, -1, SQLITE_STATIC);
    else
        sqlite3_bind_blob(find, 1, doc->content, CONTENT_SIZE, SQLITE_STATIC);
    int step = sqlite3_step(find);
    if (step == SQLITE_ROW) {
        bool same = sqlite3_column_bytes(find, 0) == CONTENT_SIZE &&
                    memcmp(sqlite3_column_blob(find, 0), doc->content, CONTENT_SIZE) == 0;
        known = same ? STORE_SAME : STORE_OTHER;
        if (item->door) {
            item->door->number = (uint64_t)sqlite3_column_int64(find, 1);
            item->door->state = sqlite3_column_type(find, 2) == SQLITE_NULL
                                    ? -1
                                    : sqlite3_column_int(find, 2);
        }
    } else if (step != SQLITE_DONE) {
        outbox_failed(self->outbox, "orders cannot be searched", error);
        known = STORE_FAILED;
    }
    sqlite3_reset(find);
    return known;
}

/* One word that neither the database nor the other nodes know. */
static bool add_word(struct role_gateway *self, int kind, const struct dict *dict, uint32_t number,
                     struct parcel_word *word, struct ord_error *error)
{
    const struct dict_word *from = dict_word(dict, number);
    *word = (struct parcel_word){from->text, from->note, from->size, (uint32_t)strlen(from->note)};
    sqlite3_stmt *insert = self->statement[WORD];
    sqlite3_bind_int(insert, 1, kind);
    sqlite3_bind_int64(insert, 2, number);
    sqlite3_bind_text(insert, 3, from->text, (int)from->size, SQLITE_STATIC);
    sqlite3_bind_text(insert, 4, from->note, -1, SQLITE_STATIC);
    return run(self, WORD, "a word cannot be entered", error);
}

static bool new_words(struct role_gateway *self, const struct doc *doc, uint32_t *ret_countries,
                      uint32_t *ret_products, struct ord_error *error)
{
    uint32_t countries = doc->countries_known > self->countries_written
                             ? doc->countries_known - self->countries_written
                             : 0;
    uint32_t products = doc->products_known > self->products_written
                            ? doc->products_known - self->products_written
                            : 0;
    if (countries + products > self->word_room) {
        uint32_t room = (countries + products) * 2;
        struct parcel_word *word = realloc(self->word, room * sizeof(*word));
        if (!word)
            return ord_fail(error, "memory is short for %u words", room);
        self->word = word;
        self->word_room = room;
    }
    for (uint32_t i = 0; i < countries; i++)
        if (!add_word(self, WORD_COUNTRY, self->options.countries, self->countries_written + i + 1,
                      &self->word[i], error))
            return false;
    for (uint32_t i = 0; i < products; i++)
        if (!add_word(self, WORD_PRODUCT, self->options.products, self->products_written + i + 1,
                      &self->word[countries + i], error))
            return false;
    self->countries_written += countries;
    self->products_written += products;
    *ret_countries = countries;
    *ret_products = products;
    return true;
}

static bool accept(struct role_gateway *self, struct outbox *outbox, struct doc *doc,
                   struct ord_error *error)
{
    uint32_t countries = 0, products = 0;
    size_t size;
    uint64_t number = outbox_peer(outbox, ROLE_PROCESSING)->kept + 1;
    if (!new_words(self, doc, &countries, &products, error))
        return false;
    uint8_t *body = parcel_order_encode(doc, number, self->word, countries, products, &size);
    if (!body)
        return ord_fail(error, "memory is short at order %s", doc->key);
    bool good = outbox_put(outbox, ROLE_PROCESSING, PARCEL_ORDER, body, size, error);
    free(body);
    sqlite3_stmt *insert = self->statement[ACCEPT];
    sqlite3_bind_int64(insert, 1, (int64_t)number);
    sqlite3_bind_int(insert, 2, doc->what);
    sqlite3_bind_text(insert, 3, doc->key, -1, SQLITE_STATIC);
    sqlite3_bind_blob(insert, 4, doc->content, CONTENT_SIZE, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 5, doc->lines);
    return good && run(self, ACCEPT, "an order cannot be entered", error);
}

static bool write_doc(struct role_gateway *self, struct outbox *outbox, struct desk_item *item,
                      struct ord_error *error)
{
    enum store_known known = find(self, item, error);
    if (known == STORE_OTHER) {
        rules_conflict(item->doc);
        known = find(self, item, error);
    }
    item->result = (uint8_t)known;
    if (known == STORE_NEW && item->door)
        item->door->number = outbox_peer(outbox, ROLE_PROCESSING)->kept + 1;
    return known != STORE_FAILED && (known != STORE_NEW || accept(self, outbox, item->doc, error));
}

static bool write_ends(struct role_gateway *self, const struct desk_item *item,
                       struct ord_error *error)
{
    sqlite3_stmt *end = self->statement[END];
    for (size_t i = 0; i < item->end_count; i++) {
        sqlite3_bind_int64(end, 1, (int64_t)item->ends[i].number);
        sqlite3_bind_int(end, 2, item->ends[i].state);
        sqlite3_bind_int(end, 3, item->ends[i].reason);
        if (!run(self, END, "the end of an order cannot be entered", error))
            return false;
        if (sqlite3_changes(self->db) != 1)
            return ord_fail(error,
                            "the ledger tells the end of order %llu, which was not accepted or has "
                            "ended before: '%s' does not belong to that ledger",
                            (unsigned long long)item->ends[i].number, self->options.path);
    }
    return true;
}

static bool gateway_write(void *state, struct outbox *outbox, struct desk_item *items,
                          struct ord_error *error)
{
    struct role_gateway *self = state;
    for (struct desk_item *item = items; item; item = item->next)
        if (!(item->doc ? write_doc(self, outbox, item, error) : write_ends(self, item, error)))
            return false;
    return true;
}

/* ---- The desk's ------------------------------------------------------------ */

static bool gateway_take(tr_ctx *ctx, struct desk *desk, void *state, struct desk_item *item,
                         struct ord_error *error)
{
    (void)state;
    if (item->kind != PARCEL_ENDS)
        return ord_fail(error, "parcels of kind %d are not for a gateway", (int)item->kind);
    desk_ready(ctx, desk, item);
    return true;
}

static void count_doc(struct role_gateway *self, const struct desk_item *item)
{
    struct role_gateway_figures *figures = &self->figures;
    const struct doc *doc = item->doc;
    figures->accepted += item->result == STORE_NEW;
    if (doc->what == DOC_REFUSED) {
        figures->refused++;
        figures->refused_lines += doc->lines;
    } else if (item->result == STORE_NEW) {
        figures->entered++;
        figures->entered_lines += doc->lines;
    } else {
        figures->known++;
        figures->known_lines += doc->lines;
    }
}

/* An order that came as a message: its sender is told, now or when it has ended. */
static void tell_sender(tr_ctx *ctx, struct role_gateway *self, struct desk_item *item)
{
    struct door_order *order = item->door;
    if (item->doc->what == DOC_REFUSED) {
        door_answer(ctx, order, "refused: this order_id was used with other content");
    } else if (item->result == STORE_SAME && order->state >= 0) {
        door_answer(ctx, order, ord_state_name(order->state));
    } else {
        item->door = NULL;
        item->doc = NULL;
        door_wait(&self->waiting, order);
    }
}

static void gateway_written(tr_ctx *ctx, struct desk *desk, void *state, struct desk_item *items)
{
    struct role_gateway *self = state;
    size_t done = 0;
    (void)desk;
    pthread_mutex_lock(&self->lock);
    for (struct desk_item *item = items; item; item = item->next) {
        if (item->doc)
            count_doc(self, item);
        self->figures.ended += item->end_count;
    }
    pthread_mutex_unlock(&self->lock);
    for (struct desk_item *item = items; item; item = item->next) {
        for (size_t i = 0; i < item->end_count; i++)
            door_ended(ctx, &self->waiting, item->ends[i].number, item->ends[i].state);
        if (!item->doc)
            continue;
        if (item->doc->what == DOC_REFUSED)
            self->options.complain(self->options.complain_user, item->doc);
        else if (item->result == STORE_NEW && self->options.acknowledge)
            self->options.acknowledge(self->options.acknowledge_user, item->doc->key);
        if (item->door)
            tell_sender(ctx, self, item);
        else
            self->done[done++] = item->doc;
    }
    if (done > 0)
        gate_advance(self->options.gate, self->done, done);
}

static tr_err gateway_receive(tr_ctx *ctx, struct desk *desk, void *state, const tr_msg *msg)
{
    const struct gateway_submit *submit = tr_as(msg, gateway_submit);
    const struct gateway_order *order = tr_as(msg, gateway_order);
    (void)state;
    if (submit)
        desk_enter(ctx, desk, submit->doc, NULL);
    else if (order)
        desk_enter(ctx, desk, &order->order->doc, order->order);
    else
        return tr_unhandled(ctx);
    return TR_OK;
}

const struct desk_ops role_gateway_ops = {
    .role = ROLE_GATEWAY,
    .away = {[ROLE_PROCESSING] = "orders are accepted and kept for it; none is validated or paid "
                                 "until it is back",
             [ROLE_LEDGER] = "orders are accepted and passed on; how they end is not known until "
                             "it is back"},
    .take = gateway_take,
    .write = gateway_write,
    .written = gateway_written,
    .receive = gateway_receive,
};
