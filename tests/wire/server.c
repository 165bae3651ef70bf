/*
 * server.c - a wire's server for peers that are programs of their own. Prints its port, echoes every
 * message of /test/Echo, and ends when its input ends.
 *   server [--tls CERTIFICATE KEY CA] [--mutual]
 * Lines of its input: "serving" and "stopped" set the health.
 */
#include "base/assert.h"
#include "remote/io.h"
#include "remote/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct echo {
    struct tri_buffer buffer;
    uint8_t bytes[];
};

static struct tri_wire *wire;

static void echo_release(struct tri_buffer *buffer, enum tri_buffer_fate fate)
{
    (void)fate;
    free(TRI_CONTAINER_OF(buffer, struct echo, buffer));
}

static void echo_message(void *user, struct tri_stream *stream, const uint8_t *data, size_t size)
{
    (void)user;
    struct echo *echo = calloc(1, sizeof *echo + size);
    if (!echo) {
        wire->end(stream, TRI_WIRE_RESOURCE_EXHAUSTED, "no memory");
        return;
    }
    memcpy(echo->bytes, data, size);
    echo->buffer.part[0].at = echo->bytes;
    echo->buffer.part[0].size = size;
    echo->buffer.release = echo_release;
    wire->send(stream, &echo->buffer);
}

static void echo_ended(void *user, struct tri_stream *stream)
{
    (void)user;
    wire->end(stream, TRI_WIRE_OK, NULL);
}

static void echo_closed(void *user, struct tri_stream *stream, int status, const char *text)
{
    (void)user;
    (void)stream;
    (void)status;
    (void)text;
}

static const struct tri_wire_events echo_events = {
    .message = echo_message, .ended = echo_ended, .closed = echo_closed};

static const struct tri_wire_events *accept_echo(void *self, struct tri_wire *from,
                                                 struct tri_stream *stream, const char *path,
                                                 void **ret_user)
{
    (void)self;
    (void)stream;
    *ret_user = NULL;
    wire = from;
    return strcmp(path, "/test/Echo") == 0 ? &echo_events : NULL;
}

int main(int argc, char **argv)
{
    struct tri_io_config config = {.acceptor.accept = accept_echo};
    struct tri_tls_config tls = {0};
    struct tri_io_group *group;
    struct tr_error error;
    uint16_t port;
    char line[64];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--tls") == 0 && i + 3 < argc) {
            tls.certificate_file = argv[++i];
            tls.key_file = argv[++i];
            tls.ca_file = argv[++i];
        } else if (strcmp(argv[i], "--mutual") == 0) {
            tls.mutual = true;
        } else {
            fprintf(stderr, "server: unknown option '%s'\n", argv[i]);
            return 2;
        }
    }
    if ((tls.key_file && tri_tls_create(&tls, &config.tls, &error) != TR_OK) ||
        tri_io_create(&config, &group, &error) != TR_OK ||
        tri_io_listen(group, "127.0.0.1:0", &port, &error) != TR_OK) {
        fprintf(stderr, "server: %s\n", error.text);
        return 1;
    }
    tri_io_set_serving(group, true);
    printf("%u\n", port);
    (void)fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "serving\n") == 0 || strcmp(line, "stopped\n") == 0)
            tri_io_set_serving(group, line[1] == 'e');
    }
    tri_io_destroy(group);
    tri_tls_destroy(config.tls);
    return 0;
}
