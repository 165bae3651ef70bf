/*
 * history.h - what comes in: rows of an order file, made up from the seed. Each event adds rows of
 * one or two orders, so that leaving it out takes whole orders with it.
 */
#ifndef SIM_ORDERS_HISTORY_H
#define SIM_ORDERS_HISTORY_H

#include "host.h"

#define ROWS_MAX 400
#define CODES 6
#define CUSTOMERS 4 /* 0: none */

struct row {
    char key[12]; /* "" : a row that cannot be read at all */
    int code;     /* 0 … CODES - 1 */
    int quantity;
    int price; /* 1/1000 pound */
    int customer;
    int minute; /* since 2011-01-01 00:00 */
    bool bad;   /* its quantity is no number */
};

struct history {
    struct row rows[ROWS_MAX];
    int count;
    int window_minutes; /* 0: repeated baskets are nothing special */
    int stock;          /* -1: no bound */
    bool drop;          /* the intake turns orders away when it is full */
    unsigned under_way; /* orders at most */
};

void history_make(const struct host *host, struct history *ret);

extern const char *const history_codes[CODES];
bool history_is_product(int code);
/* The first `rows` rows as CSV, with a header line; to be freed. */
char *history_text(const struct history *history, int rows, size_t *ret_size);

#endif
