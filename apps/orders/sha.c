#include "sha.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct sha {
    EVP_MD *kind;
    EVP_MD_CTX *ctx;
};

struct sha *sha_create(void)
{
    struct sha *sha = calloc(1, sizeof(*sha));
    if (!sha)
        return NULL;
    sha->kind = EVP_MD_fetch(NULL, "SHA256", NULL);
    sha->ctx = EVP_MD_CTX_new();
    if (!sha->kind || !sha->ctx) {
        sha_destroy(sha);
        return NULL;
    }
    return sha;
}

void sha_destroy(struct sha *sha)
{
    if (!sha)
        return;
    EVP_MD_CTX_free(sha->ctx);
    EVP_MD_free(sha->kind);
    free(sha);
}

bool sha_digest(struct sha *sha, const struct sha_part *parts, size_t count, unsigned char *ret)
{
    bool good = EVP_DigestInit_ex2(sha->ctx, sha->kind, NULL) == 1;
    for (size_t i = 0; good && i < count; i++)
        good = EVP_DigestUpdate(sha->ctx, parts[i].data, parts[i].size) == 1;
    return good && EVP_DigestFinal_ex(sha->ctx, ret, NULL) == 1;
}
