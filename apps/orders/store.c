/* store.c - opening the books, and looking orders up. */
#include "plant.h"
#include "store_internal.h"
#include "store_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUSY_MS 2000

static const char *const sql[ST_COUNT] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_VERSION] = "PRAGMA data_version",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_COUNTRY] = "INSERT INTO countries VALUES(?,?)",
    [ST_PRODUCT] = "INSERT INTO products VALUES(?,?,?,?,0,0,0,0,?)",
    [ST_STOCK] = "UPDATE products SET received=?2, sold=?3, written_off=?4, returned=?5,"
                 " on_hand=?6 WHERE id=?1",
    [ST_ORDER] = "INSERT INTO orders VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [ST_LINE] = "INSERT INTO lines VALUES(?,?,?,?,?,?,?,?,0,?)",
    [ST_ENTRY] = "INSERT INTO entries VALUES(?,?,?,?)",
    /* The newest sale with enough pieces left; one of exactly that size first. */
    [ST_FIND_SALE] = "SELECT id FROM lines WHERE customer=?1 AND product=?2 AND customer > 0"
                     " AND outcome <= 1 AND price=?3 AND quantity - returned >= ?4"
                     " ORDER BY quantity - returned = ?4 DESC, id DESC LIMIT 1",
    [ST_TAKE_BACK] = "UPDATE lines SET returned = returned + ?2 WHERE id=?1",
    [ST_REFUSAL] = "INSERT INTO refusals VALUES(?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
    [ST_CURSOR] = "UPDATE cursors SET position=? WHERE name='notices'",
};

bool store_failed(sqlite3 *db, const char *path, const char *doing, struct ord_error *error)
{
    int code = db ? sqlite3_errcode(db) : SQLITE_NOMEM;
    const char *hint = code == SQLITE_FULL ? " (free some space and run again: it resumes)"
                       : code == SQLITE_BUSY || code == SQLITE_LOCKED
                           ? " (another program holds it; run again: it resumes)"
                       : code == SQLITE_IOERR || code == SQLITE_READONLY
                           ? " (run again when it can be written: it resumes)"
                           : "";
    return ord_fail(error, "database '%s': %s: %s%s", path, doing,
                    db ? sqlite3_errmsg(db) : "memory is short", hint);
}

static sqlite3 *open_database(const char *path, int flags, struct ord_error *error)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        store_failed(db, path, "cannot be opened", error);
        sqlite3_close(db);
        return NULL;
    }
    sqlite3_busy_timeout(db, BUSY_MS);
    return db;
}

static bool query_int(sqlite3 *db, const char *text, int64_t *ret_value)
{
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW;
    if (good)
        *ret_value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return good;
}

/* ---- Opening -------------------------------------------------------------- */

static bool insert_meta(struct store *store, int64_t stock, struct ord_error *error)
{
    char text[1024];
    size_t used = (size_t)snprintf(text, sizeof(text),
                                   "INSERT INTO meta VALUES('stock','%lld'),('currency','%s');",
                                   (long long)stock, ORDERS_CURRENCY);
    for (int i = 0; i < ACCOUNT_COUNT; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "INSERT INTO accounts VALUES(%d,'%s','%s');", i,
                                 ord_account_name(i), ORDERS_CURRENCY);
    snprintf(text + used, sizeof(text) - used, "PRAGMA application_id=%d; PRAGMA user_version=%d;",
             ORDERS_APPLICATION_ID, ORDERS_SCHEMA_VERSION);
    if (sqlite3_exec(store->db, text, NULL, NULL, NULL) != SQLITE_OK)
        return store_failed(store->db, store->path, "cannot be set up", error);
    return true;
}

/* The schema comes in one transaction: a database has all of it or nothing. */
static bool create_schema(struct store *store, int64_t stock, struct ord_error *error)
{
    if (sqlite3_exec(store->db, store_schema, NULL, NULL, NULL) != SQLITE_OK)
        return store_failed(store->db, store->path, "cannot be set up", error);
    return insert_meta(store, stock, error);
}

