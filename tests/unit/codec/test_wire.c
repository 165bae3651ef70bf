/* The building blocks, against values worked out by hand. */
/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#include "base/alloc.h"
#include "codec/types.h"
#include "hex.h"

static void varints_have_their_bytes(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        const char *hex;
    } cases[] = {
        {0, "00"},
        {1, "01"},
        {127, "7f"},
        {128, "8001"},
        {300, "ac02"},
        {16383, "ff7f"},
        {16384, "808001"},
        {UINT32_MAX, "ffffffff0f"},
        {1ull << 63, "80808080808080808001"},
        {UINT64_MAX, "ffffffffffffffffff01"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[10];
        uint8_t *end = tr_put_varint_(bytes, cases[i].value);
        assert_hex(bytes, (size_t)(end - bytes), cases[i].hex);
        assert_int_equal(tr_varint_size_(cases[i].value), end - bytes);
        uint64_t value;
        assert_ptr_equal(tr_get_varint_(bytes, end, &value), end);
        assert_true(value == cases[i].value);
        for (const uint8_t *cut = bytes; cut < end; cut++)
            assert_null(tr_get_varint_(bytes, cut, &value));
    }
    for (unsigned bit = 0; bit < 64; bit++) /* One bit, and all up to it. */
        for (int all = 0; all < 2; all++) {
            uint64_t value = all ? UINT64_MAX >> (63 - bit) : 1ull << bit, again;
            uint8_t bytes[10], fast[10 + TR_ENCODE_SLACK_];
            size_t size = bit / 7 + 1;
            assert_int_equal(tr_put_varint_(bytes, value) - bytes, size);
            assert_int_equal(tr_put_number_(fast, value) - fast, size);
            assert_memory_equal(bytes, fast, size);
            assert_int_equal(tr_varint_size_(value), size);
            memset(fast + size, 0xFF, 8); /* With and without room for eight bytes at once. */
            assert_ptr_equal(tr_get_varint_(fast, fast + size + 8, &again), fast + size);
            assert_true(again == value);
            assert_ptr_equal(tr_get_varint_(fast, fast + size, &again), fast + size);
            assert_true(again == value);
        }
    /* Longer than need be is fine; more than 64 bits are not. */
    struct bytes longer = from_hex("8100"), beyond = from_hex("ffffffffffffffffff02");
    uint64_t value;
    assert_non_null(tr_get_varint_(longer.data, longer.data + 2, &value));
    assert_int_equal(value, 1);
    assert_null(tr_get_varint_(beyond.data, beyond.data + 10, &value));
}

static void numbers_keep_their_value(void **state)
{
    (void)state;
    assert_int_equal(tr_zigzag32_(0), 0);
    assert_int_equal(tr_zigzag32_(-1), 1);
    assert_int_equal(tr_zigzag32_(1), 2);
    assert_true(tr_zigzag32_(INT32_MIN) == UINT32_MAX);
    assert_true(tr_zigzag64_(INT64_MIN) == UINT64_MAX);
    static const int64_t values[] = {0, 1, -1, 63, -64, 1000000, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < 8; i++) {
        assert_true(tr_unzigzag64_(tr_zigzag64_(values[i])) == values[i]);
        int32_t half = (int32_t)values[i];
        assert_int_equal(tr_unzigzag32_(tr_zigzag32_(half)), half);
    }
    uint8_t bytes[8];
    tr_put_fixed32_(bytes, 0x01020304);
    assert_hex(bytes, 4, "04030201");
    tr_put_fixed64_(bytes, tr_double_bits_(1.0));
    assert_hex(bytes, 8, "000000000000f03f");
    tr_put_fixed32_(bytes, tr_float_bits_(-2.5f));
    assert_hex(bytes, 4, "000020c0");
    assert_true(tr_float_of_(tr_float_bits_(-2.5f)) == -2.5f);
    assert_true(tr_double_of_(tr_double_bits_(0.1)) == 0.1);
}

