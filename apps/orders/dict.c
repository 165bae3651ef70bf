/* dict.c - words in an open-addressing table over chunks that never move. */
#include "dict.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_WORDS 4096u
#define ARENA_SIZE (64u * 1024u)

struct arena {
    struct arena *next;
    size_t used;
    size_t size;
    char bytes[];
};

struct dict {
    struct dict_word *chunk[DICT_WORDS_MAX / CHUNK_WORDS];
    uint32_t *table;     /* numbers; 0 is free; adding thread only */
    uint32_t table_size; /* a power of two, at least twice count */
    uint32_t count;
    struct arena *arena;
};

struct dict *dict_create(void)
{
    struct dict *dict = calloc(1, sizeof(*dict));
    if (!dict)
        return NULL;
    dict->table_size = 8192;
    dict->table = calloc(dict->table_size, sizeof(*dict->table));
    if (!dict->table) {
        free(dict);
        return NULL;
    }
    return dict;
}

void dict_destroy(struct dict *dict)
{
    if (!dict)
        return;
    while (dict->arena) {
        struct arena *next = dict->arena->next;
        free(dict->arena);
        dict->arena = next;
    }
    for (size_t i = 0; i < DICT_WORDS_MAX / CHUNK_WORDS; i++)
        free(dict->chunk[i]);
    free(dict->table);
    free(dict);
}

static char *copy_text(struct dict *dict, const char *text, size_t size)
{
    struct arena *arena = dict->arena;
    if (!arena || arena->size - arena->used < size + 1) {
        size_t room = size + 1 > ARENA_SIZE ? size + 1 : ARENA_SIZE;
        arena = malloc(sizeof(*arena) + room);
        if (!arena)
            return NULL;
        *arena = (struct arena){.next = dict->arena, .size = room};
        dict->arena = arena;
    }
    char *copy = arena->bytes + arena->used;
    memcpy(copy, text, size);
    copy[size] = '\0';
    arena->used += size + 1;
    return copy;
}

const struct dict_word *dict_word(const struct dict *dict, uint32_t number)
{
    return &dict->chunk[(number - 1) / CHUNK_WORDS][(number - 1) % CHUNK_WORDS];
}

static bool grow(struct dict *dict)
{
    uint32_t size = dict->table_size * 2;
    uint32_t *table = calloc(size, sizeof(*table));
    if (!table)
        return false;
    for (uint32_t number = 1; number <= dict->count; number++) {
        uint32_t at = (uint32_t)dict_word(dict, number)->hash & (size - 1);
        while (table[at] != 0)
            at = (at + 1) & (size - 1);
        table[at] = number;
    }
    free(dict->table);
    dict->table = table;
    dict->table_size = size;
    return true;
}

uint32_t dict_number(struct dict *dict, const char *text, size_t size, const char *note,
                     size_t note_size)
{
    uint64_t hash = ord_hash(0, text, size);
    uint32_t at = (uint32_t)hash & (dict->table_size - 1);
    for (; dict->table[at] != 0; at = (at + 1) & (dict->table_size - 1)) {
        const struct dict_word *word = dict_word(dict, dict->table[at]);
        if (word->hash == hash && word->size == size && memcmp(word->text, text, size) == 0)
            return dict->table[at];
    }
    if (dict->count == DICT_WORDS_MAX)
        return 0;
    struct dict_word **chunk = &dict->chunk[dict->count / CHUNK_WORDS];
    if (!*chunk)
        *chunk = calloc(CHUNK_WORDS, sizeof(**chunk));
    char *text_copy = *chunk ? copy_text(dict, text, size) : NULL;
    char *note_copy = text_copy ? copy_text(dict, note, note_size) : NULL;
    if (!note_copy)
        return 0;
    (*chunk)[dict->count % CHUNK_WORDS] = (struct dict_word){text_copy, note_copy, hash,
                                                             (uint32_t)size};
    dict->table[at] = ++dict->count;
    if (dict->count > dict->table_size / 2 && !grow(dict)) {
        dict->table[at] = 0;
        dict->count--;
        return 0;
    }
    return dict->count;
}

uint32_t dict_count(const struct dict *dict)
{
    return dict->count;
}
