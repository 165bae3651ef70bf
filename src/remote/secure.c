/* secure.c - one TLS connection: bytes in, bytes out, and who is at the other end. */
#include "remote/secure.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define RECORD_SIZE (16u << 10) /* the largest of TLS */
#define NAMES_SIZE 1024u

struct tri_tls_link {
    struct tri_tls *tls;
    SSL *ssl;
    bool server;
    bool no_memory;
    /* What the kernel gave and OpenSSL has not taken; valid within a call. */
    const uint8_t *in;
    size_t in_size;
    /* What OpenSSL gave and the kernel has not taken. */
    struct tri_spare *spare; /* the thread's, where memory comes from and goes to */
    uint8_t *out;
    size_t out_at, out_size, out_capacity;
    char host[256];
    char names[NAMES_SIZE];
};

/* ---- OpenSSL's side ------------------------------------------------------ */

static int bio_read(BIO *bio, char *to, int size)
{
    struct tri_tls_link *link = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (link->in_size == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t take = (size_t)size < link->in_size ? (size_t)size : link->in_size;
    memcpy(to, link->in, take);
    link->in += take;
    link->in_size -= take;
    return (int)take;
}

static bool reserve(struct tri_tls_link *link, size_t more)
{
    if (link->out_size + more <= link->out_capacity)
        return true;
    if (!link->out && link->spare->bytes) { /* Fresh pages would cost more than to encrypt. */
        link->out = link->spare->bytes;
        link->out_capacity = link->spare->capacity;
        link->spare->bytes = NULL;
        link->spare->capacity = 0;
        if (more <= link->out_capacity)
            return true;
    }
    size_t capacity = link->out_size + more + link->out_size / 2;
    uint8_t *out = tri_realloc(link->out, capacity);
    if (!out)
        return false;
    link->out = out;
    link->out_capacity = capacity;
    return true;
}

static void free_out(struct tri_tls_link *link)
{
    if (link->out && link->out_capacity > link->spare->capacity &&
        link->out_capacity <= TRI_SPARE_MAX) {
        tri_spare_fini(link->spare);
        link->spare->bytes = link->out;
        link->spare->capacity = link->out_capacity;
    } else {
        tri_free(link->out);
    }
    link->out = NULL;
    link->out_at = link->out_size = link->out_capacity = 0;
}

static int bio_write(BIO *bio, const char *from, int size)
{
    struct tri_tls_link *link = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!reserve(link, (size_t)size)) {
        link->no_memory = true;
        return -1;
    }
    memcpy(link->out + link->out_size, from, (size_t)size);
    link->out_size += (size_t)size;
    return size;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *method;

/* Before threads run main's; never freed while they may. */
__attribute__((constructor)) static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "troupe");
    if (method) {
        (void)BIO_meth_set_read(method, bio_read);
        (void)BIO_meth_set_write(method, bio_write);
        (void)BIO_meth_set_ctrl(method, bio_ctrl);
    }
}

__attribute__((destructor)) static void free_method(void)
{
    BIO_meth_free(method);
}

/* ---- Life ---------------------------------------------------------------- */

