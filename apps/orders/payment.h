/* payment.h - the payment provider as an interface, and the one that lives in this process. */
#ifndef ORDERS_PAYMENT_H
#define ORDERS_PAYMENT_H

#include "text.h"

enum payment_answer {
    PAYMENT_APPROVED,
    PAYMENT_DECLINED,
    PAYMENT_UNKNOWN, /* inquiry: no such capture was asked for */
    PAYMENT_SILENT   /* no answer comes */
};

/*
 * A provider. `key` is the order's number: asking twice with one key captures once and gives
 * the same answer. Called by one actor at a time; must not block.
 */
struct payment_provider {
    /* *ret_late_ms, 0 before the call: so much later comes the answer that is returned. */
    enum payment_answer (*capture)(struct payment_provider *provider, const char *key,
                                   int64_t pence, unsigned *ret_late_ms);
    /* What became of a capture; attempt counts from 0. */
    enum payment_answer (*inquire)(struct payment_provider *provider, const char *key,
                                   unsigned attempt);
    /* PAYMENT_APPROVED once the money is on its way back; PAYMENT_SILENT: ask again. */
    enum payment_answer (*refund)(struct payment_provider *provider, const char *key,
                                  int64_t pence);
};

/* Decides by seed and key alone, so that a run repeated after a crash gets the same answers. */
struct seeded_provider {
    struct payment_provider base;
    uint64_t seed;
    unsigned declines_permille;   /* of captures */
    unsigned late_permille;       /* of captures: answered after the caller's patience */
    struct provider_books *books; /* NULL: it remembers nothing, and needs not */
};
void seeded_provider_init(struct seeded_provider *provider, uint64_t seed,
                          unsigned declines_permille, unsigned late_permille);

/*
 * Lets the provider remember in a file what it was asked to capture and give back, a line each, as
 * a provider outside this process would: one that was started again knows of no capture that it
 * was never asked for. False: the file cannot be used.
 */
bool seeded_provider_remember(struct seeded_provider *provider, const char *path,
                              struct ord_error *error);
void seeded_provider_fini(struct seeded_provider *provider);

/* How long an order waits for an answer before it asks, doubled from one inquiry to the next up
 * to PAYMENT_PATIENCE_MS_MAX, and how often it asks: 20 seconds in all before a person has to. A
 * machine that stood still for a while must not decide what becomes of an order. */
#define PAYMENT_PATIENCE_MS 20u
#define PAYMENT_PATIENCE_MS_MAX 1280u
#define PAYMENT_LATE_MS 60u
#define PAYMENT_INQUIRIES_MAX 20u
#define PAYMENT_REFUNDS_MAX 100u

#endif
