/* out.c - what a connection is about to write. */
#include "remote/out.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

/* Free stages that a thread keeps: more connections than this hold unsent bytes only when they are
 * slow, and then a malloc is not what they wait for. */
#define STAGES_MAX 16u

bool tri_out_open(struct tri_out *out, struct tri_stages *stages)
{
    if (out->stage)
        return true;
    struct tri_stage *stage = stages->free;
    if (stage) {
        stages->free = stage->next;
        stages->count--;
    } else if (!(stage = tri_malloc(sizeof *stage))) {
        return false;
    }
    out->stage = stage;
    out->staged = 0;
    out->iov_at = out->iov_count = 0;
    return true;
}

void tri_out_close(struct tri_out *out, struct tri_stages *stages)
{
    if (!out->stage)
        return;
    if (stages->count < STAGES_MAX) {
        out->stage->next = stages->free;
        stages->free = out->stage;
        stages->count++;
    } else {
        tri_free(out->stage);
    }
    out->stage = NULL;
}

void tri_stages_fini(struct tri_stages *stages)
{
    for (struct tri_stage *stage; (stage = stages->free);) {
        stages->free = stage->next;
        tri_free(stage);
    }
    stages->count = 0;
}

static void append(struct tri_out *out, const uint8_t *bytes, size_t size)
{
    struct iovec *iov = out->stage->iov;
    out->appended += size;
    if (out->iov_count > out->iov_at) {
        struct iovec *last = &iov[out->iov_count - 1];
        if ((const uint8_t *)last->iov_base + last->iov_len == bytes) {
            last->iov_len += size;
            return;
        }
    }
    TRI_ASSERT(out->iov_count < TRI_STAGE_IOV);
    iov[out->iov_count++] = (struct iovec){.iov_base = (uint8_t *)bytes,
                                           .iov_len = size}; /* sendmsg() does not write to it. */
}

void tri_out_copy(struct tri_out *out, const void *bytes, size_t size)
{
    TRI_ASSERT(out->staged + size <= TRI_STAGE_SIZE);
    uint8_t *to = out->stage->bytes + out->staged;
    memcpy(to, bytes, size);
    out->staged += size;
    append(out, to, size);
}

void tri_out_part(struct tri_out *out, const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return;
    if (size <= TRI_COPY_MAX)
        tri_out_copy(out, bytes, size);
    else
        append(out, bytes, size);
}

void tri_out_ends(struct tri_out *out, struct tri_buffer *buffer, enum tri_buffer_fate fate)
{
    buffer->fate = fate;
    buffer->end = out->appended;
    buffer->next = NULL;
    if (out->last)
        out->last->next = buffer;
    else
        out->first = buffer;
    out->last = buffer;
}

void tri_out_wrote(struct tri_out *out, size_t size)
{
    TRI_ASSERT(size <= tri_out_pending(out));
    out->written += size;
    for (struct iovec *iov = out->stage->iov; size > 0;) {
        struct iovec *at = &iov[out->iov_at];
        if (size < at->iov_len) {
            at->iov_base = (uint8_t *)at->iov_base + size;
            at->iov_len -= size;
            return;
        }
        size -= at->iov_len;
        out->iov_at++;
    }
}

struct tri_buffer *tri_out_pop(struct tri_out *out, bool all)
{
    struct tri_buffer *buffer = out->first;
    if (!buffer || (!all && buffer->end > out->written))
        return NULL;
    if (buffer->end > out->written)
        buffer->fate = TRI_BUFFER_UNSENT;
    out->first = buffer->next;
    if (!out->first)
        out->last = NULL;
    return buffer;
}
