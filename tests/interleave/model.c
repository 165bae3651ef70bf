/* The memory of C11: stores, views, and what an operation may see. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_MAX 256u
#define STORES_MAX 2048u
#define HASH_SIZE 1024u
#define SITES_MAX 256u
#define WORDS_MAX 16u

/* For each place the store that must be seen at least; 0: any. */
struct view {
    uint16_t of[PLACES_MAX];
};

struct store {
    uint64_t value;
    uint16_t position; /* in the place's modification order */
    bool rmw;          /* it replaced the store before it: nothing may come between */
    struct view view;  /* what an acquire of it hands over */
    struct clock clock;
};

struct place {
    uintptr_t address;
    size_t size;
    uint16_t order[64]; /* modification order: store numbers */
    uint16_t count;
    uint16_t sc; /* the newest store that a seq_cst operation wrote or read; 0: none */
};

struct thread {
    struct view view;
    struct clock clock;
    uint32_t last_place; /* of the last load, for tri_model_pause() */
    uint8_t stale[PLACES_MAX];
    uintptr_t sleeps_at; /* 0: awake */
    uint32_t timeouts;   /* so many sleeps ended by themselves */
    uint64_t clock_ns;
};

static struct {
    struct place places[PLACES_MAX];
    uint32_t place_count;
    uint16_t hash[HASH_SIZE]; /* place number + 1 */
    struct store stores[STORES_MAX];
    uint32_t store_count;
    struct thread threads[TRI_THREADS_MAX];
    uint32_t timeouts_max;
} m;

static uint32_t word_count;
static struct tri_site_info sites[SITES_MAX];
static uint32_t site_count;
static const struct tri_site_info *weakened;

void tri_memory_reset(void)
{
    memset(m.hash, 0, sizeof m.hash);
    memset(m.threads, 0, sizeof m.threads);
    m.place_count = 0;
    m.store_count = 1; /* number 0 is none */
    m.timeouts_max = 0;
    word_count = 0;
    for (uint32_t t = 0; t < TRI_THREADS_MAX; t++)
        m.threads[t].clock.of[t] = 1;
}

struct clock *tri_memory_clock(uint32_t thread)
{
    return &m.threads[thread].clock;
}

/* ---- Places -------------------------------------------------------------- */

static uint32_t hash_of(uintptr_t address)
{
    return (uint32_t)((address >> 1) * 2654435761u >> 16) % HASH_SIZE;
}

static struct place *find_place(uintptr_t address)
{
    for (uint32_t i = hash_of(address); m.hash[i]; i = (i + 1) % HASH_SIZE) {
        if (m.places[m.hash[i] - 1].address == address)
            return &m.places[m.hash[i] - 1];
    }
    return NULL;
}

static uint64_t read_real(const volatile void *p, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, (const void *)(uintptr_t)p, size);
    return value;
}

static void write_real(volatile void *p, size_t size, uint64_t value)
{
    memcpy((void *)(uintptr_t)p, &value, size);
}

static struct store *new_store(uint64_t value, uint16_t *ret_number)
{
    if (m.store_count == STORES_MAX)
        tri_step_fail("more than %u stores", STORES_MAX);
    *ret_number = (uint16_t)m.store_count;
    struct store *s = &m.stores[m.store_count++];
    memset(s, 0, sizeof *s);
    s->value = value;
    return s;
}

/* What is in memory becomes the place's first store, which everybody sees. */
static void begin_history(struct place *place)
{
    uint16_t number;
    struct store *s = new_store(read_real((void *)place->address, place->size), &number);
    s->position = 0;
    place->order[0] = number;
    place->count = 1;
    place->sc = 0;
}

static uintptr_t words[WORDS_MAX]; /* of 8 bytes, also accessed in halves */

/* Where the history of an access is kept. */
static uintptr_t home_of(const volatile void *p)
{
    for (uint32_t i = 0; i < word_count; i++) {
        if (words[i] == ((uintptr_t)p & ~(uintptr_t)7))
            return words[i];
    }
    return (uintptr_t)p;
}

