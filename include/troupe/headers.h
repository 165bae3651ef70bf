/*
 * troupe/headers.h - texts that travel with a message beside its body: a trace's id, a tenant.
 *
 * Headers go where the message goes, also to other nodes, and are kept when it is passed on with
 * tr_forward() or tr_send_ref(). Most messages have none, and cost nothing for it.
 */
#ifndef TROUPE_HEADERS_H
#define TROUPE_HEADERS_H

#include "troupe/message.h"

TR_BEGIN_DECLS

struct tr_header {
    const char *key;
    const char *value;
};

/* Most headers of one message, and most bytes of them together, their NULs included. */
#define TR_HEADERS_MAX 64u
#define TR_HEADERS_SIZE_MAX 16384u

/*
 * As tr_msg_new(), for a message with headers, which are copied:
 *     struct tr_header trace[] = {{"trace-id", id}};
 *     struct order_place *msg = tr_msg_new_headers(ctx, &order_place_type, sizeof *msg, trace, 1);
 * NULL also above the bounds.
 */
TR_API void *tr_msg_new_headers(tr_ctx *ctx, const struct tr_type *type, size_t size,
                                const struct tr_header *headers, size_t count) TR_MUST_USE;

/* The value under `key` of the message being handled, the first one if there are several; NULL if
 * there is none. Borrowed until the handler returns. */
TR_API const char *tr_header(const tr_ctx *ctx, const char *key);

/* All headers of the message being handled, in their order: *at is 0 at first. False at the end. */
TR_API bool tr_header_next(const tr_ctx *ctx, size_t *at, struct tr_header *ret_header);

TR_END_DECLS

#endif
