#include "remote/assoc.h"

#include "base/assert.h"
#include "base/prng.h"

#define NS_PER_MS 1000000u
/* Delays are stretched by up to this share, so that peers of a node that comes back do not all
 * call at once. */
#define JITTER_PERCENT 25u

#define B(state) (1u << (state))
/* For each state, the set of those that may follow; staying is always allowed. */
static const uint32_t next_of[TRI_ASSOC_STATE_COUNT] = {
    [TRI_ASSOC_IDLE] = B(TRI_ASSOC_DIALLING) | B(TRI_ASSOC_WAITING) | B(TRI_ASSOC_SHUT),
    [TRI_ASSOC_WAITING] = B(TRI_ASSOC_DIALLING) | B(TRI_ASSOC_IDLE) | B(TRI_ASSOC_SHUT),
    [TRI_ASSOC_DIALLING] = B(TRI_ASSOC_SHAKING) | B(TRI_ASSOC_WAITING) | B(TRI_ASSOC_IDLE) |
                           B(TRI_ASSOC_CLOSING),
    [TRI_ASSOC_SHAKING] = B(TRI_ASSOC_UP) | B(TRI_ASSOC_PROBING) | B(TRI_ASSOC_WAITING) |
                          B(TRI_ASSOC_IDLE) | B(TRI_ASSOC_CLOSING),
    [TRI_ASSOC_PROBING] = B(TRI_ASSOC_UP) | B(TRI_ASSOC_WAITING) | B(TRI_ASSOC_IDLE) |
                          B(TRI_ASSOC_CLOSING),
    [TRI_ASSOC_UP] = B(TRI_ASSOC_IDLE) | B(TRI_ASSOC_CLOSING),
    [TRI_ASSOC_CLOSING] = B(TRI_ASSOC_IDLE) | B(TRI_ASSOC_WAITING) | B(TRI_ASSOC_DIALLING) |
                          B(TRI_ASSOC_SHUT),
    [TRI_ASSOC_SHUT] = 0,
};
#undef B

bool tri_assoc_may(enum tri_assoc_state from, enum tri_assoc_state to)
{
    return from == to || (next_of[from] & 1u << to) != 0;
}

static void move(struct tri_assoc *a, enum tri_assoc_state to)
{
    TRI_ASSERT(tri_assoc_may(a->state, to));
    a->state = to;
}

void tri_assoc_init(struct tri_assoc *a, uint64_t seed)
{
    *a = (struct tri_assoc){.state = TRI_ASSOC_IDLE, .due_ns = UINT64_MAX, .chance = seed};
}

static void due_in(struct tri_assoc *a, uint64_t now_ns, uint32_t ms)
{
    a->due_ns = now_ns + (uint64_t)ms * NS_PER_MS;
}

/* The delay after `attempts` failures in a row. */
static uint64_t backoff_ns(struct tri_assoc *a, const struct tri_assoc_config *c)
{
    uint64_t ms = c->backoff_ms_min;
    for (uint32_t i = 1; i < a->attempts && ms < c->backoff_ms_max; i++)
        ms *= 2;
    if (ms > c->backoff_ms_max)
        ms = c->backoff_ms_max;
    uint64_t stretch = ms * NS_PER_MS / 100 * JITTER_PERCENT;
    return ms * NS_PER_MS + (stretch ? tri_splitmix64(&a->chance) % stretch : 0);
}

static uint64_t patience_end(const struct tri_assoc *a, const struct tri_assoc_config *c)
{
    return a->wanted_since_ns ? a->wanted_since_ns + (uint64_t)c->give_up_ms * NS_PER_MS
                              : UINT64_MAX;
}

/* The attempt has `ms` for what it does now; what waits for it may have less patience. */
static void try_for(struct tri_assoc *a, const struct tri_assoc_config *c, uint64_t now_ns,
                    uint32_t ms)
{
    uint64_t end = patience_end(a, c);
    a->attempt_end_ns = now_ns + (uint64_t)ms * NS_PER_MS;
    a->due_ns = end < a->attempt_end_ns ? end : a->attempt_end_ns;
}

static uint32_t dial(struct tri_assoc *a, const struct tri_assoc_config *c, uint64_t now_ns)
{
    move(a, TRI_ASSOC_DIALLING);
    try_for(a, c, now_ns, c->dial_ms);
    return TRI_ASSOC_DIAL;
}

static uint32_t give_up(struct tri_assoc *a)
{
    move(a, TRI_ASSOC_IDLE);
    a->wanted_since_ns = 0;
    a->due_ns = UINT64_MAX;
    return TRI_ASSOC_GIVE_UP | TRI_ASSOC_DOWN;
}

