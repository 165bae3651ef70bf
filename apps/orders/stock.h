/*
 * stock.h - stock: on hand = initial + received - sold - written off, never below zero. Returned
 * goods are counted, but not sold again before someone has looked at them. One thread at a time.
 */
#ifndef ORDERS_STOCK_H
#define ORDERS_STOCK_H

#include "store.h"

struct stock_table {
    int64_t *on_hand; /* by product number */
    uint32_t room;
    int64_t initial; /* of products not seen before; -1: no bound */
};

/* Reads what the books hold. False: memory is short. */
bool stock_init(struct stock_table *stock, const struct store *store, uint32_t products);
void stock_fini(struct stock_table *stock);
/* Room for products up to that number. False: memory is short. */
bool stock_grow(struct stock_table *stock, uint32_t products);
/* Takes what the order's lines want, all of it or nothing; notes what had to be got in. */
bool stock_reserve(struct stock_table *stock, struct doc *doc);

#endif
