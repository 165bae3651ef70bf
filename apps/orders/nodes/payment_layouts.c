/* payment_layouts.c - see payment_layouts.h. */
#include "nodes/payment_layouts.h"

#include "nodes/pb.h"

#define EARLY_AMOUNT (2 << 3 | 5) /* field 2 as fixed32 */

static size_t size_of(const void *body, size_t body_size)
{
    return messages_payment_message_type.codec->encoded_size(body, body_size);
}

static uint8_t *encode(const void *body, size_t body_size, uint8_t *out)
{
    return messages_payment_message_type.codec->encode(body, body_size, out);
}

/* The early layout's amount; what is not it is skipped, as by any reader of the later one. */
static bool early_amount(const uint8_t *data, size_t size, float *ret_amount)
{
    struct pb_reader reader = {data, data + size, false};
    struct pb_field field;
    bool found = false;
    for (;;) {
        const uint8_t *at = reader.at;
        if (!pb_next(&reader, &field))
            return found;
        if (*at != EARLY_AMOUNT)
            continue;
        uint32_t bits = (uint32_t)field.value;
        memcpy(ret_amount, &bits, sizeof(bits));
        found = true;
    }
}

static tr_err decode(const uint8_t *data, size_t size, void *body, size_t body_size)
{
    struct messages_payment_message *payment = body;
    tr_err err = messages_payment_message_type.codec->decode(data, size, body, body_size);
    if (!err && payment->user_id[0] == '\0' && payment->amount == 0)
        early_amount(data, size, &payment->amount);
    return err;
}

static const struct tr_codec codec = {
    .encoded_size_max = 2 * 64 + 3 * PB_NUMBER_MAX,
    .encoded_size = size_of,
    .encode = encode,
    .decode = decode,
    .info = &messages_payment_message_info,
};

const struct tr_type payment_layouts_type = {
    .name = "messages.PaymentMessage",
    .size = sizeof(struct messages_payment_message),
    .codec = &codec,
};
