/* verify.c - an auditor. It walks over all orders with their lines and entries once, works out
 * the hash chain and every sum anew, and asks SQLite for what spans orders. */
#include "verify.h"

#include "verify_internal.h"

#include <openssl/evp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The numbers of schema version 1, from the reference. */
enum { FULFILLED, REJECTED, REFUNDED, PARKED };
enum { SALE, CANCELLATION, ADJUSTMENT };
enum {
    L_SOLD,
    L_CHARGED,
    L_RETURNED,
    L_WRITTEN_OFF,
    L_BAD_DEBT,
    L_PARKED,
    L_NOT_PAID,
    L_REFUNDED,
    L_REFUSED_FROM,
    L_LAST = 13
};
enum { A_CLEARING, A_SALES, A_CHARGES, A_RETURNS, A_HELD, A_RECEIVABLE, A_BAD_DEBT, A_COUNT };

struct totals {
    int64_t by_outcome[L_LAST + 1];
    int64_t by_account[A_COUNT];
    int64_t lines, entries, captures;
};

struct audit {
    sqlite3 *db;
    struct verify_result *result;
    sqlite3_stmt *orders, *lines, *entries;
    EVP_MD_CTX *sha;
    unsigned char chain[32];
    struct totals total;
    char walk[VERIFY_TEXT_SIZE];    /* first offence of the walk; "" if none */
    char chained[VERIFY_TEXT_SIZE]; /* … of the chain */
};

void verify_note(struct verify_result *result, const char *name, bool good, const char *fmt, ...)
{
    if (result->count == VERIFY_CHECKS_MAX)
        return;
    struct verify_check *check = &result->check[result->count++];
    va_list args;
    va_start(args, fmt);
    vsnprintf(check->detail, sizeof(check->detail), fmt, args);
    va_end(args);
    check->name = name;
    check->good = good;
    result->failed += !good;
}

/* A check in SQL: the query gives a count of offences and an example. */
void verify_sql(struct sqlite3 *db, struct verify_result *result, const char *name, const char *sql)
{
    sqlite3_stmt *query = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &query, NULL) != SQLITE_OK ||
        sqlite3_step(query) != SQLITE_ROW) {
        verify_note(result, name, false, "cannot be checked: %.180s", sqlite3_errmsg(db));
    } else {
        int64_t offences = sqlite3_column_int64(query, 0);
        const char *example = (const char *)sqlite3_column_text(query, 1);
        if (offences == 0)
            verify_note(result, name, true, "good");
        else
            verify_note(result, name, false, "%lld offences, such as %.160s", (long long)offences,
                        example ? example : "?");
    }
    sqlite3_finalize(query);
}

/* ---- The walk -------------------------------------------------------------- */

static void offend(char *where, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void offend(char *where, const char *fmt, ...)
{
    if (where[0] != '\0')
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(where, VERIFY_TEXT_SIZE, fmt, args);
    va_end(args);
}

static void digest_numbers(struct audit *audit, const int64_t *numbers, int count)
{
    unsigned char bytes[16 * 8];
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 8; k++)
            bytes[i * 8 + k] = (unsigned char)((uint64_t)numbers[i] >> (8 * k));
    EVP_DigestUpdate(audit->sha, bytes, (size_t)count * 8);
}

struct order {
    int64_t id, kind, state, lines, amount;
    const char *key;
    int64_t by_outcome[L_LAST + 1]; /* amounts */
    int64_t seen[L_LAST + 1];       /* lines */
    int64_t by_account[A_COUNT];
    int64_t captured, captures, given_back, net;
};

static int64_t rounded(int64_t quantity, int64_t price)
{
    int64_t thousandths = quantity * price;
    int64_t pence = thousandths / 10, rest = thousandths % 10;
    return rest >= 5 ? pence + 1 : rest <= -5 ? pence - 1 : pence;
}

