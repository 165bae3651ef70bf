/*
 * tests/interop/values.h - the messages of the interoperability tests: what protobuf calls
 * wrappers, with codecs by hand, and the texts by which the tests name them.
 */
#ifndef TESTS_INTEROP_VALUES_H
#define TESTS_INTEROP_VALUES_H

#include "troupe/codec.h"
#include "troupe/troupe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* google.protobuf.UInt64Value and BoolValue, */
struct number {
    uint64_t value;
};
/* StringValue and BytesValue, */
struct blob {
    uint64_t size;
    uint8_t data[];
};
/* and Empty. */
struct nothing {
    uint64_t unused;
};

/* ---- Codecs ----------------------------------------------------------------------------- */

static size_t number_size(const void *body, size_t body_size)
{
    (void)body_size;
    uint64_t value = ((const struct number *)body)->value;
    return value ? 1 + tr_varint_size_(value) : 0;
}

static uint8_t *number_encode(const void *body, size_t body_size, uint8_t *out)
{
    (void)body_size;
    uint64_t value = ((const struct number *)body)->value;
    if (value == 0)
        return out;
    *out++ = 0x08;
    return tr_put_varint_(out, value);
}

static tr_err number_decode(const uint8_t *data, size_t size, void *body, size_t body_size)
{
    struct number *number = body;
    const uint8_t *end = data + size;
    (void)body_size;
    number->value = 0;
    while (data < end) {
        uint64_t tag;
        data = tr_get_varint_(data, end, &tag);
        if (!data)
            return TR_EPROTO;
        data = tag == 0x08 ? tr_get_varint_(data, end, &number->value) : tr_skip_(data, end, tag);
        if (!data)
            return TR_EPROTO;
    }
    return TR_OK;
}

static size_t blob_size(const void *body, size_t body_size)
{
    (void)body_size;
    size_t size = ((const struct blob *)body)->size;
    return size ? 1 + tr_varint_size_(size) + size : 0;
}

static uint8_t *blob_encode(const void *body, size_t body_size, uint8_t *out)
{
    const struct blob *blob = body;
    if (blob->size > body_size - sizeof *blob)
        return NULL;
    if (blob->size == 0)
        return out;
    *out++ = 0x0a;
    return tr_put_bytes_(out, blob->data, blob->size);
}

/* The last field 1 counts, as protobuf has it. */
static tr_err blob_find(const uint8_t *data, size_t size, const uint8_t **ret_at, size_t *ret_size)
{
    const uint8_t *end = data + size;
    *ret_at = data;
    *ret_size = 0;
    while (data < end) {
        uint64_t tag;
        data = tr_get_varint_(data, end, &tag);
        if (!data)
            return TR_EPROTO;
        if (tag != 0x0a) {
            data = tr_skip_(data, end, tag);
        } else {
            data = tr_get_size_(data, end, ret_size);
            *ret_at = data;
            data = data ? data + *ret_size : NULL;
        }
        if (!data)
            return TR_EPROTO;
    }
    return TR_OK;
}

static tr_err blob_measure(const uint8_t *data, size_t size, size_t *ret_body_size)
{
    const uint8_t *at;
    size_t count;
    tr_err err = blob_find(data, size, &at, &count);
    *ret_body_size = sizeof(struct blob) + count;
    if (!err && *ret_body_size > TR_MESSAGE_SIZE_MAX)
        return TR_EFULL;
    return err;
}

static tr_err blob_decode(const uint8_t *data, size_t size, void *body, size_t body_size)
{
    struct blob *blob = body;
    const uint8_t *at;
    size_t count;
    tr_err err = blob_find(data, size, &at, &count);
    if (err)
        return err;
    if (count > body_size - sizeof *blob)
        return TR_EFULL;
    blob->size = count;
    memcpy(blob->data, at, count);
    return TR_OK;
}

static tr_err text_decode(const uint8_t *data, size_t size, void *body, size_t body_size)
{
    tr_err err = blob_decode(data, size, body, body_size);
    const struct blob *blob = body;
    return !err && !tr_utf8_valid(blob->data, blob->size) ? TR_EPROTO : err;
}

static size_t nothing_size(const void *body, size_t body_size)
{
    (void)body;
    (void)body_size;
    return 0;
}

static uint8_t *nothing_encode(const void *body, size_t body_size, uint8_t *out)
{
    (void)body;
    (void)body_size;
    return out;
}

static tr_err nothing_decode(const uint8_t *data, size_t size, void *body, size_t body_size)
{
    const uint8_t *end = data + size;
    memset(body, 0, body_size);
    while (data < end) {
        uint64_t tag;
        data = tr_get_varint_(data, end, &tag);
        data = data ? tr_skip_(data, end, tag) : NULL;
        if (!data)
            return TR_EPROTO;
    }
    return TR_OK;
}

