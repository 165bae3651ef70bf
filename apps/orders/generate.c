/* generate.c - made-up invoices. The proportions are those counted in the real file: of 25,900
 * invoices 3,836 cancel, 1,336 write off, 1,179 give away at no price, 3 adjust bad debt; about
 * 1,400 more name no customer, and those are long. */
#include "generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVOICE_SPACE 25900u
#define LINE_SPACE 541909u
#define PRODUCTS 4000u
#define CUSTOMERS 4372u
#define SOLD_KEPT 4096u /* recent sales that a cancellation may take back */
#define LINE_ROOM 256u  /* bytes of one line at most */

struct sold {
    uint32_t customer, product;
    int32_t quantity;
    int64_t price;
};

struct generator {
    struct ord_source base;
    struct generate_options options;
    uint64_t random;
    uint64_t number; /* of the next invoice */
    int64_t clock;
    struct sold sold[SOLD_KEPT];
    uint64_t sold_count;
    struct sold mistake; /* a huge sale that the next cancellation takes back; quantity 0: none */
    char *text;          /* one invoice */
    size_t text_size, text_at, text_room;
};

struct invoice {
    char key[16];
    int64_t time;
    uint32_t customer;
    uint32_t lines;
    const char *country;
};

/* Goods are five digits, some with a letter; what is none comes from a list. */
static const char *const other_codes[] = {"POST",
                                          "DOT",
                                          "M",
                                          "C2",
                                          "D",
                                          "S",
                                          "BANK CHARGES",
                                          "AMAZONFEE",
                                          "CRUK",
                                          "DCGSSGIRL",
                                          "DCGSSBOY",
                                          "PADS",
                                          "B",
                                          "m",
                                          "gift_0001_10",
                                          "gift_0001_20",
                                          "gift_0001_30",
                                          "gift_0001_40",
                                          "gift_0001_50",
                                          "DCGS0003",
                                          "DCGS0004",
                                          "DCGS0055",
                                          "DCGS0057",
                                          "DCGS0066P",
                                          "DCGS0067",
                                          "DCGS0068",
                                          "DCGS0069",
                                          "DCGS0070",
                                          "DCGS0071",
                                          "DCGS0072",
                                          "DCGS0073",
                                          "DCGS0074",
                                          "DCGS0076"};
#define OTHER_CODES (sizeof(other_codes) / sizeof(other_codes[0]))
static const char *const colours[] = {"RED",     "WHITE", "PINK",      "BLUE",
                                      "VINTAGE", "IVORY", "RETROSPOT", "SPACEBOY"};
static const char *const things[] = {"HANGING HEART T-LIGHT HOLDER",
                                     "METAL LANTERN",
                                     "TEA TOWEL",
                                     "LUNCH BAG",
                                     "CAKE STAND",
                                     "PARTY BUNTING",
                                     "JUMBO BAG",
                                     "ALARM CLOCK, BAKELIKE"};
static const char *const countries[] = {"Germany",     "France",  "EIRE",        "Spain",
                                        "Netherlands", "Belgium", "Switzerland", "Portugal",
                                        "Australia",   "Norway"};

static uint64_t below(struct generator *g, uint64_t bound)
{
    return ord_random(&g->random) % bound;
}

/* Text is put together by hand: printf would take longer than everything after it. */
static void put_text(struct generator *g, const char *text)
{
    size_t size = strlen(text);
    memcpy(g->text + g->text_size, text, size);
    g->text_size += size;
}

static void put_number(struct generator *g, int64_t number)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        digits[--at] = '-';
    memcpy(g->text + g->text_size, digits + at, sizeof(digits) - at);
    g->text_size += sizeof(digits) - at;
}

static void put_char(struct generator *g, char c)
{
    g->text[g->text_size++] = c;
}

static void put_price(struct generator *g, int64_t milli)
{
    if (milli < 0)
        put_char(g, '-');
    milli = milli < 0 ? -milli : milli;
    put_number(g, milli / 1000);
    put_char(g, '.');
    put_char(g, (char)('0' + milli / 100 % 10));
    if (milli % 100 != 0)
        put_char(g, (char)('0' + milli / 10 % 10));
    if (milli % 10 != 0)
        put_char(g, (char)('0' + milli % 10));
}

