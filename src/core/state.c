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
