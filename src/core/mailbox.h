/*
 * core/mailbox.h - the mailbox: an intrusive queue, many producers, one consumer.
 *
 * `head` is the newest message, NULL means idle. A sender exchanges its message into head.
 * If it got a predecessor it links it; if it got NULL it has made the cell runnable, owns it,
 * and hands it on with its message as the first. The consumer keeps the message that it last
 * processed in the queue as the place to link to; so there is no stub node, and going idle is
 * one compare-and-swap from that message to NULL. It is what the queues of Vyukov and of Pony
 * would be without their stub: 8.7 ns per message in a ping-pong with, 6.5 without.
 */
#ifndef TROUPE_CORE_MAILBOX_H
#define TROUPE_CORE_MAILBOX_H

#include "core/cell.h"
#include "os/thread.h"

/*
 * True: the cell was idle and is now the caller's, who must schedule it. push_all() takes several
 * that are linked already.
 *
 * The exchange is acquire and release: release publishes the message to the consumer, who
 * reaches it through head or through a link; acquire pairs with the consumer's release when
 * it went idle, so the new owner sees the cell as the last one left it. The link's release
 * pairs with the acquire in tri_mailbox_next().
 */
static inline bool tri_mailbox_push_all(struct tri_cell *cell, struct tri_block *first,
                                        struct tri_block *last)
{
    /* Relaxed: the exchange below publishes it, and the links from `first` on. */
    tri_store(&last->next, NULL, TRI_RELAXED);
    struct tri_block *before = tri_xchg(&cell->head, last, TRI_ACQ_REL);
    if (before) {
        /* `before` cannot be freed yet: the consumer waits for its link. */
        tri_store(&before->next, first, TRI_RELEASE);
        return false;
    }
    cell->first = first;
    return true;
}

static inline bool tri_mailbox_push(struct tri_cell *cell, struct tri_block *block)
{
    return tri_mailbox_push_all(cell, block, block);
}

/* Waits for a sender that has exchanged but not yet linked. */
static inline struct tri_block *tri_mailbox_wait(struct tri_block *done)
{
    struct tri_block *next;
    uint32_t spins = 0;
    while (!(next = tri_load(&done->next, TRI_ACQUIRE))) {
        tri_pause();
        if (++spins % 128 == 0)
            tri_thread_yield(); /* The sender was preempted between two instructions. */
    }
    return next;
}

/*
 * The message after `done`, which was processed. NULL: there was none, and the cell is idle
 * and no longer the caller's. `done` is the caller's to free either way.
 *
 * Release on success: what the owner wrote is the next owner's. Sequentially consistent,
 * because tri_cell_idle_check() needs this store before its load of `sys`.
 */
static inline struct tri_block *tri_mailbox_leave(struct tri_cell *cell, struct tri_block *done)
{
    struct tri_block *expected = done;
    if (__builtin_expect(tri_cas_strong(&cell->head, &expected, NULL, TRI_SEQ_CST, TRI_RELAXED), 1))
        return NULL;
    return tri_mailbox_wait(done);
}

/* The same if it may well have a successor already. */
static inline struct tri_block *tri_mailbox_next(struct tri_cell *cell, struct tri_block *done)
{
    struct tri_block *next = tri_load(&done->next, TRI_ACQUIRE);
    return next ? next : tri_mailbox_leave(cell, done);
}

/* True: the cell was idle and is now the caller's, its stub queued. */
static inline bool tri_mailbox_claim(struct tri_cell *cell)
{
    struct tri_block *expected = NULL;
    struct tri_block *stub = tri_cell_stub(cell);
    /* Not the owner yet: the stub's link must be clean before anyone can see it in head. It is:
     * who passed it last cleared it. Sequentially consistent also when it fails: the sender of
     * a system message then relies on an owner who is still there, so it must not take a head
     * from before that one went idle. */
    if (!tri_cas_strong(&cell->head, &expected, stub, TRI_SEQ_CST, TRI_SEQ_CST))
        return false;
    cell->first = stub;
    return true;
}

#endif
