/* report.c - one table after the other, each from one query, as text or JSON. */
#include "report.h"

#include "books.h"
#include "json.h"

#include <sqlite3.h>
#include <string.h>

/* How a column is shown. */
enum show { TEXT, COUNT, MONEY, MILLI, STATE, REASON, OUTCOME, ACCOUNT, REFUSAL, SHOW_END };

struct column {
    const char *title; /* also the JSON name */
    enum show show;
};

struct table {
    const char *name, *title;
    const char *sql;
    struct column column[6];
};

static const struct table tables[] = {
    {"orders",
     "Orders by outcome",
     "SELECT state, reason, count(*), sum(lines) FROM orders GROUP BY 1, 2 ORDER BY 1, 2",
     {{"state", STATE}, {"reason", REASON}, {"orders", COUNT}, {"lines", COUNT}, {0, SHOW_END}}},
    {"lines",
     "Lines by what became of them",
     "SELECT outcome, count(*), sum(amount) FROM lines GROUP BY 1 ORDER BY 1",
     {{"outcome", OUTCOME}, {"lines", COUNT}, {"amount", MONEY}, {0, SHOW_END}}},
    {"refusals",
     "Refused, not entered",
     "SELECT reason, count(*), sum(lines), sum(amount) FROM refusals GROUP BY 1 ORDER BY 1",
     {{"reason", REFUSAL}, {"orders", COUNT}, {"lines", COUNT}, {"amount", MONEY}, {0, SHOW_END}}},
    {"noticed",
     "What was noticed",
     "WITH o AS MATERIALIZED (SELECT sum(kind = 1) AS cancel, sum(iif(kind = 1, lines, 0)) AS"
     " cancel_lines, sum(flags & 1) AS nobody, sum(iif(flags & 1, lines, 0)) AS nobody_lines,"
     " sum(flags >> 1 & 1) AS two_times, max(lines) AS largest FROM orders),"
     " l AS MATERIALIZED (SELECT sum(quantity < 0) AS negative, sum(price = 0) AS free,"
     " sum(price < 0) AS negative_price, sum(flags & 1) AS nameless, sum(flags >> 1 & 1) AS big,"
     " sum(flags >> 2 & 1) AS other, sum(flags >> 3 & 1) AS fine, sum(outcome = 9) AS twice"
     " FROM lines),"
     " c AS MATERIALIZED (SELECT sum(l.quantity < 0) AS negative FROM orders o CROSS JOIN lines l"
     " ON l.id BETWEEN o.id << 16 AND (o.id << 16) + 65535 WHERE o.kind = 1)"
     " SELECT 'orders that cancel', coalesce(cancel, 0) FROM o"
     " UNION ALL SELECT 'lines of these', coalesce(cancel_lines, 0) FROM o"
     " UNION ALL SELECT 'lines with a negative quantity', coalesce(negative, 0) FROM l"
     " UNION ALL SELECT 'of them outside cancellations', coalesce(l.negative, 0)"
     " - coalesce(c.negative, 0) FROM l, c"
     " UNION ALL SELECT 'lines with no price', coalesce(free, 0) FROM l"
     " UNION ALL SELECT 'lines with a negative price', coalesce(negative_price, 0) FROM l"
     " UNION ALL SELECT 'orders without a customer', coalesce(nobody, 0) FROM o"
     " UNION ALL SELECT 'lines of orders without a customer', coalesce(nobody_lines, 0) FROM o"
     " UNION ALL SELECT 'lines without a description', coalesce(nameless, 0) FROM l"
     " UNION ALL SELECT 'lines that repeat one of their order', coalesce(twice, 0) FROM l"
     " UNION ALL SELECT 'codes that are no product', count(DISTINCT product) FROM lines"
     " WHERE flags & 4"
     " UNION ALL SELECT 'lines with such a code', coalesce(other, 0) FROM l"
     " UNION ALL SELECT 'orders with two timestamps', coalesce(two_times, 0) FROM o"
     " UNION ALL SELECT 'outliers, beyond 10,000 pieces or 10,000.00', coalesce(big, 0) FROM l"
     " UNION ALL SELECT 'prices with three decimals', coalesce(fine, 0) FROM l"
     " UNION ALL SELECT 'lines of the largest order', coalesce(largest, 0) FROM o",
     {{"what", TEXT}, {"count", COUNT}, {0, SHOW_END}}},
    {"totals",
     "Totals of all lines entered, and what rounding each amount to pennies took off"
     " (half a penny goes away from zero)",
     "SELECT 'positive sales', count(*), coalesce(sum(amount), 0),"
     " coalesce(sum(quantity * price - amount * 10), 0) FROM lines WHERE quantity > 0 AND price > 0"
     " UNION ALL SELECT 'cancellations', count(*), coalesce(sum(l.amount), 0),"
     " coalesce(sum(l.quantity * l.price - l.amount * 10), 0) FROM orders o CROSS JOIN lines l"
     " ON l.id BETWEEN o.id << 16 AND (o.id << 16) + 65535 WHERE o.kind = 1"
     " UNION ALL SELECT 'gross', count(*), coalesce(sum(amount), 0),"
     " coalesce(sum(quantity * price - amount * 10), 0) FROM lines",
     {{"total", TEXT}, {"lines", COUNT}, {"amount", MONEY}, {"rounded_off", MILLI}, {0, SHOW_END}}},
    {"products",
     "Top products by revenue",
     "SELECT p.code, p.description, t.pieces, t.amount FROM (SELECT product,"
     " sum(quantity) AS pieces, sum(amount) AS amount FROM lines WHERE outcome IN (0, 2)"
     " AND flags & 4 = 0 GROUP BY 1 ORDER BY 3 DESC, 1 LIMIT 10) t JOIN products p"
     " ON p.id = t.product ORDER BY t.amount DESC, p.id",
     {{"code", TEXT}, {"description", TEXT}, {"pieces", COUNT}, {"amount", MONEY}, {0, SHOW_END}}},
    {"countries",
     "Top countries by revenue",
     "SELECT c.name, t.orders, t.amount FROM (SELECT o.country, count(DISTINCT o.id) AS orders,"
     " sum(-e.amount) AS amount FROM orders o JOIN entries e ON e.order_id = o.id"
     " WHERE e.account IN (1, 2, 3) GROUP BY 1 ORDER BY 3 DESC, 1 LIMIT 10) t JOIN countries c"
     " ON c.id = t.country ORDER BY t.amount DESC, c.id",
     {{"country", TEXT}, {"orders", COUNT}, {"amount", MONEY}, {0, SHOW_END}}},
    {"ledger",
     "Ledger (debits positive, credits negative)",
     "SELECT a.id, count(e.id), coalesce(sum(max(e.amount, 0)), 0),"
     " coalesce(sum(min(e.amount, 0)), 0), coalesce(sum(e.amount), 0) FROM accounts a"
     " LEFT JOIN entries e ON e.account = a.id GROUP BY a.id ORDER BY a.id",
     {{"account", ACCOUNT},
      {"entries", COUNT},
      {"debits", MONEY},
      {"credits", MONEY},
      {"balance", MONEY},
      {0, SHOW_END}}},
};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

