/*
 * disk.h - a disk in memory, as SQLite sees it: a VFS whose writes are safe only once they are
 * synced. It can refuse, be full, and lose power; then of what was not synced each write stays,
 * goes, or is torn by sectors, as the schedule says. Files that were never synced may vanish, and
 * deleted ones come back.
 */
#ifndef SIM_ORDERS_DISK_H
#define SIM_ORDERS_DISK_H

#include "troupe/test.h"

/* What happens at operation `at` (writes, syncs, truncations, deletions, counted from the last
 * start on; reads count apart), and to so many of its kind from there on. */
enum disk_fault {
    DISK_CRASH,    /* the power goes; all fails until the next start */
    DISK_NO_WRITE, /* writes fail, with nothing written */
    DISK_FULL,     /* files cannot grow */
    DISK_NO_SYNC,  /* syncs fail, and what was to be synced may be lost although later ones work */
    DISK_NO_READ,
    DISK_FAULTS
};

/* Registers the VFS as SQLite's default, once per process. */
void disk_install(void);

/* An empty disk. `test` decides, and gets the trace. */
void disk_reset(struct tr_test *test);
/* The machine starts: takes the power away first if it was on. No connection may be open. */
void disk_start(void);
/* At most 8 at a time, until the next start. */
void disk_order(enum disk_fault what, unsigned at, unsigned count);
bool disk_crashed(void);
unsigned disk_changes(void); /* operations since the start */

#endif
