/* remote/reflection.h - gRPC's server reflection: what services there are, and their files. */
#ifndef TROUPE_REMOTE_REFLECTION_H
#define TROUPE_REMOTE_REFLECTION_H

#include "remote/session.h"

/* Of a call of ServerReflectionInfo; they need no user. */
extern const struct tri_wire_events tri_reflection_events;

/* The ServerReflectionResponse to a request, for tri_free(); NULL: no memory, or (malformed) it is
 * no request. */
uint8_t *tri_reflection_answer(const uint8_t *request, size_t size, size_t *ret_size,
                               bool *ret_malformed);

#endif
