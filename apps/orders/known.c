/* known.c - a Bloom filter before the database. */
#include "known.h"

#include "plant.h"

#include <stdlib.h>
#include <string.h>

#define FILTER_BITS (UINT64_C(1) << 25) /* 4 MiB: 1 in 10,000 wrong at two million orders */
#define FILTER_HASHES 4
#define UNDER_WAY 65536u /* at least as many as documents are under way */

struct known {
    struct store_reader *reader;
    int64_t noticed;
    uint64_t filter[FILTER_BITS / 64];
    uint64_t hash[UNDER_WAY]; /* of the numbers let in last, by seq */
};

static uint64_t hash_of(const char *key)
{
    return ord_hash(11, key, strlen(key));
}

static void filter_add(struct known *known, uint64_t hash)
{
    for (int i = 0; i < FILTER_HASHES; i++) {
        uint64_t bit = (hash + (uint64_t)i * (hash >> 32 | 1)) % FILTER_BITS;
        known->filter[bit / 64] |= UINT64_C(1) << (bit % 64);
    }
}

static void add_key(void *user, const char *key)
{
    filter_add(user, hash_of(key));
}

struct known *known_open(const char *path, struct ord_error *error)
{
    struct known *known = calloc(1, sizeof(*known));
    if (!known) {
        ord_fail(error, "memory is short");
        return NULL;
    }
    known->reader = store_reader_open(path, error);
    bool forget = ORDERS_PLANTED(KEY_FORGOTTEN);
    if (!known->reader || (!forget && !store_each_key(known->reader, add_key, known, error)) ||
        !store_reader_noticed(known->reader, &known->noticed, error)) {
        known_close(known);
        return NULL;
    }
    return known;
}

void known_close(struct known *known)
{
    if (!known)
        return;
    store_reader_close(known->reader);
    free(known);
}

bool known_maybe(const struct known *known, const struct doc *doc)
{
    uint64_t hash = hash_of(doc->key);
    for (int i = 0; i < FILTER_HASHES; i++) {
        uint64_t bit = (hash + (uint64_t)i * (hash >> 32 | 1)) % FILTER_BITS;
        if (!(known->filter[bit / 64] >> (bit % 64) & 1))
            return false;
    }
    return true;
}

void known_add(struct known *known, const struct doc *doc)
{
    uint64_t hash = doc->what == DOC_ORDER ? hash_of(doc->key) : 0;
    known->hash[doc->seq % UNDER_WAY] = hash;
    if (doc->what == DOC_ORDER)
        filter_add(known, hash);
}

bool known_under_way(const struct known *known, const struct doc *doc, uint64_t committed,
                     uint64_t seq)
{
    uint64_t hash = hash_of(doc->key);
    for (; committed < seq; committed++)
        if (known->hash[committed % UNDER_WAY] == hash)
            return true;
    return false;
}

enum store_known known_find(struct known *known, const struct doc *doc, struct ord_error *error)
{
    return store_find(known->reader, doc, error);
}

int64_t known_noticed(const struct known *known)
{
    return known->noticed;
}

bool known_each_unnoticed(struct known *known, store_visit_fn visit, void *user,
                          struct ord_error *error)
{
    return store_each_after(known->reader, known->noticed, visit, user, error);
}
