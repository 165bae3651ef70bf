/* Batches of all sizes, out and in again; and what is malformed. */
/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#include "base/alloc.h"
#include "base/prng.h"
#include "hex.h"
#include "recorded.h"

struct out {
    struct tri_batch batch;
    uint8_t memory[1 << 16];
};

static struct out *out_of(enum tri_dialect dialect, size_t size)
{
    struct out *out = malloc(sizeof *out);
    assert_non_null(out);
    tri_batch_init(&out->batch);
    tri_batch_begin(&out->batch, dialect, out->memory, size);
    return out;
}

static void out_free(struct out *out)
{
    tri_batch_fini(&out->batch);
    free(out);
}

/* What a random envelope was made of. */
struct sent {
    uint32_t type, target, sender, target_request_id, sender_request_id, headers, payload_at;
    size_t payload_size;
};

static void compare(const struct sent *sent, const struct tri_envelope_in *e, const uint8_t *noise)
{
    char text[16];
    (void)sprintf(text, "type%u", sent->type);
    assert_name(e->type->name, text);
    (void)sprintf(text, "target%u", sent->target);
    assert_name(e->target->pid.id, text);
    assert_int_equal(e->sender != NULL, sent->sender > 0);
    (void)sprintf(text, "sender%u", sent->sender);
    if (e->sender)
        assert_name(e->sender->pid.id, text);
    assert_int_equal(e->target_request_id, sent->target_request_id);
    assert_int_equal(e->sender_request_id, sent->sender_request_id);
    assert_int_equal(e->payload_size, sent->payload_size);
    assert_memory_equal(e->payload, noise + sent->payload_at, sent->payload_size);
    struct tri_reader headers = e->headers;
    struct tri_header header;
    tr_err err;
    uint32_t count = 0;
    while (tri_next_header(&headers, &header, &err)) {
        assert_name(header.key, "key");
        assert_int_equal(header.value.size, count++ * 60);
    }
    assert_int_equal(err, TR_OK);
    assert_int_equal(count, sent->headers);
}

/* Finds the entry or puts it; each has its number as its key. */
static enum tri_batch_result refer(struct tri_batch *batch, struct tri_batch_table *table,
                                   uint32_t number, int32_t *ret_index)
{
    char text[16];
    *ret_index = tri_batch_find(batch, table, number + 1);
    if (*ret_index >= 0)
        return TRI_BATCH_OK;
    const char *what = table == &batch->types     ? "type"
                       : table == &batch->targets ? "target"
                                                  : "sender";
    (void)sprintf(text, "%s%u", what, number);
    struct tri_wire_pid pid = {US, tri_name(text), 0};
    if (table == &batch->types)
        return tri_batch_put_type(batch, number + 1, pid.id, ret_index);
    if (table == &batch->targets)
        return tri_batch_put_target(batch, number + 1, &pid, ret_index);
    return tri_batch_put_sender(batch, number + 1, &pid, ret_index);
}

static enum tri_batch_result put(struct tri_batch *batch, const struct sent *sent,
                                 const uint8_t *noise)
{
    static const struct tri_header headers[] = {
        {TRI_NAME("key"), {"", 0}},
        {TRI_NAME("key"), {"123456789 123456789 123456789 123456789 123456789 1234567890", 60}},
    };
    struct tri_envelope_out out = {
        .target_request_id = sent->target_request_id,
        .sender_request_id = sent->sender_request_id,
        .sender = -1,
        .body = noise + sent->payload_at,
        .body_size = sent->payload_size,
        .header_count = sent->headers,
        .headers = headers,
    };
    enum tri_batch_result result = refer(batch, &batch->types, sent->type, &out.type);
    if (result == TRI_BATCH_OK)
        result = refer(batch, &batch->targets, sent->target, &out.target);
    if (result == TRI_BATCH_OK && sent->sender > 0)
        result = refer(batch, &batch->senders, sent->sender, &out.sender);
    return result == TRI_BATCH_OK ? tri_batch_add(batch, &out) : result;
}