static void sizes_go_before_what_was_written(void **state)
{
    (void)state;
    uint8_t bytes[20000];
    static const size_t sizes[] = {0, 1, 127, 128, 300, 16383, 16384, 19000};
    for (size_t i = 0; i < 8; i++) {
        memset(bytes + 1, (int)i, sizes[i]);
        uint8_t *end = tr_put_size_before_(bytes + 1, bytes + 1 + sizes[i]);
        size_t size = 0;
        const uint8_t *at = tr_get_size_(bytes, end, &size);
        assert_non_null(at);
        assert_int_equal(size, sizes[i]);
        assert_ptr_equal(at + size, end);
        for (size_t k = 0; k < size; k++)
            assert_int_equal(at[k], i);
        if (size > 0)
            assert_null(tr_get_size_(bytes, end - 1, &size));
    }
}

static void utf8_is_checked(void **state)
{
    (void)state;
    static const char *const good[] = {
        "",
        "a",
        "12345678",
        "123456789\xC3\xA4",
        "\xC2\x80",
        "\xDF\xBF",
        "\xE0\xA0\x80",
        "\xED\x9F\xBF",
        "\xEE\x80\x80",
        "\xEF\xBF\xBF",
        "\xF0\x90\x80\x80",
        "\xF4\x8F\xBF\xBF",
    };
    static const char *const bad[] = {
        "\x80",         "\xC0\x80",         "\xC1\xBF",         "\xC3",     "1234567\xC3",
        "\xE0\x9F\xBF", "\xED\xA0\x80",     "\xED\xBF\xBF",     "\xE2\x82", "\xE2\x28\xA1",
        "12345678\xFF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80", "\xF0\x90\x80",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(tr_utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(tr_utf8_valid(bad[i], strlen(bad[i])));
}

static void texts_go_into_fields(void **state)
{
    (void)state;
    struct {
        char text[4];
        char after;
    } m = {"old", 'x'};
    assert_int_equal(tr_set_text(m.text, "four"), TR_EFULL);
    assert_string_equal(m.text, "old");
    assert_int_equal(tr_set_text(m.text, "new"), TR_OK);
    assert_string_equal(m.text, "new");
    assert_int_equal(tr_text_length_(m.text, sizeof m.text), 3);
    memcpy(m.text, "full", 4);
    assert_int_equal(tr_text_length_(m.text, sizeof m.text), 4);
    assert_false(tr_take_text_(m.text, (const uint8_t *)"a\0b", 3));
    assert_false(tr_take_text_(m.text, (const uint8_t *)"\xFF", 1));
    assert_true(tr_take_text_(m.text, (const uint8_t *)"abc", 3));
    assert_string_equal(m.text, "abc");
    assert_int_equal(m.after, 'x');
}

/* All sizes around the widths that the fast ways have, in fields that end where the text does. */
static void texts_of_all_sizes_go_and_come(void **state)
{
    (void)state;
    static const char *const kinds[] = {"0123456789abcdef", "0123456\xC3\xA4", "012345678\xC3\xA4"};
    for (size_t size = 0; size < 140; size++)
        for (size_t more = 1; more < 12; more++) {
            size_t room = size + more, kind = more % 3, fill = 0;
            char *field = malloc(room), *back = malloc(size + 1);
            uint8_t *out = malloc(2 + size + TR_ENCODE_SLACK_), *copy = malloc(size + 1);
            assert_true(field && back && out && copy);
            memset(field, 0xEE, room);
            for (; fill + strlen(kinds[kind]) <= size; fill += strlen(kinds[kind]))
                memcpy(field + fill, kinds[kind], strlen(kinds[kind]));
            memset(field + fill, 'x', size - fill);
            field[size] = '\0';
            bool ascii, really = true;
            for (size_t i = 0; i < size; i++)
                really = really && (uint8_t)field[i] < 0x80;
            assert_int_equal(tr_text_size_(field, room, &ascii), size);
            assert_int_equal(ascii, really);
            uint8_t *end = tr_put_text_(out, field, room, size, ascii);
            assert_int_equal(end - out, tr_varint_size_(size) + size);
            memcpy(copy, end - size, size);
            assert_true(tr_take_text_(back, copy, size));
            assert_string_equal(back, field);
            for (size_t i = 0; i < size; i += 5) { /* A NUL, and half a letter. */
                uint8_t kept = copy[i];
                copy[i] = 0;
                assert_false(tr_take_text_(back, copy, size));
                copy[i] = 0xE2;
                assert_false(tr_take_text_(back, copy, size));
                copy[i] = kept;
            }
            free(field), free(back), free(out), free(copy);
        }
    bool ascii;
    assert_int_equal(tr_text_size_("0123456789", 10, &ascii), 10);
    assert_true(ascii);
    assert_int_equal(tr_text_size_("abc\0\xFF\xFF\xFF\xFF", 8, &ascii), 3);
    assert_true(ascii);
}

static bool skips(const char *hex, size_t want_left)
{
    struct bytes bytes = from_hex(hex);
    uint64_t tag;
    const uint8_t *end = bytes.data + bytes.size;
    const uint8_t *at = tr_get_varint_(bytes.data, end, &tag);
    at = at ? tr_skip_(at, end, tag) : NULL;
    return at && (size_t)(end - at) == want_left;
}

static void unknown_fields_are_skipped(void **state)
{
    (void)state;
    assert_true(skips("08ff01aa", 1));
    assert_true(skips("090102030405060708aa", 1));
    assert_true(skips("0a03616263aa", 1));
    assert_true(skips("0d01020304aa", 1));
    assert_true(skips("0b0800120161131b1c140caa", 1)); /* Groups 2 and 3 in group 1. */
    assert_false(skips("0b131b141c0c", 0));            /* Crosswise. */
    assert_false(skips("0b0800", 0));                  /* Never closed. */
    assert_false(skips("0b131c0c", 0));                /* Closed by another. */
    assert_false(skips("0c", 0));
    assert_false(skips("0e", 0));
    assert_false(skips("0f", 0));
    assert_false(skips("0a04616263", 0));
    assert_false(skips("0d010203", 0));
    assert_false(skips("0000", 0));       /* There is no field 0 … */
    assert_false(skips("8080808010", 0)); /* … and none above 2^29 - 1. */
    char deep[4 * TR_GROUP_DEPTH_MAX + 8] = "";
    for (int i = 0; i < TR_GROUP_DEPTH_MAX; i++)
        strcat(deep, "0b");
    for (int i = 0; i < TR_GROUP_DEPTH_MAX; i++)
        strcat(deep, "0c");
    assert_true(skips(deep, 0));
    memmove(deep + 2, deep, sizeof deep - 3);
    strcat(deep, "0c");
    assert_false(skips(deep, 0));
}

static void writers_stop_at_their_end(void **state)
{
    (void)state;
    for (size_t size = 0; size < 40; size++) {
        uint8_t *bytes = malloc(size + 1);
        assert_non_null(bytes);
        struct tri_writer writer = {.at = bytes, .end = bytes + size};
        uint8_t *begun = tri_write_begin(&writer, 16);
        tri_write_text(&writer, 1, TRI_NAME("abc"));
        tri_write_text(&writer, 2, TRI_NAME_NONE);
        tri_write_varint(&writer, 3, 300);
        tri_write_varint(&writer, 4, 0);
        tri_write_bytes_always(&writer, 5, NULL, 0);
        tri_write_end(&writer, begun);
        assert_int_equal(writer.failed, size < 13);
        if (!writer.failed)
            assert_hex(bytes, (size_t)(writer.at - bytes), "82010a0a0361626318ac022a00");
        free(bytes);
    }
    uint8_t bytes[16];
    struct tri_writer writer = {.at = bytes, .end = bytes + sizeof bytes};
    tri_write_text(&writer, 1, TRI_NAME("\xC3"));
    assert_true(writer.failed);
}

static void fields_are_read_one_by_one(void **state)
{
    (void)state;
    struct bytes bytes = from_hex("08ac02"
                                  "110102030405060708"
                                  "1a0161"
                                  "0b10010c"
                                  "2504030201");
    struct tri_reader reader = {bytes.data, bytes.data + bytes.size};
    struct tri_wire_field field;
    tr_err err;
    assert_true(tri_read_field(&reader, &field, &err));
    assert_true(field.number == 1 && field.kind == TRI_WIRE_VARINT && field.value == 300);
    assert_true(tri_read_field(&reader, &field, &err));
    assert_true(field.number == 2 && field.value == 0x0807060504030201);
    assert_true(tri_read_field(&reader, &field, &err));
    assert_true(field.number == 3 && field.size == 1 && field.bytes[0] == 'a');
    assert_true(tri_read_field(&reader, &field, &err));
    assert_true(field.number == 4 && field.value == 0x01020304);
    assert_false(tri_read_field(&reader, &field, &err));
    assert_int_equal(err, TR_OK);
}

static const struct tr_codec some_codec = {.encoded_size_max = 1};

static void types_are_found_by_name(void **state)
{
    (void)state;
    static struct tr_type types[3000];
    static char names[3000][16];
    struct tri_types table;
    struct tr_error error = {0};
    tri_types_init(&table);
    assert_null(tri_types_find(&table, TRI_NAME("n.T0")));
    for (int i = 0; i < 3000; i++) {
        (void)sprintf(names[i], "n.T%d", i);
        types[i] = (struct tr_type){.name = names[i], .size = 1, .codec = &some_codec};
        assert_int_equal(tri_types_add(&table, &types[i], NULL), TR_OK);
        assert_int_equal(tri_types_add(&table, &types[i], NULL), TR_OK);
    }
    assert_int_equal(table.count, 3000);
    for (int i = 0; i < 3000; i++)
        assert_ptr_equal(tri_types_find(&table, tri_name(names[i])), &types[i]);
    assert_null(tri_types_find(&table, TRI_NAME("n.T3000")));
    assert_null(tri_types_find(&table, TRI_NAME_NONE));

    struct tr_type other = {.name = "n.T7", .codec = &some_codec};
    assert_int_equal(tri_types_add(&table, &other, &error), TR_EEXIST);
    assert_non_null(strstr(error.text, "'n.T7'"));
    other = (struct tr_type){.name = "n.Local"};
    assert_int_equal(tri_types_add(&table, &other, &error), TR_EINVAL);
    assert_non_null(strstr(error.text, "'n.Local' has no codec"));
    other = (struct tr_type){.name = "", .codec = &some_codec};
    assert_int_equal(tri_types_add(&table, &other, &error), TR_EINVAL);
    other = (struct tr_type){.name = "\xFF", .codec = &some_codec};
    assert_int_equal(tri_types_add(&table, &other, &error), TR_EINVAL);
    assert_int_equal(table.count, 3000);
    tri_types_fini(&table);

    for (int64_t n = 0; n < 2; n++) {
        tri_alloc_fail_after(n);
        assert_int_equal(tri_types_add(&table, &types[0], &error), TR_ENOMEM);
        assert_null(tri_types_find(&table, tri_name(names[0])));
    }
    tri_alloc_fail_after(-1);
    assert_int_equal(tri_types_add(&table, &types[0], NULL), TR_OK);
    tri_types_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_have_their_bytes),
        cmocka_unit_test(numbers_keep_their_value),
        cmocka_unit_test(sizes_go_before_what_was_written),
        cmocka_unit_test(utf8_is_checked),
        cmocka_unit_test(texts_go_into_fields),
        cmocka_unit_test(texts_of_all_sizes_go_and_come),
        cmocka_unit_test(unknown_fields_are_skipped),
        cmocka_unit_test(writers_stop_at_their_end),
        cmocka_unit_test(fields_are_read_one_by_one),
        cmocka_unit_test(types_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