TRI_ATOMIC(uint32_t) tri_model_fence_word;

void tri_model_word(const volatile void *p)
{
    if (word_count == WORDS_MAX || (uintptr_t)p % 8 != 0)
        abort();
    words[word_count++] = (uintptr_t)p;
}

/* The part of a word that an access at `p` reads or writes. */
static uint64_t part_of(uint64_t word, const volatile void *p, size_t size, uintptr_t home)
{
    unsigned shift = 8 * (unsigned)((uintptr_t)p - home);
    return size == 8 ? word : word >> shift & (((uint64_t)1 << 8 * size) - 1);
}

static uint64_t with_part(uint64_t word, const volatile void *p, size_t size, uintptr_t home,
                          uint64_t part)
{
    if (size == 8)
        return part;
    unsigned shift = 8 * (unsigned)((uintptr_t)p - home);
    uint64_t mask = (((uint64_t)1 << 8 * size) - 1) << shift;
    return (word & ~mask) | (part << shift & mask);
}

static size_t size_at(uintptr_t p, size_t size)
{
    for (uint32_t i = 0; i < word_count; i++) {
        if (words[i] == p)
            return 8;
    }
    return size;
}

static struct place *place_of(uintptr_t p, size_t size)
{
    struct place *place = find_place((uintptr_t)p);
    if (place) {
        if (place->size != size)
            tri_step_fail("an access of %zu bytes to a place of %zu", size, place->size);
        if (place->count == 0)
            begin_history(place); /* Written plainly since. */
        return place;
    }
    for (uint32_t i = 0; i < m.place_count; i++) {
        if (m.places[i].address < p + size && p < m.places[i].address + m.places[i].size)
            tri_step_fail("accesses of two sizes overlap at %#lx: see tri_model_word()",
                          (unsigned long)p);
    }
    if (m.place_count == PLACES_MAX)
        tri_step_fail("more than %u places", PLACES_MAX);
    place = &m.places[m.place_count++];
    *place = (struct place){.address = (uintptr_t)p, .size = size};
    uint32_t i = hash_of((uintptr_t)p);
    while (m.hash[i])
        i = (i + 1) % HASH_SIZE;
    m.hash[i] = (uint16_t)m.place_count;
    begin_history(place);
    return place;
}

static uint32_t index_of(const struct place *place)
{
    return (uint32_t)(place - m.places);
}

void tri_memory_forget(uintptr_t p, size_t size)
{
    for (uint32_t i = 0; i < m.place_count; i++) {
        struct place *place = &m.places[i];
        if (place->address + place->size <= p || place->address >= p + size || !place->count)
            continue;
        place->count = 0;
        place->sc = 0;
        for (uint32_t t = 0; t < TRI_THREADS_MAX; t++)
            m.threads[t].view.of[i] = 0;
        for (uint32_t s = 1; s < m.store_count; s++)
            m.stores[s].view.of[i] = 0;
    }
}

/* ---- Views --------------------------------------------------------------- */

static uint16_t position(const struct place *place, uint16_t store)
{
    (void)place;
    return store ? m.stores[store].position : 0;
}

static void view_raise(struct view *view, uint32_t index, uint16_t store)
{
    if (!view->of[index] || m.stores[view->of[index]].position < m.stores[store].position)
        view->of[index] = store;
}

static void view_join(struct view *a, const struct view *b)
{
    for (uint32_t i = 0; i < m.place_count; i++) {
        if (b->of[i])
            view_raise(a, i, b->of[i]);
    }
}

static struct thread *self(void)
{
    return &m.threads[tri_thread_index()];
}

static bool acquires(memory_order o)
{
    return o == memory_order_acquire || o == memory_order_acq_rel || o == memory_order_seq_cst;
}

static bool releases(memory_order o)
{
    return o == memory_order_release || o == memory_order_acq_rel || o == memory_order_seq_cst;
}

/* ---- Sites --------------------------------------------------------------- */

static bool same_site(const struct tri_site_info *a, struct tri_model_site site, const char *op)
{
    return a->site.line == site.line && strcmp(a->site.func, site.func) == 0 &&
           strcmp(a->op, op) == 0;
}