static struct sent random_sent(struct tri_prng *prng, bool many)
{
    static const size_t sizes[] = {0, 1, 100, 120, 130, 300, 3000, 20000};
    size_t size = sizes[tri_prng_below(prng, 8)];
    return (struct sent){
        .type = (uint32_t)tri_prng_below(prng, 5),
        .target = (uint32_t)tri_prng_below(prng, many ? 2000 : 3),
        .sender = (uint32_t)tri_prng_below(prng, many ? 2000 : 3),
        .target_request_id = tri_prng_below(prng, 2) ? (uint32_t)tri_prng_next(prng) : 0,
        .sender_request_id = tri_prng_below(prng, 2) ? 300 : 0,
        .headers = tri_prng_below(prng, 8) == 0 ? (uint32_t)tri_prng_below(prng, 3) : 0,
        .payload_size = size ? size - tri_prng_below(prng, size < 8 ? size : 8) : 0,
        .payload_at = (uint32_t)tri_prng_below(prng, 1000),
    };
}

/* Fills memory of exactly that size to the brim, and reads back what it took. */
static void one_batch(struct tri_prng *prng, enum tri_dialect dialect, size_t memory_size,
                      const uint8_t *noise, struct sent *sent, size_t sent_max)
{
    struct tri_batch *batch = malloc(sizeof *batch);
    uint8_t *memory = malloc(memory_size);
    assert_true(batch && memory);
    tri_batch_init(batch);
    tri_batch_begin(batch, dialect, memory, memory_size);
    bool many = tri_prng_below(prng, 2);
    size_t count = 0;
    enum tri_batch_result result = TRI_BATCH_OK;
    while (count < sent_max && result == TRI_BATCH_OK) {
        sent[count] = random_sent(prng, many);
        result = put(batch, &sent[count], noise);
        count += result == TRI_BATCH_OK;
    }
    assert_true(result != TRI_BATCH_INVALID && result != TRI_BATCH_NO_MEMORY);
    assert_int_equal(batch->count, count);
    size_t said = tri_batch_size(batch), size;
    const uint8_t *data = tri_batch_finish(batch, &size);
    assert_int_equal(size, said);
    assert_true(data >= memory + 5 && data + size <= memory + memory_size);

    struct tri_batch_reader reader;
    struct tri_remote_message message;
    struct tri_envelope_in envelope;
    tr_err err;
    tri_batch_reader_init(&reader);
    assert_int_equal(tri_parse_remote_message(data, size, &message), TR_OK);
    assert_int_equal(tri_batch_parse(&reader, message.data, message.size, TRI_DIALECT_UNKNOWN),
                     TR_OK);
    assert_int_equal(reader.dialect, reader.target_count ? dialect : TRI_DIALECT_UNKNOWN);
    assert_int_equal(reader.envelope_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(tri_batch_next(&reader, &envelope, &err));
        compare(&sent[i], &envelope, noise);
    }
    assert_false(tri_batch_next(&reader, &envelope, &err));
    assert_int_equal(err, TR_OK);
    tri_batch_reader_fini(&reader);
    tri_batch_fini(batch);
    free(batch);
    free(memory);
}

static void what_goes_out_comes_in(void **state)
{
    (void)state;
    static uint8_t noise[32768];
    static struct sent sent[20000];
    struct tri_prng prng;
    tri_prng_seed(&prng, 20240822);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)tri_prng_next(&prng);
    for (int round = 0; round < 150; round++) {
        size_t size = TRI_BATCH_MEMORY_MIN + tri_prng_below(&prng, round % 10 ? 100000 : 4000000);
        one_batch(&prng, round % 2 ? TRI_DIALECT_A : TRI_DIALECT_B, size, noise, sent, 20000);
    }
}

static void what_fits_nowhere_is_told_from_what_fits_next(void **state)
{
    (void)state;
    static const uint8_t payload[8192];
    struct out *out = out_of(TRI_DIALECT_A, TRI_BATCH_MEMORY_MIN);
    struct sent big = {.payload_size = 8192}, fits = {.payload_size = 2000};
    assert_int_equal(put(&out->batch, &big, payload), TRI_BATCH_TOO_LARGE);
    assert_int_equal(put(&out->batch, &fits, payload), TRI_BATCH_OK);
    assert_int_equal(put(&out->batch, &fits, payload), TRI_BATCH_FULL);
    assert_int_equal(put(&out->batch, &big, payload), TRI_BATCH_TOO_LARGE);
    assert_int_equal(out->batch.count, 1);
    static char long_name[8192];
    memset(long_name, 'n', sizeof long_name - 1);
    int32_t index;
    assert_int_equal(tri_batch_put_type(&out->batch, 99, tri_name(long_name), &index),
                     TRI_BATCH_TOO_LARGE);
    long_name[2900] = '\0';
    assert_int_equal(tri_batch_put_type(&out->batch, 99, tri_name(long_name), &index),
                     TRI_BATCH_FULL);
    tri_batch_begin(&out->batch, TRI_DIALECT_A, out->memory, TRI_BATCH_MEMORY_MIN);
    assert_int_equal(put(&out->batch, &fits, payload), TRI_BATCH_OK);
    out_free(out);
}

