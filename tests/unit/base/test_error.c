/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format on */

#include "base/error.h"

#include <errno.h>
#include <string.h>

#include <cmocka.h>

static void every_code_has_its_text(void **state)
{
    (void)state;
    assert_string_equal(tr_strerror(TR_OK), "success");
    assert_string_equal(tr_strerror(TR_ENOMEM), "out of memory");
    for (int code = 0; code <= TR_EUSER; code++)
        assert_string_not_equal(tr_strerror((tr_err)code), "unknown error");
    assert_string_equal(tr_strerror((tr_err)(TR_EPROTO + 1)), "unknown error");
    assert_string_equal(tr_strerror((tr_err)-1), "unknown error");
}

static void details_are_filled_in(void **state)
{
    (void)state;
    struct tr_error e;
    assert_int_equal(tri_error_set(&e, TR_EINVAL, 0, "workers is %d", 9), TR_EINVAL);
    assert_int_equal(e.code, TR_EINVAL);
    assert_int_equal(e.os, 0);
    assert_string_equal(e.text, "workers is 9");
    assert_int_equal(tri_error_set(&e, TR_EIO, ENOENT, "cannot open '%s'", "a"), TR_EIO);
    assert_int_equal(e.os, ENOENT);
    assert_string_equal(e.text, "cannot open 'a': No such file or directory");
    assert_int_equal(tri_error_set(NULL, TR_EIO, 0, "nobody listens"), TR_EIO);
}

static void the_old_text_may_be_an_argument(void **state)
{
    (void)state;
    struct tr_error e;
    (void)tri_error_set(&e, TR_EIO, 0, "inner");
    (void)tri_error_set(&e, TR_EPEER, 0, "outer: %s", e.text);
    assert_string_equal(e.text, "outer: inner");
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    char text[600];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct tr_error e;
    (void)tri_error_set(&e, TR_EIO, ENOENT, "%s", text);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    text[250] = '\0';
    (void)tri_error_set(&e, TR_EIO, ENOENT, "%s", text);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    assert_string_equal(e.text + 250, ": No ");
}

static void unknown_system_errors_are_survived(void **state)
{
    (void)state;
    struct tr_error e;
    (void)tri_error_set(&e, TR_EIO, 99999, "odd");
    assert_string_equal(e.text, "odd: unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_text),
        cmocka_unit_test(details_are_filled_in),
        cmocka_unit_test(the_old_text_may_be_an_argument),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(unknown_system_errors_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
