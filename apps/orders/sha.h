/* sha.h - SHA-256 by OpenSSL, with the set-up paid once. One thread per context. */
#ifndef ORDERS_SHA_H
#define ORDERS_SHA_H

#include <stdbool.h>
#include <stddef.h>

struct sha;

struct sha *sha_create(void); /* NULL when memory is short or SHA-256 is not available */
void sha_destroy(struct sha *sha);

struct sha_part {
    const void *data;
    size_t size;
};
/* The digest of the parts one after the other, 32 bytes. False: the library failed. */
bool sha_digest(struct sha *sha, const struct sha_part *parts, size_t count, unsigned char *ret);

#endif
