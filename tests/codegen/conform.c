/*
 * Random messages against other implementations of protobuf: byte-equal where there is one way to
 * write a message (no maps, no oneofs out of order), value-equal always.
 *
 *   conform write SEED COUNT FILE    writes COUNT random messages as frames (see go/main.go)
 *   conform check SEED COUNT FILE    reads the same messages as another program wrote them again
 *   conform protobuf-c SEED COUNT    has protobuf-c read and write them, in this process
 *
 * CONFORM_TYPES names a header with the table of types.
 */
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>

struct conform_type {
    const struct tr_type *type;
    const ProtobufCMessageDescriptor *other;
};

#include "random_message.h"

#include CONFORM_TYPES
#define TYPE_COUNT (sizeof conform_types / sizeof conform_types[0])

static _Noreturn void fail(const char *what, const struct tr_type *type, uint64_t number,
                           const uint8_t *data, size_t size)
{
    fprintf(stderr, "conform: %s: message %llu, %s:\n", what, (unsigned long long)number,
            type ? type->name : "-");
    for (size_t i = 0; i < size; i++)
        fprintf(stderr, "%02x", data[i]);
    fprintf(stderr, "\n");
    exit(1);
}

/* A random message, its body and its encoding. */
struct sample {
    const struct conform_type *of;
    void *body;
    size_t body_size, size;
    uint8_t *data;
};

static struct sample sample(struct tri_prng *prng, uint64_t number)
{
    struct sample sample = {.of = &conform_types[number % TYPE_COUNT]};
    const struct tr_type *type = sample.of->type;
    sample.body = random_body(prng, type, &sample.body_size);
    size_t room = type->codec->encoded_size(sample.body, sample.body_size);
    sample.data = malloc(room + 1);
    if (!sample.body || !sample.data)
        fail("no memory", type, number, NULL, 0);
    uint8_t *end = type->codec->encode(sample.body, sample.body_size, sample.data);
    if (!end || end > sample.data + room)
        fail("encoding failed", type, number, NULL, 0);
    sample.size = (size_t)(end - sample.data);
    return sample;
}

static void sample_free(struct sample *sample)
{
    free(sample->body);
    free(sample->data);
}

static bool has_flag(const struct tr_message_info *info, uint32_t flag)
{
    for (uint32_t i = 0; i < info->field_count; i++)
        if (info->fields[i].flags & flag ||
            (info->fields[i].message && has_flag(info->fields[i].message, flag)))
            return true;
    return false;
}

/* What another program wrote must be what we wrote, in value and, where it is canonical, in bytes. */
static void compare(const struct sample *sample, uint64_t number, const uint8_t *data, size_t size,
                    uint32_t not_canonical)
{
    const struct tr_type *type = sample->of->type;
    size_t body_size;
    tr_err err = tr_codec_measure(type, data, size, &body_size);
    void *body = err == TR_OK ? malloc(body_size) : NULL;
    if (!body)
        fail("cannot be measured", type, number, data, size);
    err = type->codec->decode(data, size, body, body_size);
    if (err != TR_OK)
        fail("cannot be decoded", type, number, data, size);
    if (!same_fields(type->codec->info, sample->body, body))
        fail("has other values", type, number, data, size);
    free(body);
    if (has_flag(type->codec->info, not_canonical))
        return;
    if (size != sample->size || memcmp(data, sample->data, size) != 0)
        fail("has other bytes", type, number, data, size);
}

static void write_part(FILE *file, const void *data, size_t size)
{
    uint32_t prefix = tr_le32_((uint32_t)size);
    if (fwrite(&prefix, sizeof prefix, 1, file) != 1 || fwrite(data, 1, size, file) != size)
        fail("cannot write", NULL, 0, NULL, 0);
}

static uint8_t *read_part(FILE *file, size_t *ret_size)
{
    uint32_t prefix;
    if (fread(&prefix, sizeof prefix, 1, file) != 1)
        fail("the file ends early", NULL, 0, NULL, 0);
    *ret_size = tr_le32_(prefix);
    uint8_t *data = malloc(*ret_size + 1);
    if (!data || fread(data, 1, *ret_size, file) != *ret_size)
        fail("the file ends early", NULL, 0, NULL, 0);
    return data;
}

static void write_all(struct tri_prng *prng, uint64_t count, FILE *file)
{
    for (uint64_t i = 0; i < count; i++) {
        struct sample one = sample(prng, i);
        write_part(file, one.of->type->name, strlen(one.of->type->name));
        write_part(file, one.data, one.size);
        sample_free(&one);
    }
}

static void check_all(struct tri_prng *prng, uint64_t count, FILE *file)
{
    for (uint64_t i = 0; i < count; i++) {
        struct sample one = sample(prng, i);
        size_t name_size, size;
        uint8_t *name = read_part(file, &name_size), *data = read_part(file, &size);
        if (name_size != strlen(one.of->type->name) ||
            memcmp(name, one.of->type->name, name_size) != 0)
            fail("is of another type", one.of->type, i, name, name_size);
        compare(&one, i, data, size, TR_FIELD_MAP | TR_FIELD_ONEOF);
        free(name);
        free(data);
        sample_free(&one);
    }
    if (fgetc(file) != EOF)
        fail("the file goes on", NULL, count, NULL, 0);
}

static void with_protobuf_c(struct tri_prng *prng, uint64_t count)
{
    random_without_negative_zero = true;
    for (uint64_t i = 0; i < count; i++) {
        struct sample one = sample(prng, i);
        ProtobufCMessage *message = protobuf_c_message_unpack(one.of->other, NULL, one.size,
                                                              one.data);
        if (!message)
            fail("protobuf-c cannot unpack", one.of->type, i, one.data, one.size);
        if (message->n_unknown_fields > 0)
            fail("protobuf-c finds unknown fields", one.of->type, i, one.data, one.size);
        size_t size = protobuf_c_message_get_packed_size(message);
        uint8_t *data = malloc(size + 1);
        if (!data || protobuf_c_message_pack(message, data) != size)
            fail("protobuf-c cannot pack", one.of->type, i, one.data, one.size);
        compare(&one, i, data, size, TR_FIELD_MAP);
        free(data);
        protobuf_c_message_free_unpacked(message, NULL);
        sample_free(&one);
    }
}

int main(int argc, char *argv[])
{
    struct tri_prng prng;
    const char *mode = argc > 1 ? argv[1] : "";
    bool file_mode = strcmp(mode, "write") == 0 || strcmp(mode, "check") == 0;
    if (argc != (file_mode ? 5 : 4) || (!file_mode && strcmp(mode, "protobuf-c") != 0)) {
        fprintf(stderr, "usage: conform write|check SEED COUNT FILE | protobuf-c SEED COUNT\n");
        return 2;
    }
    tri_prng_seed(&prng, strtoull(argv[2], NULL, 10));
    uint64_t count = strtoull(argv[3], NULL, 10);
    FILE *file = file_mode ? fopen(argv[4], mode[0] == 'w' ? "wb" : "rb") : NULL;
    if (file_mode && !file) {
        perror(argv[4]);
        return 1;
    }
    if (mode[0] == 'w')
        write_all(&prng, count, file);
    else if (mode[0] == 'c')
        check_all(&prng, count, file);
    else
        with_protobuf_c(&prng, count);
    if (file && fclose(file) != 0) {
        perror(argv[4]);
        return 1;
    }
    return 0;
}