struct printer {
    FILE *out;
    sqlite3 *db;
    const char *path;
    bool as_json;
    struct json json;
};

static const char *show(sqlite3_stmt *row, int column, enum show how, char buffer[ORD_MONEY_SIZE])
{
    int64_t number = sqlite3_column_int64(row, column);
    switch (how) {
    case STATE:
        return ord_state_name(number);
    case REASON:
        return number == REASON_NONE ? "" : ord_reason_text(number);
    case OUTCOME:
        return ord_outcome_text(number);
    case ACCOUNT:
        return ord_account_name(number);
    case REFUSAL:
        return ord_refusal_text(number);
    case COUNT:
        return ord_count(buffer, number);
    case MONEY:
        return ord_money(buffer, number);
    case MILLI:
        snprintf(buffer, ORD_MONEY_SIZE, "%s%lld.%03d", number < 0 ? "-" : "",
                 (long long)(number < 0 ? -(number / 1000) : number / 1000),
                 (int)(number < 0 ? -(number % 1000) : number % 1000));
        return buffer;
    default:
        break;
    }
    const char *text = (const char *)sqlite3_column_text(row, column);
    return text ? text : "";
}

static bool numeric(enum show how)
{
    return how == COUNT || how == MONEY || how == MILLI;
}

static void print_row(struct printer *printer, const struct table *table, sqlite3_stmt *row)
{
    char buffer[ORD_MONEY_SIZE];
    const struct column *column = table->column;
    if (printer->as_json)
        json_open(&printer->json, NULL, '{');
    else
        fputs("  ", printer->out);
    for (int i = 0; column[i].show != SHOW_END; i++) {
        const char *text = show(row, i, column[i].show, buffer);
        if (printer->as_json && numeric(column[i].show))
            json_int(&printer->json, column[i].title, sqlite3_column_int64(row, i));
        else if (printer->as_json)
            json_text(&printer->json, column[i].title, text);
        else if (numeric(column[i].show))
            fprintf(printer->out, " %16s", text);
        else
            fprintf(printer->out, "%-*.50s",
                    table->column[1].show == TEXT && i == 0     ? 12
                    : i == 0 && table->column[1].show == REASON ? 11
                                                                : 50,
                    text);
    }
    if (printer->as_json)
        json_close(&printer->json, '}');
    else
        fputc('\n', printer->out);
}

