/*
 * remote/tls.h - TLS and mutual TLS of connections, with OpenSSL.
 *
 * A tri_tls holds what all connections share: certificates, whom to trust, which names a peer may
 * have. It can be told to read its files anew while connections go on.
 */
#ifndef TROUPE_REMOTE_TLS_H
#define TROUPE_REMOTE_TLS_H

#include "remote/grpc.h"
#include "troupe/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct tri_tls;      /* shared by the I/O threads */
struct tri_tls_link; /* of one connection */

/* Texts are copied. */
struct tri_tls_config {
    const char *certificate_file; /* PEM: the certificate, then those that lead to the root */
    const char *key_file;         /* PEM */
    const char *ca_file;          /* PEM: whom to trust; NULL: whom the system trusts */
    bool mutual;                  /* servers ask clients for a certificate, too */
    /* Ends with NULL. One of them must be among the names (DNS, URI, IP) of the peer's certificate;
     * with a * at the end, what begins with what is before it, as for spiffe URIs. NULL: any name will do for clients, and servers must be named as dialled. */
    const char *const *peer_names;
    /* Asked last, on an I/O thread, with all names of the peer. May be NULL. */
    bool (*allow)(void *self, const char *names);
    void *self;
};

/* Any thread. */
tr_err tri_tls_create(const struct tri_tls_config *config, struct tri_tls **ret_tls,
                      struct tr_error *error);
/* Reads the files anew, for connections from now on. On failure all stays as it was. Any thread. */
tr_err tri_tls_reload(struct tri_tls *tls, struct tr_error *error);
/* After the groups that use it. NULL is fine. */
void tri_tls_destroy(struct tri_tls *tls);

/* ---- One connection, on its thread ---------------------------------------- */

enum tri_tls_result {
    TRI_TLS_DONE, /* the handshake is complete; or some input was taken: go on */
    TRI_TLS_MORE, /* more input is needed */
    TRI_TLS_FAILED
};

/* `host`: whom a client dialled; `spare`: the thread's memory for what was encrypted. NULL: no
 * memory. */
struct tri_tls_link *tri_tls_begin(struct tri_tls *tls, bool server, const char *host,
                                   struct tri_spare *spare);
/* NULL is fine. */
void tri_tls_end(struct tri_tls_link *link);
/* Goes on with the handshake; on failure `text` says why. */
enum tri_tls_result tri_tls_shake(struct tri_tls_link *link, const uint8_t **data, size_t *size,
                                  char *text, size_t text_size);
/* Decrypts into `plain`, which holds `room` bytes; DONE: it is full, there may be more. */
enum tri_tls_result tri_tls_input(struct tri_tls_link *link, const uint8_t **data, size_t *size,
                                  uint8_t *plain, size_t room, size_t *ret_size, char *text,
                                  size_t text_size);
/* The names that the peer's certificate was verified for, separated by spaces. */
const char *tri_tls_names(const struct tri_tls_link *link);
/* Encrypts all of it, in full records. False: no memory. */
bool tri_tls_output(struct tri_tls_link *link, const struct iovec *iov, unsigned count);
/* Encrypted bytes that the kernel has not taken. */
size_t tri_tls_pending(const struct tri_tls_link *link);
/* Hands some of them to the kernel; -1 with errno. */
ssize_t tri_tls_write(struct tri_tls_link *link, int fd);
#endif
