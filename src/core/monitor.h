/*
 * core/monitor.h - the watchdog: a thread that looks at the workers every 10 ms while any of
 * them works, and sleeps otherwise. It keeps the coarse clock, reports handlers that run too
 * long, and wakes a sleeping worker to take over the queue of a stuck one.
 */
#ifndef TROUPE_CORE_MONITOR_H
#define TROUPE_CORE_MONITOR_H

#include "core/ctx.h"

struct tri_monitor;

/* NULL when out of memory or threads. */
struct tri_monitor *tri_monitor_create(struct tr_system *sys);
/* Its thread ends. NULL is fine. */
void tri_monitor_end(struct tri_monitor *monitor);
/* After its end, and when no worker can wake it any more. NULL is fine. */
void tri_monitor_destroy(struct tri_monitor *monitor);

/* Sleeps for as long as all workers do. On its thread. */
void tri_monitor_rest(struct tri_monitor *monitor);
/* A worker is not parked any more. Cheap when the monitor is awake. NULL is fine. */
void tri_monitor_wake(struct tri_monitor *monitor);

#endif
