/*
 * store.h - the books in SQLite (WAL, synchronous=FULL, one transaction per batch). The ledger's
 * writer uses one store, on one thread at a time; the intake looks orders up through a reader.
 */
#ifndef ORDERS_STORE_H
#define ORDERS_STORE_H

#include "dict.h"
#include "doc.h"

struct store_options {
    const char *path;
    struct dict *products; /* filled with what the database knows; borrowed */
    struct dict *countries;
    int64_t stock; /* pieces of each product at the start; -1: as the database says, or no bound */
    bool stock_given; /* another value than the database's is then an error */
    bool node;        /* these are, or will be, the books of a ledger node; else they must not be */
};

struct store;

/* Opens or creates. NULL with a sentence: not a database, of another program or version,
 * locked, not writable, another stock. */
struct store *store_open(const struct store_options *options, struct ord_error *error);
/* Checkpoints and closes; NULL is fine. */
void store_close(struct store *store);

/* Stock of the start per product; -1: no bound, what is missing is got in. */
int64_t store_stock(const struct store *store);
/* Pieces on hand of product `number`, as committed. */
int64_t store_on_hand(const struct store *store, uint32_t number);

/*
 * Enters `count` documents, in the order given, in one transaction: orders, lines, ledger
 * entries, stock, hash chain; cancellations find their sale here. On success they are on disk
 * and each document's state is final. On failure nothing was entered, and the store is only good
 * for closing.
 */
bool store_write(struct store *store, struct doc *const *docs, size_t count,
                 struct ord_error *error);

/*
 * The same in parts, for who enters more in the same transaction: store_enter() between a BEGIN
 * and a COMMIT on store_connection(). After a failure the store is only good for closing.
 */
struct sqlite3;
struct sqlite3 *store_connection(struct store *store);
bool store_enter(struct store *store, struct doc *const *docs, size_t count,
                 struct ord_error *error);

/* Notices up to this order's id were delivered. Entered with the next batch or at close. */
void store_noticed(struct store *store, int64_t order);
int64_t store_noticed_position(const struct store *store);
int64_t store_orders(const struct store *store); /* entered so far */

/* What is known about an order's number. */
enum store_known { STORE_NEW, STORE_SAME, STORE_OTHER, STORE_FAILED };

struct store_reader;
struct store_reader *store_reader_open(const char *path, struct ord_error *error);
void store_reader_close(struct store_reader *reader);
/* Is the order with this number, or this refusal, entered already? */
enum store_known store_find(struct store_reader *reader, const struct doc *doc,
                            struct ord_error *error);
/* Calls visit for every order number entered; for the intake's filter. */
bool store_each_key(struct store_reader *reader, void (*visit)(void *user, const char *key),
                    void *user, struct ord_error *error);
/* Notices up to this order were delivered. */
bool store_reader_noticed(struct store_reader *reader, int64_t *ret_order, struct ord_error *error);
/* The orders after that one. */
typedef void (*store_visit_fn)(void *user, int64_t id, uint8_t state, int64_t amount,
                               const char *key);
bool store_each_after(struct store_reader *reader, int64_t id, store_visit_fn visit, void *user,
                      struct ord_error *error);

#endif
