/* fuzz.h - what the fuzz targets share. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold whatever the input. */
#define HOLDS(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

/* A source over bytes in memory that gives out `step` of them at a time and may break off. */
struct fuzz_source {
    struct ord_source base;
    const uint8_t *data;
    size_t size, at, step;
    bool breaks;
};

static inline long fuzz_read(struct ord_source *source, char *buffer, size_t size,
                             struct ord_error *error)
{
    struct fuzz_source *fuzz = (struct fuzz_source *)source;
    size_t n = fuzz->size - fuzz->at;
    if (n == 0 && fuzz->breaks) {
        ord_fail(error, "the source breaks off");
        return -1;
    }
    if (n == 0)
        return 0;
    n = n < fuzz->step ? n : fuzz->step;
    n = n < size ? n : size;
    memcpy(buffer, fuzz->data + fuzz->at, n);
    fuzz->at += n;
    return (long)n;
}

/* The first byte decides how the rest is given out. */
static inline struct fuzz_source fuzz_source(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 7, 4096, 1u << 20};
    struct fuzz_source source = {.base = {.read = fuzz_read}, .step = steps[3], .data = data};
    if (size > 0) {
        source.step = steps[data[0] & 3];
        source.breaks = data[0] & 4;
        source.data = data + 1;
        source.size = size - 1;
    }
    return source;
}

#endif
