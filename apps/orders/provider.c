/* provider.c - the in-process payment provider. */
#include "payment.h"

#include <string.h>

static uint64_t chance(const struct seeded_provider *seeded, uint64_t what, const char *key)
{
    return ord_hash(seeded->seed * 4 + what, key, strlen(key)) % 1000;
}

static enum payment_answer decision(const struct seeded_provider *seeded, const char *key)
{
    return chance(seeded, 0, key) < seeded->declines_permille ? PAYMENT_DECLINED : PAYMENT_APPROVED;
}

static enum payment_answer seeded_capture(struct payment_provider *provider, const char *key,
                                          int64_t pence, unsigned *ret_late_ms)
{
    const struct seeded_provider *seeded = (const struct seeded_provider *)provider;
    (void)pence;
    if (chance(seeded, 1, key) < seeded->late_permille)
        *ret_late_ms = PAYMENT_LATE_MS;
    return decision(seeded, key);
}

static enum payment_answer seeded_inquire(struct payment_provider *provider, const char *key,
                                          unsigned attempt)
{
    const struct seeded_provider *seeded = (const struct seeded_provider *)provider;
    if (attempt == 0 && chance(seeded, 2, key) < 250)
        return PAYMENT_SILENT; /* Inquiries get lost, too. */
    return decision(seeded, key);
}

static enum payment_answer seeded_refund(struct payment_provider *provider, const char *key,
                                         int64_t pence)
{
    (void)provider;
    (void)key;
    (void)pence;
    return PAYMENT_APPROVED;
}

void seeded_provider_init(struct seeded_provider *provider, uint64_t seed,
                          unsigned declines_permille, unsigned late_permille)
{
    *provider = (struct seeded_provider){
        .base = {.capture = seeded_capture, .inquire = seeded_inquire, .refund = seeded_refund},
        .seed = seed,
        .declines_permille = declines_permille,
        .late_permille = late_permille,
    };
}
