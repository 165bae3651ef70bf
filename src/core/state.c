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

bool tri_state_may(enum tri_state from, enum tri_state to)
{
    return (unsigned)from < TRI_STATE_COUNT && (unsigned)to < TRI_STATE_COUNT &&
           (tri_state_next[from] & 1u << to) != 0;
}