static bool check_schema(struct store *store, const struct store_options *options,
                         struct ord_error *error)
{
    int64_t application = 0, version = 0, tables = 0, node = 0;
    if (!query_int(store->db, "PRAGMA application_id", &application) ||
        !query_int(store->db, "PRAGMA user_version", &version) ||
        !query_int(store->db, "SELECT count(*) FROM sqlite_schema", &tables) ||
        !query_int(store->db, "SELECT count(*) FROM sqlite_schema WHERE name='node'", &node))
        return store_failed(store->db, store->path, "cannot be read", error);
    if (application == 0 && tables == 0)
        return create_schema(store, options->stock, error);
    if (application != ORDERS_APPLICATION_ID)
        return ord_fail(error, "'%s' is a database of another program", store->path);
    if (version != ORDERS_SCHEMA_VERSION)
        return ord_fail(error, "'%s' has schema version %lld, this program knows %d", store->path,
                        (long long)version, ORDERS_SCHEMA_VERSION);
    if (node && !options->node)
        return ord_fail(
            error,
            "'%s' holds the books of a ledger node, which takes orders from its gateway "
            "only: see orders-node(1)",
            store->path);
    return true;
}

static bool read_stock_rule(struct store *store, const struct store_options *options,
                            struct ord_error *error)
{
    if (!query_int(store->db, "SELECT CAST(value AS INTEGER) FROM meta WHERE name='stock'",
                   &store->initial))
        return store_failed(store->db, store->path, "cannot be read", error);
    if (options->stock_given && options->stock != store->initial)
        return ord_fail(error, "'%s' was begun with a stock of %lld, not %lld (-1: no bound)",
                        store->path, (long long)store->initial, (long long)options->stock);
    return true;
}

bool store_grow(struct store *store, uint32_t number)
{
    if (number < store->stock_room)
        return true;
    uint32_t room = number * 2 + 1024;
    struct stock *stock = realloc(store->stock, room * sizeof(*stock));
    if (!stock)
        return false;
    memset(stock + store->stock_room, 0, (room - store->stock_room) * sizeof(*stock));
    store->stock = stock;
    store->stock_room = room;
    return true;
}

/* Rows must come as 1, 2, 3 …; anything else was not written by this program. */
static bool load_words(struct store *store, struct dict *dict, const char *text,
                       uint32_t *ret_count, struct ord_error *error)
{
    sqlite3_stmt *rows = NULL;
    uint32_t count = 0;
    int step = SQLITE_ERROR;
    if (sqlite3_prepare_v2(store->db, text, -1, &rows, NULL) == SQLITE_OK) {
        while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
            const char *word = (const char *)sqlite3_column_text(rows, 1);
            const char *note = (const char *)sqlite3_column_text(rows, 2);
            uint32_t number = word && note
                                  ? dict_number(dict, word, strlen(word), note, strlen(note))
                                  : 0;
            if (number == 0 && word && note && count < DICT_WORDS_MAX) {
                sqlite3_finalize(rows);
                return ord_fail(error, "memory is short reading '%s'", store->path);
            }
            if (number != ++count || sqlite3_column_int64(rows, 0) != number) {
                sqlite3_finalize(rows);
                return ord_fail(error, "'%s' is damaged: row %u of its words is not as written",
                                store->path, count);
            }
            if (dict != store->products)
                continue;
            if (!store_grow(store, number)) {
                sqlite3_finalize(rows);
                return ord_fail(error, "memory is short");
            }
            store->stock[number] = (struct stock){
                sqlite3_column_int64(rows, 3), sqlite3_column_int64(rows, 4),
                sqlite3_column_int64(rows, 5), sqlite3_column_int64(rows, 6),
                sqlite3_column_int64(rows, 7), false};
        }
    }
    sqlite3_finalize(rows);
    *ret_count = count;
    return step == SQLITE_DONE ? true
                               : store_failed(store->db, store->path, "cannot be read", error);
}

static bool load_last(struct store *store, struct ord_error *error)
{
    sqlite3_stmt *last = NULL;
    bool good = query_int(store->db, "SELECT coalesce(max(id),0) FROM orders", &store->order_id) &&
                query_int(store->db, "SELECT coalesce(max(id),0) FROM entries", &store->entry_id) &&
                query_int(store->db, "SELECT position FROM cursors WHERE name='notices'",
                          &store->noticed) &&
                sqlite3_prepare_v2(store->db, "SELECT chain FROM orders ORDER BY id DESC LIMIT 1",
                                   -1, &last, NULL) == SQLITE_OK;
    store->noticed_written = store->noticed;
    if (good && sqlite3_step(last) == SQLITE_ROW) {
        good = sqlite3_column_bytes(last, 0) == CONTENT_SIZE;
        if (good)
            memcpy(store->chain, sqlite3_column_blob(last, 0), CONTENT_SIZE);
    }
    sqlite3_finalize(last);
    return good ? true : store_failed(store->db, store->path, "cannot be read", error);
}