/* Nobody waits for this attempt any more. It may still go well, so it goes on. */
static uint32_t give_up_early(struct tri_assoc *a)
{
    a->wanted_since_ns = 0;
    a->due_ns = a->attempt_end_ns;
    return TRI_ASSOC_GIVE_UP | TRI_ASSOC_DOWN;
}

/* Waits until it may dial, or until it has been in vain for too long. */
static uint32_t wait(struct tri_assoc *a, const struct tri_assoc_config *c, uint64_t now_ns)
{
    if (!a->wanted_since_ns)
        a->wanted_since_ns = now_ns; /* A new patience for what is queued now. */
    uint64_t end = patience_end(a, c);
    if (now_ns >= end)
        return give_up(a);
    if (now_ns >= a->retry_ns)
        return dial(a, c, now_ns);
    move(a, TRI_ASSOC_WAITING);
    a->due_ns = a->retry_ns < end ? a->retry_ns : end;
    return 0;
}

static void failed(struct tri_assoc *a, const struct tri_assoc_config *c, uint64_t now_ns)
{
    a->attempts++;
    a->retry_ns = now_ns + backoff_ns(a, c);
}

static uint32_t hang_up(struct tri_assoc *a, const struct tri_assoc_config *c, uint64_t now_ns,
                        uint32_t actions)
{
    move(a, TRI_ASSOC_CLOSING);
    a->wanted = false;
    a->wanted_since_ns = 0;
    due_in(a, now_ns, c->close_ms);
    return actions;
}

static uint32_t up(struct tri_assoc *a, uint32_t actions)
{
    move(a, TRI_ASSOC_UP);
    a->attempts = 0;
    a->wanted_since_ns = 0;
    a->retry_ns = 0;
    a->due_ns = UINT64_MAX;
    return actions | TRI_ASSOC_FLUSH;
}

static uint32_t shut(struct tri_assoc *a)
{
    move(a, TRI_ASSOC_SHUT);
    a->due_ns = UINT64_MAX;
    return TRI_ASSOC_GIVE_UP | TRI_ASSOC_DOWN;
}

/* No stream, one is wanted. */
static uint32_t wanted(struct tri_assoc *a, const struct tri_assoc_config *c, uint64_t now_ns)
{
    if (a->state == TRI_ASSOC_IDLE)
        return wait(a, c, now_ns);
    if (a->state == TRI_ASSOC_CLOSING)
        a->wanted = true;
    if ((a->state == TRI_ASSOC_DIALLING || a->state == TRI_ASSOC_SHAKING) && !a->wanted_since_ns) {
        uint64_t end = now_ns + (uint64_t)c->give_up_ms * NS_PER_MS;
        a->wanted_since_ns = now_ns;
        a->due_ns = end < a->attempt_end_ns ? end : a->attempt_end_ns;
    }
    return a->state == TRI_ASSOC_UP ? TRI_ASSOC_FLUSH : 0;
}

static uint32_t lost(struct tri_assoc *a, const struct tri_assoc_config *c, uint64_t now_ns)
{
    switch (a->state) {
    case TRI_ASSOC_DIALLING:
    case TRI_ASSOC_SHAKING:
    case TRI_ASSOC_PROBING:
        failed(a, c, now_ns);
        if (a->wanted_since_ns)
            return wait(a, c, now_ns);
        move(a, TRI_ASSOC_IDLE);
        a->due_ns = UINT64_MAX;
        return 0;
    case TRI_ASSOC_UP:
        move(a, TRI_ASSOC_IDLE);
        failed(a, c, now_ns);
        a->due_ns = UINT64_MAX;
        return TRI_ASSOC_GIVE_UP | TRI_ASSOC_DOWN;
    case TRI_ASSOC_CLOSING:
        if (a->leaving)
            return shut(a);
        if (a->wanted) {
            a->wanted = false;
            return wait(a, c, now_ns);
        }
        move(a, TRI_ASSOC_IDLE);
        a->due_ns = UINT64_MAX;
        return 0;
    default:
        return 0;
    }
}

static uint32_t timer(struct tri_assoc *a, const struct tri_assoc_config *c, uint64_t now_ns)
{
    a->due_ns = UINT64_MAX;
    switch (a->state) {
    case TRI_ASSOC_WAITING:
        return wait(a, c, now_ns);
    case TRI_ASSOC_DIALLING:
    case TRI_ASSOC_SHAKING:
        if (now_ns < a->attempt_end_ns)
            return give_up_early(a);
        return TRI_ASSOC_CANCEL; /* LOST will come of it. */
    case TRI_ASSOC_CLOSING:
        return TRI_ASSOC_CANCEL;
    case TRI_ASSOC_PROBING:
        return up(a, TRI_ASSOC_ASSUME);
    default:
        return 0;
    }
}

