#include "core/headers.h"

#include "core/send.h"

static size_t padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

void *tr_msg_new_headers(tr_ctx *ctx, const struct tr_type *type, size_t size,
                         const struct tr_header *headers, size_t count)
{
    size_t texts = 0;
    if (count > TR_HEADERS_MAX || size > TR_MESSAGE_SIZE_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++)
        texts += strlen(headers[i].key) + strlen(headers[i].value) + 2;
    if (count == 0 || texts > TR_HEADERS_SIZE_MAX)
        return count == 0 ? tr_msg_new(ctx, type, size) : NULL;
    size_t whole = padded(size) + padded(texts) + sizeof(uint64_t);
    if (whole == type->size) /* Sized it must be. */
        whole += sizeof(uint64_t);
    struct tri_block *block = tri_block_new(ctx, type, whole, false);
    if (!block)
        return NULL;
    block->flags |= TRI_BLOCK_HEADERS;
    char *body = tri_block_body(block);
    char *at = body + padded(size);
    for (size_t i = 0; i < count; i++) {
        at = stpcpy(at, headers[i].key) + 1;
        at = stpcpy(at, headers[i].value) + 1;
    }
    /* An empty key marks the end, unless they fill all of it. */
    memset(at, 0, (size_t)(body + whole - sizeof(uint64_t) - at));
    uint64_t body_size = size;
    memcpy(body + whole - sizeof body_size, &body_size, sizeof body_size);
    return body;
}

bool tri_headers_next(const struct tri_block *holder, size_t *at, struct tr_header *ret_header)
{
    if (!(holder->flags & TRI_BLOCK_HEADERS))
        return false;
    const char *body = (const char *)(holder + 1);
    const char *end = body + tri_block_whole_size(holder) - sizeof(uint64_t);
    const char *key = body + padded(tri_block_size(holder)) + *at;
    if (key >= end || (!*key && !key[1]))
        return false;
    const char *value = key + strlen(key) + 1;
    *ret_header = (struct tr_header){key, value};
    *at += strlen(key) + strlen(value) + 2;
    return true;
}

bool tr_header_next(const tr_ctx *ctx, size_t *at, struct tr_header *ret_header)
{
    return ctx->block && tri_headers_next(tri_block_payload(ctx->block), at, ret_header);
}

const char *tr_header(const tr_ctx *ctx, const char *key)
{
    struct tr_header header;
    for (size_t at = 0; tr_header_next(ctx, &at, &header);) {
        if (strcmp(header.key, key) == 0)
            return header.value;
    }
    return NULL;
}
