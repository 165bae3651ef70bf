/* remote/services.h - the calls that every node answers by itself: health and reflection. */
#ifndef TROUPE_REMOTE_SERVICES_H
#define TROUPE_REMOTE_SERVICES_H

#include "remote/session.h"

/* Like an acceptor's accept(); NULL: not one of these. */
const struct tri_wire_events *tri_services_accept(struct tri_hub *hub, struct tri_stream *stream,
                                                  const char *path, void **ret_user);

/* Tells those who watch the node's health what it is now. */
void tri_services_health_changed(struct tri_hub *hub);

#endif
