/*
 * sim/disk.h - a disk that fails and loses power: the port `store` of core/ports.h.
 *
 * What was appended is safe only after a sync. A crash keeps what is safe and, of the rest, as
 * many entries from the front as a decision says: the system may have written some by itself.
 */
#ifndef TROUPE_SIM_DISK_H
#define TROUPE_SIM_DISK_H

#include "sim/sim.h"

struct tri_sim_disk;

struct tri_sim_disk_faults {
    unsigned append_permille; /* fails with TR_EIO, nothing written */
    unsigned sync_permille;   /* fails with TR_EIO, nothing more is safe than before */
    unsigned crash_permille;  /* of appends and syncs: the power goes before it returns */
};

/* NULL when out of memory. `sim` (borrowed) decides. */
struct tri_sim_disk *tri_sim_disk_create(struct tri_sim *sim,
                                         const struct tri_sim_disk_faults *faults);
void tri_sim_disk_destroy(struct tri_sim_disk *disk);

/* The port. After a crash all calls fail with TR_EIO until tri_sim_disk_restart(). */
struct tri_store tri_sim_disk_store(struct tri_sim_disk *disk);

bool tri_sim_disk_crashed(const struct tri_sim_disk *disk);
/* Takes the power away now. */
void tri_sim_disk_crash(struct tri_sim_disk *disk);
void tri_sim_disk_restart(struct tri_sim_disk *disk);

#endif
