/*
 * troupe/troupe.h - the core of Troupe in one include.
 *
 * Actors: troupe/actor.h. Messages: troupe/message.h. Questions and answers, work that
 * blocks: troupe/request.h. Time: troupe/timer.h. Events, dead letters and accounts:
 * troupe/event.h. Systems: troupe/system.h. Become and stash: troupe/behaviour.h. Routers:
 * troupe/router.h. Middleware: troupe/middleware.h.
 */
#ifndef TROUPE_TROUPE_H
#define TROUPE_TROUPE_H

#include "troupe/actor.h"
#include "troupe/api.h"
#include "troupe/arena.h"
#include "troupe/behaviour.h"
#include "troupe/codec.h"
#include "troupe/error.h"
#include "troupe/event.h"
#include "troupe/headers.h"
#include "troupe/message.h"
#include "troupe/middleware.h"
#include "troupe/request.h"
#include "troupe/router.h"
#include "troupe/system.h"
#include "troupe/timer.h"
#include "troupe/version.h"

#endif
