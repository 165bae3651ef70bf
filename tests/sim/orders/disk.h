/*
 * disk.h - a disk in memory, as SQLite sees it: a VFS whose writes are safe only once they are
 * synced. It can refuse, be full, and lose power; then of what was not synced each write stays,
 * goes, or is torn by sectors, as the schedule says. Files that were never synced may vanish, and
 * deleted ones come back.
 */
#ifndef SIM_ORDERS_DISK_H
#define SIM_ORDERS_DISK_H

#include "host.h"

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

/* Machines that have a disk each: files are on that of their name's first digit ("1/books.db"), on
 * disk 0 without one. */
#define DISK_MACHINES 4u

/* Empty disks. `host` decides, and gets the trace. */
void disk_reset(const struct host *host);
/* The machine starts, or only a process on it: takes the power away first if it was on. No
 * connection may be open. */
void disk_start(unsigned machine, bool power_lost);
/* At most 8 at a time, until the next start. */
void disk_order(unsigned machine, enum disk_fault what, unsigned at, unsigned count);
/* From now on nothing reaches the disk: power or process are gone. */
void disk_cut(unsigned machine);
bool disk_crashed(unsigned machine);
unsigned disk_changes(unsigned machine); /* operations since the start */

#endif