/* ---- Malformed ----------------------------------------------------------- */

/* Reads everything that can be read, out of memory that ends where the data ends. */
static tr_err read_all(struct tri_batch_reader *reader, const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy + 1, data, size);
    struct tri_remote_message message;
    struct tri_envelope_in e;
    struct tri_header header;
    tr_err err = tri_parse_remote_message(copy + 1, size, &message);
    if (err == TR_OK && message.kind == TRI_REMOTE_BATCH) {
        err = tri_batch_parse(reader, message.data, message.size, TRI_DIALECT_UNKNOWN);
        if (err != TR_OK)
            assert_false(tri_batch_next(reader, &e, &(tr_err){TR_OK}));
        while (err == TR_OK && tri_batch_next(reader, &e, &err)) {
            assert_true(e.payload_size == 0 || (e.payload > copy && e.payload < copy + 1 + size));
            assert_true(e.target >= reader->targets);
            assert_true(e.target < reader->targets + reader->target_count);
            assert_true(tr_utf8_valid(e.target->pid.id.at, e.target->pid.id.size));
            assert_true(tr_utf8_valid(e.type->name.at, e.type->name.size));
            while (tri_next_header(&e.headers, &header, &err))
                assert_true(tr_utf8_valid(header.key.at, header.key.size));
        }
    }
    free(copy);
    return err;
}

static const char *const recorded[] = {ask, reply, terminated, pill_and_stop, ask_b};

static void every_truncation_is_an_error(void **state)
{
    (void)state;
    struct tri_batch_reader reader;
    tri_batch_reader_init(&reader);
    for (size_t i = 0; i < 5; i++) {
        struct bytes bytes = from_hex(recorded[i]);
        assert_int_equal(read_all(&reader, bytes.data, bytes.size), TR_OK);
        for (size_t size = 1; size < bytes.size; size++)
            assert_int_equal(read_all(&reader, bytes.data, size), TR_EPROTO);
        /* The batch cut short inside a message that is whole: never more than malformed. */
        for (size_t size = 2; size < bytes.size; size++) {
            bytes.data[1] = (uint8_t)(size - 2);
            tr_err err = read_all(&reader, bytes.data, size);
            assert_true(err == TR_OK || err == TR_EPROTO);
        }
    }
    tri_batch_reader_fini(&reader);
}

static void mutations_are_read_or_refused(void **state)
{
    (void)state;
    struct tri_batch_reader reader;
    struct tri_prng prng;
    tri_prng_seed(&prng, 5);
    tri_batch_reader_init(&reader);
    int refused = 0;
    for (int round = 0; round < 100000; round++) {
        struct bytes bytes = from_hex(recorded[round % 5]);
        for (uint64_t n = 1 + tri_prng_below(&prng, 3); n > 0; n--)
            bytes.data[tri_prng_below(&prng, bytes.size)] = (uint8_t)tri_prng_next(&prng);
        tr_err err = read_all(&reader, bytes.data, bytes.size);
        assert_true(err == TR_OK || err == TR_EPROTO);
        refused += err != TR_OK;
    }
    assert_true(refused > 20000 && refused < 95000);
    tri_batch_reader_fini(&reader);
}

