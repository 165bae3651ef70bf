/* disk_internal.h - what the disk and its VFS share. */
#ifndef SIM_ORDERS_DISK_INTERNAL_H
#define SIM_ORDERS_DISK_INTERNAL_H

#include "disk.h"

#include <sqlite3.h>

#define DISK_FILES_MAX 8
#define DISK_NAME_MAX 64
#define DISK_SECTOR 512
#define DISK_SHM_REGIONS 8
#define DISK_ORDERS_MAX 8

struct bytes {
    unsigned char *data;
    size_t size, room;
};

/* A write or (data NULL) a truncation that is not on the platter yet. */
struct change {
    unsigned char *data;
    size_t at, size;
    bool doomed; /* a sync of it failed: a later one may not bring it */
};

struct handle;

struct file {
    char name[DISK_NAME_MAX];
    bool exists;
    bool safe_exists; /* after a crash */
    bool replaced;    /* what is safe belongs to a deleted file of the same name */
    struct bytes now, safe;
    struct change *changes;
    size_t change_count, change_room;
    struct handle *handles; /* open ones */
    void *shm[DISK_SHM_REGIONS];
    size_t shm_size;
};

struct handle {
    sqlite3_file base;
    struct file *file;
    struct handle *next;
    int level;                          /* SQLITE_LOCK_… */
    unsigned shm_shared, shm_exclusive; /* bit per lock */
    bool names;                         /* its first sync also makes names safe */
};

struct disk {
    struct file files[DISK_FILES_MAX];
    struct {
        enum disk_fault what;
        unsigned at, count;
    } orders[DISK_ORDERS_MAX];
    unsigned order_count;
    unsigned changes, reads; /* operations since the start */
    bool crashed;
};
extern struct disk disks[DISK_MACHINES];
extern const struct host *disk_host;

/* The machine that a file of that name is on. */
struct disk *disk_of(const char *name);

/* The file of that name; NULL if there is none and it is not to be made. */
struct file *disk_find(const char *name, bool create);
/* Remembers a write, or a truncation (data NULL), and shows it to readers. */
void disk_change(struct file *file, size_t at, const void *data, size_t size);
void disk_forget(struct file *file);
/* All that was changed is on the platter, but perhaps not what an earlier sync has failed for. */
void disk_sync(struct file *file);
/* What files there are is on the platter. */
void disk_sync_names(struct disk *disk);
/* A change is about to happen. False: the power is gone; the change may be under way. */
bool disk_powered(const char *doing, const struct file *file);
/* True if that fault is ordered for operation number `now`; it is used up by that. */
bool disk_ordered(struct disk *disk, enum disk_fault what, unsigned now);

#endif
