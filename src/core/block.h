/*
 * core/block.h - the layout of a message in memory.
 *
 * A block is a header and a body. 40 bytes of header leave 24 for the body of a message in
 * the smallest size class (64 bytes, one cache line), which is most messages.
 */
#ifndef TROUPE_CORE_BLOCK_H
#define TROUPE_CORE_BLOCK_H

#include "base/atomic.h"
#include "troupe/message.h"

/* Flags of a block. Any flag sends the message through the slow paths. */
#define TRI_BLOCK_SHARED 1u     /* an envelope: the body is a pointer to the block that has it */
#define TRI_BLOCK_COUNTED 2u    /* kept by references; `gen` counts them */
#define TRI_BLOCK_SIZED 4u      /* the body's size is in the block's last 8 bytes */
#define TRI_BLOCK_REPLY 8u      /* an answer: `call` names the call it answers */
#define TRI_BLOCK_POISON 16u    /* no message: the actor ends when it gets here */
#define TRI_BLOCK_REQUEST 32u   /* `call` is set and `from` waits for an answer */
#define TRI_BLOCK_HEADERS 64u   /* sized, with headers behind the body: core/headers.h */
#define TRI_BLOCK_PROMISED 128u /* its link has said that it has room */

struct tri_block {
    TRI_ATOMIC(struct tri_block *) next; /* mailbox or free list */
    const struct tr_type *type;          /* from here on it is a tr_msg */
    union {                              /* the parts, or all of them in one comparison */
        struct {
            /* The generation that the message was sent to. Once its receiver has checked it,
             * the same field counts the references to a COUNTED block. */
            TRI_ATOMIC(uint32_t) gen;
            union {
                struct {
                    uint16_t owner; /* id of the context whose pool the block belongs to */
                    uint8_t size_class;
                    uint8_t flags;
                };
                uint32_t tag;
            };
        };
        uint64_t address; /* TRI_ADDRESS_… */
    };
    tr_pid from;
    uint64_t call; /* only with one of the flags REQUEST and REPLY, and of system messages */
};

_Static_assert(offsetof(struct tri_block, type) + sizeof(tr_msg) == sizeof(struct tri_block),
               "a block is a link and a message");

/* `flags` and `size_class` within `tag`; the owner has the other two bytes. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TRI_TAG_FLAGS(flags) ((uint32_t)(flags) << 24)
#define TRI_TAG_CLASS(size_class) ((uint32_t)(size_class) << 16)
#define TRI_TAG_OWNER(owner) ((uint32_t)(owner))
#define TRI_ADDRESS(gen, tag) ((uint64_t)(tag) << 32 | (gen))
#else
#define TRI_TAG_FLAGS(flags) ((uint32_t)(flags))
#define TRI_TAG_CLASS(size_class) ((uint32_t)(size_class) << 8)
#define TRI_TAG_OWNER(owner) ((uint32_t)(owner) << 16)
#define TRI_ADDRESS(gen, tag) ((uint64_t)(gen) << 32 | (tag))
#endif

#define TRI_BLOCK_HEADER (sizeof(struct tri_block))

static inline void *tri_block_body(struct tri_block *block)
{
    return block + 1;
}

static inline struct tri_block *tri_block_of(void *body)
{
    return (struct tri_block *)body - 1;
}

static inline const tr_msg *tri_block_msg(const struct tri_block *block)
{
    return (const tr_msg *)(const void *)&block->type;
}

static inline struct tri_block *tri_msg_block(const tr_msg *msg)
{
    return tri_block_of((void *)(uintptr_t)tr_msg_body(msg));
}

/* The block that holds the body: another one for envelopes. */
static inline struct tri_block *tri_block_payload(struct tri_block *block)
{
    if (block->flags & TRI_BLOCK_SHARED)
        return *(struct tri_block **)tri_block_body(block);
    return block;
}

#endif
