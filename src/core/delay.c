#include "core/delay.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/plant.h"
#include "core/send.h"

struct tri_delay {
    tr_pid sender;
    tr_pid receiver;
    struct tri_bound *bound;      /* the receiver's */
    uint64_t number;              /* of the message that has to be taken first */
    uint64_t seen;                /* the search that has looked at it last */
    struct tri_delay *next_in;    /* of the same receiver */
    struct tri_delay *next_place; /* in the same place of the table */
    struct tri_delay *next_todo;  /* of the search */
};

/* All edges, by sender. */
struct tri_delays {
    struct tri_spin lock;
    struct tri_delay **places;
    uint32_t place_count; /* a power of two */
    uint32_t count;
    uint64_t searches;
};

#define PLACES_MIN 64u

struct tri_delays *tri_delays_create(void)
{
    struct tri_delays *delays = tri_calloc(1, sizeof *delays);
    if (!delays)
        return NULL;
    delays->places = tri_calloc(PLACES_MIN, sizeof(struct tri_delay *));
    delays->place_count = PLACES_MIN;
    tri_spin_init(&delays->lock);
    if (delays->places)
        return delays;
    tri_free(delays);
    return NULL;
}

void tri_delays_destroy(struct tri_delays *delays)
{
    if (!delays)
        return;
    for (uint32_t i = 0; i < delays->place_count; i++) {
        while (delays->places[i]) {
            struct tri_delay *edge = delays->places[i];
            delays->places[i] = edge->next_place;
            tri_free(edge);
        }
    }
    tri_free(delays->places);
    tri_free(delays);
}

/* ---- The table ----------------------------------------------------------- */

static struct tri_delay **place_of(struct tri_delays *delays, tr_pid sender)
{
    uint32_t slot = (uint32_t)sender.bits;
    return &delays->places[slot & (delays->place_count - 1)];
}

/* Slots are dense, so two edges per place keep the chains short. Stays as it is when memory is
 * short. */
static void grow(struct tri_delays *delays)
{
    if (delays->count < 2 * delays->place_count)
        return;
    struct tri_delays bigger = {.place_count = 2 * delays->place_count};
    bigger.places = tri_calloc(bigger.place_count, sizeof(struct tri_delay *));
    if (!bigger.places)
        return;
    for (uint32_t i = 0; i < delays->place_count; i++) {
        while (delays->places[i]) {
            struct tri_delay *edge = delays->places[i];
            delays->places[i] = edge->next_place;
            struct tri_delay **place = place_of(&bigger, edge->sender);
            edge->next_place = *place;
            *place = edge;
        }
    }
    tri_free(delays->places);
    delays->places = bigger.places;
    delays->place_count = bigger.place_count;
}

/* The first edge of `sender` in the chain that starts at `edge`. */
static struct tri_delay *next_of(struct tri_delay *edge, tr_pid sender)
{
    while (edge && !tr_pid_equal(edge->sender, sender))
        edge = edge->next_place;
    return edge;
}

static void remove_from_table(struct tri_delays *delays, struct tri_delay *edge)
{
    struct tri_delay **link = place_of(delays, edge->sender);
    while (*link != edge)
        link = &(*link)->next_place;
    *link = edge->next_place;
    delays->count--;
}

/* Under both locks: the mailbox's first waiter decides when to look again. */
static void note_first(struct tri_bound *bound)
{
    bound->release_at = bound->waiters ? bound->waiters->number : 0;
}

static void remove_from_waiters(struct tri_delay *edge)
{
    struct tri_bound *bound = edge->bound;
    struct tri_delay *before = NULL;
    for (struct tri_delay *e = bound->waiters; e != edge; e = e->next_in)
        before = e;
    if (before)
        before->next_in = edge->next_in;
    else
        bound->waiters = edge->next_in;
    if (bound->waiters_last == edge)
        bound->waiters_last = before;
    tri_spin_lock(&bound->lock);
    bound->delayed--;
    note_first(bound);
    tri_spin_unlock(&bound->lock);
}

/* ---- Circles ------------------------------------------------------------- */

/* Puts the receivers that `from` waits for on the list of what is still to look at. */
static uint32_t push_out(struct tri_delays *delays, tr_pid from, struct tri_delay **todo)
{
    uint32_t pushed = 0;
    struct tri_delay *edge = next_of(*place_of(delays, from), from);
    for (; edge; edge = next_of(edge->next_place, from)) {
        if (edge->seen == delays->searches)
            continue;
        edge->seen = delays->searches;
        edge->next_todo = *todo;
        *todo = edge;
        pushed++;
    }
    return pushed;
}

/* True if `from` waits for `target`, directly or through others. */
static bool waits_for(struct tri_delays *delays, tr_pid from, tr_pid target)
{
    struct tri_delay *todo = NULL;
    delays->searches++;
    uint32_t looked = push_out(delays, from, &todo);
    while (todo) {
        struct tri_delay *edge = todo;
        todo = edge->next_todo;
        if (tr_pid_equal(edge->receiver, target) || looked > TRI_DELAY_LOOK_MAX)
            return true;
        looked += push_out(delays, edge->receiver, &todo);
    }
    return false;
}

