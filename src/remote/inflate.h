/* remote/inflate.h - messages that a peer has compressed with gzip. */
#ifndef TROUPE_REMOTE_INFLATE_H
#define TROUPE_REMOTE_INFLATE_H

#include "remote/grpc.h"
#include "troupe/error.h"

/*
 * Unpacks into `to`, which grows with what comes out, and never beyond `size_max` bytes. TR_EFULL:
 * it is more than that; TR_EINVAL: it is not gzip, or not to its end; TR_ENOMEM.
 */
tr_err tri_inflate(const uint8_t *data, size_t size, size_t size_max, struct tri_spare *to,
                   size_t *ret_size);

#endif
