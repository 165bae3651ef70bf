/*
 * troupe/timer.h - messages to oneself, later. Actors only.
 *
 * A timer belongs to its actor: it ends with it, and a restart cancels it.
 */
#ifndef TROUPE_TIMER_H
#define TROUPE_TIMER_H

#include "troupe/message.h"

TR_BEGIN_DECLS

/* A handle for tr_cancel(); 0 is none. */
typedef struct tr_timer {
    uint64_t bits;
} tr_timer;

/* Sends to this actor itself after delay_ms, never early. O(1). */
#define tr_after(ctx, delay_ms, ...) tr_timer_((ctx), (delay_ms), 0, TR_VALUE_(__VA_ARGS__))
#define tr_after_value(ctx, delay_ms, T, ptr) tr_timer_((ctx), (delay_ms), 0, TR_VALUE_AT_(T, ptr))

/* … and then again every period_ms (>= 1), without drift, until cancelled. A tick that
 * would come before the last one was handled is left out. */
#define tr_every(ctx, period_ms, ...) \
    tr_timer_((ctx), (period_ms), (period_ms), TR_VALUE_(__VA_ARGS__))
#define tr_every_value(ctx, period_ms, T, ptr) \
    tr_timer_((ctx), (period_ms), (period_ms), TR_VALUE_AT_(T, ptr))
TR_API tr_timer tr_timer_(tr_ctx *ctx, unsigned delay_ms, unsigned period_ms,
                          const struct tr_type *type, const void *body, size_t size);

/* True if the timer was pending and will not fire (again). O(1). */
TR_API bool tr_cancel(tr_ctx *ctx, tr_timer timer);

/* Comes when no message has arrived for the time set with tr_receive_timeout(). */
struct tr_idle {
    unsigned after_ms;
};
TR_API extern const struct tr_type tr_idle_type;

/* Asks for a tr_idle after each silence of timeout_ms; 0 turns it off, which never fails.
 * TR_ENOMEM; then none will come. Actors only. */
TR_API TR_MUST_USE tr_err tr_receive_timeout(tr_ctx *ctx, unsigned timeout_ms);

/* Milliseconds of the system's monotonic clock; within a millisecond or two. */
TR_API uint64_t tr_now_ms(tr_ctx *ctx);
/* Nanoseconds of the same clock, exact. */
TR_API uint64_t tr_now_ns(tr_ctx *ctx);
/* Microseconds since 1970-01-01 UTC from the system's wall clock port. */
TR_API int64_t tr_wall_us(tr_ctx *ctx);
/* 64 random bits from the system's random port; not for secrets. */
TR_API uint64_t tr_random(tr_ctx *ctx);

TR_END_DECLS

#endif