/* The order that counts: what the code says, or relaxed at the weakened site. */
static memory_order enter_site(struct tri_model_site site, const char *op, memory_order order)
{
    if (order == memory_order_relaxed)
        return order;
    if (weakened && same_site(weakened, site, op))
        return memory_order_relaxed;
    for (uint32_t i = 0; i < site_count; i++) {
        if (same_site(&sites[i], site, op))
            return order;
    }
    if (site_count < SITES_MAX)
        sites[site_count++] = (struct tri_site_info){site, op, order};
    return order;
}

uint32_t tri_sites(const struct tri_site_info **ret)
{
    *ret = sites;
    return site_count;
}

void tri_sites_forget(void)
{
    site_count = 0;
}

void tri_weaken(const struct tri_site_info *site)
{
    static struct tri_site_info kept;
    if (site)
        kept = *site;
    weakened = site ? &kept : NULL;
}

/* ---- Reading ------------------------------------------------------------- */

/* The first position in the modification order that the thread may still see. */
static uint16_t first_visible(const struct place *place, memory_order order)
{
    struct thread *t = self();
    uint32_t index = index_of(place);
    uint16_t from = position(place, t->view.of[index]);
    if (order == memory_order_seq_cst && place->sc && position(place, place->sc) > from)
        from = position(place, place->sc);
    /* Stores become visible in finite time. */
    if (t->stale[index] >= TRI_STALE_MAX && from + 1 < place->count)
        from++;
    return from;
}

static void see(struct place *place, uint16_t at, memory_order order)
{
    struct thread *t = self();
    uint32_t index = index_of(place);
    uint16_t number = place->order[at];
    const struct store *s = &m.stores[number];
    bool again = t->view.of[index] == number || (t->view.of[index] == 0 && at == 0);
    t->stale[index] = again && at + 1 < place->count ? (uint8_t)(t->stale[index] + 1) : 0;
    view_raise(&t->view, index, number);
    if (acquires(order)) {
        view_join(&t->view, &s->view);
        clock_join(&t->clock, &s->clock);
    }
    if (order == memory_order_seq_cst && (!place->sc || position(place, place->sc) < at))
        place->sc = number;
    t->last_place = index;
}

uint64_t tri_model_load(const volatile void *p, size_t size, memory_order order,
                        struct tri_model_site site)
{
    if (!tri_running())
        return read_real(p, size);
    uintptr_t home = home_of(p);
    /* Two seq_cst loads of a place cannot change places: the second sees no less. */
    tri_step_begin((struct op){OP_LOAD, order == memory_order_seq_cst, home, site});
    order = enter_site(site, "load", order);
    struct place *place = place_of(home, home == (uintptr_t)p ? size_at(home, size) : 8);
    uint16_t from = first_visible(place, order);
    /* The newest first. */
    uint16_t at = (uint16_t)(place->count - 1 - tri_step_choose(place->count - from));
    see(place, at, order);
    tri_race_access((uintptr_t)p, size, false, true);
    uint64_t value = part_of(m.stores[place->order[at]].value, p, size, home);
    tri_step_note("= %llx%s", (unsigned long long)value, at + 1u < place->count ? " (old)" : "");
    return value;
}

/* ---- Writing ------------------------------------------------------------- */

