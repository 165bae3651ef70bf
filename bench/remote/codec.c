/*
 * bench_codec [ROUNDS] - nanoseconds per envelope: batches of 1,000 envelopes of 40 bytes, written
 * and read by our codec and by protobuf-c, interleaved. `envelope`: the message in it is bytes that
 * are there already; `message`: it is a struct of C before and after. Prints medians as JSON.
 */
#include "a/remote.pb-c.h"
#include "codec/messages.h"
#include "sample.pb-c.h"
#include "sample.troupe.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ENVELOPES 1000
#define ROUNDS_MAX 1001
#define BATCHES 20 /* per round: what is measured takes 100 µs at least */

static struct bench_sample samples[ENVELOPES];
static uint8_t ours[1 << 17], theirs[1 << 17];
static size_t ours_size, theirs_size;
static uint8_t *ours_at;
static uint64_t checksum;
static bool with_message; /* Or are its bytes copied out of and left in the batch? */
static uint8_t payloads[ENVELOPES][64];
static size_t payload_sizes[ENVELOPES];

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench_codec: %s\n", what);
    exit(1);
}

static void make_samples(void)
{
    for (uint64_t i = 0; i < ENVELOPES; i++) {
        samples[i] = (struct bench_sample){.order_id = 1000000000 + i * 7919,
                                           .amount = (int64_t)(i * 104729) - 50000000,
                                           .placed_at = 1700000000000 + i,
                                           .quantity = 1 + (uint32_t)i % 9,
                                           .express = i % 2};
        (void)snprintf(samples[i].customer, sizeof samples[i].customer, "C-%07u",
                       (unsigned)(i * 7919) % 10000000);
    }
}

/* ---- Ours ---------------------------------------------------------------- */

static void put(struct tri_batch *batch, size_t index)
{
    static const struct tri_wire_pid target = {TRI_NAME("127.0.0.1:9000"), TRI_NAME("ledger"), 0};
    static const struct tri_wire_pid sender = {TRI_NAME("127.0.0.1:9100"), TRI_NAME("order"), 0};
    struct tri_envelope_out out = {.body = payloads[index], .body_size = payload_sizes[index]};
    if (with_message) {
        out.codec = bench_sample_type.codec;
        out.body = &samples[index];
        out.body_size = sizeof samples[index];
    }
    uint64_t type = (uint64_t)(uintptr_t)&bench_sample_type;
    out.type = tri_batch_find(batch, &batch->types, type);
    out.target = tri_batch_find(batch, &batch->targets, 77);
    out.sender = tri_batch_find(batch, &batch->senders, 78);
    if ((out.type < 0 &&
         tri_batch_put_type(batch, type, tri_name(bench_sample_type.name), &out.type)) ||
        (out.target < 0 && tri_batch_put_target(batch, 77, &target, &out.target)) ||
        (out.sender < 0 && tri_batch_put_sender(batch, 78, &sender, &out.sender)) ||
        tri_batch_add(batch, &out) != TRI_BATCH_OK)
        die("the batch is full");
}

static void write_ours(void)
{
    static struct tri_batch batch;
    if (batch.serial == 0)
        tri_batch_init(&batch);
    tri_batch_begin(&batch, TRI_DIALECT_A, ours, sizeof ours);
    for (size_t i = 0; i < ENVELOPES; i++)
        put(&batch, i);
    ours_at = tri_batch_finish(&batch, &ours_size);
}

static void read_ours(void)
{
    static struct tri_batch_reader reader;
    struct tri_remote_message message;
    struct tri_envelope_in in;
    tr_err err;
    if (tri_parse_remote_message(ours_at, ours_size, &message) != TR_OK ||
        tri_batch_parse(&reader, message.data, message.size, TRI_DIALECT_A) != TR_OK)
        die("our batch does not parse");
    while (tri_batch_next(&reader, &in, &err)) {
        const struct tr_type *type = in.type->seen;
        if (!type) { /* Once per batch and type. */
            if (!tri_name_equal(in.type->name, tri_name(bench_sample_type.name)))
                die("our batch has another type");
            in.type->seen = type = &bench_sample_type;
        }
        checksum += in.payload_size + in.payload[1];
        if (!with_message)
            continue;
        struct bench_sample sample;
        size_t size;
        if (tr_codec_measure(type, in.payload, in.payload_size, &size) != TR_OK ||
            type->codec->decode(in.payload, in.payload_size, &sample, size) != TR_OK)
            die("our message does not parse");
        checksum += sample.order_id + (uint64_t)sample.amount + sample.quantity;
    }
    if (err != TR_OK)
        die("our batch is malformed");
}

/* ---- protobuf-c ---------------------------------------------------------- */

