/*
 * client.c - a wire's client for servers that are programs of their own.
 *   client ADDRESS COUNT SIZE [--path PATH] [--tls CERTIFICATE KEY CA]
 * Calls PATH (/test/Echo), sends COUNT messages of SIZE bytes, and half-closes when as many have
 * come back (or at once, of 0). Prints "MESSAGES BYTES STATUS TEXT"; exits 1 when bytes differ.
 */
#include "base/assert.h"
#include "os/park.h"
#include "remote/io.h"
#include "remote/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct piece {
    struct tri_buffer buffer;
    uint8_t bytes[];
};

static struct tri_wire *wire;
static const char *address, *path = "/test/Echo";
static size_t count, size, messages, bytes;
static bool differs;
static int status;
static char text[256];
static struct tri_park done;

/* Byte `at` of message `number`. */
static uint8_t byte_of(size_t number, size_t at)
{
    return (uint8_t)(number * 31 + at * 7 + at / 256);
}

static void released(struct tri_buffer *buffer, enum tri_buffer_fate fate)
{
    (void)fate;
    free(TRI_CONTAINER_OF(buffer, struct piece, buffer));
}

static void opened(void *user, struct tri_stream *stream)
{
    (void)user;
    for (size_t i = 0; i < count; i++) {
        struct piece *piece = calloc(1, sizeof *piece + size);
        if (!piece)
            exit(1);
        for (size_t k = 0; k < size; k++)
            piece->bytes[k] = byte_of(i, k);
        piece->buffer.part[1].at = piece->bytes;
        piece->buffer.part[1].size = size;
        piece->buffer.release = released;
        wire->send(stream, &piece->buffer);
    }
    if (count == 0)
        wire->close_send(stream);
}

static void message(void *user, struct tri_stream *stream, const uint8_t *data, size_t got)
{
    (void)user;
    differs |= got != size;
    for (size_t k = 0; k < got && !differs; k++)
        differs = data[k] != byte_of(messages, k);
    bytes += got;
    if (++messages == count)
        wire->close_send(stream);
}

static void closed(void *user, struct tri_stream *stream, int with, const char *why)
{
    (void)user;
    (void)stream;
    status = with;
    (void)snprintf(text, sizeof text, "%s", why);
    tri_park_wake(&done);
}

static const struct tri_wire_events events = {
    .opened = opened, .message = message, .closed = closed};

static void dial(struct tri_wire_job *job)
{
    (void)job;
    if (!wire->dial(wire->self, address, path, &events, NULL))
        exit(1);
}

int main(int argc, char **argv)
{
    struct tri_io_config config = {0};
    struct tri_tls_config tls = {0};
    struct tri_io_group *group;
    struct tr_error error;
    struct tri_wire_job job = {.run = dial};
    if (argc < 4)
        return 2;
    address = argv[1];
    count = strtoul(argv[2], NULL, 10);
    size = strtoul(argv[3], NULL, 10);
    for (int i = 4; i < argc; i++) {
        if (strcmp(argv[i], "--path") == 0 && i + 1 < argc) {
            path = argv[++i];
        } else if (strcmp(argv[i], "--tls") == 0 && i + 3 < argc) {
            tls.certificate_file = argv[++i];
            tls.key_file = argv[++i];
            tls.ca_file = argv[++i];
        } else {
            fprintf(stderr, "client: unknown option '%s'\n", argv[i]);
            return 2;
        }
    }
    if ((tls.key_file && tri_tls_create(&tls, &config.tls, &error) != TR_OK) ||
        tri_io_create(&config, &group, &error) != TR_OK) {
        fprintf(stderr, "client: %s\n", error.text);
        return 1;
    }
    wire = tri_io_wire(group, 0);
    wire->post(wire->self, &job);
    (void)tri_park_wait(&done, -1);
    tri_io_destroy(group);
    tri_tls_destroy(config.tls);
    printf("%zu %zu %d %s\n", messages, bytes, status, text);
    return differs ? 1 : 0;
}
