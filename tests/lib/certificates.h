/*
 * tests/lib/certificates.h - certificates for tests of TLS, made on the spot: keys on P-256, valid
 * from yesterday on.
 */
#ifndef TROUPE_TESTS_CERTIFICATES_H
#define TROUPE_TESTS_CERTIFICATES_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

static inline void add_extension(X509 *to, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, to, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(to, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* `issuer` NULL: an authority of its own. `names` as OpenSSL writes them ("DNS:a,URI:b"). Valid for
 * `days` from now, which may be negative. */
static inline struct identity make_identity(const char *subject, const struct identity *issuer,
                                            const char *names, int days)
{
    static long serial;
    struct identity made = {EVP_EC_gen("P-256"), X509_new()};
    assert_non_null(made.key);
    assert_non_null(made.certificate);
    X509 *x = made.certificate;
    assert_int_equal(X509_set_version(x, 2), 1);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    (void)X509_gmtime_adj(X509_getm_notBefore(x), -2L * 86400);
    (void)X509_gmtime_adj(X509_getm_notAfter(x), days * 86400L);
    (void)X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                     (const unsigned char *)subject, -1, -1, 0);
    X509 *from = issuer ? issuer->certificate : x;
    (void)X509_set_issuer_name(x, X509_get_subject_name(from));
    (void)X509_set_pubkey(x, made.key);
    if (!issuer)
        add_extension(x, from, NID_basic_constraints, "critical,CA:TRUE");
    if (names)
        add_extension(x, from, NID_subject_alt_name, names);
    assert_true(X509_sign(x, issuer ? issuer->key : made.key, EVP_sha256()) > 0);
    return made;
}

/* Into DIRECTORY/NAME.pem and DIRECTORY/NAME.key. */
static inline void write_identity(const struct identity *identity, const char *directory,
                                  const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s.pem", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, identity->certificate), 1);
    (void)fclose(file);
    (void)snprintf(path, sizeof path, "%s/%s.key", directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, identity->key, NULL, NULL, 0, NULL, NULL), 1);
    (void)fclose(file);
}

static inline void free_identity(struct identity *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
}

#endif
