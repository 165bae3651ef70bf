/*
 * tests/lib/hoard.h - a stepped system's message memory, used up.
 */
#ifndef TROUPE_TESTS_HOARD_H
#define TROUPE_TESTS_HOARD_H

#include "stepped.h"

/* Takes blocks of a size until there are none; the test gives them back. */
#define HELD_MAX 20000u
static void *held[HELD_MAX];
static size_t held_count;

static inline void take_all(const struct tr_type *type)
{
    void *body;
    while ((body = tr_msg_new(root, type, type->size))) {
        assert_true(held_count < HELD_MAX);
        held[held_count++] = body;
    }
}

static inline void give_all(void)
{
    while (held_count)
        tr_msg_free(root, held[--held_count]);
}

#endif
