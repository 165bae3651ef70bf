/*
 * troupe/error.h - error codes and their texts.
 *
 * Functions that can fail return a tr_err; 0 is TR_OK. Nothing is left in errno
 * and nothing is kept per thread.
 */
#ifndef TROUPE_ERROR_H
#define TROUPE_ERROR_H

#include "troupe/api.h"

TR_BEGIN_DECLS

/* One list: enum value and English text. Values are part of the ABI: append only. */
#define TR_ERRORS(X)                                                       \
    X(TR_OK, "success")                                                    \
    X(TR_EINVAL, "invalid argument")                                       \
    X(TR_ENOMEM, "out of memory")                                          \
    X(TR_EFULL, "limit reached")                                           \
    X(TR_EEXIST, "name already taken")                                     \
    X(TR_ENOACTOR, "no such actor")                                        \
    X(TR_EUNHANDLED, "actor has no handler for this message")              \
    X(TR_ETIMEDOUT, "no reply in time")                                    \
    X(TR_ECLOSING, "system is shutting down")                              \
    X(TR_EFAULT, "hardware fault, failed assertion or abort in a handler") \
    X(TR_ELOOP, "handler ran without end")                                 \
    X(TR_ERESTARTS, "restart budget used up")                              \
    X(TR_ELINK, "linked actor failed")                                     \
    X(TR_EPEER, "peer cannot be reached")                                  \
    X(TR_EIO, "input or output failed")                                    \
    X(TR_ECORRUPT, "data is damaged")                                      \
    X(TR_EDENIED, "not allowed")                                           \
    X(TR_ENOTSUP, "not supported here")                                    \
    X(TR_ETYPE, "message is of another type")                              \
    X(TR_EWORKER, "not allowed on a worker: it would block")               \
    X(TR_EUSER, "application error")                                       \
    X(TR_EPROTO, "malformed message")

typedef enum tr_err {
#define X(code, text) code,
    TR_ERRORS(X)
#undef X
} tr_err;

/* The English text of `err`; never NULL, static. Any thread. */
TR_API const char *tr_strerror(tr_err err);

/*
 * Details of a set-up error: the code, the operating system's error number (0 if
 * none) and one sentence that names the offending value. Plain data, owned by the
 * caller; passing NULL where one is taken means "no details wanted".
 */
struct tr_error {
    tr_err code;
    int os;
    char text[256];
};

TR_END_DECLS

#endif
