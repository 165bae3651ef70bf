/* The parts of the wire without I/O: framing, texts, addresses, the gate, what is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/prng.h"
#include "remote/gate.h"
#include "remote/grpc.h"
#include "remote/out.h"
#include "remote/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Framing ------------------------------------------------------------- */

/* Messages of random sizes, cut anywhere, come out as they went in. */
static void messages_come_out_however_they_are_cut(void **state)
{
    (void)state;
    enum { STREAM = 400000, MESSAGES = 60 };
    struct tri_prng prng;
    struct tri_spare spare = {0};
    uint8_t *stream = malloc(STREAM);
    for (uint64_t seed = 0; seed < 300; seed++) {
        size_t sizes[MESSAGES], count = 0, size = 0;
        tri_prng_seed(&prng, seed);
        while (count < MESSAGES) {
            size_t most = tri_prng_below(&prng, 4) == 0 ? 70000 : 300;
            size_t n = tri_prng_below(&prng, most);
            if (size + TRI_GRPC_PREFIX + n > STREAM)
                break;
            tri_grpc_prefix(stream + size, n);
            for (size_t i = 0; i < n; i++)
                stream[size + TRI_GRPC_PREFIX + i] = (uint8_t)(count * 5 + i);
            size += TRI_GRPC_PREFIX + n;
            sizes[count++] = n;
        }
        struct tri_deframer deframer = {0};
        size_t got = 0, cut_max = 1 + tri_prng_below(&prng, 20000);
        for (size_t at = 0; at < size;) {
            size_t cut = 1 + tri_prng_below(&prng, cut_max), left;
            cut = cut < size - at ? cut : size - at;
            const uint8_t *data = stream + at;
            left = cut;
            struct tri_deframed_message message;
            enum tri_deframed what;
            while ((what = tri_deframe(&deframer, &data, &left, 70000, &spare, &message)) ==
                   TRI_DEFRAMED_MESSAGE) {
                assert_true(got < count);
                assert_int_equal(message.size, sizes[got]);
                for (size_t i = 0; i < message.size; i++)
                    assert_true(message.at[i] == (uint8_t)(got * 5 + i));
                got++;
            }
            assert_int_equal(what, TRI_DEFRAMED_NOTHING);
            assert_int_equal(left, 0);
            at += cut;
        }
        assert_int_equal(got, count);
        assert_false(tri_deframer_within(&deframer));
        tri_deframer_fini(&deframer, &spare);
        assert_int_equal(spare.lent, 0);
    }
    tri_spare_fini(&spare);
    free(stream);
}

static void a_long_message_holds_what_has_come(void **state)
{
    (void)state;
    struct tri_spare spare = {0};
    struct tri_deframer deframer = {0};
    struct tri_deframed_message message;
    uint8_t begun[105];
    tri_grpc_prefix(begun, 1u << 30);
    const uint8_t *data = begun;
    size_t size = sizeof begun;
    assert_int_equal(tri_deframe(&deframer, &data, &size, 1u << 30, &spare, &message),
                     TRI_DEFRAMED_NOTHING);
    assert_true(deframer.capacity <= 65536);
    assert_true(tri_deframer_within(&deframer));
    tri_deframer_fini(&deframer, &spare);
    tri_spare_fini(&spare);
}

static void texts_survive_escaping(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"", ""}, {"plain ~ text", "plain ~ text"}, {"50%", "50%25"}, {"\xC3\xBC\n", "%C3%BC%0A"}};
    char to[64], back[64];
    for (size_t i = 0; i < TRI_ARRAY_COUNT(cases); i++) {
        size_t size = tri_grpc_escape(cases[i].from, to, sizeof to);
        assert_int_equal(size, strlen(cases[i].to));
        assert_memory_equal(to, cases[i].to, size);
    }
    assert_int_equal(tri_grpc_escape("a%b", to, 3), 1); /* No half codes. */
    tri_grpc_unescape((const uint8_t *)"%C3%BC 100%25 %zz %4", 20, back, sizeof back);
    assert_string_equal(back, "\xC3\xBC 100% %zz %4");
    tri_grpc_unescape((const uint8_t *)"a%0Ab\x1B%00", 9, back, sizeof back);
    assert_string_equal(back, "a?b??");
    tri_grpc_unescape((const uint8_t *)"longer than that", 16, back, 7);
    assert_string_equal(back, "longer");
}

