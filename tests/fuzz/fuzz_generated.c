/*
 * fuzz_generated.c - every generated decoder on any bytes (the first one picks the type): what can
 * be decoded has an encoding, and that decodes to the same.
 */
#include "a/remote.troupe.h"
#include "b/remote.troupe.h"
#include "everything.troupe.h"
#include "fuzz.h"
#include "orders/messages.troupe.h"
#include "random_message.h"

static const struct tr_type *const types[] = {
    &every_scalars_type,
    &every_optionals_type,
    &every_repeated_type,
    &every_nested_type,
    &every_choice_type,
    &every_maps_type,
    &every_wrappers_type,
    &every_keywords_type,
    &every_empty_type,
    &every_trailing_bytes_type,
    &every_trailing_text_type,
    &every_trailing_numbers_type,
    &every_trailing_fixed_type,
    &every_trailing_texts_type,
    &every_trailing_messages_type,
    &remote_a_remote_message_type,
    &remote_b_remote_message_type,
    &messages_notification_message_type,
};

static void *decode(const struct tr_type *type, const uint8_t *data, size_t size,
                    size_t *ret_body_size)
{
    tr_err err = tr_codec_measure(type, data, size, ret_body_size);
    HOLDS(err == TR_OK || err == TR_EPROTO || err == TR_EFULL);
    if (err != TR_OK || *ret_body_size > 1 << 20) /* A megabyte is enough to find overruns. */
        return NULL;
    HOLDS(*ret_body_size >= type->size);
    void *body = malloc(*ret_body_size);
    HOLDS(body != NULL);
    memset(body, 0xEE, *ret_body_size);
    err = type->codec->decode(data, size, body, *ret_body_size);
    HOLDS(err == TR_OK || err == TR_EPROTO || err == TR_EFULL);
    if (err == TR_OK)
        return body;
    free(body);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct tr_type *type = types[data[0] % (sizeof types / sizeof types[0])];
    size_t body_size, again_size;
    void *body = decode(type, data + 1, size - 1, &body_size);
    if (!body)
        return 0;
    size_t room = type->codec->encoded_size(body, body_size);
    HOLDS(type->codec->encoded_size_max == 0 || room <= type->codec->encoded_size_max);
    uint8_t *out = malloc(room + 1);
    HOLDS(out != NULL);
    uint8_t *end = type->codec->encode(body, body_size, out);
    HOLDS(end != NULL && end <= out + room);
    void *again = decode(type, out, (size_t)(end - out), &again_size);
    HOLDS(again != NULL && same_fields(type->codec->info, body, again));
    free(again);
    free(out);
    free(body);
    return 0;
}
