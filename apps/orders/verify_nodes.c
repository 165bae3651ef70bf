/* verify_nodes.c - the auditor of three nodes: what each of them says against what the others say.
 * Like verify.c it knows docs/reference/orders-nodes.md and nothing of the code that wrote. */
#include "verify_internal.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

/* The schemas of the attached databases, the roles' numbers, and what they are called. */
static const struct node {
    const char *schema, *name;
    int role;
    int64_t application;
} nodes[] = {
    {"g", "gateway", 1, 0x54726f67},
    {"p", "processing", 2, 0x54726f70},
    {"main", "ledger", 3, 0x54726f72},
};
#define NODES (sizeof(nodes) / sizeof(nodes[0]))

static bool ask(sqlite3 *db, const char *sql, int64_t *ret_number)
{
    sqlite3_stmt *query = NULL;
    bool good = sqlite3_prepare_v2(db, sql, -1, &query, NULL) == SQLITE_OK &&
                sqlite3_step(query) == SQLITE_ROW;
    if (good)
        *ret_number = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    return good;
}

static bool attach(sqlite3 *db, const char *path, const char *schema, char *why)
{
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(db, "ATTACH ? AS ?", -1, &statement, NULL) == SQLITE_OK;
    if (good) {
        sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, schema, -1, SQLITE_STATIC);
        good = sqlite3_step(statement) == SQLITE_DONE;
    }
    if (!good)
        snprintf(why, VERIFY_TEXT_SIZE, "database '%.120s' cannot be read: %.80s", path,
                 sqlite3_errmsg(db));
    sqlite3_finalize(statement);
    return good;
}

static bool is_node(sqlite3 *db, const struct node *node, const char *path, char *why)
{
    char sql[160];
    int64_t application = 0, tables = 0;
    snprintf(sql, sizeof(sql), "PRAGMA %s.application_id", node->schema);
    bool good = ask(db, sql, &application) && application == node->application;
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM %s.sqlite_schema WHERE name IN ('node', 'peers', 'outbox')",
             node->schema);
    if (good && ask(db, sql, &tables) && tables == 3)
        return true;
    snprintf(why, VERIFY_TEXT_SIZE, "'%.160s' is not the database of a %s node", path, node->name);
    return false;
}

/* ---- Each pair ------------------------------------------------------------- */

static void check_pair(sqlite3 *db, struct verify_result *result, const struct node *from,
                       const struct node *to, char texts[3][96])
{
    char sql[1024];
    snprintf(texts[0], 96, "%s and %s work on the databases that they know of each other",
             from->name, to->name);
    snprintf(sql, sizeof(sql),
             "SELECT count(*), '%s knows ' || a.identity FROM %s.peers a, %s.node b"
             " WHERE a.role = %d AND b.name = 'identity'"
             " AND a.identity != CAST(b.value AS INTEGER)"
             " AND (a.identity != 0 OR a.applied != 0)",
             from->name, from->schema, to->schema, to->role);
    verify_sql(db, result, texts[0], sql);

    snprintf(texts[1], 96, "nothing is under way from %s to %s", from->name, to->name);
    snprintf(sql, sizeof(sql),
             "SELECT abs(a.kept - b.applied), 'parcel ' || max(a.kept, b.applied)"
             " FROM %s.peers a, %s.peers b WHERE a.role = %d AND b.role = %d",
             from->schema, to->schema, to->role, from->role);
    verify_sql(db, result, texts[1], sql);

    /* A parcel that has no effect there yet must still be here. */
    snprintf(texts[2], 96, "no parcel from %s to %s is lost", from->name, to->name);
    snprintf(sql, sizeof(sql),
             "SELECT max(0, a.kept - b.applied - (SELECT count(*) FROM %s.outbox"
             " WHERE id >> 48 = %d AND (id & 0xFFFFFFFFFFFF) > b.applied)),"
             " 'after parcel ' || b.applied"
             " FROM %s.peers a, %s.peers b WHERE a.role = %d AND b.role = %d",
             from->schema, to->role, from->schema, to->schema, to->role, from->role);
    verify_sql(db, result, texts[2], sql);
}

/* ---- Across ---------------------------------------------------------------- */

