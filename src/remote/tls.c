/* tls.c - what connections share: certificates, trust, names. */
#include "remote/tls.h"

#include "base/alloc.h"
#include "base/error.h"
#include "os/thread.h"
#include "remote/secure.h"

#include <openssl/err.h>
#include <string.h>

#define PEER_NAMES_MAX 256u

struct tri_tls {
    struct tri_tls_config config; /* with copies of its texts */
    char **names;
    tri_mutex mutex; /* of the two below: they change when the files are read anew */
    SSL_CTX *server, *client;
};

/* ---- Contexts ------------------------------------------------------------ */

static int select_h2(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_size,
                     const unsigned char *offered, unsigned offered_size, void *user)
{
    (void)ssl;
    (void)user;
    for (unsigned at = 0; at < offered_size; at += offered[at] + 1u) {
        if (offered[at] == 2 && at + 2 < offered_size && memcmp(offered + at + 1, "h2", 2) == 0) {
            *ret_name = offered + at + 1;
            *ret_size = 2;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static tr_err fail(struct tr_error *error, const char *what, const char *file)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return tri_error_set(error, TR_EINVAL, 0, "%s '%s': %s", what, file,
                         reason ? reason : "not usable");
}

static tr_err load(SSL_CTX *ctx, const struct tri_tls_config *config, struct tr_error *error)
{
    if (config->certificate_file &&
        SSL_CTX_use_certificate_chain_file(ctx, config->certificate_file) != 1)
        return fail(error, "certificate file", config->certificate_file);
    if (config->key_file &&
        SSL_CTX_use_PrivateKey_file(ctx, config->key_file, SSL_FILETYPE_PEM) != 1)
        return fail(error, "key file", config->key_file);
    if (config->key_file && SSL_CTX_check_private_key(ctx) != 1)
        return fail(error, "the key does not belong to the certificate:", config->key_file);
    if (config->ca_file && SSL_CTX_load_verify_file(ctx, config->ca_file) != 1)
        return fail(error, "file of trusted certificates", config->ca_file);
    if (!config->ca_file && SSL_CTX_set_default_verify_paths(ctx) != 1)
        return fail(error, "the system's trusted certificates", "");
    return TR_OK;
}

static tr_err create_context(const struct tri_tls_config *config, bool server, SSL_CTX **ret_ctx,
                             struct tr_error *error)
{
    static const unsigned char protocols[] = {2, 'h', '2'};
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (!ctx)
        return tri_error_set(error, TR_ENOMEM, 0, "no memory for TLS");
    /* What RFC 9113 allows, and no more. */
    bool ok = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
              SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
              SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                            "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
              SSL_CTX_set_alpn_protos(ctx, protocols, sizeof protocols) == 0;
    (void)SSL_CTX_set_options(ctx,
                              SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (server) {
        (void)SSL_CTX_set_num_tickets(ctx, 0);
        SSL_CTX_set_alpn_select_cb(ctx, select_h2, NULL);
    }
    if (!server || config->mutual)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    tr_err err = ok ? load(ctx, config, error)
                    : tri_error_set(error, TR_ENOTSUP, 0, "OpenSSL does not know TLS 1.2 with AES");
    if (err != TR_OK)
        SSL_CTX_free(ctx);
    else
        *ret_ctx = ctx;
    return err;
}

tr_err tri_tls_reload(struct tri_tls *tls, struct tr_error *error)
{
    SSL_CTX *server = NULL, *client = NULL;
    tr_err err = create_context(&tls->config, true, &server, error);
    if (err == TR_OK)
        err = create_context(&tls->config, false, &client, error);
    if (err == TR_OK) {
        tri_mutex_lock(&tls->mutex);
        SSL_CTX *old_server = tls->server, *old_client = tls->client;
        tls->server = server;
        tls->client = client;
        tri_mutex_unlock(&tls->mutex);
        server = old_server;
        client = old_client;
    }
    SSL_CTX_free(server); /* Connections that use it hold it. */
    SSL_CTX_free(client);
    return err;
}

SSL *tri_tls_new_ssl(struct tri_tls *tls, bool server)
{
    tri_mutex_lock(&tls->mutex);
    SSL *ssl = SSL_new(server ? tls->server : tls->client);
    tri_mutex_unlock(&tls->mutex);
    return ssl;
}

/* ---- Names --------------------------------------------------------------- */

bool tri_tls_wants_names(const struct tri_tls *tls)
{
    return tls->names != NULL;
}

/* `names` are separated by spaces. */
static bool has(const char *names, const char *wanted)
{
    size_t size = strlen(wanted);
    bool prefix = size > 0 && wanted[size - 1] == '*';
    size -= prefix;
    for (const char *at = names; *at;) {
        size_t length = strcspn(at, " ");
        if ((prefix ? length >= size : length == size) && memcmp(at, wanted, size) == 0)
            return true;
        at += length;
        at += *at == ' ';
    }
    return false;
}

bool tri_tls_allows(const struct tri_tls *tls, const char *names)
{
    bool found = tls->names == NULL;
    for (char **wanted = tls->names; wanted && *wanted && !found; wanted++)
        found = has(names, *wanted);
    return found && (!tls->config.allow || tls->config.allow(tls->config.self, names));
}

/* ---- Life ---------------------------------------------------------------- */

static bool copy(const char **text)
{
    if (*text)
        *text = tri_strdup(*text);
    return *text != NULL;
}

static bool copy_config(struct tri_tls *tls, const struct tri_tls_config *config)
{
    struct tri_tls_config *own = &tls->config;
    size_t count = 0;
    *own = *config;
    own->peer_names = NULL;
    /* All three first, so that what is freed on failure is ours. */
    bool ok = copy(&own->certificate_file) || !config->certificate_file;
    ok &= copy(&own->key_file) || !config->key_file;
    ok &= copy(&own->ca_file) || !config->ca_file;
    while (config->peer_names && config->peer_names[count])
        count++;
    if (config->peer_names) {
        tls->names = tri_calloc(count + 1, sizeof *tls->names);
        for (size_t i = 0; tls->names && i < count; i++)
            ok &= (tls->names[i] = tri_strdup(config->peer_names[i])) != NULL;
        ok &= tls->names != NULL;
    }
    return ok;
}

tr_err tri_tls_create(const struct tri_tls_config *config, struct tri_tls **ret_tls,
                      struct tr_error *error)
{
    if (!config->certificate_file != !config->key_file)
        return tri_error_set(error, TR_EINVAL, 0,
                             "a certificate without a key, or the reverse: give both");
    struct tri_tls *tls = tri_calloc(1, sizeof *tls);
    if (!tls)
        return tri_error_set(error, TR_ENOMEM, 0, "no memory for TLS");
    tri_mutex_init(&tls->mutex);
    tr_err err = copy_config(tls, config) ? tri_tls_reload(tls, error)
                                          : tri_error_set(error, TR_ENOMEM, 0, "no memory for TLS");
    if (err != TR_OK)
        tri_tls_destroy(tls);
    else
        *ret_tls = tls;
    return err;
}

void tri_tls_destroy(struct tri_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->server);
    SSL_CTX_free(tls->client);
    for (char **name = tls->names; name && *name; name++)
        tri_free(*name);
    tri_free(tls->names);
    tri_free((char *)tls->config.certificate_file);
    tri_free((char *)tls->config.key_file);
    tri_free((char *)tls->config.ca_file);
    tri_mutex_fini(&tls->mutex);
    tri_free(tls);
}
