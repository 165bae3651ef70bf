/*
 * dict.h - words with numbers 1, 2, 3 … in order of arrival (stock codes, countries). One thread
 * adds; others may read word k when they learned of it by a message, since words never move.
 */
#ifndef ORDERS_DICT_H
#define ORDERS_DICT_H

#include "text.h"

#define DICT_WORDS_MAX (1024u * 4096u)

struct dict_word {
    const char *text; /* NUL-terminated */
    const char *note; /* NUL-terminated: the first description; "" if none */
    uint64_t hash;
    uint32_t size;
};

struct dict;

struct dict *dict_create(void); /* NULL when memory is short */
void dict_destroy(struct dict *dict);
/* The number of the word, added if new; 0 when memory or DICT_WORDS_MAX is exhausted. */
uint32_t dict_number(struct dict *dict, const char *text, size_t size, const char *note,
                     size_t note_size);
const struct dict_word *dict_word(const struct dict *dict, uint32_t number);
uint32_t dict_count(const struct dict *dict); /* adding thread only */

#endif
