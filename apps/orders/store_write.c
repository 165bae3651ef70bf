/* store_write.c - entering a batch: rows, double entries, stock and the hash chain. */
#include "plant.h"
#include "store_internal.h"

#include <stdlib.h>
#include <string.h>

/* Ledger entries of one order: capture, goods, charges, refund, returns, bad debt. */
#define ENTRIES_MAX 8

struct entry {
    uint8_t account;
    int64_t amount;
};

static bool run(struct store *store, enum statement which, const char *doing,
                struct ord_error *error)
{
    sqlite3_stmt *statement = store->statement[which];
    int step = sqlite3_step(statement);
    if (step != SQLITE_DONE)
        store_failed(store->db, store->path, doing, error);
    sqlite3_reset(statement);
    return step == SQLITE_DONE;
}

static bool write_words(struct store *store, const struct doc *doc, struct ord_error *error)
{
    while (store->countries_written < doc->countries_known) {
        uint32_t number = store->countries_written + 1;
        const struct dict_word *word = dict_word(store->countries, number);
        sqlite3_stmt *insert = store->statement[ST_COUNTRY];
        sqlite3_bind_int64(insert, 1, number);
        sqlite3_bind_text(insert, 2, word->text, (int)word->size, SQLITE_STATIC);
        if (!run(store, ST_COUNTRY, "a country cannot be entered", error))
            return false;
        store->countries_written = number;
    }
    while (store->products_written < doc->products_known) {
        uint32_t number = store->products_written + 1;
        const struct dict_word *word = dict_word(store->products, number);
        int64_t initial = store->initial < 0 ? 0 : store->initial;
        sqlite3_stmt *insert = store->statement[ST_PRODUCT];
        if (!store_grow(store, number))
            return ord_fail(error, "memory is short for product %s", word->text);
        sqlite3_bind_int64(insert, 1, number);
        sqlite3_bind_text(insert, 2, word->text, (int)word->size, SQLITE_STATIC);
        sqlite3_bind_text(insert, 3, word->note, -1, SQLITE_STATIC);
        sqlite3_bind_int64(insert, 4, initial);
        sqlite3_bind_int64(insert, 5, initial);
        if (!run(store, ST_PRODUCT, "a product cannot be entered", error))
            return false;
        store->stock[number] = (struct stock){.initial = initial};
        store->products_written = number;
    }
    return true;
}

static bool touch(struct store *store, uint32_t product)
{
    if (store->stock[product].dirty)
        return true;
    if (store->dirty_count == store->dirty_room) {
        uint32_t room = store->dirty_room * 2 + 256;
        uint32_t *dirty = realloc(store->dirty, room * sizeof(*dirty));
        if (!dirty)
            return false;
        store->dirty = dirty;
        store->dirty_room = room;
    }
    store->dirty[store->dirty_count++] = product;
    store->stock[product].dirty = true;
    return true;
}

/* A cancelled line reverses the newest sale to the same customer, of the same code at the same
 * price, that has enough pieces left. */
static bool find_sale(struct store *store, const struct doc *doc, struct doc_line *line,
                      struct ord_error *error)
{
    sqlite3_stmt *find = store->statement[ST_FIND_SALE];
    sqlite3_bind_int64(find, 1, doc->customer);
    sqlite3_bind_int64(find, 2, line->product);
    sqlite3_bind_int64(find, 3, line->price);
    sqlite3_bind_int64(find, 4, -(int64_t)line->quantity);
    int step = sqlite3_step(find);
    int64_t sale = step == SQLITE_ROW ? sqlite3_column_int64(find, 0) : 0;
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        store_failed(store->db, store->path, "sales cannot be searched", error);
    sqlite3_reset(find);
    if (step == SQLITE_DONE)
        return true;
    if (step != SQLITE_ROW)
        return false;
    sqlite3_stmt *take_back = store->statement[ST_TAKE_BACK];
    sqlite3_bind_int64(take_back, 1, sale);
    sqlite3_bind_int64(take_back, 2, -(int64_t)line->quantity);
    line->reverses = sale;
    line->outcome = OUTCOME_RETURNED;
    return run(store, ST_TAKE_BACK, "a return cannot be entered", error);
}