static void what_no_node_sends_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what, *hex;
        tr_err want;
    } cases[] = {
        {"nothing wrong", "0a110a015412031201741a0220012203120173", TR_OK},
        {"type of 1 out of 1", "0a110a015412031201741a0208012203120173", TR_EPROTO},
        {"type -1", "0a1a0a015412031201741a0b08ffffffffffffffffff012203120173", TR_EPROTO},
        {"target of 1 out of 1", "0a110a015412031201741a0218012203120173", TR_EPROTO},
        {"target -1", "0a1a0a015412031201741a0b18ffffffffffffffffff012203120173", TR_EPROTO},
        {"sender of 2 out of 1", "0a110a015412031201741a0220022203120173", TR_EPROTO},
        {"serializer 2", "0a110a015412031201741a0228022203120173", TR_EPROTO},
        {"no types", "0a0c12031201741a002203120173", TR_EPROTO},
        {"no targets", "0a0a0a01541a002203120173", TR_EPROTO},
        {"open group", "0a120a015412031201741a034b50002203120173", TR_EPROTO},
        {"field 0", "0a110a015412031201741a0200002203120173", TR_EPROTO},
        {"wire type 7", "0a100a015412031201741a010f2203120173", TR_EPROTO},
        {"11 bytes", "0a1b0a015412031201741a0c08ffffffffffffffffffff012203120173", TR_EPROTO},
        {"65 bits", "0a1a0a015412031201741a0b08ffffffffffffffffff022203120173", TR_EPROTO},
        {"type not UTF-8", "0a0f0a01ff12031201741a002203120173", TR_EPROTO},
        {"sender not UTF-8", "0a0f0a015412031201741a0022031201ff", TR_EPROTO},
        {"two members", "22000a0f0a015412031201741a002203120173", TR_EPROTO},
    };
    struct tri_batch_reader reader;
    tri_batch_reader_init(&reader);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes bytes = from_hex(cases[i].hex);
        tr_err err = read_all(&reader, bytes.data, bytes.size);
        if (err != cases[i].want)
            fail_msg("%s: %s", cases[i].what, tr_strerror(err));
    }
    tri_batch_reader_fini(&reader);
}

static void tables_have_a_limit(void **state)
{
    (void)state;
    struct tri_batch_reader reader;
    tri_batch_reader_init(&reader);
    size_t size = 2 * (TRI_BATCH_TABLE_MAX + 1);
    uint8_t *data = calloc(1, size);
    assert_non_null(data);
    for (uint8_t tag = 0x0A; tag <= 0x22; tag += 8) {
        if (tag == 0x1A)
            continue;
        for (size_t i = 0; i < size; i += 2)
            data[i] = tag;
        assert_int_equal(tri_batch_parse(&reader, data, size - 2, TRI_DIALECT_UNKNOWN), TR_OK);
        assert_int_equal(tri_batch_parse(&reader, data, size, TRI_DIALECT_UNKNOWN), TR_EFULL);
    }
    free(data);
    tri_batch_reader_fini(&reader);

    struct out *out = malloc(sizeof *out);
    uint8_t *memory = malloc(8 << 20);
    assert_true(out && memory);
    int32_t index;
    tri_batch_init(&out->batch);
    tri_batch_begin(&out->batch, TRI_DIALECT_A, memory, 8 << 20);
    for (uint64_t i = 1; i <= TRI_BATCH_TABLE_MAX; i++)
        assert_int_equal(tri_batch_put_type(&out->batch, i, TRI_NAME("t"), &index), TRI_BATCH_OK);
    assert_int_equal(tri_batch_put_type(&out->batch, 7, TRI_NAME("t"), &index), TRI_BATCH_FULL);
    out_free(out);
    free(memory);
}

static void memory_that_runs_out_is_told(void **state)
{
    (void)state;
    struct bytes bytes = from_hex(ask);
    for (int64_t n = 0;; n++) {
        struct tri_batch_reader reader;
        tri_batch_reader_init(&reader);
        tri_alloc_fail_after(n);
        tr_err err = read_all(&reader, bytes.data, bytes.size);
        bool out = tri_alloc_fail_pending();
        tri_alloc_fail_after(-1);
        tri_batch_reader_fini(&reader);
        assert_int_equal(err, out ? TR_OK : TR_ENOMEM);
        if (out) {
            assert_int_equal(n, 3);
            break;
        }
    }
    struct out *out = out_of(TRI_DIALECT_A, 65536);
    int32_t index;
    tri_alloc_fail_after(0);
    assert_int_equal(tri_batch_put_type(&out->batch, 1, TRI_NAME("t"), &index),
                     TRI_BATCH_NO_MEMORY);
    assert_int_equal(tri_batch_put_type(&out->batch, 1, TRI_NAME("t"), &index), TRI_BATCH_OK);
    assert_int_equal(index, 0);
    out_free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_out_comes_in),
        cmocka_unit_test(what_fits_nowhere_is_told_from_what_fits_next),
        cmocka_unit_test(every_truncation_is_an_error),
        cmocka_unit_test(mutations_are_read_or_refused),
        cmocka_unit_test(what_no_node_sends_is_refused),
        cmocka_unit_test(tables_have_a_limit),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
