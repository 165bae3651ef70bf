/* inflate.c - messages that a peer has compressed with gzip. */
#include "remote/inflate.h"

#include "base/alloc.h"

#include <limits.h>
#include <zlib.h>

#define FIRST_CAPACITY (16u << 10)

static voidpf z_alloc(voidpf user, uInt count, uInt size)
{
    (void)user;
    return tri_calloc(count, size);
}

static void z_free(voidpf user, voidpf p)
{
    (void)user;
    tri_free(p);
}

static tr_err grow(struct tri_spare *to, size_t size_max)
{
    /* One byte more than allowed, to see that it is more. */
    if (to->capacity > size_max)
        return TR_EFULL;
    size_t capacity = to->capacity ? to->capacity * 2 : FIRST_CAPACITY;
    if (capacity > size_max)
        capacity = size_max + 1;
    uint8_t *bytes = tri_realloc(to->bytes, capacity);
    if (!bytes)
        return TR_ENOMEM;
    to->bytes = bytes;
    to->capacity = capacity;
    return TR_OK;
}

static tr_err unpack(z_stream *z, size_t size_max, struct tri_spare *to, size_t *ret_size)
{
    size_t size = 0;
    for (;;) {
        if (size == to->capacity) {
            tr_err err = grow(to, size_max);
            if (err != TR_OK)
                return err;
        }
        size_t room = to->capacity - size;
        z->next_out = to->bytes + size;
        z->avail_out = room < UINT_MAX ? (uInt)room : UINT_MAX;
        uInt offered = z->avail_out;
        int rv = inflate(z, Z_NO_FLUSH);
        size += offered - z->avail_out;
        if (size > size_max)
            return TR_EFULL;
        if (rv == Z_STREAM_END) {
            *ret_size = size;
            return z->avail_in == 0 ? TR_OK : TR_EINVAL;
        }
        if (rv == Z_MEM_ERROR)
            return TR_ENOMEM;
        if (rv != Z_OK && !(rv == Z_BUF_ERROR && z->avail_out == 0))
            return TR_EINVAL;
        if (z->avail_in == 0 && z->avail_out > 0)
            return TR_EINVAL; /* It breaks off. */
    }
}

tr_err tri_inflate(const uint8_t *data, size_t size, size_t size_max, struct tri_spare *to,
                   size_t *ret_size)
{
    z_stream z = {.zalloc = z_alloc, .zfree = z_free};
    if (size > UINT_MAX)
        return TR_EFULL;
    z.next_in = (uint8_t *)data; /* zlib does not write to it. */
    z.avail_in = (uInt)size;
    if (inflateInit2(&z, 15 + 16) != Z_OK) /* the largest window, gzip's header */
        return TR_ENOMEM;
    tr_err err = unpack(&z, size_max, to, ret_size);
    (void)inflateEnd(&z);
    return err;
}
