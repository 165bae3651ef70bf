/* remote/gate.h - how many connections were accepted, in all and from each address. Any thread. */
#ifndef TROUPE_REMOTE_GATE_H
#define TROUPE_REMOTE_GATE_H

#include "os/thread.h"
#include "remote/address.h"

struct tri_gate_place {
    uint64_t key;
    uint32_t count; /* 0: the place is free */
};

struct tri_gate {
    tri_mutex mutex;
    struct tri_gate_place *places; /* open addressing */
    uint32_t capacity;             /* a power of 2, or 0 */
    uint32_t addresses;            /* places taken */
    uint32_t connections;
    uint32_t connections_max, per_address_max;
};

void tri_gate_init(struct tri_gate *gate, uint32_t connections_max, uint32_t per_address_max);
void tri_gate_fini(struct tri_gate *gate);
/* False: a limit is reached, or no memory. */
bool tri_gate_enter(struct tri_gate *gate, const struct tri_address *from);
void tri_gate_leave(struct tri_gate *gate, const struct tri_address *from);
uint32_t tri_gate_connections(struct tri_gate *gate);

#endif