/* ---- Begin and end ------------------------------------------------------- */

static struct tri_delay *find(struct tri_delays *delays, tr_pid sender, tr_pid receiver)
{
    struct tri_delay *edge = next_of(*place_of(delays, sender), sender);
    while (edge && !tr_pid_equal(edge->receiver, receiver))
        edge = next_of(edge->next_place, sender);
    return edge;
}

/* Enters the edge unless the mailbox has drained since; false: it has. Under the lock. */
static bool enter(struct tri_delays *delays, struct tri_delay *edge)
{
    struct tri_bound *bound = edge->bound;
    tri_spin_lock(&bound->lock);
    bool waits = bound->gen == (uint32_t)(edge->receiver.bits >> 32) &&
                 (tri_bound_congested(bound, edge->number) || TRI_RACED(DELAY_DRAINED));
    if (waits) {
        if (bound->waiters_last)
            bound->waiters_last->next_in = edge;
        else
            bound->waiters = edge;
        bound->waiters_last = edge;
        bound->delayed++;
        note_first(bound);
    }
    tri_spin_unlock(&bound->lock);
    if (!waits)
        return false;
    grow(delays);
    struct tri_delay **place = place_of(delays, edge->sender);
    edge->next_place = *place;
    *place = edge;
    delays->count++;
    return true;
}

void tri_delay_sender(struct tr_ctx *ctx, tr_pid to, struct tri_bound *bound, uint64_t number)
{
    struct tri_delays *delays = ctx->sys->delays;
    tr_pid self = tri_ctx_self(ctx);
    if (tr_pid_equal(self, to))
        return; /* It would wait for itself. */
    struct tri_delay *edge = tri_calloc(1, sizeof *edge);
    if (!edge)
        return; /* Queued is all that can be done. */
    *edge = (struct tri_delay){.sender = self, .receiver = to, .bound = bound, .number = number};
    tri_spin_lock(&delays->lock);
    bool entered = !find(delays, self, to) &&
                   (TRI_PLANTED(CIRCLE) || !waits_for(delays, to, self)) && enter(delays, edge);
    tri_spin_unlock(&delays->lock);
    if (!entered) {
        tri_free(edge);
        return;
    }
    tri_count(&ctx->counts.delays, 1);
    ctx->cell->flags |= TRI_CELL_DELAYED;
    ctx->attention = true;
}

/* Takes the first waiter out if it may go on; NULL: none may. Under the lock. */
static struct tri_delay *take_first(struct tri_bound *bound, bool all)
{
    struct tri_delay *edge = bound->waiters;
    if (!edge)
        return NULL;
    tri_spin_lock(&bound->lock);
    bool free_to_go = all || !tri_bound_congested(bound, edge->number);
    if (free_to_go) {
        bound->waiters = edge->next_in;
        if (!bound->waiters)
            bound->waiters_last = NULL;
        bound->delayed--;
        note_first(bound);
    }
    tri_spin_unlock(&bound->lock);
    return free_to_go ? edge : NULL;
}

void tri_delay_release(struct tr_ctx *ctx, struct tri_bound *bound, bool all)
{
    struct tri_delays *delays = ctx->sys->delays;
    struct tri_delay *gone = NULL;
    tri_spin_lock(&delays->lock);
    struct tri_delay *edge;
    /* No stampede: whoever waits has a message in the mailbox, of which at most half is left. */
    while ((edge = take_first(bound, all))) {
        remove_from_table(delays, edge);
        edge->next_todo = gone;
        gone = edge;
        if (TRI_PLANTED(RELEASE_ONE))
            break;
    }
    tri_spin_unlock(&delays->lock);
    while (gone) {
        edge = gone;
        gone = edge->next_todo;
        tri_sys_send(ctx, edge->sender, TRI_SYS_UNDELAY, edge->receiver, 0);
        tri_free(edge);
    }
}

bool tri_delay_over(struct tr_ctx *ctx, tr_pid sender)
{
    struct tri_delays *delays = ctx->sys->delays;
    tri_spin_lock(&delays->lock);
    bool over = !next_of(*place_of(delays, sender), sender);
    tri_spin_unlock(&delays->lock);
    return over;
}

void tri_delay_forget(struct tr_ctx *ctx, tr_pid sender)
{
    struct tri_delays *delays = ctx->sys->delays;
    struct tri_delay *gone = NULL;
    struct tri_delay *edge;
    if (TRI_RACED(DELAY_FORGOTTEN))
        return;
    tri_spin_lock(&delays->lock);
    while ((edge = next_of(*place_of(delays, sender), sender))) {
        remove_from_waiters(edge);
        remove_from_table(delays, edge);
        edge->next_todo = gone;
        gone = edge;
    }
    tri_spin_unlock(&delays->lock);
    while (gone) {
        edge = gone->next_todo;
        tri_free(gone);
        gone = edge;
    }
}