/* Enters a store at `at`; what it replaces when it is a read-modify-write is just before. */
static void put(struct place *place, uint16_t at, uint64_t value, memory_order order, bool rmw)
{
    struct thread *t = self();
    uint32_t index = index_of(place);
    uint16_t number;
    if (place->count == sizeof place->order / sizeof place->order[0])
        tri_step_fail("more than %u stores to one place", place->count);
    struct store *s = new_store(value, &number);
    for (uint16_t i = place->count; i > at; i--) {
        place->order[i] = place->order[i - 1];
        m.stores[place->order[i]].position = i;
    }
    place->order[at] = number;
    place->count++;
    s->position = at;
    s->rmw = rmw;
    view_raise(&t->view, index, number);
    t->stale[index] = 0;
    if (releases(order)) {
        s->view = t->view;
        s->clock = t->clock;
    }
    if (rmw) { /* It continues the release sequence. */
        const struct store *before = &m.stores[place->order[at - 1]];
        view_join(&s->view, &before->view);
        clock_join(&s->clock, &before->clock);
    }
    view_raise(&s->view, index, number);
    if (order == memory_order_seq_cst && (!place->sc || position(place, place->sc) < at))
        place->sc = number;
    if (at + 1u == place->count)
        write_real((void *)place->address, place->size, value);
    tri_race_access(place->address, place->size, true, true);
    t->clock.of[tri_thread_index()]++;
}

void tri_model_store(volatile void *p, size_t size, uint64_t value, memory_order order,
                     struct tri_model_site site)
{
    if (!tri_running()) {
        write_real(p, size, value);
        return;
    }
    uintptr_t home = home_of(p);
    tri_step_begin((struct op){OP_STORE, true, home, site});
    order = enter_site(site, "store", order);
    struct place *place = place_of(home, home == (uintptr_t)p ? size_at(home, size) : 8);
    value = with_part(m.stores[place->order[place->count - 1]].value, p, size, home, value);
    uint16_t from = position(place, self()->view.of[index_of(place)]);
    if (order == memory_order_seq_cst && place->sc && position(place, place->sc) > from)
        from = position(place, place->sc);
    uint16_t may[64];
    uint32_t count = 0;
    may[count++] = place->count; /* Last in the modification order first. */
    for (uint16_t at = place->count; at-- > from + 1u;) {
        if (!m.stores[place->order[at]].rmw)
            may[count++] = at;
    }
    uint16_t at = may[tri_step_choose(count)];
    tri_step_note("%llx%s", (unsigned long long)value,
                  at < place->count ? " (under a later one)" : "");
    put(place, at, value, order, false);
}

uint64_t tri_model_rmw(volatile void *p, size_t size, enum tri_model_op op, uint64_t value,
                       memory_order order, struct tri_model_site site)
{
    bool live = tri_running();
    struct place *place = NULL;
    if (live) {
        tri_step_begin((struct op){OP_RMW, true, (uintptr_t)p, site});
        order = enter_site(site, "rmw", order);
        place = place_of((uintptr_t)p, size);
        see(place, (uint16_t)(place->count - 1), order);
    }
    uint64_t before = live ? m.stores[place->order[place->count - 1]].value : read_real(p, size);
    uint64_t mask = size == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * size) - 1;
    uint64_t after = value;
    switch (op) {
    case TRI_MODEL_XCHG:
        break;
    case TRI_MODEL_ADD:
        after = (before + value) & mask;
        break;
    case TRI_MODEL_SUB:
        after = (before - value) & mask;
        break;
    case TRI_MODEL_OR:
        after = before | value;
        break;
    case TRI_MODEL_AND:
        after = before & value;
        break;
    }
    if (live) {
        tri_step_note("%llx -> %llx", (unsigned long long)before, (unsigned long long)after);
        put(place, place->count, after, order, true);
    } else {
        write_real(p, size, after);
    }
    return before;
}

