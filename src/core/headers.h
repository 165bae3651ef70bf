/*
 * core/headers.h - where the headers of a message are.
 *
 * A block with TRI_BLOCK_HEADERS is sized; behind the body, at the next multiple of 8, are keys
 * and values one after the other, each with its NUL, and in the last 8 bytes the body's size.
 */
#ifndef TROUPE_CORE_HEADERS_H
#define TROUPE_CORE_HEADERS_H

#include "core/block.h"
#include "troupe/headers.h"

/* The next header of a block that holds a body; *at is 0 at first. False at the end. */
bool tri_headers_next(const struct tri_block *holder, size_t *at, struct tr_header *ret_header);

#endif
