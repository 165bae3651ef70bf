#include "world.h"

#include <string.h>

enum { APPROVED, DECLINED, UNKNOWN, SILENT };

#define LATE_MS 60u

void world_reset(struct world *world, const struct host *host)
{
    memset(world, 0, sizeof *world);
    world->host = host;
}

void world_start(struct world *world)
{
    world->off = false;
    world->calls = world->down_from = 0;
    for (int i = 0; i < world->payment_count; i++)
        world->payments[i].asked = world->payments[i].in_vain = 0;
}

void world_again(struct world *world)
{
    for (int i = 0; i < world->payment_count; i++) {
        struct payment *payment = &world->payments[i];
        if (payment->policy == POLICY_LOST || payment->policy == POLICY_DEAD)
            payment->asked = 0;
    }
}

/* The same for a key in every schedule and history of a seed. */
static unsigned chance(const struct world *world, const char *key)
{
    uint64_t hash = world->host->seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * UINT64_C(0x100000001B3);
    return (unsigned)((hash ^ hash >> 29) * UINT64_C(0xBF58476D1CE4E5B9) >> 33);
}

struct payment *world_payment(struct world *world, const char *key)
{
    for (int i = 0; i < world->payment_count; i++) {
        if (strcmp(world->payments[i].key, key) == 0)
            return &world->payments[i];
    }
    host_expect(world->host, world->payment_count < WORLD_KEYS);
    struct payment *payment = &world->payments[world->payment_count++ % WORLD_KEYS];
    unsigned dice = chance(world, key);
    unsigned part = dice % 100;
    *payment = (struct payment){.silence = dice / 100 % 4, .refund_silence = dice / 400 % 3};
    strncpy(payment->key, key, sizeof payment->key - 1);
    payment->policy = part < 62   ? POLICY_APPROVE
                      : part < 74 ? POLICY_DECLINE
                      : part < 82 ? POLICY_LATE
                      : part < 86 ? POLICY_LATE_DECLINE
                      : part < 90 ? POLICY_LOST
                      : part < 98 ? POLICY_MUTE
                                  : POLICY_DEAD;
    return payment;
}

static bool down(struct world *world)
{
    world->calls++;
    return world->down_from && world->calls >= world->down_from;
}

int world_capture(struct world *world, const char *key, int64_t pence, unsigned *ret_late_ms)
{
    struct payment *payment = world_payment(world, key);
    if (world->off)
        return SILENT;
    host_expect(world->host, pence > 0);
    host_expect(world->host, ++payment->asked == 1); /* Silence is no reason to ask again. */
    if (down(world))
        return SILENT;
    bool late = payment->policy == POLICY_LATE || payment->policy == POLICY_LATE_DECLINE;
    *ret_late_ms = late ? LATE_MS : 0;
    switch (payment->policy) {
    case POLICY_DECLINE:
    case POLICY_LATE_DECLINE:
        return DECLINED;
    case POLICY_LOST:
    case POLICY_DEAD:
        return SILENT;
    default:
        host_expect(world->host, payment->captured == 0 || payment->captured == pence);
        host_expect(world->host, payment->refunded == 0); /* That is final. */
        payment->captured = pence;
        return payment->policy == POLICY_MUTE ? SILENT : APPROVED;
    }
}

int world_inquire(struct world *world, const char *key)
{
    struct payment *payment = world_payment(world, key);
    if (world->off)
        return SILENT;
    bool silent = down(world) || payment->policy == POLICY_DEAD;
    if (!silent && payment->silence > 0) {
        payment->silence--;
        silent = true;
    }
    if (silent) {
        payment->in_vain++;
        return SILENT;
    }
    if (payment->captured)
        return APPROVED;
    bool declined = payment->policy == POLICY_DECLINE || payment->policy == POLICY_LATE_DECLINE;
    return declined && payment->asked ? DECLINED : UNKNOWN;
}

int world_refund(struct world *world, const char *key, int64_t pence)
{
    struct payment *payment = world_payment(world, key);
    if (world->off)
        return SILENT;
    host_expect(world->host, payment->captured == pence && pence > 0);
    if (down(world))
        return SILENT;
    if (payment->refund_silence > 0) {
        payment->refund_silence--;
        payment->refunded = payment->refund_silence % 2 ? payment->refunded : pence;
        return SILENT; /* It may have been done all the same. */
    }
    payment->refunded = pence;
    return APPROVED;
}

bool world_tell(struct world *world, const char *key, int64_t id, int state)
{
    if (world->off || world->told_count == WORLD_TOLD)
        return false;
    const struct payment *payment = world_payment(world, key);
    if (state == 2 && !world->told_first) /* refunded */
        host_expect(world->host, payment->refunded == payment->captured && payment->captured > 0);
    struct told *told = &world->told[world->told_count++];
    *told = (struct told){.id = id, .state = state};
    strncpy(told->key, key, sizeof told->key - 1);
    return true;
}
