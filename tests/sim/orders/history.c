#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_MOST 24
#define ORDER_ROWS 4
#define LINE_BYTES 160

const char *const history_codes[CODES] = {"10001", "10002", "10003", "85123A", "POST", "22222"};

bool history_is_product(int code)
{
    return code != 4;
}

/* An order that others are made from. */
struct draft {
    struct row rows[2 * ORDER_ROWS];
    int count;
};

struct maker {
    const struct host *host;
    struct history *history;
    struct draft drafts[EVENTS_MOST];
    int draft_count;
    int minute;
};

static int below(struct maker *maker, int bound)
{
    return (int)(maker->host->random(maker->host->user) % (unsigned)bound);
}

/* ---- Kinds of orders ------------------------------------------------------ */

static struct row make_row(struct maker *maker, int customer)
{
    static const int prices[] = {500, 1250, 2550, 2555, 850, 4950, 1000};
    struct row row = {.customer = customer, .minute = maker->minute};
    int odd = below(maker, 40);
    row.code = below(maker, 8);
    row.code = row.code < CODES ? row.code : 0;
    row.quantity = 1 + below(maker, 9);
    row.price = prices[below(maker, 7)];
    if (odd == 0)
        row.price = 0;
    else if (odd == 1)
        row.price = -1500;
    else if (odd == 2)
        row.quantity = 0;
    else if (odd == 3)
        row.quantity = -2;
    else if (odd == 4)
        row.quantity = 20000;
    return row;
}

static void make_sale(struct maker *maker, struct draft *draft, int number)
{
    int customer = below(maker, CUSTOMERS);
    draft->count = 1 + below(maker, ORDER_ROWS);
    for (int i = 0; i < draft->count; i++)
        draft->rows[i] = make_row(maker, customer);
    for (int i = 0; i < draft->count; i++)
        snprintf(draft->rows[i].key, sizeof draft->rows[i].key, "5%04d", number);
}

/* Takes back some or all of what an earlier order has sold. */
static void make_cancellation(struct maker *maker, struct draft *draft, int number)
{
    *draft = maker->drafts[below(maker, maker->draft_count)];
    for (int i = 0; i < draft->count; i++) {
        struct row *row = &draft->rows[i];
        int part = below(maker, 3);
        snprintf(row->key, sizeof row->key, "C5%04d", number);
        row->minute = maker->minute;
        row->quantity = -(part && row->quantity > 1 ? row->quantity / 2 : row->quantity);
        row->bad = false;
    }
}

static void make_write_off(struct maker *maker, struct draft *draft, int number)
{
    make_sale(maker, draft, number);
    for (int i = 0; i < draft->count; i++) {
        draft->rows[i].price = 0;
        draft->rows[i].quantity = -1 - below(maker, 4);
    }
}

/* Something else under a number that was used before. */
static void make_conflict(struct maker *maker, struct draft *draft)
{
    *draft = maker->drafts[below(maker, maker->draft_count)];
    draft->rows[0].quantity += 1 + below(maker, 3);
}

static void make_second_basket(struct maker *maker, struct draft *draft, int number)
{
    *draft = maker->drafts[below(maker, maker->draft_count)];
    for (int i = 0; i < draft->count; i++) {
        snprintf(draft->rows[i].key, sizeof draft->rows[i].key, "5%04d", number);
        draft->rows[i].minute = maker->minute;
    }
}

/* Two orders whose rows take turns. */
static void make_mixed(struct maker *maker, struct draft *draft, int number)
{
    struct draft a, b;
    int at = 0;
    make_sale(maker, &a, number);
    make_sale(maker, &b, number + 5000);
    for (int i = 0; i < ORDER_ROWS; i++) {
        if (i < a.count)
            draft->rows[at++] = a.rows[i];
        if (i < b.count)
            draft->rows[at++] = b.rows[i];
    }
    draft->count = at;
}