/* Servers must be named as they were dialled, unless a list says what they are named. */
static bool expect_host(struct tri_tls_link *link)
{
    struct in6_addr address;
    if (inet_pton(AF_INET, link->host, &address) == 1 ||
        inet_pton(AF_INET6, link->host, &address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(link->ssl), link->host) == 1;
    return SSL_set_tlsext_host_name(link->ssl, link->host) == 1 &&
           (tri_tls_wants_names(link->tls) || SSL_set1_host(link->ssl, link->host) == 1);
}

struct tri_tls_link *tri_tls_begin(struct tri_tls *tls, bool server, const char *host,
                                   struct tri_spare *spare)
{
    struct tri_tls_link *link = tri_calloc(1, sizeof *link);
    BIO *bio = method ? BIO_new(method) : NULL;
    SSL *ssl = tri_tls_new_ssl(tls, server);
    if (!link || !bio || !ssl) {
        tri_free(link);
        BIO_free(bio);
        SSL_free(ssl);
        return NULL;
    }
    link->tls = tls;
    link->ssl = ssl;
    link->spare = spare;
    link->server = server;
    (void)snprintf(link->host, sizeof link->host, "%s", host);
    BIO_set_data(bio, link);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    if (server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    if (!server && !expect_host(link)) {
        tri_tls_end(link);
        return NULL;
    }
    return link;
}

void tri_tls_end(struct tri_tls_link *link)
{
    if (!link)
        return;
    SSL_free(link->ssl);
    free_out(link);
    tri_free(link);
}

/* ---- Who the peer is ----------------------------------------------------- */

/* Names that could be taken for two are left out. */
static void add_name(struct tri_tls_link *link, const char *name, size_t size)
{
    size_t have = strlen(link->names);
    for (size_t i = 0; i < size; i++) {
        if (name[i] <= ' ' || name[i] == 0x7F)
            return;
    }
    if (size == 0 || have + 1 + size >= sizeof link->names)
        return;
    if (have > 0)
        link->names[have++] = ' ';
    memcpy(link->names + have, name, size);
    link->names[have + size] = '\0';
}

static void collect_names(struct tri_tls_link *link)
{
    X509 *certificate = SSL_get0_peer_certificate(link->ssl);
    if (!certificate || SSL_get_verify_result(link->ssl) != X509_V_OK)
        return;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS || name->type == GEN_URI) {
            add_name(link, (const char *)ASN1_STRING_get0_data(name->d.ia5),
                     (size_t)ASN1_STRING_length(name->d.ia5));
        } else if (name->type == GEN_IPADD) {
            char text[INET6_ADDRSTRLEN] = "";
            int family = ASN1_STRING_length(name->d.ip) == 4 ? AF_INET : AF_INET6;
            if (ASN1_STRING_length(name->d.ip) == (family == AF_INET ? 4 : 16))
                (void)inet_ntop(family, ASN1_STRING_get0_data(name->d.ip), text, sizeof text);
            add_name(link, text, strlen(text));
        }
    }
    GENERAL_NAMES_free(names);
}

const char *tri_tls_names(const struct tri_tls_link *link)
{
    return link->names;
}

static enum tri_tls_result fail(struct tri_tls_link *link, const char *what, char *text,
                                size_t text_size)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    long verified = SSL_get_verify_result(link->ssl);
    ERR_clear_error();
    if (link->no_memory)
        (void)snprintf(text, text_size, "%s: no memory", what);
    else if (verified != X509_V_OK)
        (void)snprintf(text, text_size, "%s: the peer's certificate is refused: %s", what,
                       X509_verify_cert_error_string(verified));
    else
        (void)snprintf(text, text_size, "%s: %s", what, reason ? reason : "the peer broke off");
    return TRI_TLS_FAILED;
}

static enum tri_tls_result shaken(struct tri_tls_link *link, char *text, size_t text_size)
{
    const unsigned char *protocol;
    unsigned size;
    SSL_get0_alpn_selected(link->ssl, &protocol, &size);
    if (size != 2 || memcmp(protocol, "h2", 2) != 0) {
        (void)snprintf(text, text_size, "TLS: the peer does not speak HTTP/2");
        return TRI_TLS_FAILED;
    }
    collect_names(link);
    /* Clients that are not asked for a certificate have no names to check. */
    bool unasked = link->server && SSL_get_verify_mode(link->ssl) == SSL_VERIFY_NONE;
    if (!unasked && !tri_tls_allows(link->tls, link->names)) {
        (void)snprintf(text, text_size, "TLS: none of the peer's names is allowed: '%s'",
                       link->names);
        return TRI_TLS_FAILED;
    }
    return TRI_TLS_DONE;
}

/* ---- Bytes --------------------------------------------------------------- */