bool tri_model_cas(volatile void *p, size_t size, uint64_t *expected, uint64_t desired,
                   memory_order ok, memory_order fail, bool weak, struct tri_model_site site)
{
    (void)weak; /* Failing for no reason looks like failing on an old value, then trying again. */
    if (!tri_running()) {
        uint64_t now = read_real(p, size);
        bool equal = now == *expected;
        if (equal)
            write_real(p, size, desired);
        *expected = now;
        return equal;
    }
    tri_step_begin((struct op){OP_CAS, true, (uintptr_t)p, site});
    ok = enter_site(site, "cas", ok);
    fail = enter_site(site, "cas failing", fail);
    struct place *place = place_of((uintptr_t)p, size);
    uint16_t last = (uint16_t)(place->count - 1);
    uint16_t from = first_visible(place, fail);
    uint16_t may[64];
    uint32_t count = 0;
    bool can = m.stores[place->order[last]].value == *expected;
    if (can)
        may[count++] = last;
    for (uint16_t at = place->count; at-- > from;) {
        if (m.stores[place->order[at]].value != *expected)
            may[count++] = at;
    }
    uint32_t chosen = tri_step_choose(count);
    uint16_t at = may[chosen];
    uint64_t value = m.stores[place->order[at]].value;
    if (can && chosen == 0) {
        tri_step_note("%llx -> %llx", (unsigned long long)value, (unsigned long long)desired);
        see(place, last, ok);
        put(place, place->count, desired, ok, true);
        return true;
    }
    tri_step_note("fails: %llx%s", (unsigned long long)value, at < last ? " (old)" : "");
    see(place, at, fail);
    tri_race_access((uintptr_t)p, size, false, true);
    *expected = value;
    return false;
}

/* ---- Waiting ------------------------------------------------------------- */

static uint64_t latest(const volatile void *p)
{
    const struct place *place = find_place((uintptr_t)p);
    if (place && place->count)
        return m.stores[place->order[place->count - 1]].value;
    return read_real(p, 4);
}

bool tri_memory_enabled(uint32_t thread, const struct op *op)
{
    struct thread *t = &m.threads[thread];
    if (op->kind == OP_AWAIT) {
        const struct place *place = &m.places[t->last_place];
        return position(place, t->view.of[t->last_place]) + 1u < place->count;
    }
    if (op->kind == OP_LOCK)
        return latest((void *)op->place) == 0;
    if (op->kind == OP_RESUME)
        return !t->sleeps_at || t->timeouts < m.timeouts_max;
    return true;
}

void tri_model_pause(void)
{
    if (!tri_running())
        return;
    struct thread *t = self();
    uint32_t index = t->last_place;
    struct place *place = &m.places[index];
    tri_step_begin((struct op){OP_AWAIT, false, place->address, TRI_SITE_});
    uint16_t next = (uint16_t)(position(place, t->view.of[index]) + 1);
    view_raise(&t->view, index, place->order[next]);
}

void tri_model_lock(volatile void *held)
{
    if (!tri_running()) {
        write_real(held, 4, 1);
        return;
    }
    tri_step_begin((struct op){OP_LOCK, true, (uintptr_t)held, TRI_SITE_});
    struct place *place = place_of((uintptr_t)held, 4);
    see(place, (uint16_t)(place->count - 1), memory_order_acquire);
    put(place, place->count, 1, memory_order_acquire, true);
}

/* The kernel compares and goes to sleep in one step, under its own lock; that lock is not
 * relied on to order anything of the caller's. */
void tri_model_futex_wait(volatile void *p, uint32_t expected, bool timed)
{
    struct thread *t = self();
    tri_step_begin((struct op){OP_SLEEP, true, (uintptr_t)p, TRI_SITE_});
    if (latest(p) != expected)
        return;
    t->sleeps_at = (uintptr_t)p;
    tri_step_begin((struct op){OP_RESUME, true, (uintptr_t)p, TRI_SITE_});
    if (t->sleeps_at) { /* Timed sleeps end at their time, the others for no reason. */
        t->timeouts++;
        t->sleeps_at = 0;
        if (timed)
            t->clock_ns += (uint64_t)1 << 62;
    }
}

void tri_model_futex_wake(volatile void *p)
{
    if (!tri_running())
        return;
    tri_step_begin((struct op){OP_WAKE, true, (uintptr_t)p, TRI_SITE_});
    for (uint32_t t = 0; t < TRI_THREADS_MAX; t++) {
        if (m.threads[t].sleeps_at == (uintptr_t)p)
            m.threads[t].sleeps_at = 0;
    }
}

uint64_t tri_model_clock_ns(void)
{
    return tri_running() ? self()->clock_ns : 0;
}

void tri_model_clock_pass(uint64_t ns)
{
    self()->clock_ns += ns;
}

void tri_model_timeouts(uint32_t max)
{
    m.timeouts_max = max;
}
