/*
 * recent.h - the orders of the last while by the fingerprint of customer and basket: has the same
 * customer just ordered the same? One thread at a time; memory of fixed size.
 */
#ifndef ORDERS_RECENT_H
#define ORDERS_RECENT_H

#include "doc.h"

/* How many orders back a repeated basket is looked for. */
#define RECENT_ORDERS 1024u

struct recent {
    uint64_t basket[RECENT_ORDERS];
    uint64_t key[RECENT_ORDERS]; /* hashes of their numbers */
    int64_t placed_at[RECENT_ORDERS];
    unsigned next;
};

/* False: orders of this kind, or without a customer, are not compared. */
bool recent_compares(const char *key, uint32_t customer);
/* The fingerprint of customer, products, prices and quantities; the order of lines says nothing. */
uint64_t recent_basket(uint32_t customer, const struct doc_line *lines, uint32_t count);
void recent_add(struct recent *recent, uint64_t basket, const char *key, int64_t placed_at);
/* True if that basket came within window_s seconds of placed_at under another number: the same one
 * again is the same order, which may have been turned away before. */
bool recent_has(const struct recent *recent, uint64_t basket, const char *key, int64_t placed_at,
                int64_t window_s);
/* All of the above: compares, then adds. */
bool recent_looks_twice(struct recent *recent, const char *key, uint32_t customer,
                        int64_t placed_at, const struct doc_line *lines, uint32_t count,
                        int64_t window_s);

#endif