/* The lines that belong to this order, in sequence; the cursor stands on the next line. */
static void walk_lines(struct audit *audit, struct order *order)
{
    for (int64_t place = 0;; place++) {
        int64_t id = sqlite3_column_int64(audit->lines, 0);
        if (!sqlite3_data_count(audit->lines) || id >> 16 != order->id) {
            if (place != order->lines)
                offend(audit->walk, "order %.31s has %lld lines, says %lld", order->key,
                       (long long)place, (long long)order->lines);
            return;
        }
        int64_t numbers[7];
        for (int i = 0; i < 7; i++)
            numbers[i] = sqlite3_column_int64(audit->lines, i + 1);
        int64_t outcome = numbers[4];
        digest_numbers(audit, numbers, 7);
        if ((id & 0xFFFF) != place)
            offend(audit->walk, "order %.31s: line %lld is missing", order->key, (long long)place);
        if (numbers[3] != rounded(numbers[1], numbers[2]))
            offend(audit->walk, "order %.31s line %lld: %lld x %lld is not %lld pence", order->key,
                   (long long)place, (long long)numbers[1], (long long)numbers[2],
                   (long long)numbers[3]);
        if (outcome < 0 || outcome > L_LAST) {
            offend(audit->walk, "order %.31s line %lld has outcome %lld", order->key,
                   (long long)place, (long long)outcome);
        } else {
            order->by_outcome[outcome] += numbers[3];
            order->seen[outcome]++;
            audit->total.by_outcome[outcome] += numbers[3];
        }
        audit->total.lines++;
        sqlite3_step(audit->lines);
    }
}

static void walk_entries(struct audit *audit, struct order *order)
{
    while (sqlite3_data_count(audit->entries) &&
           sqlite3_column_int64(audit->entries, 1) == order->id) {
        int64_t id = sqlite3_column_int64(audit->entries, 0);
        int64_t numbers[2] = {sqlite3_column_int64(audit->entries, 2),
                              sqlite3_column_int64(audit->entries, 3)};
        digest_numbers(audit, numbers, 2);
        if (id != ++audit->total.entries)
            offend(audit->walk, "ledger entry %lld is missing", (long long)audit->total.entries);
        if (numbers[0] < 0 || numbers[0] >= A_COUNT) {
            offend(audit->walk, "ledger entry %lld has account %lld", (long long)id,
                   (long long)numbers[0]);
        } else {
            order->by_account[numbers[0]] += numbers[1];
            audit->total.by_account[numbers[0]] += numbers[1];
        }
        order->net += numbers[1];
        if (numbers[0] == A_CLEARING && numbers[1] > 0) {
            order->captures++;
            order->captured += numbers[1];
        } else if (numbers[0] == A_CLEARING) {
            order->given_back -= numbers[1];
        }
        sqlite3_step(audit->entries);
    }
}

/* What the kind promises: the number says it, each outcome belongs to one, and only a sale is
 * paid, by the amount that its lines add up to. */
static void judge_kind(struct audit *audit, const struct order *order)
{
    const int64_t *seen = order->seen, *amount = order->by_outcome;
    int64_t kind = order->key[0] == 'C' ? CANCELLATION : order->key[0] == 'A' ? ADJUSTMENT : SALE;
    int64_t sale = seen[L_SOLD] + seen[L_CHARGED] + seen[L_WRITTEN_OFF] + seen[L_NOT_PAID] +
                   seen[L_REFUNDED];
    int64_t due = amount[L_SOLD] + amount[L_CHARGED] + amount[L_NOT_PAID] + amount[L_REFUNDED];
    if (kind == SALE)
        due += amount[L_PARKED];
    if (order->kind != kind)
        offend(audit->walk, "order %.31s has kind %lld, its number says %lld", order->key,
               (long long)order->kind, (long long)kind);
    if ((kind != SALE && sale > 0) || (kind != CANCELLATION && seen[L_RETURNED] > 0) ||
        (kind != ADJUSTMENT && seen[L_BAD_DEBT] > 0))
        offend(audit->walk, "order %.31s: its lines do not fit its kind %lld", order->key,
               (long long)order->kind);
    if (order->amount != due)
        offend(audit->walk, "order %.31s: its lines add up to %lld pence, it says %lld", order->key,
               (long long)due, (long long)order->amount);
    if (order->state != REFUNDED && (order->captured != amount[L_SOLD] + amount[L_CHARGED] ||
                                     order->given_back != -amount[L_RETURNED]))
        offend(audit->walk, "order %.31s: %lld pence captured and %lld given back do not fit",
               order->key, (long long)order->captured, (long long)order->given_back);
}

