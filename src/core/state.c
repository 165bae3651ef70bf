#include "core/state.h"

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

const uint8_t tri_state_next[TRI_STATE_COUNT] = {
    [TRI_FREE] = TO(TRI_STARTING) | TO(TRI_RUNNING),
    [TRI_STARTING] = TO(TRI_RUNNING) | TO(TRI_SUSPENDED) | TO(TRI_STOPPING) | TO(TRI_RESTARTING),
    [TRI_RUNNING] = TO(TRI_SUSPENDED) | TO(TRI_BACKOFF) | TO(TRI_STOPPING) | TO(TRI_RESTARTING),
    [TRI_SUSPENDED] = TO(TRI_RUNNING) | TO(TRI_BACKOFF) | TO(TRI_RESTARTING) | TO(TRI_STOPPING),
    [TRI_BACKOFF] = TO(TRI_RESTARTING) | TO(TRI_STOPPING),
    [TRI_RESTARTING] = TO(TRI_STARTING) | TO(TRI_STOPPING),
    [TRI_STOPPING] = TO(TRI_FREE),
};