bool store_alone(struct store *store, struct ord_error *error)
{
    sqlite3_stmt *ask = store->statement[ST_VERSION];
    int64_t version = sqlite3_step(ask) == SQLITE_ROW ? sqlite3_column_int64(ask, 0) : 0;
    sqlite3_reset(ask);
    if (version == 0)
        return store_failed(store->db, store->path, "cannot be read", error);
    if (store->version != 0 && store->version != version)
        return ord_fail(error,
                        "database '%s': another run entered orders meanwhile; run again when it "
                        "has ended: it resumes",
                        store->path);
    store->version = version;
    return true;
}

static bool set_up(struct store *store, const struct store_options *options,
                   struct ord_error *error)
{
    /* Locking the writer in from the start says at once when another program has it. */
    static const char pragmas[] =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=16384;"
        "PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=OFF;";
    const char *lax = ORDERS_PLANTED(SKIPPED_SYNC) ? "PRAGMA synchronous=OFF" : "";
    if (sqlite3_exec(store->db, pragmas, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(store->db, lax, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return store_failed(store->db, store->path, "cannot be opened for writing", error);
    if (!check_schema(store, options, error))
        return false;
    if (!read_stock_rule(store, options, error) ||
        !load_words(store, store->countries, "SELECT id, name, '' FROM countries ORDER BY id",
                    &store->countries_written, error) ||
        !load_words(store, store->products,
                    "SELECT id, code, description, initial, received, sold, written_off, returned"
                    " FROM products ORDER BY id",
                    &store->products_written, error) ||
        !load_last(store, error))
        return false;
    for (int i = 0; i < ST_COUNT; i++)
        if (sqlite3_prepare_v3(store->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &store->statement[i], NULL) != SQLITE_OK)
            return store_failed(store->db, store->path, "cannot be used", error);
    /* All this in one transaction: what another run may enter from now on is noticed. */
    if (!store_alone(store, error))
        return false;
    if (sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return store_failed(store->db, store->path, "cannot be set up", error);
    return true;
}

struct store *store_open(const struct store_options *options, struct ord_error *error)
{
    /* Nobody asks SQLite for memory statistics; without, allocating takes no lock. Refused, which
     * does no harm, if another part of the program uses SQLite already. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    struct store *store = calloc(1, sizeof(*store));
    if (store) {
        store->products = options->products;
        store->countries = options->countries;
        store->path = strdup(options->path);
        store->sha = sha_create();
    }
    if (!store || !store->path || !store->sha) {
        store_close(store);
        ord_fail(error, "memory is short opening '%s'", options->path);
        return NULL;
    }
    store->db = open_database(store->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error);
    if (!store->db || !set_up(store, options, error)) {
        store_close(store);
        return NULL;
    }
    return store;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    if (store->statement[ST_CURSOR] && store->noticed != store->noticed_written) {
        /* Lost with a crash, notices are given again: receivers know an order by its number. */
        sqlite3_bind_int64(store->statement[ST_CURSOR], 1, store->noticed);
        sqlite3_step(store->statement[ST_CURSOR]);
    }
    for (int i = 0; i < ST_COUNT; i++)
        sqlite3_finalize(store->statement[i]);
    sqlite3_close(store->db);
    sha_destroy(store->sha);
    free(store->stock);
    free(store->dirty);
    free(store->packed);
    free(store->path);
    free(store);
}

int64_t store_stock(const struct store *store)
{
    return store->initial;
}

int64_t store_on_hand(const struct store *store, uint32_t number)
{
    if (number > store->products_written)
        return store->initial < 0 ? 0 : store->initial;
    const struct stock *stock = &store->stock[number];
    return stock->initial + stock->received - stock->sold - stock->written_off;
}

void store_noticed(struct store *store, int64_t order)
{
    store->noticed = order;
}

int64_t store_noticed_position(const struct store *store)
{
    return store->noticed;
}

int64_t store_orders(const struct store *store)
{
    return store->order_id;
}

/* ---- Looking up ----------------------------------------------------------- */

struct store_reader {
    sqlite3 *db;
    sqlite3_stmt *order;
    sqlite3_stmt *refusal;
    char *path;
};

struct store_reader *store_reader_open(const char *path, struct ord_error *error)
{
    struct store_reader *reader = calloc(1, sizeof(*reader));
    if (reader)
        reader->path = strdup(path);
    if (!reader || !reader->path) {
        free(reader);
        ord_fail(error, "memory is short opening '%s'", path);
        return NULL;
    }
    reader->db = open_database(path, SQLITE_OPEN_READONLY, error);
    if (!reader->db) {
        store_reader_close(reader);
        return NULL;
    }
    if (sqlite3_prepare_v2(reader->db, "SELECT content FROM orders WHERE key=?", -1, &reader->order,
                           NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(reader->db, "SELECT 1 FROM refusals WHERE content=?", -1,
                           &reader->refusal, NULL) != SQLITE_OK) {
        store_failed(reader->db, path, "cannot be read", error);
        store_reader_close(reader);
        return NULL;
    }
    return reader;
}

void store_reader_close(struct store_reader *reader)
{
    if (!reader)
        return;
    sqlite3_finalize(reader->order);
    sqlite3_finalize(reader->refusal);
    sqlite3_close(reader->db);
    free(reader->path);
    free(reader);
}

enum store_known store_find(struct store_reader *reader, const struct doc *doc,
                            struct ord_error *error)
{
    sqlite3_stmt *find = doc->what == DOC_ORDER ? reader->order : reader->refusal;
    enum store_known known = STORE_NEW;
    if (doc->what == DOC_ORDER)
        sqlite3_bind_text(find, 1, doc->key, -1, SQLITE_STATIC);
    else
        sqlite3_bind_blob(find, 1, doc->content, CONTENT_SIZE, SQLITE_STATIC);
    int step = sqlite3_step(find);
    if (step == SQLITE_ROW) {
        bool same = doc->what == DOC_REFUSED ||
                    (sqlite3_column_bytes(find, 0) == CONTENT_SIZE &&
                     memcmp(sqlite3_column_blob(find, 0), doc->content, CONTENT_SIZE) == 0);
        known = same ? STORE_SAME : STORE_OTHER;
    } else if (step != SQLITE_DONE) {
        store_failed(reader->db, reader->path, "cannot be read", error);
        known = STORE_FAILED;
    }
    sqlite3_reset(find);
    return known;
}

bool store_each_key(struct store_reader *reader, void (*visit)(void *user, const char *key),
                    void *user, struct ord_error *error)
{
    sqlite3_stmt *keys = NULL;
    int step = SQLITE_ERROR;
    if (sqlite3_prepare_v2(reader->db, "SELECT key FROM orders", -1, &keys, NULL) == SQLITE_OK) {
        while ((step = sqlite3_step(keys)) == SQLITE_ROW) {
            const char *key = (const char *)sqlite3_column_text(keys, 0);
            if (key)
                visit(user, key);
        }
    }
    sqlite3_finalize(keys);
    return step == SQLITE_DONE ? true
                               : store_failed(reader->db, reader->path, "cannot be read", error);
}

bool store_reader_noticed(struct store_reader *reader, int64_t *ret_order, struct ord_error *error)
{
    return query_int(reader->db, "SELECT position FROM cursors WHERE name='notices'", ret_order)
               ? true
               : store_failed(reader->db, reader->path, "cannot be read", error);
}

bool store_each_after(struct store_reader *reader, int64_t id, store_visit_fn visit, void *user,
                      struct ord_error *error)
{
    sqlite3_stmt *orders = NULL;
    int step = SQLITE_ERROR;
    if (sqlite3_prepare_v2(reader->db,
                           "SELECT id, state, key, amount FROM orders WHERE id > ? ORDER BY id", -1,
                           &orders, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(orders, 1, id);
        while ((step = sqlite3_step(orders)) == SQLITE_ROW) {
            const char *key = (const char *)sqlite3_column_text(orders, 2);
            visit(user, sqlite3_column_int64(orders, 0), (uint8_t)sqlite3_column_int(orders, 1),
                  sqlite3_column_int64(orders, 3), key ? key : "");
        }
    }
    sqlite3_finalize(orders);
    return step == SQLITE_DONE ? true
                               : store_failed(reader->db, reader->path, "cannot be read", error);
}