/* What the state promises about lines and money. */
static void judge(struct audit *audit, const struct order *order)
{
    const int64_t *seen = order->seen, *amount = order->by_outcome;
    int64_t done = seen[L_SOLD] + seen[L_CHARGED] + seen[L_RETURNED] + seen[L_WRITTEN_OFF] +
                   seen[L_BAD_DEBT];
    bool fits = order->kind >= SALE && order->kind <= ADJUSTMENT;
    switch (order->state) {
    case FULFILLED:
        fits = fits && done > 0 && seen[L_PARKED] + seen[L_NOT_PAID] + seen[L_REFUNDED] == 0;
        break;
    case REJECTED:
        fits = fits && done == 0 && seen[L_PARKED] + seen[L_REFUNDED] == 0 && order->captures == 0;
        break;
    case REFUNDED:
        fits = fits && done == 0 && seen[L_REFUNDED] > 0 && order->captures == 1 &&
               order->captured == order->amount && order->given_back == order->captured;
        break;
    case PARKED: /* of a cancellation, some lines may have found their sale */
        fits = fits && seen[L_PARKED] > 0 && order->captures == 0 &&
               (done == 0 || (order->kind == CANCELLATION && done == seen[L_RETURNED]));
        break;
    default:
        fits = false;
    }
    if (!fits)
        offend(audit->walk, "order %.31s: its lines or money do not fit its state %lld", order->key,
               (long long)order->state);
    judge_kind(audit, order);
    if (order->captures > 1)
        offend(audit->walk, "order %.31s was captured %lld times", order->key,
               (long long)order->captures);
    if (order->net != 0)
        offend(audit->walk, "order %.31s: debits and credits differ by %lld", order->key,
               (long long)order->net);
    const int64_t *account = order->by_account;
    if (account[A_SALES] != -amount[L_SOLD] || account[A_CHARGES] != -amount[L_CHARGED] ||
        account[A_RETURNS] != -amount[L_RETURNED] || account[A_HELD] != 0 ||
        account[A_RECEIVABLE] != amount[L_BAD_DEBT] || account[A_BAD_DEBT] != -amount[L_BAD_DEBT])
        offend(audit->walk, "order %.31s: its entries do not say what its lines say", order->key);
    audit->total.captures += order->captures;
}

static void walk_order(struct audit *audit, int64_t number)
{
    sqlite3_stmt *row = audit->orders;
    int64_t head[10] = {sqlite3_column_int64(row, 0)};
    for (int i = 1; i < 10; i++)
        head[i] = sqlite3_column_int64(row, i + 2);
    struct order order = {.id = head[0],
                          .kind = head[1],
                          .state = head[2],
                          .lines = head[8],
                          .amount = head[9],
                          .key = (const char *)sqlite3_column_text(row, 1)};
    if (!order.key)
        order.key = "";
    if (order.id != number)
        offend(audit->walk, "order id %lld is missing", (long long)number);

    EVP_DigestInit_ex(audit->sha, EVP_sha256(), NULL);
    EVP_DigestUpdate(audit->sha, audit->chain, 32);
    EVP_DigestUpdate(audit->sha, sqlite3_column_blob(row, 2), (size_t)sqlite3_column_bytes(row, 2));
    EVP_DigestUpdate(audit->sha, order.key, strlen(order.key) + 1);
    digest_numbers(audit, head, 10);
    walk_lines(audit, &order);
    walk_entries(audit, &order);
    EVP_DigestFinal_ex(audit->sha, audit->chain, NULL);
    if (sqlite3_column_bytes(row, 12) != 32 ||
        memcmp(sqlite3_column_blob(row, 12), audit->chain, 32) != 0) {
        offend(audit->chained, "the chain breaks at order %.31s (id %lld)", order.key,
               (long long)order.id);
        if (sqlite3_column_bytes(row, 12) == 32) /* One offence, not one per order after it. */
            memcpy(audit->chain, sqlite3_column_blob(row, 12), 32);
    }
    judge(audit, &order);
}

