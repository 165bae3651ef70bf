#include "core/state.h"

#include "base/assert.h"

const char *tri_state_name(enum tri_state state)
{
    static const char *const names[] = {
#define X(code, name) name,
        TRI_STATES(X)
#undef X
    };
    return (unsigned)state < TRI_STATE_COUNT ? names[state] : "unknown";
}

#define TO(s) (1u << (s))

static const uint8_t allowed[TRI_STATE_COUNT] = {
    [TRI_FREE] = TO(TRI_STARTING) | TO(TRI_RUNNING),
    [TRI_STARTING] = TO(TRI_RUNNING) | TO(TRI_SUSPENDED) | TO(TRI_STOPPING) | TO(TRI_RESTARTING),
    [TRI_RUNNING] = TO(TRI_SUSPENDED) | TO(TRI_STOPPING) | TO(TRI_RESTARTING),
    [TRI_SUSPENDED] = TO(TRI_RUNNING) | TO(TRI_BACKOFF) | TO(TRI_RESTARTING) | TO(TRI_STOPPING),
    [TRI_BACKOFF] = TO(TRI_RESTARTING) | TO(TRI_STOPPING),
    [TRI_RESTARTING] = TO(TRI_STARTING) | TO(TRI_STOPPING),
    [TRI_STOPPING] = TO(TRI_FREE),
};

bool tri_state_may(enum tri_state from, enum tri_state to)
{
    return (unsigned)from < TRI_STATE_COUNT && (unsigned)to < TRI_STATE_COUNT &&
           (allowed[from] & TO(to)) != 0;
}

void tri_state_move(uint8_t *state, enum tri_state to)
{
    TRI_ASSERT(tri_state_may((enum tri_state) * state, to));
    *state = (uint8_t)to;
}
