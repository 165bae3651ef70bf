/* gate.c - how many connections were accepted, in all and from each address. */
#include "remote/gate.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/prng.h"

#define FIRST_CAPACITY 64u

void tri_gate_init(struct tri_gate *gate, uint32_t connections_max, uint32_t per_address_max)
{
    *gate = (struct tri_gate){.connections_max = connections_max,
                              .per_address_max = per_address_max};
    tri_mutex_init(&gate->mutex);
}

void tri_gate_fini(struct tri_gate *gate)
{
    tri_free(gate->places);
    tri_mutex_fini(&gate->mutex);
}

static uint32_t home(uint64_t key, uint32_t capacity)
{
    return (uint32_t)tri_splitmix64(&key) & (capacity - 1);
}

/* The place of `key`, or the free one where it would be. */
static struct tri_gate_place *find(struct tri_gate_place *places, uint32_t capacity, uint64_t key)
{
    uint32_t at = home(key, capacity);
    while (places[at].count > 0 && places[at].key != key)
        at = (at + 1) & (capacity - 1);
    return &places[at];
}

/* At most half full, so that there is always a free place. */
static bool reserve(struct tri_gate *gate)
{
    if (gate->addresses * 2 < gate->capacity)
        return true;
    uint32_t capacity = gate->capacity ? gate->capacity * 2 : FIRST_CAPACITY;
    struct tri_gate_place *places = tri_calloc(capacity, sizeof *places);
    if (!places)
        return false;
    for (uint32_t i = 0; i < gate->capacity; i++) {
        if (gate->places[i].count > 0)
            *find(places, capacity, gate->places[i].key) = gate->places[i];
    }
    tri_free(gate->places);
    gate->places = places;
    gate->capacity = capacity;
    return true;
}

bool tri_gate_enter(struct tri_gate *gate, const struct tri_address *from)
{
    uint64_t key = tri_address_key(from);
    bool entered = false;
    tri_mutex_lock(&gate->mutex);
    if (gate->connections < gate->connections_max && reserve(gate)) {
        struct tri_gate_place *place = find(gate->places, gate->capacity, key);
        if (place->count < gate->per_address_max) {
            gate->addresses += place->count == 0;
            place->key = key;
            place->count++;
            gate->connections++;
            entered = true;
        }
    }
    tri_mutex_unlock(&gate->mutex);
    return entered;
}

/* Closes the gap at `at`: what follows and could be there moves up (Knuth, 6.4, algorithm R). */
static void close_gap(struct tri_gate *gate, uint32_t at)
{
    uint32_t mask = gate->capacity - 1, next = at;
    for (;;) {
        next = (next + 1) & mask;
        if (gate->places[next].count == 0)
            break;
        uint32_t from = home(gate->places[next].key, gate->capacity);
        if (((next - from) & mask) >= ((next - at) & mask)) {
            gate->places[at] = gate->places[next];
            at = next;
        }
    }
    gate->places[at] = (struct tri_gate_place){0};
}

void tri_gate_leave(struct tri_gate *gate, const struct tri_address *from)
{
    uint64_t key = tri_address_key(from);
    tri_mutex_lock(&gate->mutex);
    struct tri_gate_place *place = find(gate->places, gate->capacity, key);
    TRI_ASSERT(place->count > 0);
    gate->connections--;
    if (--place->count == 0) {
        gate->addresses--;
        close_gap(gate, (uint32_t)(place - gate->places));
    }
    tri_mutex_unlock(&gate->mutex);
}

uint32_t tri_gate_connections(struct tri_gate *gate)
{
    tri_mutex_lock(&gate->mutex);
    uint32_t connections = gate->connections;
    tri_mutex_unlock(&gate->mutex);
    return connections;
}
