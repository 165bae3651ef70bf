#include "core/supervise.h"

#include "base/plant.h"

/* As in Proto.Actor: ten restarts in ten seconds. */
static const struct tr_supervision default_policy = {
    .on_failure = TR_RESTART, .restarts_max = 10, .within_ms = 10000};

static bool is_default(const struct tr_supervision *p)
{
    return !p || (p->restarts_max == 0 && p->within_ms == 0);
}

const char *tri_supervision_invalid(const struct tr_supervision *p)
{
    if (!p)
        return NULL;
    if ((unsigned)p->on_failure > TR_RESUME || (unsigned)p->over_budget > TR_RESUME)
        return "the directive is not one of enum tr_directive";
    if ((unsigned)p->strategy > TR_REST_FOR_ONE)
        return "the strategy is not one of enum tr_strategy";
    if (p->restarts_max > TRI_RESTARTS_MAX - 1 && p->within_ms != 0)
        return "restarts_max is above 63";
    if (p->backoff_jitter_permille > 1000)
        return "backoff_jitter_permille is above 1000";
    if (p->backoff_ms_max && p->backoff_ms_max < p->backoff_ms_min)
        return "backoff_ms_max is below backoff_ms_min";
    return NULL;
}

/* Failures within the window that ends now. */
static unsigned failures_within(const struct tri_restarts *r, uint64_t now_ns, unsigned within_ms)
{
    if (within_ms == 0)
        return r->count;
    uint64_t span = (uint64_t)within_ms * 1000000u;
    unsigned kept = r->count < TRI_RESTARTS_MAX ? r->count : TRI_RESTARTS_MAX;
    unsigned n = 0;
    for (unsigned i = 0; i < kept; i++)
        n += now_ns - r->at_ns[i] <= span;
    return n;
}

static unsigned next_delay(const struct tr_supervision *p, struct tri_restarts *r, uint64_t random)
{
    if (p->backoff_ms_min == 0)
        return 0;
    uint64_t max = p->backoff_ms_max ? p->backoff_ms_max : 64ull * p->backoff_ms_min;
    uint32_t steps = r->backoff_steps < 31 ? r->backoff_steps : 31;
    uint64_t delay = (uint64_t)p->backoff_ms_min << steps;
    if (delay >= max)
        delay = max;
    else if (!TRI_PLANTED(BACKOFF_FLAT))
        r->backoff_steps++;
    uint64_t spread = delay * p->backoff_jitter_permille / 1000;
    delay += spread ? random % (spread + 1) : 0;
    return delay < UINT32_MAX ? (unsigned)delay : UINT32_MAX;
}

struct tri_decision tri_supervise(const struct tr_supervision *policy, struct tri_restarts *r,
                                  tr_err code, uint64_t now_ns, uint64_t random)
{
    const struct tr_supervision *p = policy ? policy : &default_policy;
    unsigned restarts_max = is_default(p) ? default_policy.restarts_max : p->restarts_max;
    unsigned within_ms = is_default(p) ? default_policy.within_ms : p->within_ms;
    unsigned quiet_ms = p->quiet_ms ? p->quiet_ms : within_ms;

    if (r->last_ns > 0 && quiet_ms && now_ns - r->last_ns > (uint64_t)quiet_ms * 1000000u)
        r->backoff_steps = 0;
    r->last_ns = now_ns;

    struct tri_decision d = {.directive = p->decide ? p->decide(code) : p->on_failure};
    if ((unsigned)d.directive > TR_RESUME)
        d.directive = TR_STOP; /* A decider that returned something else. */
    if (d.directive == TR_RESTART) {
        r->at_ns[r->count % TRI_RESTARTS_MAX] = now_ns;
        r->count++;
    }
    d.failures = failures_within(r, now_ns, within_ms);
    if (d.directive == TR_RESTART) {
        if (d.failures > restarts_max)
            d.directive = p->over_budget == TR_ESCALATE ? TR_ESCALATE : TR_STOP;
        else
            d.delay_ms = next_delay(p, r, random);
    }
    return d;
}
