/* oracle.c - holds the books against the model. */
#include "model.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIDNIGHT_2011 INT64_C(1293840000)

static bool differ(struct oracle *oracle, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static bool differ(struct oracle *oracle, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (!oracle->why[0])
        vsnprintf(oracle->why, sizeof oracle->why, fmt, args);
    va_end(args);
    return false;
}

void oracle_reset(struct oracle *oracle, const struct history *history, struct world *world)
{
    memset(oracle, 0, sizeof *oracle);
    oracle->history = history;
    oracle->world = world;
}

/* ---- The books ------------------------------------------------------------ */

struct books {
    sqlite3 *db;
    sqlite3_stmt *orders, *lines, *entries;
};

static int64_t number(sqlite3_stmt *row, int column)
{
    return sqlite3_column_int64(row, column);
}

static const char *text(sqlite3_stmt *row, int column)
{
    const char *bytes = (const char *)sqlite3_column_text(row, column);
    return bytes ? bytes : "";
}

static bool expect(struct oracle *oracle, const char *key, const char *what, int64_t found,
                   int64_t want)
{
    return found == want || differ(oracle, "order %s: %s is %lld in the books, want %lld", key,
                                   what, (long long)found, (long long)want);
}

static int line_flags(const struct row *row)
{
    int64_t amount = model_amount(row);
    bool outlier = abs(row->quantity) > 10000 || amount > 1000000 || amount < -1000000;
    return (row->code == 5 ? 1 : 0) | (outlier ? 2 : 0) | (history_is_product(row->code) ? 0 : 4) |
           (row->price % 10 ? 8 : 0);
}

static bool check_lines(struct oracle *oracle, struct books *books, const struct group *group,
                        const struct fate *fate, int64_t id)
{
    const char *key = group->rows[0]->key;
    sqlite3_stmt *row = books->lines;
    bool good = true;
    for (int i = 0; good && i < group->count; i++) {
        const struct row *want = group->rows[i];
        good = expect(oracle, key, "the next line's id",
                      sqlite3_step(row) == SQLITE_ROW ? number(row, 0) : 0, id * 65536 + i) &&
               (strcmp(text(row, 1), history_codes[want->code]) == 0 ||
                differ(oracle, "order %s has a line of %s, want %s", key, text(row, 1),
                       history_codes[want->code])) &&
               expect(oracle, key, "a quantity", number(row, 2), want->quantity) &&
               expect(oracle, key, "a price", number(row, 3), want->price) &&
               expect(oracle, key, "an amount", number(row, 4), model_amount(want)) &&
               expect(oracle, key, "an outcome", number(row, 5), fate->outcome[i]) &&
               expect(oracle, key, "a line's flags", number(row, 6), line_flags(want)) &&
               expect(oracle, key, "a reversed line", number(row, 7), fate->reverses[i]);
    }
    return good;
}

static bool check_entries(struct oracle *oracle, struct books *books, const struct group *group,
                          const struct fate *fate, int64_t id)
{
    int64_t balance[ACCOUNTS] = {0};
    int64_t captured = 0;
    sqlite3_bind_int64(books->entries, 1, id);
    while (sqlite3_step(books->entries) == SQLITE_ROW) {
        int64_t account = number(books->entries, 0), amount = number(books->entries, 1);
        if (account >= 0 && account < ACCOUNTS)
            balance[account] += amount;
        if (account == CLEARING && amount > 0)
            captured += amount;
    }
    sqlite3_reset(books->entries);
    const char *key = group->rows[0]->key;
    bool good = true;
    for (int i = 0; good && i < ACCOUNTS; i++)
        good = expect(oracle, key, "a balance", balance[i], fate->account[i]);
    /* What a person has to find out is not in the books. */
    if (good && model_kind(group) == SALE && fate->reason != NO_ANSWER) {
        bool paid = fate->state == FULFILLED || fate->state == REFUNDED;
        const struct payment *payment = world_payment(oracle->world, key);
        good = expect(oracle, key, "what was captured", captured, paid ? fate->amount : 0) &&
               expect(oracle, key, "what the provider has taken", payment->captured, captured) &&
               (fate->state == REFUNDED || /* It may not have come to that yet. */
                expect(oracle, key, "what the provider gave back", payment->refunded, 0));
    }
    return good;
}

static bool check_order(struct oracle *oracle, struct books *books, const struct group *group,
                        const struct fate *fate)
{
    sqlite3_stmt *row = books->orders;
    const char *key = group->rows[0]->key;
    int64_t id = oracle->entered_count + 1;
    return expect(oracle, key, "the id", number(row, 0), id) &&
           expect(oracle, key, "the kind", number(row, 2), model_kind(group)) &&
           expect(oracle, key, "the state", number(row, 3), fate->state) &&
           expect(oracle, key, "the reason", number(row, 4), fate->reason) &&
           expect(oracle, key, "the flags", number(row, 5), fate->flags) &&
           expect(oracle, key, "the customer", number(row, 6),
                  group->rows[0]->customer ? 12000 + group->rows[0]->customer : 0) &&
           expect(oracle, key, "the time", number(row, 7),
                  MIDNIGHT_2011 + group->rows[0]->minute * 60) &&
           expect(oracle, key, "the number of lines", number(row, 8), group->count) &&
           expect(oracle, key, "the amount", number(row, 9), fate->amount) &&
           check_lines(oracle, books, group, fate, id) &&
           check_entries(oracle, books, group, fate, id);
}

/* It is entered: what follows sees it. */
static void enter(struct oracle *oracle, const struct group *group, const struct fate *fate)
{
    struct entered *order = &oracle->entered[oracle->entered_count++];
    *order = (struct entered){.group = *group, .state = fate->state};
    memcpy(order->outcome, fate->outcome, sizeof order->outcome);
    for (int i = 0; i < group->count; i++) {
        int code = group->rows[i]->code;
        int pieces = abs(group->rows[i]->quantity);
        oracle->seen[code] = true;
        if (fate->outcome[i] == SOLD)
            oracle->sold[code] += pieces;
        else if (fate->outcome[i] == WRITTEN)
            oracle->written_off[code] += pieces;
        else if (fate->outcome[i] == RETURNED && history_is_product(code))
            oracle->returned[code] += pieces;
    }
    for (int code = 0; code < CODES; code++)
        oracle->received[code] += fate->got_in[code];
}

static const struct entered *known(const struct oracle *oracle, const char *key)
{
    for (int i = 0; i < oracle->entered_count; i++) {
        if (strcmp(oracle->entered[i].group.rows[0]->key, key) == 0)
            return &oracle->entered[i];
    }
    return NULL;
}

/* ---- Refusals ------------------------------------------------------------- */

/* The number of the refusal. */
static int refuse(struct oracle *oracle, const struct group *group)
{
    const struct row *first = group->spoiled ? group->rows[0] : NULL;
    for (int i = 0; i < oracle->refused_count; i++) {
        if (oracle->refused[i].first == first && model_same_rows(&oracle->refused[i].group, group))
            return i;
    }
    if (oracle->refused_count == GROUPS_MAX)
        abort();
    oracle->refused[oracle->refused_count] = (struct refused){first, *group, false};
    return oracle->refused_count++;
}

/* What came before an order that is in the books is in the books, too. */
static void make_due(struct oracle *oracle, const int *refusals, int count)
{
    for (int i = 0; i < count; i++)
        oracle->refused[refusals[i]].due = true;
}

static int reason_of(const struct refused *refused)
{
    return !refused->first ? 0 : refused->first->key[0] ? 1 : 2;
}

/* Those that are due have to be there, and no others than the model's. */
static bool check_refusals(struct oracle *oracle, sqlite3 *db)
{
    bool there[GROUPS_MAX] = {false};
    sqlite3_stmt *row = NULL;
    sqlite3_prepare_v2(db, "SELECT key, reason, lines FROM refusals", -1, &row, NULL);
    bool good = true;
    while (good && sqlite3_step(row) == SQLITE_ROW) {
        int i = 0;
        for (; i < oracle->refused_count; i++) {
            const struct refused *refused = &oracle->refused[i];
            if (!there[i] && strcmp(refused->group.rows[0]->key, text(row, 0)) == 0 &&
                reason_of(refused) == number(row, 1) && refused->group.count == number(row, 2))
                break;
        }
        if (i == oracle->refused_count)
            good = differ(oracle, "the books refuse '%s', reason %lld, of %lld lines", text(row, 0),
                          (long long)number(row, 1), (long long)number(row, 2));
        else
            there[i] = true;
    }
    sqlite3_finalize(row);
    for (int i = 0; good && i < oracle->refused_count; i++) {
        if (oracle->refused[i].due && !there[i])
            good = differ(oracle, "the books do not say that '%s' was refused",
                          oracle->refused[i].group.rows[0]->key);
    }
    return good;
}

/* ---- All of it ------------------------------------------------------------ */

static bool check_stock(struct oracle *oracle, sqlite3 *db)
{
    int64_t initial = oracle->history->stock < 0 ? 0 : oracle->history->stock;
    sqlite3_stmt *row = NULL;
    bool good = true, there[CODES] = {false};
    sqlite3_prepare_v2(db,
                       "SELECT code, received, sold, written_off, returned, on_hand FROM products",
                       -1, &row, NULL);
    while (good && sqlite3_step(row) == SQLITE_ROW) {
        int code = 0;
        while (code < CODES && strcmp(history_codes[code], text(row, 0)) != 0)
            code++;
        if (code == CODES)
            good = differ(oracle, "the books have a product '%s'", text(row, 0));
        if (!good)
            break;
        there[code] = true;
        int64_t left = initial + oracle->received[code] - oracle->sold[code] -
                       oracle->written_off[code];
        good = expect(oracle, text(row, 0), "received", number(row, 1), oracle->received[code]) &&
               expect(oracle, text(row, 0), "sold", number(row, 2), oracle->sold[code]) &&
               expect(oracle, text(row, 0), "written off", number(row, 3),
                      oracle->written_off[code]) &&
               expect(oracle, text(row, 0), "returned", number(row, 4), oracle->returned[code]) &&
               expect(oracle, text(row, 0), "on hand", number(row, 5), left) &&
               (left >= 0 || differ(oracle, "%s was sold too often", text(row, 0)));
    }
    sqlite3_finalize(row);
    for (int code = 0; good && code < CODES; code++) {
        if (oracle->seen[code] && !there[code])
            good = differ(oracle, "product %s is not in the books", history_codes[code]);
    }
    return good;
}

/* Whoever was told of an order was told what the books say. */
static bool check_told(struct oracle *oracle)
{
    bool good = true;
    for (int i = 0; good && i < oracle->world->told_count; i++) {
        const struct told *told = &oracle->world->told[i];
        const struct entered *order = known(oracle, told->key);
        if (!order)
            good = differ(oracle, "order %s was acknowledged and is not in the books", told->key);
        else
            good = expect(oracle, told->key, "the id that its customer was told", told->id,
                          order - oracle->entered + 1) &&
                   expect(oracle, told->key, "the state that its customer was told", told->state,
                          order->state);
    }
    return good;
}

static bool is_next(sqlite3_stmt *orders, const struct group *group)
{
    return sqlite3_data_count(orders) && strcmp(text(orders, 1), group->rows[0]->key) == 0;
}

/* What was in the books before: it must still be there, and is not paid for again. */
static bool walk_old(struct oracle *oracle, struct books *books)
{
    for (int i = 0; i < oracle->entered_count; i++) {
        const struct group *group = &oracle->entered[i].group;
        const char *key = group->rows[0]->key;
        if (sqlite3_step(books->orders) != SQLITE_ROW || strcmp(text(books->orders, 1), key) != 0)
            return differ(oracle, "order %s was in the books and is gone", key);
        for (int k = 0; k < group->count; k++)
            sqlite3_step(books->lines);
        if (world_payment(oracle->world, key)->asked)
            return differ(oracle, "order %s was in the books and was to be paid again", key);
    }
    sqlite3_step(books->orders);
    return true;
}

static bool walk_new(struct oracle *oracle, struct books *books, const struct oracle_run *run)
{
    static struct group groups[GROUPS_MAX];
    int refusals[GROUPS_MAX], refusal_count = 0;
    int count = model_orders(oracle->history, run->rows, groups);
    bool good = true, ended = false;
    for (int i = 0; good && i < count; i++) {
        const struct group *group = &groups[i];
        const char *key = group->rows[0]->key;
        const struct entered *before = group->spoiled ? NULL : known(oracle, key);
        if (group->spoiled || (before && !model_same_rows(&before->group, group))) {
            refusals[refusal_count++] = refuse(oracle, group);
        } else if (!before && is_next(books->orders, group)) {
            struct fate fate;
            model_decide(oracle, group, &fate);
            good = (!ended || differ(oracle, "order %s was entered before its turn", key)) &&
                   check_order(oracle, books, group, &fate);
            enter(oracle, group, &fate);
            make_due(oracle, refusals, run->drops ? 0 : refusal_count);
            sqlite3_step(books->orders);
        } else if (!before) {
            ended = !run->drops;
            good = !run->whole || run->drops || differ(oracle, "order %s is missing", key);
        }
    }
    make_due(oracle, refusals, run->whole && !run->drops ? refusal_count : 0);
    if (good && sqlite3_data_count(books->orders))
        good = differ(oracle, "order %s came from nowhere", text(books->orders, 1));
    return good;
}

static bool prepare(struct books *books)
{
    static const char orders[] = "SELECT id, key, kind, state, reason, flags, customer, placed_at,"
                                 " lines, amount FROM orders ORDER BY id";
    static const char lines[] =
        "SELECT l.id, p.code, l.quantity, l.price, l.amount, l.outcome, l.flags, l.reverses"
        " FROM lines l LEFT JOIN products p ON p.id = l.product ORDER BY l.id";
    static const char entries[] = "SELECT account, amount FROM entries WHERE order_id = ?";
    return sqlite3_prepare_v2(books->db, orders, -1, &books->orders, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(books->db, lines, -1, &books->lines, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(books->db, entries, -1, &books->entries, NULL) == SQLITE_OK;
}

/* 1: there is something; 0: nothing was set up yet; -1: whoever only reads cannot tell. */
static int look(const char *path, int flags)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    int there = 0;
    if (sqlite3_open_v2(path, &db, flags, NULL) == SQLITE_OK) {
        sqlite3_prepare_v2(db, "SELECT count(*) FROM sqlite_schema", -1, &row, NULL);
        there = 1; /* What cannot be read is there: it is an error that others name. */
        if (sqlite3_step(row) == SQLITE_ROW)
            there = sqlite3_column_int(row, 0) > 0;
        else if (sqlite3_errcode(db) == SQLITE_READONLY)
            there = -1;
    }
    sqlite3_finalize(row);
    sqlite3_close(db);
    return there;
}

bool oracle_books_there(const char *path)
{
    int there = look(path, SQLITE_OPEN_READONLY);
    if (there < 0) /* What set the books up was cut off, and has to be undone. */
        there = look(path, SQLITE_OPEN_READWRITE);
    return there != 0;
}

bool oracle_check(struct oracle *oracle, const char *path, const struct oracle_run *run)
{
    struct books books = {NULL};
    if (!oracle_books_there(path) && !run->whole)
        return (oracle->entered_count == 0 || differ(oracle, "the books are gone")) &&
               check_told(oracle);
    bool good = sqlite3_open_v2(path, &books.db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
                prepare(&books);
    if (!good)
        good = differ(oracle, "the books cannot be read: %.160s",
                      books.db ? sqlite3_errmsg(books.db) : "no memory");
    good = good && walk_old(oracle, &books) && walk_new(oracle, &books, run) &&
           check_refusals(oracle, books.db) && check_stock(oracle, books.db) && check_told(oracle);
    sqlite3_finalize(books.orders);
    sqlite3_finalize(books.lines);
    sqlite3_finalize(books.entries);
    sqlite3_close(books.db);
    return good;
}

bool oracle_all_told(struct oracle *oracle)
{
    for (int i = 0; i < oracle->entered_count; i++) {
        const char *key = oracle->entered[i].group.rows[0]->key;
        int k = 0;
        while (k < oracle->world->told_count && strcmp(oracle->world->told[k].key, key) != 0)
            k++;
        if (k == oracle->world->told_count)
            return differ(oracle, "nobody was told of order %s", key);
        const struct payment *payment = world_payment(oracle->world, key);
        if (oracle->entered[i].state == REFUNDED && payment->refunded != payment->captured)
            return differ(oracle, "order %s was never refunded", key);
    }
    return true;
}
