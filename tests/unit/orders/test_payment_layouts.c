/* Both layouts of messages.PaymentMessage come out as the same struct. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nodes/payment_layouts.h"

static const struct tr_codec *codec_of(void)
{
    return payment_layouts_type.codec;
}

static void decode(const uint8_t *data, size_t size, struct messages_payment_message *ret)
{
    assert_int_equal(codec_of()->decode(data, size, ret, sizeof(*ret)), TR_OK);
}

static void test_later_layout(void **state)
{
    static const uint8_t bytes[] = {0x0A, 2, 'o', '1', 0x12, 2, 'u', '9', 0x1D, 0, 0, 0xF0, 0x40};
    struct messages_payment_message payment;
    (void)state;
    decode(bytes, sizeof(bytes), &payment);
    assert_string_equal(payment.order_id, "o1");
    assert_string_equal(payment.user_id, "u9");
    assert_true(payment.amount == 7.5f);
}

static void test_early_layout(void **state)
{
    static const uint8_t bytes[] = {0x0A, 2, 'o', '1', 0x15, 0, 0, 0xF0, 0x40};
    struct messages_payment_message payment;
    (void)state;
    decode(bytes, sizeof(bytes), &payment);
    assert_string_equal(payment.order_id, "o1");
    assert_string_equal(payment.user_id, "");
    assert_true(payment.amount == 7.5f);
}

static void test_what_is_cut_off_is_no_payment(void **state)
{
    static const uint8_t bytes[] = {0x0A, 2, 'o', '1', 0x15, 0, 0, 0xF0};
    struct messages_payment_message payment;
    (void)state;
    for (size_t size = 1; size < sizeof(bytes); size++)
        if (size != 4)
            assert_int_equal(codec_of()->decode(bytes, size, &payment, sizeof(payment)), TR_EPROTO);
}

static void test_there_and_back(void **state)
{
    struct messages_payment_message payment = {"o1", "u9", 12.25f}, back;
    uint8_t bytes[256];
    (void)state;
    const uint8_t *end = codec_of()->encode(&payment, sizeof(payment), bytes);
    assert_non_null(end);
    size_t size = (size_t)(end - bytes);
    assert_true(size <= codec_of()->encoded_size(&payment, sizeof(payment)));
    assert_true(size <= codec_of()->encoded_size_max);
    decode(bytes, size, &back);
    assert_string_equal(back.user_id, "u9");
    assert_true(back.amount == 12.25f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_later_layout),
        cmocka_unit_test(test_early_layout),
        cmocka_unit_test(test_what_is_cut_off_is_no_payment),
        cmocka_unit_test(test_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