static const struct tr_codec number_codec = {.encoded_size_max = 11,
                                             .encoded_size = number_size,
                                             .encode = number_encode,
                                             .decode = number_decode};
static const struct tr_codec text_codec = {.encoded_size = blob_size,
                                           .encode = blob_encode,
                                           .measure = blob_measure,
                                           .decode = text_decode};
static const struct tr_codec bytes_codec = {.encoded_size = blob_size,
                                            .encode = blob_encode,
                                            .measure = blob_measure,
                                            .decode = blob_decode};
/* A size of 0 would mean that there is no bound. */
static const struct tr_codec nothing_codec = {.encoded_size_max = 1,
                                              .encoded_size = nothing_size,
                                              .encode = nothing_encode,
                                              .decode = nothing_decode};

static const struct tr_type number_type = {"google.protobuf.UInt64Value", sizeof(struct number),
                                           &number_codec, 0};
static const struct tr_type bool_type = {"google.protobuf.BoolValue", sizeof(struct number),
                                         &number_codec, 0};
static const struct tr_type text_type = {"google.protobuf.StringValue", sizeof(struct blob),
                                         &text_codec, 0};
static const struct tr_type bytes_type = {"google.protobuf.BytesValue", sizeof(struct blob),
                                          &bytes_codec, 0};
static const struct tr_type nothing_type = {"google.protobuf.Empty", sizeof(struct nothing),
                                            &nothing_codec, 0};
static const struct tr_type *const value_types[] = {&number_type, &bool_type,    &text_type,
                                                    &bytes_type,  &nothing_type, NULL};

/* ---- Texts ------------------------------------------------------------------------------ */

/* A message of its own memory. */
struct value {
    const struct tr_type *type;
    size_t size;
    void *body;
};

static struct value value_blob(const struct tr_type *type, const void *data, size_t size)
{
    struct value value = {type, sizeof(struct blob) + size, malloc(sizeof(struct blob) + size)};
    struct blob *blob = value.body;
    if (!blob)
        abort();
    blob->size = size;
    if (data)
        memcpy(blob->data, data, size);
    else
        for (size_t i = 0; i < size; i++)
            blob->data[i] = (uint8_t)(i * 31 + 7);
    return value;
}

static struct value value_number(const struct tr_type *type, uint64_t number)
{
    struct value value = {type, sizeof(struct number), malloc(sizeof(struct number))};
    if (!value.body)
        abort();
    memcpy(value.body, &number, sizeof number);
    return value;
}

/* "text:WORD", "num:N", "bool:true", "bytes:SIZE", "empty"; without a type if it is none. */
static struct value value_parse(const char *text)
{
    if (strncmp(text, "text:", 5) == 0)
        return value_blob(&text_type, text + 5, strlen(text + 5));
    if (strncmp(text, "bytes:", 6) == 0)
        return value_blob(&bytes_type, NULL, strtoull(text + 6, NULL, 10));
    if (strncmp(text, "num:", 4) == 0)
        return value_number(&number_type, strtoull(text + 4, NULL, 10));
    if (strncmp(text, "bool:", 5) == 0)
        return value_number(&bool_type, strcmp(text + 5, "true") == 0);
    if (strcmp(text, "empty") == 0)
        return value_number(&nothing_type, 0);
    return (struct value){NULL, 0, NULL};
}

/* The reverse, bytes by their FNV-1a; false if it is none of these. */
static bool value_text(const tr_msg *msg, char *text, size_t text_size)
{
    const struct number *number = tr_msg_body(msg);
    const struct blob *blob = tr_msg_body(msg);
    if (msg->type == &number_type) {
        snprintf(text, text_size, "num:%" PRIu64, number->value);
    } else if (msg->type == &bool_type) {
        snprintf(text, text_size, "bool:%s", number->value ? "true" : "false");
    } else if (msg->type == &text_type) {
        snprintf(text, text_size, "text:%.*s", (int)blob->size, (const char *)blob->data);
    } else if (msg->type == &bytes_type) {
        uint32_t hash = 2166136261u;
        for (size_t i = 0; i < blob->size; i++)
            hash = (hash ^ blob->data[i]) * 16777619u;
        snprintf(text, text_size, "bytes:%" PRIu64 ":%08x", blob->size, hash);
    } else if (msg->type == &nothing_type) {
        snprintf(text, text_size, "empty");
    } else {
        return false;
    }
    return true;
}

#endif
