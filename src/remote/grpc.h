/*
 * remote/grpc.h - gRPC's framing and texts, without I/O.
 *
 * A message on a stream is a byte that tells whether it is compressed, four of length (big endian),
 * and the message; where DATA frames begin and end says nothing.
 */
#ifndef TROUPE_REMOTE_GRPC_H
#define TROUPE_REMOTE_GRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRI_GRPC_PREFIX 5u

/* ---- Incoming messages --------------------------------------------------- */

/* One buffer that deframers of a thread pass around, so that a stream between two messages holds
 * none; and how much all of them hold, which no peer may drive beyond a limit. */
struct tri_spare {
    uint8_t *bytes;
    size_t capacity;
    size_t lent, lent_max; /* bytes; 0: no limit */
};
#define TRI_SPARE_MAX (1u << 20) /* bytes worth keeping */
void tri_spare_fini(struct tri_spare *spare);
/* Accounts for `size` more bytes held for a peer; false: that is too much in all. */
bool tri_spare_lend(struct tri_spare *spare, size_t size);

/* Zeroed: at the beginning of a stream. */
struct tri_deframer {
    uint8_t prefix[TRI_GRPC_PREFIX];
    uint8_t prefix_size;
    bool told; /* the message in `bytes` has been given out */
    uint8_t
        *bytes; /* a message that comes in pieces; as large as what has come, not as announced */
    size_t size, capacity, want;
};

enum tri_deframed {
    TRI_DEFRAMED_NOTHING, /* all was taken in */
    TRI_DEFRAMED_MESSAGE,
    TRI_DEFRAMED_BAD_FLAG, /* the first byte is neither 0 nor 1 */
    TRI_DEFRAMED_TOO_LARGE,
    TRI_DEFRAMED_NO_MEMORY /* or all streams together hold too much */
};

struct tri_deframed_message {
    const uint8_t *at; /* in *data or in the deframer: until the next call */
    size_t size;
    bool compressed;
};

/*
 * Takes bytes from *data (*size of them, both moved on) up to the end of the next message. Call
 * until it returns something but MESSAGE. After an error the stream is at no known place: give up.
 * `want` then tells the size announced.
 */
enum tri_deframed tri_deframe(struct tri_deframer *deframer, const uint8_t **data, size_t *size,
                              size_t message_max, struct tri_spare *spare,
                              struct tri_deframed_message *ret_message);
/* True in the middle of a message. */
bool tri_deframer_within(const struct tri_deframer *deframer);
void tri_deframer_fini(struct tri_deframer *deframer, struct tri_spare *spare);

/* ---- Outgoing messages --------------------------------------------------- */

static inline void tri_grpc_prefix(uint8_t prefix[TRI_GRPC_PREFIX], size_t size)
{
    prefix[0] = 0;
    prefix[1] = (uint8_t)(size >> 24);
    prefix[2] = (uint8_t)(size >> 16);
    prefix[3] = (uint8_t)(size >> 8);
    prefix[4] = (uint8_t)size;
}

/* ---- grpc-message -------------------------------------------------------- */

/* Percent-encodes what is not printable ASCII; cuts what does not fit. Returns the size. */
size_t tri_grpc_escape(const char *text, char *to, size_t to_size);
/* The reverse; what is no valid code stays as it is; control characters become '?'. Terminated. */
void tri_grpc_unescape(const uint8_t *text, size_t size, char *to, size_t to_size);

/* 0 … 16, or -1. */
int tri_grpc_status(const uint8_t *text, size_t size);
/* What a gRPC client makes of an HTTP status other than 200. */
int tri_grpc_from_http(int http_status);
/* What it makes of an HTTP/2 error code that ended a stream. */
int tri_grpc_from_h2(uint32_t code);

#endif
