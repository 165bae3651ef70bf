/*
 * remote/out.h - what a connection is about to write: references to buffers that were lent, and
 * copies of what is small, in the order of the bytes.
 *
 * It is filled, written, and filled again only when all is written; in between it holds no memory,
 * so that idle connections cost none.
 */
#ifndef TROUPE_REMOTE_OUT_H
#define TROUPE_REMOTE_OUT_H

#include "remote/wire.h"

#include <sys/uio.h>

#define TRI_STAGE_SIZE (64u << 10)
#define TRI_STAGE_IOV 512u
/* Parts up to this size are copied: cheaper than a slot of writev's, and many of them make few. */
#define TRI_COPY_MAX 1024u
/* Bytes of one filling: enough for the system call to cost nothing, not more than caches hold. */
#define TRI_OUT_MAX (512u << 10)
/* What any one frame but DATA may need: HEADERS are at most 16 KiB. */
#define TRI_OUT_FRAME (17u << 10)

struct tri_stage {
    struct tri_stage *next; /* of those that are free */
    struct iovec iov[TRI_STAGE_IOV];
    uint8_t bytes[TRI_STAGE_SIZE];
};

struct tri_stages {
    struct tri_stage *free;
    unsigned count;
};

struct tri_out {
    struct tri_stage *stage; /* NULL: empty */
    size_t staged;
    unsigned iov_at, iov_count;
    uint64_t appended, written; /* bytes, ever */
    /* Buffers of which no more bytes will be appended, by `end`. */
    struct tri_buffer *first, *last;
};

/* False without memory. */
bool tri_out_open(struct tri_out *out, struct tri_stages *stages);
/* Gives the stage back when all is written. */
void tri_out_close(struct tri_out *out, struct tri_stages *stages);
void tri_stages_fini(struct tri_stages *stages);

static inline uint64_t tri_out_pending(const struct tri_out *out)
{
    return out->appended - out->written;
}

/* Room for `bytes` of copies and `slots` of references. */
static inline bool tri_out_fits(const struct tri_out *out, size_t bytes, unsigned slots)
{
    return out->staged + bytes <= TRI_STAGE_SIZE && out->iov_count + slots <= TRI_STAGE_IOV;
}

void tri_out_copy(struct tri_out *out, const void *bytes, size_t size);
/* By reference, unless it is small. */
void tri_out_part(struct tri_out *out, const uint8_t *bytes, size_t size);
/* No more of the buffer will be appended; `fate` is what becomes of it once that is written. */
void tri_out_ends(struct tri_out *out, struct tri_buffer *buffer, enum tri_buffer_fate fate);
/* The kernel took `size` more bytes. */
void tri_out_wrote(struct tri_out *out, size_t size);
/* The next buffer that the kernel has taken to its end, or (all) any; NULL: none. */
struct tri_buffer *tri_out_pop(struct tri_out *out, bool all);

#endif
