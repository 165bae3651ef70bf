/* guard.h - an actor that listens for others that failed for good, and fails the gate. */
#ifndef ORDERS_GUARD_H
#define ORDERS_GUARD_H

#include "gate.h"

#include "troupe/troupe.h"

struct guard_args {
    struct gate *gate;
};
extern const struct tr_actor guard_actor;

#endif