static bool settle_cancellation(struct store *store, struct doc *doc, struct ord_error *error)
{
    bool all = true;
    for (uint32_t i = 0; i < doc->lines; i++) {
        struct doc_line *line = &doc->line[i];
        if (line->outcome != OUTCOME_PARKED)
            continue;
        if (doc->customer != 0 && !find_sale(store, doc, line, error))
            return false;
        all = all && line->outcome == OUTCOME_RETURNED;
    }
    if (!all) {
        doc->state = STATE_PARKED;
        doc->reason = REASON_NO_ORIGINAL;
    }
    return true;
}

static bool write_lines(struct store *store, const struct doc *doc, struct ord_error *error)
{
    sqlite3_stmt *insert = store->statement[ST_LINE];
    sqlite3_bind_int64(insert, 9, doc->customer);
    for (uint32_t i = 0; i < doc->lines; i++) {
        const struct doc_line *line = &doc->line[i];
        sqlite3_bind_int64(insert, 1, (store->order_id << LINE_ID_SHIFT) | i);
        sqlite3_bind_int64(insert, 2, line->product);
        sqlite3_bind_int64(insert, 3, line->quantity);
        sqlite3_bind_int64(insert, 4, line->price);
        sqlite3_bind_int64(insert, 5, line->amount);
        sqlite3_bind_int64(insert, 6, line->outcome);
        sqlite3_bind_int64(insert, 7, line->flags);
        sqlite3_bind_int64(insert, 8, line->reverses);
        if (!run(store, ST_LINE, "a line cannot be entered", error))
            return false;

        struct stock *stock = &store->stock[line->product];
        stock->received += line->received;
        if (line->outcome == OUTCOME_SOLD)
            stock->sold += line->quantity;
        else if (line->outcome == OUTCOME_WRITTEN_OFF)
            stock->written_off -= line->quantity;
        else if (line->outcome == OUTCOME_RETURNED && !(line->flags & LINE_NO_PRODUCT))
            stock->returned -= line->quantity;
        else
            continue;
        if (!touch(store, line->product))
            return ord_fail(error, "memory is short at order %s", doc->key);
    }
    return true;
}

static size_t add_pair(struct entry *entries, size_t count, uint8_t debit, uint8_t credit,
                       int64_t amount)
{
    if (amount == 0)
        return count;
    entries[count++] = (struct entry){debit, amount};
    entries[count++] = (struct entry){credit, -amount};
    return count;
}

/* What the order moves. Debits and credits of one order are equal by construction. */
static size_t entries_of(const struct doc *doc, struct entry *entries)
{
    int64_t sold = 0, charged = 0, returned = 0, debt = 0;
    for (uint32_t i = 0; i < doc->lines; i++) {
        const struct doc_line *line = &doc->line[i];
        sold += line->outcome == OUTCOME_SOLD ? line->amount : 0;
        charged += line->outcome == OUTCOME_CHARGED ? line->amount : 0;
        returned += line->outcome == OUTCOME_RETURNED ? line->amount : 0;
        debt += line->outcome == OUTCOME_BAD_DEBT ? line->amount : 0;
    }
    size_t count = 0;
    if (doc->paid && doc->state == STATE_REFUNDED) {
        count = add_pair(entries, count, ACCOUNT_CLEARING, ACCOUNT_HELD, doc->amount);
        count = add_pair(entries, count, ACCOUNT_HELD, ACCOUNT_CLEARING, doc->amount);
    } else if (doc->paid && sold + charged > 0) {
        entries[count++] = (struct entry){ACCOUNT_CLEARING, sold + charged};
        if (sold != 0)
            entries[count++] = (struct entry){ACCOUNT_SALES, -sold};
        if (charged != 0)
            entries[count++] = (struct entry){ACCOUNT_CHARGES, -charged};
    }
    count = add_pair(entries, count, ACCOUNT_RETURNS, ACCOUNT_CLEARING, -returned);
    return add_pair(entries, count, ACCOUNT_RECEIVABLE, ACCOUNT_BAD_DEBT, debt);
}