static void spoil(struct maker *maker, struct draft *draft, int number, int how)
{
    make_sale(maker, draft, number);
    struct row *row = &draft->rows[below(maker, draft->count)];
    if (how == 0)
        row->bad = true;
    else if (how == 1)
        row->customer = (row->customer + 1) % CUSTOMERS;
    else if (how == 2)
        row->minute += 1;
    else
        row->key[0] = '\0';
}

static void repeat_rows(struct maker *maker, struct draft *draft, int number)
{
    make_sale(maker, draft, number);
    draft->rows[draft->count] = draft->rows[below(maker, draft->count)];
    draft->count++;
}

/* ---- The history ---------------------------------------------------------- */

static void make(struct maker *maker, struct draft *draft, int number)
{
    int kind = below(maker, 100);
    bool any = maker->draft_count > 0;
    *draft = (struct draft){.count = 0};
    if (any && kind < 14)
        make_cancellation(maker, draft, number);
    else if (any && kind < 24)
        *draft = maker->drafts[below(maker, maker->draft_count)]; /* The same again. */
    else if (any && kind < 30 && !maker->history->drop)
        make_conflict(maker, draft);
    else if (any && kind < 36)
        make_second_basket(maker, draft, number);
    else if (kind < 41)
        make_write_off(maker, draft, number);
    else if (kind < 45)
        make_mixed(maker, draft, number);
    else if (kind < 51)
        spoil(maker, draft, number, below(maker, 4));
    else if (kind < 55)
        repeat_rows(maker, draft, number);
    else
        make_sale(maker, draft, number);
    if (kind == 99)
        for (int i = 0; i < draft->count; i++)
            snprintf(draft->rows[i].key, sizeof draft->rows[i].key, "A5%04d", number);
}

void history_make(const struct host *host, struct history *history)
{
    static struct maker maker;
    maker = (struct maker){.host = host, .history = history};
    *history = (struct history){.count = 0};
    history->stock = below(&maker, 4) == 0 ? -1 : 4 + below(&maker, 40);
    history->window_minutes = below(&maker, 3) ? 10 : 0;
    history->drop = below(&maker, 6) == 0;
    history->under_way = 1u << below(&maker, 5);
    int events = 2 + below(&maker, EVENTS_MOST - 2);
    for (int i = 0; i < events; i++) {
        struct draft *draft = &maker.drafts[maker.draft_count];
        maker.minute += below(&maker, 8);
        make(&maker, draft, i);
        maker.draft_count++;
        if (!host->event(host->user))
            continue;
        for (int row = 0; row < draft->count && history->count < ROWS_MAX; row++)
            history->rows[history->count++] = draft->rows[row];
    }
}

/* ---- CSV ------------------------------------------------------------------ */

static size_t put_row(char *text, const struct row *row)
{
    char customer[16] = "", quantity[16] = "many";
    if (row->customer)
        snprintf(customer, sizeof customer, "%d", 12000 + row->customer);
    if (!row->bad)
        snprintf(quantity, sizeof quantity, "%d", row->quantity);
    int price = row->price < 0 ? -row->price : row->price;
    return (size_t)snprintf(
        text, LINE_BYTES, "%s,%s,%s,%s,2011-01-%02d %02d:%02d:00,%s%d.%03d,%s,%s\n", row->key,
        history_codes[row->code], row->code == 5 ? "" : "A thing", quantity, 1 + row->minute / 1440,
        row->minute / 60 % 24, row->minute % 60, row->price < 0 ? "-" : "", price / 1000,
        price % 1000, customer, row->customer == 2 ? "France" : "Ireland");
}

char *history_text(const struct history *history, int rows, size_t *ret_size)
{
    static const char header[] =
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";
    char *text = malloc(sizeof header + (size_t)rows * LINE_BYTES);
    if (!text)
        abort();
    size_t size = (size_t)snprintf(text, sizeof header, "%s", header);
    for (int i = 0; i < rows; i++)
        size += put_row(text + size, &history->rows[i]);
    *ret_size = size;
    return text;
}
