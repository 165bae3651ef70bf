#include "core/bound.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/plant.h"
#include "core/delay.h"
#include "core/mailbox.h"
#include "core/request.h"
#include "core/send.h"

/* ---- Policies ------------------------------------------------------------ */

static enum tr_overflow policy_of(const struct tr_overflow_rule *rules, enum tr_overflow overflow,
                                  const struct tr_type *type)
{
    for (const struct tr_overflow_rule *rule = rules; rule && rule->type; rule++) {
        if (rule->type == type)
            return rule->policy;
    }
    return overflow;
}

static bool drops(enum tr_overflow policy)
{
    return policy == TR_DROP_NEWEST || policy == TR_DROP_OLDEST;
}

/* Of a message that may come although no list of the actor's names its type. */
static enum tr_overflow policy_for(const struct tri_bound *bound, const struct tr_type *type)
{
    enum tr_overflow policy = policy_of(bound->rules, bound->overflow, type);
    return (type->flags & TR_TYPE_DURABLE) && drops(policy) ? TR_QUEUE : policy;
}

static tr_err check_durable(const struct tr_spawn_args *args, const char *name,
                            const struct tr_type *type, struct tr_error *error)
{
    static const char *const words[] = {"refuse", "drop newest", "drop oldest", "delay", "queue"};
    enum tr_overflow policy = policy_of(args->overflow_rules, args->overflow, type);
    if (!(type->flags & TR_TYPE_DURABLE) || !drops(policy))
        return TR_OK;
    return tri_error_set(
        error, TR_EINVAL, 0,
        "actor '%s': message type '%s' is durable, but its overflow policy is '%s'; "
        "want 'delay', 'queue' or 'refuse'",
        name, type->name, words[policy]);
}

tr_err tri_bound_check(const struct tr_spawn_args *args, const struct tr_actor *actor,
                       struct tr_error *error)
{
    const char *name = actor->name ? actor->name : "?";
    bool given = args->overflow != TR_REFUSE || args->overflow_rules;
    if (!args->mailbox_max && given)
        return tri_error_set(error, TR_EINVAL, 0,
                             "actor '%s' has an overflow policy but mailbox_max 0, want a bound",
                             name);
    if ((unsigned)args->overflow > TR_QUEUE)
        return tri_error_set(error, TR_EINVAL, 0, "actor '%s': overflow is %d, want 0 … %d", name,
                             (int)args->overflow, (int)TR_QUEUE);
    tr_err err = TR_OK;
    for (const struct tr_overflow_rule *r = args->overflow_rules; r && r->type && !err; r++) {
        if ((unsigned)r->policy > TR_QUEUE)
            return tri_error_set(error, TR_EINVAL, 0,
                                 "actor '%s': the overflow policy of '%s' is %d, want 0 … %d", name,
                                 r->type->name, (int)r->policy, (int)TR_QUEUE);
        err = check_durable(args, name, r->type, error);
    }
    const struct tr_type *const *types = args->mailbox_max ? actor->accepts : NULL;
    for (; types && *types && !err; types++)
        err = check_durable(args, name, *types, error);
    return err;
}

/* ---- Open and close ------------------------------------------------------ */

bool tri_bound_open(struct tr_ctx *ctx, struct tri_cell *cell, const struct tr_spawn_args *args)
{
    TRI_ATOMIC(struct tri_bound *) *place = &ctx->sys->slots.bounds[cell->slot];
    struct tri_bound *bound = tri_load(place, TRI_RELAXED); /* Only an owner writes it. */
    if (!bound) {
        bound = tri_calloc(1, sizeof *bound);
        if (!bound)
            return false;
        tri_spin_init(&bound->lock);
        /* Release: a late sender that sees it sees a lock that is open. */
        tri_store(place, bound, TRI_RELEASE);
    }
    tri_spin_lock(&bound->lock);
    bound->gen = tri_load(&cell->gen, TRI_RELAXED);
    bound->max = args->mailbox_max;
    bound->overflow = args->overflow;
    bound->rules = args->overflow_rules;
    bound->in = bound->out = bound->release_at = 0;
    bound->dropped_newest = bound->dropped_oldest = bound->refused = 0;
    tri_spin_unlock(&bound->lock);
    cell->flags |= TRI_CELL_BOUNDED;
    return true;
}

