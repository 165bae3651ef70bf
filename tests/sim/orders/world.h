/*
 * world.h - what is outside of the process and outlives it: the payment provider and the
 * customers. Both remember what they were asked and told, and object to what must never be.
 */
#ifndef SIM_ORDERS_WORLD_H
#define SIM_ORDERS_WORLD_H

#include "host.h"

#define WORLD_KEYS 128
#define WORLD_TOLD 1024

/* What the provider is to do with an order's capture; by seed and key. */
enum policy {
    POLICY_APPROVE,
    POLICY_DECLINE,
    POLICY_LATE,         /* approved, but the answer comes late */
    POLICY_LATE_DECLINE, /* declined, late */
    POLICY_LOST,         /* it never hears of it */
    POLICY_MUTE,         /* approved, but no answer; some inquiries get none either */
    POLICY_DEAD          /* never any answer */
};

struct payment {
    char key[12];
    enum policy policy;
    int64_t captured; /* pence; 0: nothing */
    int64_t refunded;
    unsigned asked;   /* captures asked for since the process started */
    unsigned in_vain; /* inquiries without an answer since then */
    unsigned silence; /* inquiries that are still to get no answer */
    unsigned refund_silence;
};

struct told {
    char key[12];
    int64_t id;
    int state;
};

struct world {
    const struct host *host;
    struct payment payments[WORLD_KEYS];
    int payment_count;
    struct told told[WORLD_TOLD];
    int told_count;
    unsigned calls;     /* since the process started */
    unsigned down_from; /* this call, and all after it, get no answer; 0: it is not down */
    bool told_first;    /* customers hear of a refund when it is booked, before it is made */
    bool off;           /* the process is as good as dead: nothing gets out of it any more */
};

void world_reset(struct world *world, const struct host *host);
/* A new process. */
void world_start(struct world *world);
/* A new process that remembers what it has asked for: what the provider has heard of is not asked
 * for again. */
void world_again(struct world *world);

/* After 20 inquiries in vain an order waits for a person. Some may not have reached us; but who got
 * that many no answer to gets none to the next one either. */
#define WORLD_PATIENCE 10u

struct payment *world_payment(struct world *world, const char *key);

/* The provider; late in *ret_late_ms. 0 approved, 1 declined, 2 unknown, 3 no answer. */
int world_capture(struct world *world, const char *key, int64_t pence, unsigned *ret_late_ms);
int world_inquire(struct world *world, const char *key);
int world_refund(struct world *world, const char *key, int64_t pence);
/* A customer is told what became of an order. False: it did not get out. */
bool world_tell(struct world *world, const char *key, int64_t id, int state);

#endif
