/*
 * core/cell.h - the actor cell: one slot of the PID table.
 *
 * A cell is 128 bytes of type-stable memory: its address never becomes anything else while
 * the system lives, so a sender with a stale PID reads a generation that does not match,
 * never garbage. What few actors need (name, watchers, timers, calls) hangs on `cold`.
 *
 * Who owns a cell: whoever made `head` non-NULL, until it makes it NULL again. Ownership is
 * handed on through the run queues. Only the owner touches the other fields, except those
 * marked shared.
 */
#ifndef TROUPE_CORE_CELL_H
#define TROUPE_CORE_CELL_H

#include "base/atomic.h"
#include "core/block.h"
#include "core/state.h"
#include "os/spin.h"
#include "troupe/actor.h"

/* Flags of a cell: why the next turn must take the slow path. */
#define TRI_CELL_STOP 1u         /* tr_stop() on itself */
#define TRI_CELL_FIRST_DONE 2u   /* `first` was processed; it only holds the queue's end */
#define TRI_CELL_PROXY 4u        /* messages go to cold->proxy, not to an actor */
#define TRI_CELL_GUARDIAN 8u     /* the root of all */
#define TRI_CELL_BOUNDED 16u     /* its messages wait in a tri_bound */
#define TRI_CELL_IDLE_TIMER 32u  /* a receive timeout is set */
#define TRI_CELL_BATCHES 64u     /* the actor takes batches */
#define TRI_CELL_INITED 128u     /* init succeeded: stop is owed */
#define TRI_CELL_RESTARTED 256u  /* the next init is a restart's */
#define TRI_CELL_SPAWNED 512u    /* it had children: look under the lock whether it still has */
#define TRI_CELL_DELAYED 1024u   /* waits until a receiver's mailbox has drained */
#define TRI_CELL_AGAIN 2048u     /* another behaviour, or messages to handle before the mailbox */
#define TRI_CELL_KIND 4096u      /* `actor` is that of a tri_kind */
#define TRI_CELL_CONTAINED 8192u /* its faults are its failures */
/* Flags that keep a cell off the short path for good. */
#define TRI_CELL_SLOW                                                                              \
    (TRI_CELL_STOP | TRI_CELL_FIRST_DONE | TRI_CELL_PROXY | TRI_CELL_GUARDIAN | TRI_CELL_BOUNDED | \
     TRI_CELL_BATCHES | TRI_CELL_AGAIN | TRI_CELL_DELAYED | TRI_CELL_CONTAINED)

/* (cell->mode & TRI_MODE_MASK) == TRI_MODE_SHORT: running, and nothing keeps it off the short
 * path. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TRI_MODE_MASK ((uint32_t)TRI_CELL_SLOW << 16 | 0xffu)
#define TRI_MODE_SHORT ((uint32_t)TRI_RUNNING)
#define TRI_MODE_FLAGS(flags) ((uint32_t)(flags) << 16)
#define TRI_MODE_IDLE_TIMER ((uint32_t)TRI_CELL_IDLE_TIMER << 16)
#define TRI_MODE_END_MASK 0xffff00ffu
#define TRI_MODE_PLAIN_END (TRI_RUNNING | (TRI_CELL_STOP | TRI_CELL_INITED) << 16)
#else
#define TRI_MODE_MASK ((uint32_t)TRI_CELL_SLOW | 0xff000000u)
#define TRI_MODE_SHORT ((uint32_t)TRI_RUNNING << 24)
#define TRI_MODE_FLAGS(flags) ((uint32_t)(flags))
#define TRI_MODE_IDLE_TIMER ((uint32_t)TRI_CELL_IDLE_TIMER)
#define TRI_MODE_END_MASK 0xff00ffffu
#define TRI_MODE_PLAIN_END ((uint32_t)TRI_RUNNING << 24 | (TRI_CELL_STOP | TRI_CELL_INITED))
#endif
/* (cell->mode & TRI_MODE_END_MASK) == TRI_MODE_PLAIN_END: it runs, never had children, and has
 * just said that it ends. */

struct tri_cold;

/* Whether a cell waits for the end of its children (core/family.h). */
#define TRI_GONE_NO 0u
#define TRI_GONE_AT_ONCE 1u
#define TRI_GONE_IN_ORDER 2u
#define TRI_GONE_TOLD 4u /* one of them has told it, and it has not looked since */

struct tri_children;

struct tri_cell {
    /* Line 0: what a message needs. */
    TRI_ATOMIC(struct tri_block *) head; /* shared: newest message; NULL: idle */
    union {                              /* the parts, or the PID of the tenant */
        struct {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            uint32_t slot;
            TRI_ATOMIC(uint32_t) gen; /* shared: read by senders */
#else
            TRI_ATOMIC(uint32_t) gen;
            uint32_t slot;
#endif
        };
        TRI_ATOMIC(uint64_t) pid_bits; /* written whole: a load right behind it need not wait */
    };
    union { /* the parts, or all of them in one comparison */
        struct {
            uint8_t state;      /* enum tri_state */
            uint8_t size_class; /* of `data` */
            uint16_t flags;
        };
        uint32_t mode;
    };
    uint16_t owner;                 /* pool that `data` came from */
    TRI_ATOMIC(uint8_t) wants_gone; /* shared: TRI_GONE_… */
    struct tri_block *first;        /* next message to process */
    const struct tr_actor *actor;
    void *data;                         /* state, then the spawn argument */
    TRI_ATOMIC(struct tri_block *) sys; /* shared: system messages, newest first */
    uint64_t taken;                     /* messages taken out of the mailbox */

    /* Line 1: what only its life needs. */
    TRI_ATOMIC(struct tri_block *) stub; /* a message's `next`: what wakes an idle cell */
    struct tri_cell *run_next;
    struct tri_cold *cold;
    const struct tr_supervision *supervise;
    uint64_t refused;              /* of the messages taken, not handled: dead letters */
    TRI_ATOMIC(uint32_t) held;     /* shared: 1: not idle, but waits for system messages only */
    struct tri_spin lock;          /* of parents: see core/family.h */
    TRI_ATOMIC(uint32_t) parent;   /* shared: its slot; 0: none, or this one has ended */
    struct tri_children *children; /* NULL: never had one */
};

_Static_assert(sizeof(struct tri_cell) == 128, "a cell is two cache lines");
_Static_assert(offsetof(struct tri_cell, stub) == 64, "and what a message needs is the first");

/* The stub plays a message; only its `next` exists. */
_Static_assert(offsetof(struct tri_block, next) == 0, "the stub is a block's first field");
static inline struct tri_block *tri_cell_stub(struct tri_cell *cell)
{
    return (struct tri_block *)(void *)&cell->stub;
}

static inline tr_pid tri_cell_pid(const struct tri_cell *cell)
{
    /* Relaxed: read by the owner, the creator, or under the parent's lock: it cannot change. */
    return (tr_pid){tri_load(&cell->pid_bits, TRI_RELAXED)};
}

#endif
