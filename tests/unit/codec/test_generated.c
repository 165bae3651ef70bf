/* Generated codecs: bytes worked out by hand, random bodies, bounds, and what is malformed. */
/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#include "everything.troupe.h"
#include "hex.h"
#include "random_message.h"

static const struct tr_type *const types[] = {
    &every_scalars_type,        &every_optionals_type,      &every_repeated_type,
    &every_nested_type,         &every_choice_type,         &every_maps_type,
    &every_wrappers_type,       &every_keywords_type,       &every_empty_type,
    &every_trailing_bytes_type, &every_trailing_text_type,  &every_trailing_numbers_type,
    &every_trailing_fixed_type, &every_trailing_texts_type, &every_trailing_messages_type,
    &every_control_type,
};
#define TYPE_COUNT (sizeof types / sizeof types[0])

/* Encodes into memory of exactly the size that was asked for. */
static size_t encode(const struct tr_type *type, const void *body, size_t body_size,
                     uint8_t **ret_data)
{
    size_t room = type->codec->encoded_size(body, body_size);
    uint8_t *data = malloc(room + 1);
    assert_non_null(data);
    assert_true(type->codec->encoded_size_max == 0 || room <= type->codec->encoded_size_max);
    data[room] = 0xA5;
    uint8_t *end = type->codec->encode(body, body_size, data);
    assert_int_equal(data[room], 0xA5);
    *ret_data = data;
    if (!end)
        return SIZE_MAX;
    assert_true(end <= data + room);
    return (size_t)(end - data);
}

/* Decodes out of and into memory of exactly the right size; NULL where that fails. */
static void *decode(const struct tr_type *type, const uint8_t *data, size_t size, tr_err *ret_err,
                    size_t *ret_body_size)
{
    uint8_t *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy + 1, data, size);
    size_t body_size = 0;
    void *body = NULL;
    tr_err err = tr_codec_measure(type, copy + 1, size, &body_size);
    if (err == TR_OK) {
        assert_true(body_size >= type->size);
        body = malloc(body_size);
        assert_non_null(body);
        memset(body, 0xEE, body_size);
        err = type->codec->decode(copy + 1, size, body, body_size);
    }
    free(copy);
    if (err != TR_OK) {
        free(body);
        body = NULL;
    }
    *ret_err = err;
    *ret_body_size = body_size;
    return body;
}

static void encodes_as(const struct tr_type *type, const void *body, const char *hex)
{
    uint8_t *data;
    size_t size = encode(type, body, type->size, &data);
    assert_int_not_equal(size, SIZE_MAX);
    assert_hex(data, size, hex);
    free(data);
}

static void *decoded(const struct tr_type *type, const char *hex)
{
    struct bytes bytes = from_hex(hex);
    tr_err err;
    size_t body_size;
    void *body = decode(type, bytes.data, bytes.size, &err, &body_size);
    if (!body)
        fail_msg("%s: %s", hex, tr_strerror(err));
    return body;
}

static void is_refused(const struct tr_type *type, const char *hex, tr_err want)
{
    struct bytes bytes = from_hex(hex);
    tr_err err;
    size_t body_size;
    void *body = decode(type, bytes.data, bytes.size, &err, &body_size);
    if (body || err != want)
        fail_msg("%s: %s, want %s", hex, tr_strerror(err), tr_strerror(want));
}

static void has_no_encoding(const struct tr_type *type, const void *body, size_t body_size)
{
    uint8_t *data;
    assert_true(encode(type, body, body_size, &data) == SIZE_MAX);
    free(data);
}

/* ---- Bytes --------------------------------------------------------------- */

