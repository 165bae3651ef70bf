/* core/events.h - who subscribed to what. One lock; nothing of a user's runs under it. */
#ifndef TROUPE_CORE_EVENTS_H
#define TROUPE_CORE_EVENTS_H

#include "troupe/event.h"

struct tri_events;

struct tri_events *tri_events_create(void);
void tri_events_destroy(struct tri_events *events);
/* All subscriptions of one actor. */
void tri_events_forget(struct tr_system *sys, tr_pid pid);

#endif
