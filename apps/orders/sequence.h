/* sequence.h - puts documents that arrive in any order back into the intake's order. */
#ifndef ORDERS_SEQUENCE_H
#define ORDERS_SEQUENCE_H

#include "doc.h"

#include <stdlib.h>

/* At most `window` documents are under way, so each has a place of its own. */
struct sequence {
    struct doc **place;
    uint32_t mask;
    uint64_t next;
};

static inline bool sequence_init(struct sequence *sequence, uint32_t window)
{
    sequence->place = calloc(window, sizeof(*sequence->place));
    sequence->mask = window - 1;
    return sequence->place != NULL;
}

static inline void sequence_fini(struct sequence *sequence)
{
    free(sequence->place);
}

static inline void sequence_put(struct sequence *sequence, struct doc *doc)
{
    sequence->place[doc->seq & sequence->mask] = doc;
}

/* The next document in order, or NULL while it has not arrived. */
static inline struct doc *sequence_take(struct sequence *sequence)
{
    struct doc **place = &sequence->place[sequence->next & sequence->mask];
    struct doc *doc = *place;
    if (doc) {
        *place = NULL;
        sequence->next++;
    }
    return doc;
}

#endif