static bool write_entries(struct store *store, const struct entry *entries, size_t count,
                          struct ord_error *error)
{
    sqlite3_stmt *insert = store->statement[ST_ENTRY];
    for (size_t i = 0; i < count; i++) {
        sqlite3_bind_int64(insert, 1, ++store->entry_id);
        sqlite3_bind_int64(insert, 2, store->order_id);
        sqlite3_bind_int64(insert, 3, entries[i].account);
        sqlite3_bind_int64(insert, 4, entries[i].amount);
        if (!run(store, ST_ENTRY, "a ledger entry cannot be entered", error))
            return false;
    }
    return true;
}

/* chain(n) = SHA-256(chain(n-1), content, key, numbers): see docs/reference/orders-ledger.md. */
static bool chain(struct store *store, const struct doc *doc, const struct entry *entries,
                  size_t count, struct ord_error *error)
{
    size_t room = 10 + (size_t)doc->lines * 7 + count * 2;
    if (room > store->packed_room) {
        free(store->packed);
        store->packed = malloc(room * 2 * sizeof(*store->packed));
        store->packed_room = store->packed ? room * 2 : 0;
        if (!store->packed)
            return ord_fail(error, "memory is short at order %s", doc->key);
    }
    int64_t *out = store->packed;
    int64_t head[] = {store->order_id, doc->kind,    doc->state,     doc->reason, doc->flags,
                      doc->customer,   doc->country, doc->placed_at, doc->lines,  doc->amount};
    memcpy(out, head, sizeof(head));
    out += 10;
    for (uint32_t i = 0; i < doc->lines; i++) {
        const struct doc_line *line = &doc->line[i];
        *out++ = line->product;
        *out++ = line->quantity;
        *out++ = line->price;
        *out++ = line->amount;
        *out++ = line->outcome;
        *out++ = line->flags;
        *out++ = line->reverses;
    }
    for (size_t i = 0; i < count; i++) {
        *out++ = entries[i].account;
        *out++ = entries[i].amount;
    }
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    for (int64_t *number = store->packed; number < out; number++)
        *number = (int64_t)__builtin_bswap64((uint64_t)*number);
#endif
    struct sha_part parts[] = {{store->chain, CONTENT_SIZE},
                               {doc->content, CONTENT_SIZE},
                               {doc->key, strlen(doc->key) + 1},
                               {store->packed, (size_t)(out - store->packed) * sizeof(*out)}};
    if (!sha_digest(store->sha, parts, 4, store->chain))
        return ord_fail(error, "SHA-256 failed for order %s", doc->key);
    return true;
}

static bool write_order(struct store *store, struct doc *doc, struct ord_error *error)
{
    struct entry entries[ENTRIES_MAX];
    store->order_id++;
    if (doc->kind == KIND_CANCELLATION && !settle_cancellation(store, doc, error))
        return false;
    size_t count = entries_of(doc, entries);
    if (!chain(store, doc, entries, count, error))
        return false;
    int64_t numbers[] = {doc->kind,    doc->state,     doc->reason, doc->flags, doc->customer,
                         doc->country, doc->placed_at, doc->lines,  doc->amount};
    sqlite3_stmt *insert = store->statement[ST_ORDER];
    sqlite3_bind_int64(insert, 1, store->order_id);
    sqlite3_bind_text(insert, 2, doc->key, -1, SQLITE_STATIC);
    sqlite3_bind_blob(insert, 3, doc->content, CONTENT_SIZE, SQLITE_STATIC);
    for (int i = 0; i < 9; i++)
        sqlite3_bind_int64(insert, 4 + i, numbers[i]);
    sqlite3_bind_blob(insert, 13, store->chain, CONTENT_SIZE, SQLITE_STATIC);
    return run(store, ST_ORDER, "an order cannot be entered", error) &&
           write_lines(store, doc, error) && write_entries(store, entries, count, error);
}