static void scalars_have_their_bytes(void **state)
{
    (void)state;
    encodes_as(&every_scalars_type, &(struct every_scalars){0}, "");
    encodes_as(&every_scalars_type, &(struct every_scalars){.i32 = 150}, "189601");
    encodes_as(&every_scalars_type, &(struct every_scalars){.i32 = -1}, "18ffffffffffffffffff01");
    encodes_as(&every_scalars_type, &(struct every_scalars){.d = 1.0}, "09000000000000f03f");
    encodes_as(&every_scalars_type, &(struct every_scalars){.d = -0.0}, "090000000000000080");
    encodes_as(&every_scalars_type, &(struct every_scalars){.f = 3.5f}, "1500006040");
    encodes_as(&every_scalars_type, &(struct every_scalars){.s32 = -2, .s64 = -1}, "38034001");
    encodes_as(&every_scalars_type, &(struct every_scalars){.x32 = 1, .sx32 = -1},
               "4d010000005dffffffff");
    encodes_as(&every_scalars_type, &(struct every_scalars){.flag = true, .text = "testing"},
               "6801720774657374696e67");
    encodes_as(&every_scalars_type, &(struct every_scalars){.data_size = 2, .data = {0, 255}},
               "7a0200ff");
    encodes_as(&every_scalars_type, &(struct every_scalars){.color = EVERY_COLOR_RED}, "800101");
    encodes_as(&every_scalars_type, &(struct every_scalars){.color = EVERY_COLOR_NEGATIVE},
               "8001ffffffffffffffffff01");
    encodes_as(&every_scalars_type, &(struct every_scalars){.kind = TEST_IMPORTED_KIND_SOME},
               "f8ffffff0f07");
    encodes_as(&every_optionals_type, &(struct every_optionals){.has_i32 = true}, "1800");
    encodes_as(&every_optionals_type, &(struct every_optionals){.has_text = true}, "7200");
    encodes_as(&every_optionals_type, &(struct every_optionals){.has_data = true}, "7a00");
}

static void arrays_and_messages_have_their_bytes(void **state)
{
    (void)state;
    encodes_as(&every_repeated_type,
               &(struct every_repeated){.i32_count = 3, .i32 = {3, 270, 86942}},
               "1a06038e029ea705");
    encodes_as(&every_repeated_type,
               &(struct every_repeated){.x32_count = 2, .x32 = {1, 2}, .unpacked_count = 2},
               "4a080100000002000000900100900100");
    encodes_as(&every_repeated_type,
               &(struct every_repeated){.text_count = 2, .text = {"a", ""}, .inner_count = 1},
               "7201617200"
               "8a0100");
    encodes_as(&every_nested_type, &(struct every_nested){.has_empty = true}, "2200");
    encodes_as(&every_nested_type,
               &(struct every_nested){.has_one = true, .one = {.number = -1, .has_two = true}},
               "0a0408011200");
    encodes_as(&every_choice_type, &(struct every_choice){.value_case = EVERY_CHOICE_VALUE_NUMBER},
               "1000");
    encodes_as(&every_choice_type,
               &(struct every_choice){.value_case = EVERY_CHOICE_VALUE_WRAPPED, .wrapped = "a"},
               "52030a0161");
    encodes_as(&every_maps_type,
               &(struct every_maps){.text_text_count = 1, .text_text = {{"k", "v"}}},
               "0a060a016b120176");
    encodes_as(&every_maps_type, &(struct every_maps){.number_real_count = 1},
               "120b080011"
               "0000000000000000");
    encodes_as(&every_wrappers_type, &(struct every_wrappers){.has_i64 = true}, "1a00");
    encodes_as(&every_wrappers_type, &(struct every_wrappers){.has_i64 = true, .i64 = 5},
               "1a020805");
    encodes_as(&every_empty_type, &(struct every_empty){0}, "");
}

/* ---- What parsers of protobuf must do ------------------------------------ */

static void the_last_value_counts_and_messages_merge(void **state)
{
    (void)state;
    struct every_scalars *scalars = decoded(&every_scalars_type, "18017203616263"
                                                                 "1802720161");
    assert_int_equal(scalars->i32, 2);
    assert_string_equal(scalars->text, "a");
    free(scalars);
    /* one{number 1} and one{two{text "a"}}: both are in it. */
    struct every_nested *nested = decoded(&every_nested_type, "0a020802"
                                                              "0a0512030a0161");
    assert_true(nested->has_one && nested->one.has_two);
    assert_int_equal(nested->one.number, 1);
    assert_string_equal(nested->one.two.text, "a");
    free(nested);
    /* A oneof: another member takes the place, and nothing of the one before is left. */
    struct every_choice *choice = decoded(&every_choice_type, "2a020804"
                                                              "1007"
                                                              "2a0512030a0161");
    assert_int_equal(choice->value_case, EVERY_CHOICE_VALUE_MESSAGE);
    assert_int_equal(choice->message.number, 0);
    assert_string_equal(choice->message.two.text, "a");
    free(choice);
    choice = decoded(&every_choice_type, "2a020804"
                                         "2a0512030a0161");
    assert_int_equal(choice->message.number, 2);
    free(choice);
    /* A map: the last value of a key. */
    struct every_maps *maps = decoded(&every_maps_type, "0a060a016b120176"
                                                        "0a060a016c120178"
                                                        "0a060a016b120177");
    assert_int_equal(maps->text_text_count, 2);
    assert_string_equal(maps->text_text[0].key, "k");
    assert_string_equal(maps->text_text[0].value, "w");
    free(maps);
    maps = decoded(&every_maps_type, "0a00"); /* Neither key nor value. */
    assert_int_equal(maps->text_text_count, 1);
    assert_string_equal(maps->text_text[0].key, "");
    free(maps);
}