static void put_product(struct generator *g, uint32_t product, bool described)
{
    if (product >= PRODUCTS) {
        const char *code = other_codes[product - PRODUCTS];
        put_text(g, code);
        put_char(g, ',');
        put_text(g, described ? code : "");
        return;
    }
    put_number(g, 20000 + product);
    if (product % 4 == 3)
        put_char(g, (char)('A' + product / 4 % 6));
    put_char(g, ',');
    if (!described)
        return;
    const char *thing = things[product / 8 % 8];
    bool quote = strchr(thing, ',') != NULL;
    if (quote)
        put_char(g, '"');
    put_text(g, colours[product % 8]);
    put_char(g, ' ');
    put_text(g, thing);
    if (quote)
        put_char(g, '"');
}

static void put_line(struct generator *g, const struct invoice *invoice, int64_t time,
                     uint32_t product, bool described, int64_t quantity, int64_t price)
{
    char stamp[20];
    put_text(g, invoice->key);
    put_char(g, ',');
    put_product(g, product, described);
    put_char(g, ',');
    put_number(g, quantity);
    put_char(g, ',');
    ord_time(stamp, time);
    put_text(g, stamp);
    put_char(g, ',');
    put_price(g, price);
    put_char(g, ',');
    if (invoice->customer != 0) {
        put_number(g, invoice->customer);
        put_text(g, ".0");
    }
    put_char(g, ',');
    put_text(g, invoice->country);
    put_char(g, '\n');
}

/* One line in this many has that property. */
static bool one_in(struct generator *g, uint64_t this_many)
{
    return below(g, this_many) == 0;
}

/* Each product has one price, from 0.19 to 19.99 and now and then more. */
static int64_t price_of(uint32_t product)
{
    uint64_t hash = ord_hash(7, &product, sizeof(product));
    int64_t pounds = (int64_t)(hash % 97 < 60 ? hash / 97 % 4 : hash / 97 % 15);
    static const int64_t ends[] = {950, 250, 650, 850, 490, 390, 290, 190};
    return pounds * 1000 + ends[hash / 2000 % 8];
}

static void make_sale(struct generator *g, struct invoice *invoice)
{
    bool two_times = invoice->lines > 1 && one_in(g, 400); /* short ones cannot have two */
    for (uint32_t i = 0; i < invoice->lines; i++) {
        int64_t time = invoice->time + (two_times && i + 1 == invoice->lines ? 60 : 0);
        size_t start = g->text_size;
        /* A few products sell much more than most. */
        uint64_t rank = below(g, PRODUCTS) * below(g, PRODUCTS) / PRODUCTS;
        bool other = one_in(g, 170);
        uint32_t product = other ? PRODUCTS + (uint32_t)below(g, OTHER_CODES) : (uint32_t)rank;
        int64_t price = other ? 1000 + (int64_t)below(g, 4000) * 10 : price_of(product);
        if (one_in(g, LINE_SPACE / 4))
            price = 1;
        static const int32_t quantities[] = {1, 1, 1, 2, 2, 3, 4, 6, 6, 8, 10, 12, 12, 24, 25, 48};
        int32_t quantity = other ? 1 : quantities[below(g, 16)];
        if (one_in(g, LINE_SPACE))
            quantity = 80995;
        struct sold sold = {invoice->customer, product, quantity, price};
        if (quantity == 80995)
            g->mistake = sold;
        put_line(g, invoice, time, product, true, quantity, price);
        g->sold[g->sold_count++ % SOLD_KEPT] = sold;
        if (i + 1 < invoice->lines && one_in(g, 118)) { /* said twice, word for word */
            size_t size = g->text_size - start;
            memcpy(g->text + g->text_size, g->text + start, size);
            g->text_size += size;
            i++;
        }
    }
}

static void make_cancellation(struct generator *g, struct invoice *invoice)
{
    snprintf(invoice->key, sizeof(invoice->key), "C%llu", (unsigned long long)g->number + 536365);
    for (uint32_t i = 0; i < invoice->lines; i++) {
        uint64_t kept = g->sold_count < SOLD_KEPT ? g->sold_count : SOLD_KEPT;
        struct sold sold = {CUSTOMERS, (uint32_t)below(g, PRODUCTS), 3, 1250};
        for (int tries = 0; kept > 0 && tries < 4; tries++) { /* a sale with a customer, if any */
            sold = g->sold[below(g, kept)];
            if (sold.customer != 0)
                break;
        }
        bool whole = i == 0 && g->mistake.quantity > 0;
        if (whole) {
            sold = g->mistake;
            g->mistake.quantity = 0;
        }
        if (i == 0)
            invoice->customer = sold.customer;
        /* About a quarter of the real ones have no original; later lines here seldom do. */
        put_line(g, invoice, invoice->time, sold.product, true,
                 -(int64_t)(!whole && one_in(g, 3) ? (sold.quantity + 1) / 2 : sold.quantity),
                 sold.price);
    }
}

