/* remote/secure.h - what tls.c and secure.c know of each other: contexts, and connections. */
#ifndef TROUPE_REMOTE_SECURE_H
#define TROUPE_REMOTE_SECURE_H

#include "remote/tls.h"

#include <openssl/ssl.h>

/* NULL: no memory. */
SSL *tri_tls_new_ssl(struct tri_tls *tls, bool server);
/* There is a list of names that peers must have. */
bool tri_tls_wants_names(const struct tri_tls *tls);
/* `names`: all of the peer's, separated by spaces. */
bool tri_tls_allows(const struct tri_tls *tls, const char *names);

#endif
