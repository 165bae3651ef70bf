/*
 * tests/lib/words.h - a message of one text, as google.protobuf.StringValue, with a codec by hand.
 */
#ifndef TESTS_LIB_WORDS_H
#define TESTS_LIB_WORDS_H

#include "troupe/codec.h"
#include "troupe/wire.h"

struct words {
    char text[120];
};

static size_t words_size(const void *body, size_t body_size)
{
    const struct words *w = body;
    (void)body_size;
    size_t size = tr_text_length_(w->text, sizeof w->text);
    return size ? 2 + size : 0;
}

static uint8_t *words_encode(const void *body, size_t body_size, uint8_t *out)
{
    const struct words *w = body;
    (void)body_size;
    bool ascii;
    size_t size = tr_text_size_(w->text, sizeof w->text, &ascii);
    if (size == 0)
        return out;
    *out++ = 0x0a;
    return tr_put_text_(out, w->text, sizeof w->text, size, ascii);
}

static tr_err words_decode(const uint8_t *data, size_t size, void *body, size_t body_size)
{
    struct words *w = body;
    const uint8_t *at = data, *end = data + size;
    (void)body_size;
    w->text[0] = '\0';
    while (at < end) {
        uint64_t tag;
        size_t text_size;
        at = tr_get_varint_(at, end, &tag);
        if (!at)
            return TR_EPROTO;
        if (tag != 0x0a) {
            at = tr_skip_(at, end, tag);
            if (!at)
                return TR_EPROTO;
            continue;
        }
        at = tr_get_size_(at, end, &text_size);
        if (!at)
            return TR_EPROTO;
        if (text_size >= sizeof w->text)
            return TR_EFULL;
        if (!tr_take_text_(w->text, at, text_size))
            return TR_EPROTO;
        at += text_size;
    }
    return TR_OK;
}

static const struct tr_codec words_codec = {.encoded_size_max = 2 + 120,
                                            .encoded_size = words_size,
                                            .encode = words_encode,
                                            .decode = words_decode};
static const struct tr_type words_type = {"google.protobuf.StringValue", sizeof(struct words),
                                          &words_codec, 0};

#endif