static void arrays_come_packed_and_unpacked(void **state)
{
    (void)state;
    struct every_repeated *m = decoded(&every_repeated_type,
                                       "1a0101"
                                       "1802"
                                       "1a020304"
                                       "92010205069001079201004a04090000004d0a000000");
    assert_int_equal(m->i32_count, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(m->i32[i], i + 1);
    assert_int_equal(m->unpacked_count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(m->unpacked[i], i + 5);
    assert_int_equal(m->x32_count, 2);
    assert_int_equal(m->x32[1], 10);
    free(m);
    is_refused(&every_repeated_type, "1a0180", TR_EPROTO);     /* Half a varint. */
    is_refused(&every_repeated_type, "4a03010000", TR_EPROTO); /* Three of four bytes. */
}

static void unknown_fields_are_skipped(void **state)
{
    (void)state;
    /* 30: varint, group, bytes; 3 with another wire type; a value of an enum that there is not. */
    struct every_scalars *m = decoded(&every_scalars_type, "f00101"
                                                           "f301f00101f401"
                                                           "f201020000"
                                                           "1d01020304"
                                                           "80012a"
                                                           "1807");
    assert_int_equal(m->i32, 7);
    assert_int_equal(m->color, 42);
    free(m);
    struct every_wrappers *w = decoded(&every_wrappers_type, "1a0610010805"
                                                             "1800"
                                                             "42001a00");
    assert_true(w->has_i64 && w->has_text);
    assert_int_equal(w->i64, 5); /* The empty one later on merges nothing into it. */
    assert_string_equal(w->text, "");
    free(w);
    struct every_empty *e = decoded(&every_empty_type, "0801");
    free(e);
}

/* ---- Bounds -------------------------------------------------------------- */

static void bounds_are_kept_going_out(void **state)
{
    (void)state;
    struct every_scalars text = {0};
    memset(text.text, 'x', sizeof text.text);
    has_no_encoding(&every_scalars_type, &text, sizeof text);
    has_no_encoding(&every_scalars_type, &(struct every_scalars){.text = "\xC0\x80"}, sizeof text);
    has_no_encoding(&every_scalars_type, &(struct every_scalars){.data_size = 257}, sizeof text);
    has_no_encoding(&every_scalars_type, &text, sizeof text - 1);
    struct every_repeated array = {.i32_count = 7};
    has_no_encoding(&every_repeated_type, &array, sizeof array);
    array = (struct every_repeated){.i32_count = UINT32_MAX};
    has_no_encoding(&every_repeated_type, &array, sizeof array);
    array = (struct every_repeated){.data_count = 1, .data = {{.size = 21}}};
    has_no_encoding(&every_repeated_type, &array, sizeof array);
    array = (struct every_repeated){.text_count = 1, .text = {"\xFF"}};
    has_no_encoding(&every_repeated_type, &array, sizeof array);
    struct every_choice choice = {.value_case = (enum every_choice_value_case)6};
    has_no_encoding(&every_choice_type, &choice, sizeof choice);
    struct every_nested nested = {.has_two = true, .two = {.colors_count = 7}};
    has_no_encoding(&every_nested_type, &nested, sizeof nested);
    struct every_maps maps = {.text_color_count = 4};
    has_no_encoding(&every_maps_type, &maps, sizeof maps);
    struct every_trailing_bytes trailing = {.data_size = 100};
    has_no_encoding(&every_trailing_bytes_type, &trailing, sizeof trailing);
    struct every_trailing_numbers numbers = {.numbers_count = UINT32_MAX};
    has_no_encoding(&every_trailing_numbers_type, &numbers, sizeof numbers);
}

static void bounds_are_kept_coming_in(void **state)
{
    (void)state;
    struct every_optionals *m = decoded(&every_optionals_type, "7a0701020304050607");
    assert_int_equal(m->data_size, 7);
    free(m);
    is_refused(&every_optionals_type, "7a080102030405060708", TR_EFULL);
    is_refused(&every_repeated_type, "1a0701020304050607", TR_EFULL);
    is_refused(&every_repeated_type,
               "180118021803180418051806"
               "1807",
               TR_EFULL);
    is_refused(&every_scalars_type, "720180", TR_EPROTO); /* Not UTF-8. */
    is_refused(&every_scalars_type, "720100", TR_EPROTO); /* A NUL. */
    is_refused(&every_maps_type, "2a080a066162636465661001", TR_EFULL);
    is_refused(&every_maps_type, "2a030a01612a030a01622a030a01632a030a0164", TR_EFULL);
    is_refused(&every_scalars_type, "1a", TR_EPROTO);
    is_refused(&every_scalars_type, "00", TR_EPROTO);
    is_refused(&every_scalars_type, "0f", TR_EPROTO);
}

/* ---- Trailing fields ----------------------------------------------------- */

static void trailing_fields_are_as_long_as_they_are(void **state)
{
    (void)state;
    for (size_t n = 0; n < 5000; n += n / 3 + 1) {
        size_t body_size = TR_SIZE_WITH(every_trailing_bytes, data, n);
        struct every_trailing_bytes *m = calloc(1, body_size);
        assert_non_null(m);
        m->number = 5;
        m->data_size = (uint32_t)n;
        memset(m->data, 'd', n);
        uint8_t *data;
        size_t size = encode(&every_trailing_bytes_type, m, body_size, &data);
        assert_int_not_equal(size, SIZE_MAX);
        tr_err err;
        size_t again_size;
        struct every_trailing_bytes *again = decode(&every_trailing_bytes_type, data, size, &err,
                                                    &again_size);
        assert_non_null(again);
        assert_int_equal(again->data_size, n);
        assert_int_equal(again_size, body_size);
        assert_memory_equal(again->data, m->data, n);
        free(again);
        free(data);
        free(m);
    }
    struct every_trailing_text *text = decoded(&every_trailing_text_type, "12036162631201610805");
    assert_int_equal(text->text_size, 1);
    assert_string_equal(text->text, "a"); /* The last one; a NUL is behind it. */
    free(text);
    text = decoded(&every_trailing_text_type, "");
    assert_int_equal(text->text_size, 0);
    free(text);
    /* Thrice the same field, packed and not. */
    struct every_trailing_numbers *numbers = decoded(&every_trailing_numbers_type,
                                                     "1202020410061203080a0c");
    assert_int_equal(numbers->numbers_count, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(numbers->numbers[i], i + 1);
    free(numbers);
}

static void trailing_fields_have_limits(void **state)
{
    (void)state;
    static uint8_t data[8 * 1001 + 3];
    tr_err err;
    size_t body_size, size = 8 * 1001;
    data[0] = 0x0A;
    uint8_t *at = tr_put_varint_(data + 1, size);
    void *body = decode(&every_trailing_fixed_type, data, (size_t)(at - data) + size, &err,
                        &body_size);
    assert_null(body);
    assert_int_equal(err, TR_EFULL); /* max_count is 1000. */
    size -= 8;
    at = tr_put_varint_(data + 1, size);
    body = decode(&every_trailing_fixed_type, data, (size_t)(at - data) + size, &err, &body_size);
    assert_non_null(body);
    free(body);
    /* Two bytes a piece that would be 108 in memory. */
    size_t count = TR_MESSAGE_SIZE_MAX / sizeof(struct every_nested_one_two) + 1;
    uint8_t *many = malloc(2 * count);
    assert_non_null(many);
    for (size_t i = 0; i < count; i++) {
        many[2 * i] = 0x12;
        many[2 * i + 1] = 0;
    }
    assert_int_equal(tr_codec_measure(&every_trailing_messages_type, many, 2 * count, &body_size),
                     TR_EFULL);
    free(many);
    /* Less room than it was measured to need. */
    struct every_trailing_bytes small;
    struct bytes bytes = from_hex(
        "1220"
        "0000000000000000000000000000000000000000000000000000000000000000");
    assert_int_equal(
        every_trailing_bytes_type.codec->decode(bytes.data, bytes.size, &small, sizeof small),
        TR_EFULL);
}

/* ---- At random ----------------------------------------------------------- */

static void random_bodies_come_back(void **state)
{
    (void)state;
    struct tri_prng prng;
    tri_prng_seed(&prng, 3);
    for (int round = 0; round < 6000; round++) {
        const struct tr_type *type = types[(size_t)round % TYPE_COUNT];
        size_t body_size, again_size;
        void *body = random_body(&prng, type, &body_size);
        assert_non_null(body);
        uint8_t *data;
        size_t size = encode(type, body, body_size, &data);
        assert_int_not_equal(size, SIZE_MAX);
        tr_err err;
        void *again = decode(type, data, size, &err, &again_size);
        assert_int_equal(err, TR_OK);
        assert_true(same_fields(type->codec->info, body, again));
        free(again);
        free(data);
        free(body);
    }
}

static void truncations_and_mutations_are_read_or_refused(void **state)
{
    (void)state;
    struct tri_prng prng;
    tri_prng_seed(&prng, 4);
    int refused = 0, full = 0;
    for (int round = 0; round < 400; round++) {
        const struct tr_type *type = types[(size_t)round % TYPE_COUNT];
        size_t body_size, again_size;
        void *body = random_body(&prng, type, &body_size);
        assert_non_null(body);
        uint8_t *data;
        size_t size = encode(type, body, body_size, &data);
        for (size_t n = 0; n < 200 && size > 0; n++) {
            size_t cut = n < 100 ? tri_prng_below(&prng, size) : size;
            if (n >= 100)
                data[tri_prng_below(&prng, size)] = (uint8_t)tri_prng_next(&prng);
            tr_err err;
            void *again = decode(type, data, cut, &err, &again_size);
            assert_true(err == TR_OK || err == TR_EPROTO || err == TR_EFULL);
            refused += err == TR_EPROTO;
            full += err == TR_EFULL;
            if (again) { /* What could be read can be written. */
                uint8_t *more;
                assert_int_not_equal(encode(type, again, again_size, &more), SIZE_MAX);
                free(more);
            }
            free(again);
        }
        free(data);
        free(body);
    }
    assert_true(refused > 10000);
    assert_true(full > 100);
}

static void fields_are_described(void **state)
{
    (void)state;
    const struct tr_message_info *info = every_choice_type.codec->info;
    assert_string_equal(info->name, "test.everything.Choice");
    assert_int_equal(info->size, sizeof(struct every_choice));
    const struct tr_field *text = &info->fields[2];
    assert_string_equal(text->name, "text");
    assert_int_equal(text->number, 3);
    assert_int_equal(text->kind, TR_FIELD_STRING);
    assert_int_equal(text->flags, TR_FIELD_ONEOF);
    assert_int_equal(text->presence, offsetof(struct every_choice, value_case));
    assert_int_equal(text->size_max, 63);
    const struct tr_field *color = &every_scalars_type.codec->info->fields[15];
    assert_string_equal(color->enumeration->name, "test.everything.Color");
    assert_string_equal(tr_enum_name(color->enumeration, 1), "COLOR_RED");
    assert_string_equal(tr_enum_name(&every_color_enum, EVERY_COLOR_NEGATIVE), "COLOR_NEGATIVE");
    assert_null(tr_enum_name(&every_color_enum, 2));
    assert_string_equal(every_keywords_type.codec->info->fields[0].name, "int");
    assert_string_equal(every_maps_type.codec->info->fields[0].json_name, "textText");
    assert_int_equal(every_control_type.flags, TR_TYPE_CONTROL | TR_TYPE_DURABLE);
    assert_int_equal(every_scalars_type.flags, 0);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        info = types[i]->codec->info;
        assert_string_equal(info->name, types[i]->name);
        for (uint32_t k = 1; k < info->field_count; k++)
            assert_true(info->fields[k - 1].number < info->fields[k].number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_have_their_bytes),
        cmocka_unit_test(arrays_and_messages_have_their_bytes),
        cmocka_unit_test(the_last_value_counts_and_messages_merge),
        cmocka_unit_test(arrays_come_packed_and_unpacked),
        cmocka_unit_test(unknown_fields_are_skipped),
        cmocka_unit_test(bounds_are_kept_going_out),
        cmocka_unit_test(bounds_are_kept_coming_in),
        cmocka_unit_test(trailing_fields_are_as_long_as_they_are),
        cmocka_unit_test(trailing_fields_have_limits),
        cmocka_unit_test(random_bodies_come_back),
        cmocka_unit_test(truncations_and_mutations_are_read_or_refused),
        cmocka_unit_test(fields_are_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