void tri_bound_close(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid self)
{
    struct tri_bound *bound = tri_cell_bound(&ctx->sys->slots, cell);
    tri_spin_lock(&bound->lock);
    struct tri_block *block = bound->first;
    bool waited_for = bound->delayed > 0;
    bound->gen = 0;
    bound->first = bound->last = NULL;
    bound->waiting = 0;
    tri_store(&bound->count, 0u, TRI_RELAXED);
    tri_spin_unlock(&bound->lock);
    if (waited_for && !TRI_PLANTED(WAITERS_KEPT))
        tri_delay_release(ctx, bound, true);
    bool closing = tri_load(&ctx->sys->phase, TRI_RELAXED) == TRI_CLOSED;
    while (block) {
        struct tri_block *next = tri_load(&block->next, TRI_RELAXED);
        if (block->flags & TRI_BLOCK_POISON) {
            tri_count(&ctx->counts.processed, 1);
            tri_block_free(ctx, block);
        } else if (TRI_PLANTED(MAIL_UNCOUNTED)) {
            tri_block_free(ctx, block);
        } else {
            tri_dead_letter(ctx, self, block, closing ? TR_DEAD_CLOSING : TR_DEAD_STOPPED);
        }
        block = next;
    }
}

/* ---- In ------------------------------------------------------------------ */

/* Control messages and answers always find room and are not counted. */
static bool always_finds_room(const struct tri_block *block)
{
    return (block->type->flags & TR_TYPE_CONTROL) || (block->flags & TRI_BLOCK_REPLY);
}

/* True: the list was empty. Under the lock. */
static bool append(struct tri_bound *bound, struct tri_block *block, bool counted)
{
    uint32_t count = tri_load(&bound->count, TRI_RELAXED);
    tri_store(&block->next, NULL, TRI_RELAXED); /* The lock publishes it. */
    if (bound->last)
        tri_store(&bound->last->next, block, TRI_RELAXED);
    else
        bound->first = block;
    if (TRI_PLANTED(OUT_OF_ORDER) && bound->first != block && bound->in % 5 == 0) {
        tri_store(&bound->last->next, NULL, TRI_RELAXED);
        tri_store(&block->next, bound->first, TRI_RELAXED);
        bound->first = block;
    } else {
        bound->last = block;
    }
    bound->in++;
    bound->waiting += counted;
    /* Sequentially consistent: the sender looks at head next, the owner does it the other way
     * round when it goes idle. */
    tri_store(&bound->count, count + 1, TRI_SEQ_CST);
    return count == 0;
}

/* Takes out the message after `before` (NULL: the first). Under the lock. */
static struct tri_block *unlink_after(struct tri_bound *bound, struct tri_block *before)
{
    struct tri_block *block = before ? tri_load(&before->next, TRI_RELAXED) : bound->first;
    struct tri_block *next = tri_load(&block->next, TRI_RELAXED);
    if (before)
        tri_store(&before->next, next, TRI_RELAXED);
    else
        bound->first = next;
    if (bound->last == block)
        bound->last = before;
    bound->out++;
    bound->waiting -= !always_finds_room(block);
    tri_store(&bound->count, tri_load(&bound->count, TRI_RELAXED) - 1, TRI_RELAXED);
    return block;
}

/* The oldest message that may be dropped, taken out; NULL if there is none near. */
static struct tri_block *take_oldest(struct tri_bound *bound)
{
    struct tri_block *before = NULL;
    struct tri_block *block = bound->first;
    for (uint32_t i = 0; block && i < TRI_BOUND_LOOK_MAX; i++) {
        if (!always_finds_room(block) && policy_for(bound, block->type) == TR_DROP_OLDEST)
            return unlink_after(bound, before);
        before = block;
        block = tri_load(&block->next, TRI_RELAXED);
    }
    return NULL;
}

