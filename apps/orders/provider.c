/* provider.c - the in-process payment provider. */
#include "payment.h"

#include "books.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What it remembers ----------------------------------------------------- */

/* A set of hashes of the numbers that a capture was asked for, and the file behind it. */
struct provider_books {
    FILE *file;
    uint64_t *captured;
    size_t count, room; /* room is a power of two */
};

static bool knows(const struct provider_books *books, const char *key)
{
    uint64_t hash = ord_hash(21, key, strlen(key)) | 1;
    for (size_t i = hash & (books->room - 1); books->captured[i]; i = (i + 1) & (books->room - 1))
        if (books->captured[i] == hash)
            return true;
    return false;
}

static void place(uint64_t *table, size_t room, uint64_t hash)
{
    size_t i = hash & (room - 1);
    while (table[i] && table[i] != hash)
        i = (i + 1) & (room - 1);
    table[i] = hash;
}

static bool add(struct provider_books *books, const char *key)
{
    if (books->count * 2 >= books->room) {
        uint64_t *larger = calloc(books->room * 2, sizeof(*larger));
        if (!larger)
            return false;
        for (size_t i = 0; i < books->room; i++)
            if (books->captured[i])
                place(larger, books->room * 2, books->captured[i]);
        free(books->captured);
        books->captured = larger;
        books->room *= 2;
    }
    place(books->captured, books->room, ord_hash(21, key, strlen(key)) | 1);
    books->count++;
    return true;
}

/* Before it answers; the file leaves the process at once, which may be killed. False: it cannot
 * write down what it was asked for, and does not do it. */
static bool write_down(struct provider_books *books, const char *what, const char *key,
                       int64_t pence)
{
    return fprintf(books->file, "%s %s %lld\n", what, key, (long long)pence) > 0 &&
           fflush(books->file) == 0;
}

bool seeded_provider_remember(struct seeded_provider *provider, const char *path,
                              struct ord_error *error)
{
    char line[ORDER_KEY_MAX + 64], key[ORDER_KEY_MAX + 1];
    struct provider_books *books = calloc(1, sizeof(*books));
    if (books) {
        books->room = 4096;
        books->captured = calloc(books->room, sizeof(*books->captured));
        books->file = fopen(path, "a+");
    }
    bool good = books && books->captured && books->file;
    provider->books = books;
    if (!good)
        return ord_fail(error, "'%s' cannot be opened for the payment provider: %s", path,
                        strerror(errno));
    rewind(books->file);
    while (good && fgets(line, sizeof(line), books->file))
        if (sscanf(line, "capture %31s", key) == 1)
            good = add(books, key);
    return good || ord_fail(error, "memory is short for what '%s' holds", path);
}

void seeded_provider_fini(struct seeded_provider *provider)
{
    struct provider_books *books = provider->books;
    if (!books)
        return;
    if (books->file)
        fclose(books->file);
    free(books->captured);
    free(books);
    provider->books = NULL;
}

/* ---- What it decides ------------------------------------------------------- */

static uint64_t chance(const struct seeded_provider *seeded, uint64_t what, const char *key)
{
    return ord_hash(seeded->seed * 4 + what, key, strlen(key)) % 1000;
}

static enum payment_answer decision(const struct seeded_provider *seeded, const char *key)
{
    return chance(seeded, 0, key) < seeded->declines_permille ? PAYMENT_DECLINED : PAYMENT_APPROVED;
}

static enum payment_answer seeded_capture(struct payment_provider *provider, const char *key,
                                          int64_t pence, unsigned *ret_late_ms)
{
    const struct seeded_provider *seeded = (const struct seeded_provider *)provider;
    struct provider_books *books = seeded->books;
    if (books && (!write_down(books, "capture", key, pence) || !add(books, key)))
        return PAYMENT_SILENT;
    if (chance(seeded, 1, key) < seeded->late_permille)
        *ret_late_ms = PAYMENT_LATE_MS;
    return decision(seeded, key);
}

static enum payment_answer seeded_inquire(struct payment_provider *provider, const char *key,
                                          unsigned attempt)
{
    const struct seeded_provider *seeded = (const struct seeded_provider *)provider;
    if (attempt == 0 && chance(seeded, 2, key) < 250)
        return PAYMENT_SILENT; /* Inquiries get lost, too. */
    if (seeded->books && !knows(seeded->books, key))
        return PAYMENT_UNKNOWN;
    return decision(seeded, key);
}

static enum payment_answer seeded_refund(struct payment_provider *provider, const char *key,
                                         int64_t pence)
{
    const struct seeded_provider *seeded = (const struct seeded_provider *)provider;
    if (seeded->books && !write_down(seeded->books, "refund", key, pence))
        return PAYMENT_SILENT;
    return PAYMENT_APPROVED;
}

void seeded_provider_init(struct seeded_provider *provider, uint64_t seed,
                          unsigned declines_permille, unsigned late_permille)
{
    *provider = (struct seeded_provider){
        .base = {.capture = seeded_capture, .inquire = seeded_inquire, .refund = seeded_refund},
        .seed = seed,
        .declines_permille = declines_permille,
        .late_permille = late_permille,
    };
}
