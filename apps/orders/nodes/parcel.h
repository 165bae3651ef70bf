/* parcel.h - what is in parcels between nodes (proto/orders_nodes.proto), to bytes and back. */
#ifndef ORDERS_NODES_PARCEL_H
#define ORDERS_NODES_PARCEL_H

#include "dict.h"
#include "doc.h"

/* A product's code and description, or a country, as the gateway numbered it. Views. */
struct parcel_word {
    const char *text, *note;
    uint32_t size, note_size;
};

/* An order on its way between nodes. */
struct parcel_order {
    struct doc doc;  /* first: the actors pass it on as such */
    void *owner;     /* whose it is meanwhile */
    uint64_t number; /* the gateway's */
    /* The last ones up to doc.countries_known and doc.products_known. */
    uint32_t countries, products;
    struct parcel_word *word; /* countries, then products */
    uint8_t *bytes;           /* what they look into; owned */
};

/* Takes `bytes` (malloc()), also on failure. NULL with a sentence: no order, or memory is short
 * (error->starved, as for the others). */
struct parcel_order *parcel_order_decode(uint8_t *bytes, size_t size, struct ord_error *error);
void parcel_order_free(struct parcel_order *order); /* NULL is fine */

/* One malloc() of *ret_size bytes; NULL when memory is short. */
uint8_t *parcel_order_encode(const struct doc *doc, uint64_t number, const struct parcel_word *word,
                             uint32_t countries, uint32_t products, size_t *ret_size);

/* How one order, or refusal, has ended. */
struct parcel_end {
    uint64_t number; /* the gateway's */
    uint8_t state, reason;
};
uint8_t *parcel_ends_encode(const struct parcel_end *ends, size_t count, size_t *ret_size);
/* *ret_ends is one malloc(). */
bool parcel_ends_decode(const uint8_t *bytes, size_t size, struct parcel_end **ret_ends,
                        size_t *ret_count, struct ord_error *error);

struct parcel_refund {
    char key[ORDER_KEY_MAX + 1];
    int64_t pence;
};
#define PARCEL_REFUND_SIZE_MAX 64u
size_t parcel_refund_encode(const struct parcel_refund *refund,
                            uint8_t out[PARCEL_REFUND_SIZE_MAX]);
bool parcel_refund_decode(const uint8_t *bytes, size_t size, struct parcel_refund *ret_refund,
                          struct ord_error *error);

#endif
