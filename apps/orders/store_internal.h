/* store_internal.h - what the two halves of the store share: opening, and entering. */
#ifndef ORDERS_STORE_INTERNAL_H
#define ORDERS_STORE_INTERNAL_H

#include "sha.h"
#include "store.h"

#include <sqlite3.h>

enum statement {
    ST_BEGIN,
    ST_VERSION,
    ST_COMMIT,
    ST_ROLLBACK,
    ST_COUNTRY,
    ST_PRODUCT,
    ST_STOCK,
    ST_ORDER,
    ST_LINE,
    ST_ENTRY,
    ST_FIND_SALE,
    ST_TAKE_BACK,
    ST_REFUSAL,
    ST_CURSOR,
    ST_COUNT
};

struct stock {
    int64_t initial, received, sold, written_off, returned;
    bool dirty;
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statement[ST_COUNT];
    struct sha *sha;
    struct dict *products, *countries;
    char *path;
    int64_t initial; /* stock per product at the start; -1: no bound */
    uint32_t products_written, countries_written;
    int64_t order_id, entry_id; /* last ones used */
    int64_t noticed, noticed_written;
    int64_t version; /* of the data, as SQLite counts what others commit; 0: not yet asked */
    unsigned char chain[CONTENT_SIZE];
    struct stock *stock; /* by product number */
    uint32_t stock_room;
    uint32_t *dirty; /* product numbers whose stock changed in this batch */
    uint32_t dirty_count, dirty_room;
    int64_t *packed; /* scratch of the hash chain */
    size_t packed_room;
};

/* Says why SQLite refused, naming the database. */
bool store_failed(sqlite3 *db, const char *path, const char *doing, struct ord_error *error);
/* Within a transaction: fails if another run has entered anything since the last time. Ids, stock
 * and chain are kept in memory: two runs at once would not know of each other's. */
bool store_alone(struct store *store, struct ord_error *error);
/* Room in the stock table for products up to `number`. */
bool store_grow(struct store *store, uint32_t number);

#endif