/* Makes the cell runnable if nobody owns it; after append() found the list empty. */
static void wake(struct tr_ctx *ctx, struct tri_cell *cell)
{
    /* If somebody owns the cell now, its store to head when it goes idle comes after this load,
     * and then its look at the count sees our message. */
    if (!tri_load(&cell->head, TRI_SEQ_CST) && tri_mailbox_claim(cell))
        tri_schedule(ctx, cell);
}

enum verdict { QUEUED, DELAYED, DROPPED_NEW, DROPPED_OLD, REFUSED, CLOSED };

/* Puts the block in or says why not. Under the lock. */
static enum verdict admit(struct tri_bound *bound, struct tri_block *block, bool *ret_wake,
                          struct tri_block **ret_dropped)
{
    bool counted = !always_finds_room(block);
    enum verdict verdict = QUEUED;
    if (counted && bound->waiting >= bound->max) {
        switch (policy_for(bound, block->type)) {
        case TR_REFUSE:
            bound->refused++;
            return REFUSED;
        case TR_DROP_OLDEST:
            *ret_dropped = take_oldest(bound);
            if (*ret_dropped) {
                bound->dropped_oldest++;
                verdict = DROPPED_OLD;
                break;
            }
            /* Nothing older may go: it is the oldest of its class itself. */
            __attribute__((fallthrough));
        case TR_DROP_NEWEST:
            bound->dropped_newest++;
            *ret_dropped = block;
            return DROPPED_NEW;
        case TR_DELAY:
            verdict = DELAYED;
            break;
        case TR_QUEUE:
            break;
        }
    }
    *ret_wake = append(bound, block, counted);
    return verdict;
}

static void drop(struct tr_ctx *ctx, tr_pid to, struct tri_block *block,
                 TRI_ATOMIC(uint64_t) *counter)
{
    if (!TRI_PLANTED(DROP_UNCOUNTED))
        tri_count(counter, 1);
    if (block->flags & TRI_BLOCK_REQUEST)
        tri_request_fail(ctx, block, to, TR_EFULL);
    tri_block_free(ctx, block);
}

void tri_bound_limit(struct tr_ctx *ctx, struct tri_cell *cell, uint32_t max)
{
    struct tri_bound *bound = tri_cell_bound(&ctx->sys->slots, cell);
    tr_pid self = tri_cell_pid(cell);
    struct tri_block *dropped;
    do {
        dropped = NULL;
        tri_spin_lock(&bound->lock);
        bound->max = max;
        if (bound->waiting > max && bound->overflow == TR_DROP_OLDEST)
            dropped = take_oldest(bound);
        bound->dropped_oldest += dropped != NULL;
        tri_spin_unlock(&bound->lock);
        if (dropped)
            drop(ctx, self, dropped, &ctx->counts.dropped_oldest);
    } while (dropped);
}