static void check_orders(sqlite3 *db, struct verify_result *result)
{
    verify_sql(db, result, "every acknowledged order is in the books, once and with its content",
               "SELECT count(*), max(a.key) FROM g.accepted a LEFT JOIN main.orders o"
               " ON o.key = a.key WHERE a.what = 0 AND (o.id IS NULL OR o.content != a.content"
               " OR o.lines != a.lines)");
    verify_sql(db, result, "the books hold no order that was not acknowledged",
               "SELECT count(*), max(o.key) FROM main.orders o LEFT JOIN g.accepted a"
               " ON a.what = 0 AND a.key = o.key WHERE a.number IS NULL");
    verify_sql(db, result,
               "the gateway knows of every order how it ended, and it is as in the books",
               "SELECT count(*), max(a.key) FROM g.accepted a LEFT JOIN main.orders o"
               " ON o.key = a.key WHERE a.what = 0 AND (a.state IS NULL OR o.id IS NULL"
               " OR a.state != o.state OR a.reason != o.reason)");
    verify_sql(db, result, "every refusal is in the books, and no other one",
               "SELECT (SELECT count(*) FROM g.accepted WHERE what = 1 AND content NOT IN"
               " (SELECT content FROM main.refusals)) + (SELECT count(*) FROM main.refusals"
               " WHERE content NOT IN (SELECT content FROM g.accepted WHERE what = 1)), '?'");
    verify_sql(db, result, "products and countries have the same numbers everywhere",
               "SELECT count(*), max(w.text) FROM g.words w LEFT JOIN main.products r"
               " ON w.kind = 1 AND r.id = w.number LEFT JOIN main.countries c"
               " ON w.kind = 0 AND c.id = w.number"
               " WHERE w.text != coalesce(r.code, c.name, '')");
}

static void check_money(sqlite3 *db, struct verify_result *result)
{
    verify_sql(db, result, "processing has decided every order once, and the books follow it",
               "SELECT count(*), max(o.key) FROM main.orders o LEFT JOIN p.orders d"
               " ON d.key = o.key WHERE d.number IS NULL OR NOT (d.state = o.state"
               " OR (d.state = 0 AND ((o.state = 2 AND o.reason = 3 AND d.paid)"
               " OR (o.state = 3 AND o.reason IN (4, 6) AND NOT d.paid))))");
    verify_sql(db, result, "processing has decided no order that is not in the books",
               "SELECT count(*), max(d.key) FROM p.orders d LEFT JOIN main.orders o"
               " ON o.key = d.key WHERE o.id IS NULL");
    verify_sql(db, result, "what was captured for an order is in the books, once",
               "SELECT count(*), max(d.key) FROM p.orders d JOIN main.orders o ON o.key = d.key"
               " LEFT JOIN (SELECT order_id, sum(amount) AS s, count(*) AS n FROM main.entries"
               " WHERE account = 0 AND amount > 0 GROUP BY order_id) e ON e.order_id = o.id"
               " WHERE coalesce(e.s, 0) != d.amount * d.paid OR coalesce(e.n, 0) > 1");
    verify_sql(db, result, "every refund that the books owe was made, once and in full",
               "SELECT count(*), max(o.key) FROM main.orders o LEFT JOIN p.refunds r"
               " ON r.key = o.key WHERE o.state = 2 AND (r.key IS NULL OR r.pence != o.amount)");
    verify_sql(db, result, "no refund was made that the books do not owe",
               "SELECT count(*), max(r.key) FROM p.refunds r LEFT JOIN main.orders o"
               " ON o.key = r.key AND o.state = 2 WHERE o.id IS NULL");
}

bool verify_nodes(const char *ledger, const char *gateway, const char *processing,
                  struct verify_result *result, char *why)
{
    const char *const paths[NODES] = {gateway, processing, ledger};
    static char texts[NODES * NODES][3][96]; /* names of checks live as long as the result */
    sqlite3 *db = NULL;
    bool good = sqlite3_open_v2(ledger, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK;
    if (!good)
        snprintf(why, VERIFY_TEXT_SIZE, "database '%.160s' cannot be read", ledger);
    sqlite3_busy_timeout(db, 2000);
    good = good && attach(db, gateway, "g", why) && attach(db, processing, "p", why);
    for (size_t i = 0; good && i < NODES; i++)
        good = is_node(db, &nodes[i], paths[i], why);
    if (good) {
        sqlite3_exec(db, "BEGIN; PRAGMA cache_size=-8192", NULL, NULL, NULL);
        for (size_t i = 0; i < NODES; i++)
            for (size_t k = 0; k < NODES; k++)
                if (i != k)
                    check_pair(db, result, &nodes[i], &nodes[k], texts[i * NODES + k]);
        check_orders(db, result);
        check_money(db, result);
    }
    sqlite3_close(db);
    return good;
}
