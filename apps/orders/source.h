/* source.h - where bytes come from: a file, an .xz file, or anything with a read function. */
#ifndef ORDERS_SOURCE_H
#define ORDERS_SOURCE_H

#include "text.h"

/*
 * A stream of bytes. `read` fills up to `size` bytes and returns how many (0 at the end), or
 * -1 with the reason in *error; after -1 it is not called again. Used by one thread.
 */
struct ord_source {
    long (*read)(struct ord_source *source, char *buffer, size_t size, struct ord_error *error);
    void (*close)(struct ord_source *source);
    /* For progress: how much of `total` is consumed, in any unit; total 0: not known. */
    uint64_t done;
    uint64_t total;
};

/* Opens a regular file or a pipe; .xz is recognised by its first bytes, not by its name.
 * NULL with a sentence in *error (missing, a directory, not readable, out of memory). */
struct ord_source *ord_source_open(const char *path, struct ord_error *error);
/* NULL is fine. */
void ord_source_close(struct ord_source *source);

#endif