static bool write_refusal(struct store *store, const struct doc *doc, struct ord_error *error)
{
    sqlite3_stmt *insert = store->statement[ST_REFUSAL];
    sqlite3_bind_blob(insert, 1, doc->content, CONTENT_SIZE, SQLITE_STATIC);
    sqlite3_bind_text(insert, 2, doc->key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 3, doc->refusal);
    sqlite3_bind_int64(insert, 4, doc->lines);
    sqlite3_bind_int64(insert, 5, doc->amount);
    sqlite3_bind_int64(insert, 6, (int64_t)doc->source_line);
    sqlite3_bind_text(insert, 7, doc->excerpt, -1, SQLITE_STATIC);
    return run(store, ST_REFUSAL, "a refusal cannot be entered", error);
}

static bool write_stock(struct store *store, struct ord_error *error)
{
    sqlite3_stmt *update = store->statement[ST_STOCK];
    uint32_t first = ORDERS_PLANTED(BATCH_STOCK) && store->dirty_count > 2;
    for (uint32_t i = first; i < store->dirty_count; i++) {
        struct stock *stock = &store->stock[store->dirty[i]];
        sqlite3_bind_int64(update, 1, store->dirty[i]);
        sqlite3_bind_int64(update, 2, stock->received);
        sqlite3_bind_int64(update, 3, stock->sold);
        sqlite3_bind_int64(update, 4, stock->written_off);
        sqlite3_bind_int64(update, 5, stock->returned);
        sqlite3_bind_int64(update, 6,
                           stock->initial + stock->received - stock->sold - stock->written_off);
        stock->dirty = false;
        if (!run(store, ST_STOCK, "stock cannot be entered", error))
            return false;
    }
    store->dirty_count = 0;
    return true;
}

static bool write_all(struct store *store, struct doc *const *docs, size_t count,
                      struct ord_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (!write_words(store, docs[i], error))
            return false;
        bool good = docs[i]->what == DOC_ORDER ? write_order(store, docs[i], error)
                                               : write_refusal(store, docs[i], error);
        if (ORDERS_PLANTED(BATCH_TORN) && i == 0 && count > 1)
            good = good && run(store, ST_COMMIT, "half", error) &&
                   run(store, ST_BEGIN, "half", error);
        if (!good)
            return false;
    }
    if (store->noticed != store->noticed_written) {
        sqlite3_bind_int64(store->statement[ST_CURSOR], 1, store->noticed);
        if (!run(store, ST_CURSOR, "notices cannot be entered", error))
            return false;
        store->noticed_written = store->noticed;
    }
    return write_stock(store, error);
}

bool store_enter(struct store *store, struct doc *const *docs, size_t count,
                 struct ord_error *error)
{
    return store_alone(store, error) && write_all(store, docs, count, error);
}

struct sqlite3 *store_connection(struct store *store)
{
    return store->db;
}

bool store_write(struct store *store, struct doc *const *docs, size_t count,
                 struct ord_error *error)
{
    if (!run(store, ST_BEGIN, "a batch cannot begin", error))
        return false;
    if (store_enter(store, docs, count, error) &&
        run(store, ST_COMMIT, "a batch cannot be committed", error))
        return true;
    struct ord_error ignored; /* The first error is the one that counts. */
    if (!sqlite3_get_autocommit(store->db))
        (void)run(store, ST_ROLLBACK, "rollback", &ignored);
    return false;
}