static void statuses_are_read_strictly(void **state)
{
    (void)state;
    assert_int_equal(tri_grpc_status((const uint8_t *)"0", 1), 0);
    assert_int_equal(tri_grpc_status((const uint8_t *)"16", 2), 16);
    static const char *const bad[] = {"", "17", "-1", "1 ", "01", "100", "x"};
    for (size_t i = 0; i < TRI_ARRAY_COUNT(bad); i++)
        assert_int_equal(tri_grpc_status((const uint8_t *)bad[i], strlen(bad[i])), -1);
    assert_int_equal(tri_grpc_from_http(503), TRI_WIRE_UNAVAILABLE);
    assert_int_equal(tri_grpc_from_http(404), TRI_WIRE_UNIMPLEMENTED);
    assert_int_equal(tri_grpc_from_h2(7), TRI_WIRE_UNAVAILABLE);
    assert_int_equal(tri_grpc_from_h2(8), TRI_WIRE_CANCELLED);
}

/* ---- Addresses and the gate ---------------------------------------------- */

static void addresses_are_split_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *port, *again; /* again: NULL, it is a name */
        bool loopback;
    } good[] = {{"127.0.0.1:80", "127.0.0.1", "80", "127.0.0.1:80", true},
                {"[::1]:65535", "::1", "65535", "[::1]:65535", true},
                {"10.0.0.1:0", "10.0.0.1", "0", "10.0.0.1:0", false},
                {"[::ffff:127.0.0.2]:7", "::ffff:127.0.0.2", "7", "127.0.0.2:7", true},
                {":80", "", "80", "[::]:80", false},
                {"a.example:443", "a.example", "443", NULL, false}};
    static const char *const bad[] = {"",       "a",      "a:",   "a:65536", "a:1x", "::1:1",
                                      "[::1]1", "[::1:1", "a:-1", "[a:1",    "a:+1", "a:000000001"};
    char host[TRI_HOST_SIZE], port[TRI_PORT_SIZE], text[TRI_ADDRESS_SIZE];
    for (size_t i = 0; i < TRI_ARRAY_COUNT(good); i++) {
        struct tri_address at;
        assert_true(tri_address_split(good[i].text, host, port));
        assert_string_equal(host, good[i].host);
        assert_string_equal(port, good[i].port);
        assert_int_equal(tri_address_numeric(host, port, &at), good[i].again != NULL);
        if (!good[i].again)
            continue;
        tri_address_text(&at, text);
        assert_string_equal(text, good[i].again);
        assert_int_equal(tri_address_loopback(&at), good[i].loopback);
        assert_int_equal(tri_address_port(&at), atoi(port));
    }
    for (size_t i = 0; i < TRI_ARRAY_COUNT(bad); i++) {
        if (tri_address_split(bad[i], host, port))
            fail_msg("'%s' is taken", bad[i]);
    }
    char longest[400];
    memset(longest, 'a', sizeof longest);
    memcpy(longest + 300, ":80", 4);
    assert_false(tri_address_split(longest, host, port));
}

static struct tri_address numbered(unsigned number)
{
    struct tri_address at;
    char host[32];
    (void)snprintf(host, sizeof host, "10.0.%u.%u", number / 256, number % 256);
    assert_true(tri_address_numeric(host, "1", &at));
    return at;
}

