/* hex.h - bytes as they are printed, and messages for the tests of the codec. */
#ifndef TESTS_CODEC_HEX_H
#define TESTS_CODEC_HEX_H

#include "codec/messages.h"

#include <stdio.h>
#include <stdlib.h>

struct bytes {
    uint8_t data[1024];
    size_t size;
};

static inline struct bytes from_hex(const char *hex)
{
    struct bytes bytes = {.size = strlen(hex) / 2};
    for (size_t i = 0; i < bytes.size; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bytes.data[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return bytes;
}

static inline void assert_hex(const uint8_t *data, size_t size, const char *hex)
{
    char text[4096];
    assert_true(2 * size < sizeof text);
    text[0] = '\0';
    for (size_t i = 0; i < size; i++)
        (void)sprintf(text + 2 * i, "%02x", data[i]);
    assert_string_equal(text, hex);
}

static inline void assert_name(struct tri_name name, const char *text)
{
    assert_int_equal(name.size, strlen(text));
    assert_true(name.size == 0 || memcmp(name.at, text, name.size) == 0);
}

/* google.protobuf.StringValue, by hand. */
struct string_value {
    char value[300];
};

static inline size_t string_value_size(const void *body, size_t body_size)
{
    const struct string_value *m = body;
    (void)body_size;
    return 3 + strnlen(m->value, sizeof m->value);
}

static inline uint8_t *string_value_encode(const void *body, size_t body_size, uint8_t *out)
{
    const struct string_value *m = body;
    size_t size = strnlen(m->value, sizeof m->value);
    if (body_size < sizeof *m || size == sizeof m->value)
        return NULL;
    if (size == 0)
        return out;
    *out++ = 0x0A;
    return tr_utf8_valid(m->value, size) ? tr_put_bytes_(out, m->value, size) : NULL;
}

static const struct tr_codec string_value_codec = {
    .encoded_size_max = 3 + sizeof(struct string_value),
    .encoded_size = string_value_size,
    .encode = string_value_encode,
};

#endif
