/* random_message.h - random bodies of generated types, and comparing them, by their field tables. */
#ifndef TESTS_RANDOM_MESSAGE_H
#define TESTS_RANDOM_MESSAGE_H

#include "base/prng.h"
#include "troupe/codec.h"

#include <stdlib.h>

static inline void *member(void *base, uint32_t offset)
{
    return (char *)base + offset;
}

static inline const void *const_member(const void *base, uint32_t offset)
{
    return (const char *)base + offset;
}

static inline uint32_t count_at(const void *base, uint32_t offset)
{
    uint32_t count;
    memcpy(&count, const_member(base, offset), sizeof count);
    return count;
}

static inline void set_count(void *base, uint32_t offset, uint32_t count)
{
    memcpy(member(base, offset), &count, sizeof count);
}

/* UTF-8 of at most `size` bytes without a NUL; returns the size. */
static inline uint32_t random_text(struct tri_prng *prng, char *to, uint32_t size)
{
    static const char *const letters[] = {
        "a", "Z", "~", "\x01", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x8E\xAD"};
    uint32_t want = (uint32_t)tri_prng_below(prng, size + 1), at = 0;
    bool ascii = tri_prng_below(prng, 2);
    for (;;) {
        const char *letter = letters[tri_prng_below(prng, ascii ? 4 : 7)];
        if (at + strlen(letter) > want)
            return at;
        memcpy(to + at, letter, strlen(letter));
        at += (uint32_t)strlen(letter);
    }
}

static inline uint64_t random_number(struct tri_prng *prng)
{
    static const uint64_t edges[] = {0, 1, 127, 128, UINT64_MAX, 1ull << 31, 1ull << 63, 16384};
    switch (tri_prng_below(prng, 3)) {
    case 0:
        return edges[tri_prng_below(prng, 8)];
    case 1:
        return tri_prng_next(prng) >> tri_prng_below(prng, 64);
    default:
        return 0 - tri_prng_below(prng, 1000);
    }
}

/* -0.0 is a value like any other, but protobuf-c takes it for 0. */
static bool random_without_negative_zero;

static inline double random_real(struct tri_prng *prng)
{
    static const double edges[] = {-0.0, 0, 1, -1.5, 3.0e38, 1e-45, 0.1};
    double real = edges[tri_prng_below(prng, 7)];
    return real == 0 && random_without_negative_zero ? 0 : real;
}

static void random_fields(struct tri_prng *prng, const struct tr_message_info *info, void *base,
                          uint32_t trailing_count);

/* One value at `at`; `base` is where size_at counts from. */
static inline void random_value(struct tri_prng *prng, const struct tr_field *field, void *base,
                                void *at, uint32_t size_max)
{
    uint64_t number = random_number(prng);
    uint32_t half = (uint32_t)number;
    bool flag = number & 1;
    double real = random_real(prng);
    float single = (float)real;
    switch (field->kind) {
    case TR_FIELD_BOOL:
        memcpy(at, &flag, sizeof flag);
        break;
    case TR_FIELD_INT32:
    case TR_FIELD_UINT32:
        memcpy(at, &half, sizeof half);
        break;
    case TR_FIELD_INT64:
    case TR_FIELD_UINT64:
        memcpy(at, &number, sizeof number);
        break;
    case TR_FIELD_FLOAT:
        memcpy(at, &single, sizeof single);
        break;
    case TR_FIELD_DOUBLE:
        memcpy(at, &real, sizeof real);
        break;
    case TR_FIELD_ENUM:
        if (tri_prng_below(prng, 4))
            half = (uint32_t)field->enumeration
                       ->values[tri_prng_below(prng, field->enumeration->value_count)]
                       .number;
        memcpy(at, &half, sizeof half);
        break;
    case TR_FIELD_STRING:
        half = random_text(prng, at, size_max);
        if (field->size_at != TR_FIELD_NOWHERE)
            set_count(base, field->size_at, half);
        else
            memset(member(at, half), 0, size_max + 1 - half);
        break;
    case TR_FIELD_BYTES:
        half = (uint32_t)tri_prng_below(prng, size_max + 1);
        set_count(field->flags & TR_FIELD_REPEATED ? at : base, field->size_at, half);
        for (uint32_t i = 0; i < half; i++)
            ((uint8_t *)member(at, field->data_at))[i] = (uint8_t)tri_prng_next(prng);
        break;
    case TR_FIELD_MESSAGE:
        random_fields(prng, field->message, at, 0);
        break;
    }
}

static inline bool same_key(const struct tr_field *map, const void *a, const void *b)
{
    const struct tr_field *key = &map->message->fields[0];
    const void *x = const_member(a, key->offset), *y = const_member(b, key->offset);
    return key->kind == TR_FIELD_STRING ? strcmp(x, y) == 0 : memcmp(x, y, key->stride) == 0;
}

static inline void random_array(struct tri_prng *prng, const struct tr_field *field, void *base,
                                uint32_t trailing_count)
{
    uint32_t most = field->flags & TR_FIELD_TRAILING ? trailing_count : field->count_max;
    uint32_t want = tri_prng_below(prng, 3) ? (uint32_t)tri_prng_below(prng, most + 1) : 0;
    uint32_t count = 0;
    for (; count < want; count++) {
        void *at = member(base, field->offset + count * field->stride);
        random_value(prng, field, at, at, field->size_max);
        bool known = false;
        for (uint32_t i = 0; field->flags & TR_FIELD_MAP && i < count; i++)
            known = known || same_key(field, member(base, field->offset + i * field->stride), at);
        if (known)
            break;
    }
    set_count(base, field->presence, count);
}

static void random_fields(struct tri_prng *prng, const struct tr_message_info *info, void *base,
                          uint32_t trailing_count)
{
    for (uint32_t i = 0; i < info->field_count; i++)
        if (info->fields[i].flags & TR_FIELD_ONEOF)
            set_count(base, info->fields[i].presence, 0);
    for (uint32_t i = 0; i < info->field_count; i++) {
        const struct tr_field *field = &info->fields[i];
        if (field->flags & TR_FIELD_REPEATED) {
            random_array(prng, field, base, trailing_count);
            continue;
        }
        if (field->flags & TR_FIELD_ONEOF) {
            if (tri_prng_below(prng, 4))
                continue;
            set_count(base, field->presence, field->number);
        }
        bool has = tri_prng_below(prng, 2);
        if (field->flags & TR_FIELD_OPTIONAL)
            memcpy(member(base, field->presence), &has, sizeof has);
        random_value(prng, field, base, member(base, field->offset),
                     field->flags & TR_FIELD_TRAILING ? trailing_count : field->size_max);
    }
}

/* A random body, to be freed; its size has room for what trails. */
static inline void *random_body(struct tri_prng *prng, const struct tr_type *type,
                                size_t *ret_body_size)
{
    const struct tr_message_info *info = type->codec->info;
    uint32_t trailing = 0;
    size_t size = type->size;
    for (uint32_t i = 0; i < info->field_count; i++)
        if (info->fields[i].flags & TR_FIELD_TRAILING) {
            trailing = (uint32_t)tri_prng_below(prng, 100);
            size += info->fields[i].stride * (size_t)(trailing + 1);
        }
    void *body = calloc(1, size);
    if (body)
        random_fields(prng, info, body, trailing);
    *ret_body_size = size;
    return body;
}

static bool same_fields(const struct tr_message_info *info, const void *a, const void *b);

static inline bool same_value(const struct tr_field *field, const void *base_a, const void *a,
                              const void *base_b, const void *b)
{
    if (field->kind == TR_FIELD_MESSAGE)
        return same_fields(field->message, a, b);
    if (field->size_at != TR_FIELD_NOWHERE) {
        bool repeated = field->flags & TR_FIELD_REPEATED;
        uint32_t size = count_at(repeated ? a : base_a, field->size_at);
        return size == count_at(repeated ? b : base_b, field->size_at) &&
               memcmp(const_member(a, field->data_at), const_member(b, field->data_at), size) == 0;
    }
    if (field->kind == TR_FIELD_STRING)
        return strcmp(a, b) == 0;
    return memcmp(a, b, field->stride) == 0;
}

/* Every entry of one map is in the other, wherever it is. */
static inline bool same_map(const struct tr_field *field, const void *a, const void *b)
{
    uint32_t count = count_at(a, field->presence);
    for (uint32_t i = 0; i < count; i++) {
        const void *x = const_member(a, field->offset + i * field->stride), *y = NULL;
        for (uint32_t k = 0; k < count && !y; k++) {
            const void *entry = const_member(b, field->offset + k * field->stride);
            y = same_key(field, x, entry) ? entry : NULL;
        }
        if (!y || !same_fields(field->message, x, y))
            return false;
    }
    return true;
}

/* How many values of the field there are: 0 and 1 say whether it is there. */
static inline uint32_t value_count(const struct tr_field *field, const void *base)
{
    if (field->flags & TR_FIELD_REPEATED)
        return count_at(base, field->presence);
    if (field->flags & TR_FIELD_ONEOF)
        return count_at(base, field->presence) == field->number;
    if (field->flags & TR_FIELD_OPTIONAL)
        return *(const bool *)const_member(base, field->presence);
    return 1;
}

static bool same_fields(const struct tr_message_info *info, const void *a, const void *b)
{
    for (uint32_t i = 0; i < info->field_count; i++) {
        const struct tr_field *field = &info->fields[i];
        uint32_t count = value_count(field, a);
        if (count != value_count(field, b))
            return false;
        if (field->flags & TR_FIELD_MAP) {
            if (!same_map(field, a, b))
                return false;
            continue;
        }
        for (uint32_t k = 0; k < count; k++) {
            uint32_t offset = field->offset + k * field->stride;
            if (!same_value(field, a, const_member(a, offset), b, const_member(b, offset)))
                return false;
        }
    }
    return true;
}

#endif