static bool prepare_walk(struct audit *audit)
{
    return sqlite3_prepare_v2(
               audit->db,
               "SELECT id, key, content, kind, state, reason, flags, customer, country, placed_at,"
               " lines, amount, chain FROM orders ORDER BY id",
               -1, &audit->orders, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(
               audit->db,
               "SELECT id, product, quantity, price, amount, outcome, flags, reverses FROM lines"
               " ORDER BY id",
               -1, &audit->lines, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(audit->db,
                              "SELECT id, order_id, account, amount FROM entries ORDER BY id", -1,
                              &audit->entries, NULL) == SQLITE_OK;
}

static void walk(struct audit *audit)
{
    int64_t orders = 0;
    int step = SQLITE_ERROR;
    if (audit->sha && prepare_walk(audit)) {
        sqlite3_step(audit->lines);
        sqlite3_step(audit->entries);
        while ((step = sqlite3_step(audit->orders)) == SQLITE_ROW)
            walk_order(audit, ++orders);
    }
    if (step != SQLITE_DONE)
        offend(audit->walk, "orders cannot be read: %.160s", sqlite3_errmsg(audit->db));
    if (sqlite3_data_count(audit->lines))
        offend(audit->walk, "line %lld belongs to no order",
               (long long)sqlite3_column_int64(audit->lines, 0));
    if (sqlite3_data_count(audit->entries))
        offend(audit->walk, "ledger entry %lld belongs to no order or is out of sequence",
               (long long)sqlite3_column_int64(audit->entries, 0));
    sqlite3_finalize(audit->orders);
    sqlite3_finalize(audit->lines);
    sqlite3_finalize(audit->entries);

    const struct totals *total = &audit->total;
    int64_t balance = 0;
    for (int i = 0; i < A_COUNT; i++)
        balance += total->by_account[i];
    bool whole = audit->walk[0] == '\0', chained = audit->chained[0] == '\0';
    if (whole)
        offend(audit->walk, "%lld orders, %lld lines", (long long)orders, (long long)total->lines);
    if (chained)
        offend(audit->chained, "%lld links", (long long)orders);
    verify_note(audit->result, "every order is whole, in one final state, captured at most once",
                whole, "%s", audit->walk);
    verify_note(audit->result, "debits equal credits", balance == 0, "%lld entries, sum %lld",
                (long long)total->entries, (long long)balance);
    verify_note(audit->result, "the hash chain holds", chained, "%s", audit->chained);
}

/* ---- What spans orders ----------------------------------------------------- */

static void check_across(struct audit *audit)
{
    verify_sql(audit->db, audit->result, "no order number is entered twice",
               "SELECT count(*), max(key) FROM (SELECT key FROM orders GROUP BY key"
               " HAVING count(*) > 1)");
    verify_sql(audit->db, audit->result,
               "stock: on hand = initial + received - sold - written off, never below zero",
               "SELECT count(*), max(code) FROM products"
               " WHERE on_hand != initial + received - sold - written_off OR on_hand < 0");
    verify_sql(audit->db, audit->result,
               "stock began as the books say, and nothing was got in where it is bounded",
               "SELECT count(*), max(code) FROM products, (SELECT CAST(value AS INTEGER) AS stock"
               " FROM meta WHERE name = 'stock') WHERE initial != max(stock, 0) OR received < 0"
               " OR (stock >= 0 AND received != 0)");
    verify_sql(audit->db, audit->result,
               "the books say with what stock and in which currency they began",
               "SELECT (SELECT count(*) FROM meta WHERE name IN ('stock', 'currency')"
               " AND value != '') != 2, '?'");
    verify_sql(audit->db, audit->result, "stock moved by exactly what the lines say",
               "SELECT count(*), max(p.code) FROM products p LEFT JOIN (SELECT product,"
               " sum(CASE outcome WHEN 0 THEN quantity ELSE 0 END) AS s,"
               " sum(CASE outcome WHEN 3 THEN -quantity ELSE 0 END) AS w,"
               " sum(CASE WHEN outcome = 2 AND flags & 4 = 0 THEN -quantity ELSE 0 END) AS r"
               " FROM lines GROUP BY product) l ON l.product = p.id"
               " WHERE p.sold != coalesce(l.s, 0) OR p.written_off != coalesce(l.w, 0)"
               " OR p.returned != coalesce(l.r, 0)");
    verify_sql(
        audit->db, audit->result, "every line names a known product",
        "SELECT count(*), max(id) FROM lines WHERE product NOT IN (SELECT id FROM products)");
    verify_sql(audit->db, audit->result,
               "a return reverses an earlier sale to the same customer at the same price",
               "SELECT count(*), max(r.id) FROM lines r LEFT JOIN lines s ON s.id = r.reverses"
               " WHERE (r.outcome = 2) != (r.reverses != 0) OR (r.outcome = 2 AND (s.id IS NULL"
               " OR s.id >= r.id OR s.outcome > 1 OR s.customer != r.customer"
               " OR s.product != r.product OR s.price != r.price OR r.quantity >= 0))");
    verify_sql(audit->db, audit->result, "no sale is reversed by more than was sold",
               "SELECT count(*), max(s.id) FROM lines s LEFT JOIN (SELECT reverses,"
               " sum(-quantity) AS q FROM lines WHERE reverses != 0 GROUP BY reverses) r"
               " ON r.reverses = s.id WHERE s.returned != coalesce(r.q, 0)"
               " OR (s.returned != 0 AND s.returned > s.quantity)");
    verify_sql(audit->db, audit->result, "lines carry their order's customer",
               "SELECT count(*), max(l.id) FROM lines l JOIN orders o ON o.id = l.id >> 16"
               " WHERE l.customer != o.customer");
    verify_sql(audit->db, audit->result, "every account is known and in one currency",
               "SELECT (SELECT count(*) != 7 OR count(DISTINCT currency) != 1 FROM accounts), '?'");
    verify_sql(audit->db, audit->result, "notices were given for entered orders only",
               "SELECT count(*), max(position) FROM cursors WHERE position < 0"
               " OR position > (SELECT coalesce(max(id), 0) FROM orders)");
}

static bool open_read_only(const char *path, sqlite3 **ret_db, char *why)
{
    int64_t application = 0, version = 0;
    sqlite3_stmt *query = NULL;
    bool good = sqlite3_open_v2(path, ret_db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK;
    sqlite3_busy_timeout(*ret_db, 2000);
    const char *ask[] = {"PRAGMA application_id", "PRAGMA user_version"};
    int64_t *into[] = {&application, &version};
    for (int i = 0; good && i < 2; i++) {
        good = sqlite3_prepare_v2(*ret_db, ask[i], -1, &query, NULL) == SQLITE_OK &&
               sqlite3_step(query) == SQLITE_ROW;
        if (good)
            *into[i] = sqlite3_column_int64(query, 0);
        sqlite3_finalize(query);
        query = NULL;
    }
    if (!good)
        snprintf(why, VERIFY_TEXT_SIZE, "database '%.120s' cannot be read: %.80s", path,
                 *ret_db ? sqlite3_errmsg(*ret_db) : "memory is short");
    else if (application != 0x54726f72)
        snprintf(why, VERIFY_TEXT_SIZE, "'%.160s' holds no order books", path);
    else if (version != 1)
        snprintf(why, VERIFY_TEXT_SIZE, "'%.160s' has schema version %lld, want 1", path,
                 (long long)version);
    else
        return true;
    sqlite3_close(*ret_db);
    return false;
}

bool verify_books(const char *path, struct verify_result *result, char *why)
{
    struct audit audit = {.result = result};
    memset(result, 0, sizeof(*result));
    if (!open_read_only(path, &audit.db, why))
        return false;
    /* One transaction: a run that goes on meanwhile is not seen in halves. */
    sqlite3_exec(audit.db, "BEGIN; PRAGMA cache_size=-8192", NULL, NULL, NULL);
    audit.sha = EVP_MD_CTX_new();
    verify_sql(
        audit.db, result, "the file is sound",
        "SELECT count(*), max(quick_check) FROM pragma_quick_check WHERE quick_check != 'ok'");
    walk(&audit);
    check_across(&audit);
    EVP_MD_CTX_free(audit.sha);
    sqlite3_close(audit.db);
    return true;
}
