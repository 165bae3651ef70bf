/*
 * door.h - the gateway's actor `order`: takes orders as messages.OrderMessage from any node of
 * Proto.Actor, and answers each with a messages.LedgerMessage that says how the order ended.
 *
 * Amounts come as float, of pounds. They are rounded to pence here, once, halves away from zero;
 * from then on money is whole pence. A float holds every penny up to 167,772.16.
 */
#ifndef ORDERS_NODES_DOOR_H
#define ORDERS_NODES_DOOR_H

#include "nodes/desk.h"

#include "troupe/troupe.h"

#define DOOR_TEXT_MAX 63u

/* An order that came through the door; one malloc() with its document. */
struct door_order {
    struct doc doc;
    struct doc_line line;
    tr_caller caller; /* pid 0: nobody waits */
    char user[DOOR_TEXT_MAX + 1];
    uint64_t number; /* the gateway's, once it is known */
    int state;       /* of an order that was accepted before: how it ended, or -1 */
    struct door_order *next;
};

/* To the gateway's desk; the order is *taken*. */
struct gateway_order {
    struct door_order *order;
};
TR_TYPE(gateway_order);

struct door_args {
    tr_pid desk;
    uint32_t product, country; /* the words that such orders use */
    uint32_t products_known, countries_known;
};
extern const struct tr_actor door_actor;

/* Pounds to pence; false: no amount that can be booked. */
bool door_pence(float pounds, int64_t *ret_pence);
/* Why such an order is not taken in; NULL: it is. */
const char *door_refusal(const char *order_id, float amount);
/* Answers whoever waits, if anybody does. `status` is an order's state, or why it is refused. */
void door_answer(tr_ctx *ctx, const struct door_order *order, const char *status);

/* Orders that were accepted and whose senders wait, by the gateway's number. */
#define DOOR_WAITING_MAX 65536u
#define DOOR_BUCKETS 4096u
struct door_waiting {
    struct door_order *bucket[DOOR_BUCKETS];
    uint32_t count;
};
/* Takes the order; false (and it is freed) beyond DOOR_WAITING_MAX, or when nobody waits for it. */
bool door_wait(struct door_waiting *waiting, struct door_order *order);
/* It has ended: answers and frees all that wait for it. */
void door_ended(tr_ctx *ctx, struct door_waiting *waiting, uint64_t number, uint8_t state);
void door_waiting_fini(struct door_waiting *waiting);

#endif