static bool print_table(struct printer *printer, const struct table *table, struct ord_error *error)
{
    sqlite3_stmt *rows = NULL;
    int step = SQLITE_ERROR, count = 0;
    if (printer->as_json)
        json_open(&printer->json, table->name, '[');
    if (sqlite3_prepare_v2(printer->db, table->sql, -1, &rows, NULL) == SQLITE_OK) {
        while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
            if (count++ == 0 && !printer->as_json)
                fprintf(printer->out, "\n%s\n", table->title);
            print_row(printer, table, rows);
        }
    }
    sqlite3_finalize(rows);
    if (printer->as_json)
        json_close(&printer->json, ']');
    return step == SQLITE_DONE ? true
                               : ord_fail(error, "database '%s' cannot be read: %s", printer->path,
                                          sqlite3_errmsg(printer->db));
}

static void print_run_json(struct json *json, const struct flow_result *run)
{
    json_open(json, "run", '{');
    json_int(json, "lines_read", (int64_t)run->lines_read);
    json_int(json, "orders_entered", (int64_t)run->orders_entered);
    json_int(json, "lines_entered", (int64_t)run->lines_entered);
    json_int(json, "orders_known", (int64_t)run->orders_known);
    json_int(json, "lines_known", (int64_t)run->lines_known);
    json_int(json, "refused", (int64_t)run->refused);
    json_int(json, "refused_lines", (int64_t)run->refused_lines);
    json_int(json, "dropped", (int64_t)run->dropped);
    json_int(json, "dropped_lines", (int64_t)run->dropped_lines);
    json_int(json, "intake_waits", (int64_t)run->waits);
    json_real(json, "intake_seconds_waited", run->seconds_waited);
    json_int(json, "under_way_most", (int64_t)run->under_way_most);
    json_real(json, "seconds", run->seconds);
    json_real(json, "cpu_seconds", run->cpu_seconds);
    json_real(json, "orders_per_second",
              run->seconds > 0 ? (double)run->orders_entered / run->seconds : 0);
    json_int(json, "latency_us_p50", (int64_t)gate_latency_us(&run->figures, 500));
    json_int(json, "latency_us_p99", (int64_t)gate_latency_us(&run->figures, 990));
    json_int(json, "latency_us_p999", (int64_t)gate_latency_us(&run->figures, 999));
    json_int(json, "batches", (int64_t)run->figures.batches);
    json_int(json, "notices", (int64_t)run->notices);
    json_int(json, "messages", (int64_t)run->accounts.accepted);
    json_int(json, "late_answers", (int64_t)run->accounts.dead[TR_DEAD_LATE]);
    json_bool(json, "lines_accounted", run->lines_accounted);
    json_bool(json, "messages_accounted", run->messages_accounted);
    json_close(json, '}');
}

static void print_run_text(FILE *out, const struct flow_result *run)
{
    char a[ORD_MONEY_SIZE], b[ORD_MONEY_SIZE], c[ORD_MONEY_SIZE];
    fprintf(out, "\nThis run\n");
    fprintf(out, "   read %s lines: entered %s, ", ord_count(a, (int64_t)run->lines_read),
            ord_count(b, (int64_t)run->lines_entered));
    fprintf(out, "recognised %s, refused %s: %s\n", ord_count(a, (int64_t)run->lines_known),
            ord_count(b, (int64_t)run->refused_lines),
            run->lines_accounted ? "all accounted for" : "NOT ALL ACCOUNTED FOR");
    fprintf(out, "   orders: entered %s, recognised %s, refused %s\n",
            ord_count(a, (int64_t)run->orders_entered), ord_count(b, (int64_t)run->orders_known),
            ord_count(c, (int64_t)run->refused));
    fprintf(out, "   intake: waited %s times, %.2f s in all; at most %s orders under way\n",
            ord_count(a, (int64_t)run->waits), run->seconds_waited,
            ord_count(b, (int64_t)run->under_way_most));
    if (run->dropped > 0)
        fprintf(out,
                "   dropped %s orders, %s lines, none of them acknowledged: run again to enter "
                "them\n",
                ord_count(a, (int64_t)run->dropped), ord_count(b, (int64_t)run->dropped_lines));
    double rate = run->seconds > 0 ? 1 / run->seconds : 0;
    fprintf(out, "   %.2f s: %s orders/s, %s lines/s in %s batches\n", run->seconds,
            ord_count(a, (int64_t)((double)run->orders_entered * rate)),
            ord_count(b, (int64_t)((double)run->lines_entered * rate)),
            ord_count(c, (int64_t)run->figures.batches));
    fprintf(out, "   acknowledged after (ms): p50 %.1f, p99 %.1f, p99.9 %.1f\n",
            (double)gate_latency_us(&run->figures, 500) / 1e3,
            (double)gate_latency_us(&run->figures, 990) / 1e3,
            (double)gate_latency_us(&run->figures, 999) / 1e3);
    fprintf(out, "   messages: %s, %s answers came late; %s\n",
            ord_count(a, (int64_t)run->accounts.accepted),
            ord_count(b, (int64_t)run->accounts.dead[TR_DEAD_LATE]),
            run->messages_accounted ? "all accounted for" : "NOT ALL ACCOUNTED FOR");
}