enum tri_tls_result tri_tls_shake(struct tri_tls_link *link, const uint8_t **data, size_t *size,
                                  char *text, size_t text_size)
{
    link->in = *data;
    link->in_size = *size;
    ERR_clear_error();
    int rv = SSL_do_handshake(link->ssl);
    int why = rv == 1 ? SSL_ERROR_NONE : SSL_get_error(link->ssl, rv);
    *data = link->in;
    *size = link->in_size;
    link->in_size = 0;
    if (rv == 1)
        return shaken(link, text, text_size);
    if (why == SSL_ERROR_WANT_READ)
        return TRI_TLS_MORE;
    return fail(link, "TLS handshake", text, text_size);
}

enum tri_tls_result tri_tls_input(struct tri_tls_link *link, const uint8_t **data, size_t *size,
                                  uint8_t *plain, size_t room, size_t *ret_size, char *text,
                                  size_t text_size)
{
    size_t got = 0;
    int rv = 1, why = SSL_ERROR_NONE;
    link->in = *data;
    link->in_size = *size;
    ERR_clear_error();
    while (room - got >= RECORD_SIZE) {
        rv = SSL_read(link->ssl, plain + got, RECORD_SIZE);
        if (rv <= 0) {
            why = SSL_get_error(link->ssl, rv);
            break;
        }
        got += (size_t)rv;
    }
    *data = link->in;
    *size = link->in_size;
    *ret_size = got;
    link->in_size = 0;
    if (rv > 0)
        return TRI_TLS_DONE;
    if (why == SSL_ERROR_WANT_READ)
        return TRI_TLS_MORE;
    if (why == SSL_ERROR_ZERO_RETURN) {
        (void)snprintf(text, text_size, "the peer closed the connection");
        return TRI_TLS_FAILED;
    }
    return fail(link, "TLS", text, text_size);
}

static bool put(struct tri_tls_link *link, const uint8_t *data, size_t size)
{
    while (size > 0) {
        size_t take = size < RECORD_SIZE ? size : RECORD_SIZE;
        if (SSL_write(link->ssl, data, (int)take) != (int)take)
            return false;
        data += take;
        size -= take;
    }
    return true;
}

bool tri_tls_output(struct tri_tls_link *link, const struct iovec *iov, unsigned count)
{
    uint8_t record[RECORD_SIZE];
    size_t have = 0, total = 0;
    for (unsigned i = 0; i < count; i++)
        total += iov[i].iov_len;
    /* Header, tag and the like of each record: well below 64 bytes. */
    if (!reserve(link, total + (total / RECORD_SIZE + count + 1) * 64))
        return false;
    ERR_clear_error();
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *at = iov[i].iov_base;
        size_t left = iov[i].iov_len;
        while (left > 0) {
            if (have == 0 && left >= RECORD_SIZE) { /* Full records need no copy. */
                size_t whole = left - left % RECORD_SIZE;
                if (!put(link, at, whole))
                    return false;
                at += whole;
                left -= whole;
                continue;
            }
            size_t take = left < RECORD_SIZE - have ? left : RECORD_SIZE - have;
            memcpy(record + have, at, take);
            have += take;
            at += take;
            left -= take;
            if (have == RECORD_SIZE) {
                if (!put(link, record, have))
                    return false;
                have = 0;
            }
        }
    }
    return put(link, record, have);
}

size_t tri_tls_pending(const struct tri_tls_link *link)
{
    return link->out_size - link->out_at;
}

ssize_t tri_tls_write(struct tri_tls_link *link, int fd)
{
    if (tri_tls_pending(link) == 0)
        return 0;
    ssize_t n = send(fd, link->out + link->out_at, tri_tls_pending(link), MSG_NOSIGNAL);
    if (n < 0)
        return n;
    link->out_at += (size_t)n;
    if (tri_tls_pending(link) == 0) /* An idle connection holds no memory. */
        free_out(link);
    return n;
}