static uint32_t leave(struct tri_assoc *a, const struct tri_assoc_config *c, uint64_t now_ns,
                      bool cut)
{
    a->leaving = true;
    switch (a->state) {
    case TRI_ASSOC_IDLE:
    case TRI_ASSOC_WAITING:
        return shut(a);
    case TRI_ASSOC_UP:
        if (!cut)
            return hang_up(a, c, now_ns, TRI_ASSOC_FLUSH | TRI_ASSOC_HANG_UP);
        return hang_up(a, c, now_ns, TRI_ASSOC_CANCEL | TRI_ASSOC_GIVE_UP);
    case TRI_ASSOC_CLOSING:
        return cut ? TRI_ASSOC_CANCEL : 0;
    case TRI_ASSOC_SHUT:
        return 0;
    default:
        return hang_up(a, c, now_ns, TRI_ASSOC_CANCEL | TRI_ASSOC_GIVE_UP | TRI_ASSOC_DOWN);
    }
}

/* The peer does not want us, or leaves, or there was nothing to do. */
static uint32_t part(struct tri_assoc *a, const struct tri_assoc_config *c,
                     enum tri_assoc_event event, uint64_t now_ns)
{
    const uint32_t lose = TRI_ASSOC_GIVE_UP | TRI_ASSOC_DOWN;
    bool shaken = a->state == TRI_ASSOC_UP || a->state == TRI_ASSOC_PROBING;
    if (event == TRI_ASSOC_UNUSED)
        return a->state == TRI_ASSOC_UP ? hang_up(a, c, now_ns, TRI_ASSOC_HANG_UP) : 0;
    if (!shaken && a->state != TRI_ASSOC_SHAKING)
        return 0;
    failed(a, c, now_ns);
    if (event == TRI_ASSOC_REFUSED)
        a->retry_ns = now_ns + (uint64_t)c->backoff_ms_max * NS_PER_MS;
    return hang_up(a, c, now_ns,
                   lose | (event == TRI_ASSOC_REFUSED ? TRI_ASSOC_CANCEL : TRI_ASSOC_HANG_UP));
}

uint32_t tri_assoc_on(struct tri_assoc *a, const struct tri_assoc_config *c,
                      enum tri_assoc_event event, uint64_t now_ns)
{
    switch (event) {
    case TRI_ASSOC_WANT:
        return wanted(a, c, now_ns);
    case TRI_ASSOC_OPENED:
        if (a->state != TRI_ASSOC_DIALLING)
            return 0;
        move(a, TRI_ASSOC_SHAKING);
        try_for(a, c, now_ns, c->shake_ms);
        return TRI_ASSOC_GREET;
    case TRI_ASSOC_ACCEPTED:
        return a->state == TRI_ASSOC_SHAKING ? up(a, 0) : 0;
    case TRI_ASSOC_ACCEPTED_BLIND:
        if (a->state != TRI_ASSOC_SHAKING)
            return 0;
        move(a, TRI_ASSOC_PROBING);
        due_in(a, now_ns, c->probe_ms);
        return TRI_ASSOC_PROBE;
    case TRI_ASSOC_DIALECT:
        return a->state == TRI_ASSOC_PROBING ? up(a, 0) : 0;
    case TRI_ASSOC_LOST:
        return lost(a, c, now_ns);
    case TRI_ASSOC_TIMER:
        return timer(a, c, now_ns);
    case TRI_ASSOC_LEAVE:
    case TRI_ASSOC_CUT:
        return leave(a, c, now_ns, event == TRI_ASSOC_CUT);
    case TRI_ASSOC_REFUSED:
    case TRI_ASSOC_PEER_LEAVES:
    case TRI_ASSOC_UNUSED:
        return part(a, c, event, now_ns);
    default:
        TRI_UNREACHABLE("an event of the table");
    }
}

const char *tri_assoc_state_name(enum tri_assoc_state state)
{
    static const char *const names[] = {
#define X(code, name) name,
        TRI_ASSOC_STATES(X)
#undef X
    };
    return (unsigned)state < TRI_ASSOC_STATE_COUNT ? names[state] : "?";
}

const char *tri_assoc_event_name(enum tri_assoc_event event)
{
    static const char *const names[] = {
#define X(code, name) name,
        TRI_ASSOC_EVENTS(X)
#undef X
    };
    return (unsigned)event < TRI_ASSOC_EVENT_COUNT ? names[event] : "?";
}