static bool print_books(struct printer *printer, bool *ret_balanced, struct ord_error *error)
{
    for (size_t i = 0; i < TABLES; i++)
        if (!print_table(printer, &tables[i], error))
            return false;
    sqlite3_stmt *sum = NULL;
    if (sqlite3_prepare_v2(printer->db,
                           "SELECT coalesce(sum(amount), 0), coalesce((SELECT hex(chain)"
                           " FROM orders ORDER BY id DESC LIMIT 1), '') FROM entries",
                           -1, &sum, NULL) != SQLITE_OK ||
        sqlite3_step(sum) != SQLITE_ROW) {
        sqlite3_finalize(sum);
        return ord_fail(error, "database '%s' cannot be read: %s", printer->path,
                        sqlite3_errmsg(printer->db));
    }
    *ret_balanced = sqlite3_column_int64(sum, 0) == 0;
    const char *chain = (const char *)sqlite3_column_text(sum, 1);
    if (printer->as_json) {
        json_bool(&printer->json, "balanced", *ret_balanced);
        json_text(&printer->json, "chain", chain ? chain : "");
        json_text(&printer->json, "currency", ORDERS_CURRENCY);
    } else {
        fprintf(printer->out, "\nThe books %s. Chain %.16s…\n",
                *ret_balanced ? "balance" : "DO NOT BALANCE", chain ? chain : "");
    }
    sqlite3_finalize(sum);
    return true;
}

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

static sqlite3 *open_books(const char *path, struct ord_error *error)
{
    sqlite3 *db = NULL;
    int64_t application = 0, version = 0;
    bool good = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK;
    if (good) {
        sqlite3_busy_timeout(db, 2000);
        sqlite3_exec(db, "BEGIN; PRAGMA cache_size=-8192", NULL, NULL, NULL);
        good = ask(db, "PRAGMA application_id", &application) &&
               ask(db, "PRAGMA user_version", &version);
    }
    if (!good)
        ord_fail(error, "database '%s' cannot be read: %s", path,
                 db ? sqlite3_errmsg(db) : "memory is short");
    else if (application != ORDERS_APPLICATION_ID)
        ord_fail(error, "'%s' holds no order books", path);
    else if (version != ORDERS_SCHEMA_VERSION)
        ord_fail(error, "'%s' has schema version %lld, this program knows %d", path,
                 (long long)version, ORDERS_SCHEMA_VERSION);
    else
        return db;
    sqlite3_close(db);
    return NULL;
}

bool report_books(FILE *out, const char *path, bool json, const struct flow_result *run,
                  bool *ret_balanced, struct ord_error *error)
{
    struct printer printer = {.out = out, .path = path, .as_json = json, .json = {.out = out}};
    printer.db = open_books(path, error);
    if (!printer.db)
        return false;
    if (json)
        json_open(&printer.json, NULL, '{');
    bool good = print_books(&printer, ret_balanced, error);
    if (run && json)
        print_run_json(&printer.json, run);
    else if (run)
        print_run_text(out, run);
    if (json) {
        json_text(&printer.json, "database", path);
        json_close(&printer.json, '}');
    } else {
        fprintf(out, "Database: %s\n", path);
    }
    sqlite3_close(printer.db);
    return good;
}

void report_verified(FILE *out, const char *path, bool json, const struct verify_result *result)
{
    struct json writer = {.out = out};
    if (json) {
        json_open(&writer, NULL, '{');
        json_text(&writer, "database", path);
        json_bool(&writer, "good", result->failed == 0);
        json_open(&writer, "checks", '[');
    }
    for (int i = 0; i < result->count; i++) {
        const struct verify_check *check = &result->check[i];
        if (!json) {
            fprintf(out, "%s  %s: %s\n", check->good ? "ok  " : "FAIL", check->name, check->detail);
            continue;
        }
        json_open(&writer, NULL, '{');
        json_text(&writer, "check", check->name);
        json_bool(&writer, "good", check->good);
        json_text(&writer, "detail", check->detail);
        json_close(&writer, '}');
    }
    if (json) {
        json_close(&writer, ']');
        json_close(&writer, '}');
    } else {
        fprintf(out, "%s: %d of %d checks failed\n", path, result->failed, result->count);
    }
}