static uint32_t lines_of_sale(struct generator *g, bool named)
{
    /* Two dice rather than one: many short invoices, a long tail. */
    uint64_t most = named ? 87 : 400;
    uint64_t lines = 1 + below(g, most) * below(g, most) / most;
    return (uint32_t)(one_in(g, INVOICE_SPACE) ? 1114 : lines);
}

static bool make_room(struct generator *g, size_t lines)
{
    size_t room = (lines + 1) * LINE_ROOM;
    if (room <= g->text_room)
        return true;
    char *text = realloc(g->text, room);
    if (!text)
        return false;
    g->text = text;
    g->text_room = room;
    return true;
}

static bool make_invoice(struct generator *g)
{
    uint64_t kind = below(g, INVOICE_SPACE);
    struct invoice invoice = {.time = g->clock, .lines = 1, .country = "United Kingdom"};
    g->clock += 1 + (int64_t)below(g, 2400);
    invoice.customer = 12346 + (uint32_t)(below(g, CUSTOMERS) * below(g, CUSTOMERS) / CUSTOMERS);
    if (one_in(g, 11))
        invoice.country = countries[below(g, 10)];
    snprintf(invoice.key, sizeof(invoice.key), "%llu", (unsigned long long)g->number + 536365);

    bool sale = kind >= 3836 + 1336 + 1179 + 3;
    if (sale && one_in(g, 15))
        invoice.customer = 0;
    if (sale)
        invoice.lines = lines_of_sale(g, invoice.customer != 0);
    else if (kind < 3836)
        invoice.lines = 1 + (uint32_t)(below(g, 8) * below(g, 8) / 7);
    if (g->options.lines > 0)
        invoice.lines = g->options.lines;
    if (!make_room(g, invoice.lines))
        return false;

    uint32_t product = (uint32_t)below(g, PRODUCTS);
    if (sale) {
        make_sale(g, &invoice);
    } else if (kind < 3836) {
        make_cancellation(g, &invoice);
    } else if (kind < 3836 + 1336 + 1179) {
        int64_t sign = kind < 3836 + 1336 ? -1 : 1; /* written off, or given away */
        invoice.customer = one_in(g, 30) ? invoice.customer : 0;
        for (uint32_t i = 0; i < invoice.lines; i++)
            put_line(g, &invoice, invoice.time, (product + i) % PRODUCTS, below(g, 100) >= 58,
                     sign * (1 + (int64_t)below(g, 120)), 0);
    } else {
        invoice.key[0] = 'A';
        snprintf(invoice.key + 1, sizeof(invoice.key) - 1, "%llu",
                 (unsigned long long)g->number + 536365);
        invoice.customer = 0;
        for (uint32_t i = 0; i < invoice.lines; i++)
            put_line(g, &invoice, invoice.time, PRODUCTS + 2, true, 1,
                     (kind % 3 == 0 ? 1 : -1) * (1106206 + (int64_t)i * 10) * 10);
    }
    g->number++;
    return true;
}

static long generator_read(struct ord_source *source, char *buffer, size_t size,
                           struct ord_error *error)
{
    struct generator *g = (struct generator *)source;
    size_t given = 0;
    while (given < size) {
        if (g->text_at == g->text_size) {
            g->text_at = g->text_size = 0;
            if (g->number == g->options.invoices)
                break;
            if (!make_invoice(g)) {
                ord_fail(error, "memory is short at generated invoice %llu",
                         (unsigned long long)g->number);
                return -1;
            }
            source->done = g->number;
        }
        size_t n = g->text_size - g->text_at;
        n = n < size - given ? n : size - given;
        memcpy(buffer + given, g->text + g->text_at, n);
        given += n;
        g->text_at += n;
    }
    return (long)given;
}

static void generator_close(struct ord_source *source)
{
    struct generator *g = (struct generator *)source;
    free(g->text);
    free(g);
}

struct ord_source *generate_open(const struct generate_options *options)
{
    struct generator *g = calloc(1, sizeof(*g));
    if (!g || !make_room(g, 16)) {
        free(g);
        return NULL;
    }
    g->base.read = generator_read;
    g->base.close = generator_close;
    g->base.total = options->invoices;
    g->options = *options;
    g->random = ord_hash(options->seed, "orders", 6);
    ord_parse_time("2010-12-01 08:26:00", 19, &g->clock);
    put_text(g, "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
                "\n");
    return &g->base;
}