/* Random comings and goings against plain counters. */
static void the_gate_counts_like_a_plain_table(void **state)
{
    (void)state;
    enum { ADDRESSES = 300, MAX = 400, EACH = 3 };
    unsigned model[ADDRESSES] = {0}, total = 0, refused = 0;
    struct tri_prng prng;
    struct tri_gate gate;
    tri_prng_seed(&prng, 7);
    tri_gate_init(&gate, MAX, EACH);
    for (int step = 0; step < 200000; step++) {
        unsigned who = (unsigned)tri_prng_below(&prng, ADDRESSES);
        struct tri_address at = numbered(who);
        bool comes = tri_prng_below(&prng, 100) < (step / 20000 % 2 ? 30u : 70u);
        if (comes) {
            bool entered = tri_gate_enter(&gate, &at);
            assert_int_equal(entered, total < MAX && model[who] < EACH);
            model[who] += entered;
            total += entered;
            refused += !entered;
        } else if (model[who] > 0) {
            tri_gate_leave(&gate, &at);
            model[who]--;
            total--;
        }
        assert_int_equal(tri_gate_connections(&gate), total);
    }
    assert_true(refused > 1000);
    tri_gate_fini(&gate);
}

static void customers_of_ipv6_are_one_address(void **state)
{
    (void)state;
    struct tri_address a, b, c, d;
    assert_true(tri_address_numeric("2001:db8:1:2::1", "1", &a));
    assert_true(tri_address_numeric("2001:db8:1:2:ffff::9", "2", &b));
    assert_true(tri_address_numeric("2001:db8:1:3::1", "1", &c));
    assert_true(tri_address_numeric("::ffff:10.0.0.1", "1", &d));
    struct tri_address v4 = numbered(1);
    assert_true(tri_address_key(&a) == tri_address_key(&b));
    assert_true(tri_address_key(&a) != tri_address_key(&c));
    assert_true(tri_address_key(&d) == tri_address_key(&v4));
}

/* ---- What is written ----------------------------------------------------- */

static void what_was_appended_comes_out_in_order(void **state)
{
    (void)state;
    struct tri_stages stages = {0};
    struct tri_out out = {0};
    struct tri_prng prng;
    static uint8_t large[5000], expected[TRI_OUT_MAX], found[TRI_OUT_MAX];
    struct tri_buffer buffers[3] = {0};
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (uint8_t)(i * 3);
    tri_prng_seed(&prng, 3);
    for (int round = 0; round < 200; round++) {
        size_t size = 0, read = 0;
        assert_true(tri_out_open(&out, &stages));
        for (int i = 0; i < 3; i++) {
            for (int k = 0; k < 10; k++) {
                size_t n = tri_prng_below(&prng, k % 3 ? 40 : sizeof large);
                tri_out_part(&out, large, n);
                memcpy(expected + size, large, n);
                size += n;
            }
            tri_out_ends(&out, &buffers[i], i == 1 ? TRI_BUFFER_UNSENT : TRI_BUFFER_WRITTEN);
        }
        assert_int_equal(tri_out_pending(&out), size);
        unsigned popped = 0;
        while (tri_out_pending(&out) > 0) {
            const struct iovec *iov = &out.stage->iov[out.iov_at];
            size_t n = 1 + tri_prng_below(&prng, iov->iov_len);
            memcpy(found + read, iov->iov_base, n);
            read += n;
            tri_out_wrote(&out, n);
            if (round % 2 && read > size / 2)
                break;
            for (struct tri_buffer *done; (done = tri_out_pop(&out, false)); popped++) {
                assert_ptr_equal(done, &buffers[popped]);
                assert_true(done->end <= out.written);
            }
        }
        for (struct tri_buffer *done; (done = tri_out_pop(&out, true)); popped++) {
            bool whole = done->end <= out.written && done != &buffers[1];
            assert_int_equal(done->fate, whole ? TRI_BUFFER_WRITTEN : TRI_BUFFER_UNSENT);
        }
        assert_int_equal(popped, 3);
        assert_memory_equal(expected, found, read);
        out.written = out.appended;
        tri_out_close(&out, &stages);
    }
    tri_stages_fini(&stages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_however_they_are_cut),
        cmocka_unit_test(a_long_message_holds_what_has_come),
        cmocka_unit_test(texts_survive_escaping),
        cmocka_unit_test(statuses_are_read_strictly),
        cmocka_unit_test(addresses_are_split_and_written),
        cmocka_unit_test(the_gate_counts_like_a_plain_table),
        cmocka_unit_test(customers_of_ipv6_are_one_address),
        cmocka_unit_test(what_was_appended_comes_out_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