static void write_theirs(void)
{
    static Remote__MessageEnvelope envelopes[ENVELOPES];
    static Remote__MessageEnvelope *envelope_list[ENVELOPES];
    char *names[] = {(char *)"bench.Sample"};
    Actor__PID target = ACTOR__PID__INIT, sender = ACTOR__PID__INIT;
    target.address = (char *)"127.0.0.1:9000";
    target.id = (char *)"ledger";
    sender.address = (char *)"127.0.0.1:9100";
    sender.id = (char *)"order";
    Actor__PID *targets[] = {&target}, *senders[] = {&sender};
    for (size_t i = 0; i < ENVELOPES; i++) {
        envelopes[i] = (Remote__MessageEnvelope)REMOTE__MESSAGE_ENVELOPE__INIT;
        envelopes[i].message_data.len = payload_sizes[i];
        envelopes[i].message_data.data = payloads[i];
        envelopes[i].sender = 1;
        envelope_list[i] = &envelopes[i];
        if (!with_message)
            continue;
        const struct bench_sample *s = &samples[i];
        Bench__Sample sample = BENCH__SAMPLE__INIT;
        sample.order_id = s->order_id;
        sample.amount = s->amount;
        sample.placed_at = s->placed_at;
        sample.quantity = s->quantity;
        sample.express = s->express;
        sample.customer = (char *)s->customer;
        envelopes[i].message_data.len = payload_sizes[i] = bench__sample__pack(&sample,
                                                                               payloads[i]);
    }
    Remote__MessageBatch batch = REMOTE__MESSAGE_BATCH__INIT;
    batch.n_type_names = batch.n_targets = batch.n_senders = 1;
    batch.type_names = names;
    batch.targets = targets;
    batch.senders = senders;
    batch.n_envelopes = ENVELOPES;
    batch.envelopes = envelope_list;
    Remote__RemoteMessage message = REMOTE__REMOTE_MESSAGE__INIT;
    message.message_type_case = REMOTE__REMOTE_MESSAGE__MESSAGE_TYPE_MESSAGE_BATCH;
    message.message_batch = &batch;
    theirs_size = remote__remote_message__pack(&message, theirs);
}

static void read_theirs(void)
{
    Remote__RemoteMessage *message = remote__remote_message__unpack(NULL, theirs_size, theirs);
    if (!message)
        die("protobuf-c's batch does not parse");
    const Remote__MessageBatch *batch = message->message_batch;
    for (size_t i = 0; i < batch->n_envelopes; i++) {
        const Remote__MessageEnvelope *envelope = batch->envelopes[i];
        checksum += envelope->message_data.len + envelope->message_data.data[1];
        if (!with_message)
            continue;
        Bench__Sample *sample = bench__sample__unpack(NULL, envelope->message_data.len,
                                                      envelope->message_data.data);
        if (!sample)
            die("protobuf-c's message does not parse");
        checksum += sample->order_id + (uint64_t)sample->amount + sample->quantity;
        bench__sample__free_unpacked(sample, NULL);
    }
    remote__remote_message__free_unpacked(message, NULL);
}

/* ---- Measuring ----------------------------------------------------------- */

/* Processor time, so that neighbours on the machine count as little as they can. */
static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double measure(void (*run)(void), int batches)
{
    double began = now_ns();
    for (int i = 0; i < batches; i++)
        run();
    return (now_ns() - began) / ENVELOPES / batches;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Both write the same bytes, and read the same values. */
static void check(void)
{
    write_theirs();
    write_ours();
    if (ours_size != theirs_size || memcmp(ours_at, theirs, ours_size) != 0)
        die("the two batches are not the same bytes");
    uint64_t before = checksum;
    read_ours();
    uint64_t once = checksum - before;
    read_theirs();
    if (checksum - before != 2 * once)
        die("the two batches do not have the same values");
}

int main(int argc, char *argv[])
{
    static void (*const what[])(void) = {write_ours, read_ours, write_theirs, read_theirs};
    static const char *const names[] = {"encode", "decode", "protobuf_c_encode",
                                        "protobuf_c_decode"};
    static double ns[2][4][ROUNDS_MAX];
    int rounds = argc > 1 ? atoi(argv[1]) : 101;
    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "bench_codec: %s rounds, want 1 to %d\n", argv[1], ROUNDS_MAX);
        return 2;
    }
    make_samples();
    with_message = true;
    check();
    with_message = false;
    check();
    for (int round = 0; round < rounds; round++)
        for (int message = 0; message < 2; message++) {
            with_message = message;
            for (int k = 0; k < 4; k++)
                ns[message][k][round] = measure(what[k], BATCHES);
        }
    printf("{\"envelope_bytes\": %.1f", (double)ours_size / ENVELOPES);
    for (int message = 0; message < 2; message++)
        for (int k = 0; k < 4; k++) {
            qsort(ns[message][k], (size_t)rounds, sizeof ns[message][k][0], compare);
            printf(", \"%s_%s_ns\": %.1f", message ? "message" : "envelope", names[k],
                   ns[message][k][rounds / 2]);
        }
    printf("}\n");
    return 0;
}