void tri_bound_deliver(struct tr_ctx *ctx, tr_pid to, struct tri_cell *cell,
                       struct tri_block *block)
{
    struct tri_bound *bound = tri_cell_bound(&ctx->sys->slots, cell);
    uint32_t gen = (uint32_t)(to.bits >> 32);
    struct tri_block *dropped = NULL;
    enum verdict verdict = CLOSED;
    bool empty = false;
    uint64_t number = 0;
    tri_store(&block->gen, gen, TRI_RELAXED);
    if (bound) {
        tri_spin_lock(&bound->lock);
        if (bound->gen == gen || TRI_RACED(BOUND_TENANT))
            verdict = admit(bound, block, &empty, &dropped);
        number = bound->in;
        tri_spin_unlock(&bound->lock);
    }
    if (empty && !(TRI_PLANTED(LOST_WAKEUP) && number % 7 == 0))
        wake(ctx, cell);
    if (verdict == CLOSED) {
        bool closing = tri_load(&ctx->sys->phase, TRI_RELAXED) == TRI_CLOSED;
        tri_dead_letter(ctx, to, block, closing ? TR_DEAD_CLOSING : TR_DEAD_NO_ACTOR);
    } else if (verdict == REFUSED) {
        tri_dead_letter(ctx, to, block, TR_DEAD_REFUSED);
    } else if (dropped) {
        drop(ctx, to, dropped,
             verdict == DROPPED_NEW ? &ctx->counts.dropped_newest : &ctx->counts.dropped_oldest);
    } else if (verdict == DELAYED && ctx->cell) {
        tri_delay_sender(ctx, to, bound, number);
    }
}

tr_err tri_bound_try(struct tr_ctx *ctx, tr_pid to, struct tri_cell *cell, struct tri_block *block,
                     bool only_look)
{
    struct tri_bound *bound = tri_cell_bound(&ctx->sys->slots, cell);
    uint32_t gen = (uint32_t)(to.bits >> 32);
    tr_err err = TR_ENOACTOR;
    bool empty = false;
    if (!bound)
        return err;
    tri_store(&block->gen, gen, TRI_RELAXED);
    tri_spin_lock(&bound->lock);
    if (bound->gen == gen) {
        bool counted = !always_finds_room(block);
        err = counted && bound->waiting >= bound->max ? TR_EFULL : TR_OK;
        if (!err && !only_look)
            empty = append(bound, block, counted);
    }
    tri_spin_unlock(&bound->lock);
    if (empty)
        wake(ctx, cell);
    return err;
}

/* ---- Out ----------------------------------------------------------------- */

static bool fits_batch(const struct tri_block *block, const struct tr_type *batch_type)
{
    return block->type == batch_type && !(block->flags & (TRI_BLOCK_REPLY | TRI_BLOCK_POISON));
}

uint32_t tri_bound_take(struct tr_ctx *ctx, struct tri_cell *cell, const struct tr_type *batch_type,
                        struct tri_block **ret_blocks, uint32_t max)
{
    struct tri_bound *bound = tri_cell_bound(&ctx->sys->slots, cell);
    uint32_t count = 0;
    /* Relaxed: 0 is only believed by who then goes idle and looks again, in sequence. */
    if (tri_load(&bound->count, TRI_RELAXED) == 0)
        return 0;
    tri_spin_lock(&bound->lock);
    while (bound->first && count < max && (count == 0 || fits_batch(bound->first, batch_type))) {
        ret_blocks[count++] = unlink_after(bound, NULL);
        if (!batch_type || !fits_batch(ret_blocks[count - 1], batch_type))
            break;
    }
    bool release = bound->delayed > 0 && !tri_bound_congested(bound, bound->release_at);
    tri_spin_unlock(&bound->lock);
    if (release)
        tri_delay_release(ctx, bound, false);
    return count;
}

uint32_t tri_bound_count(struct tr_system *sys, struct tri_cell *cell)
{
    const struct tri_bound *bound = tri_cell_bound(&sys->slots, cell);
    return bound ? tri_load(&bound->count, TRI_SEQ_CST) : 0;
}

void tri_bound_accounts(struct tr_system *sys, struct tri_cell *cell, struct tr_accounts *accounts)
{
    struct tri_bound *bound = tri_cell_bound(&sys->slots, cell);
    tri_spin_lock(&bound->lock);
    accounts->dropped_newest = bound->dropped_newest;
    accounts->dropped_oldest = bound->dropped_oldest;
    accounts->dropped = bound->dropped_newest + bound->dropped_oldest;
    accounts->dead[TR_DEAD_REFUSED] += bound->refused;
    accounts->accepted += accounts->dropped + bound->refused;
    tri_spin_unlock(&bound->lock);
}
