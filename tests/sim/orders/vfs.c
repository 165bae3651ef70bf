/* vfs.c - the disk as SQLite sees it. */
#include "disk_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- Files ---------------------------------------------------------------- */

static struct file *file_of(sqlite3_file *base)
{
    return ((struct handle *)base)->file;
}

static int on_close(sqlite3_file *base)
{
    struct handle *handle = (struct handle *)base, **link = &handle->file->handles;
    while (*link != handle)
        link = &(*link)->next;
    *link = handle->next;
    return SQLITE_OK;
}

static int on_read(sqlite3_file *base, void *buffer, int size, sqlite3_int64 at)
{
    const struct bytes *now = &file_of(base)->now;
    struct disk *disk = disk_of(file_of(base)->name);
    if (disk->crashed || disk_ordered(disk, DISK_NO_READ, disk->reads++))
        return SQLITE_IOERR_READ;
    size_t want = (size_t)size, there = (size_t)at < now->size ? now->size - (size_t)at : 0;
    if (there > want)
        there = want;
    if (there)
        memcpy(buffer, now->data + at, there);
    memset((char *)buffer + there, 0, want - there);
    return there == want ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int on_write(sqlite3_file *base, const void *buffer, int size, sqlite3_int64 at)
{
    struct file *file = file_of(base);
    struct disk *disk = disk_of(file->name);
    bool was_off = disk->crashed;
    if (!disk_powered("written", file)) {
        if (!was_off)
            disk_change(file, (size_t)at, buffer, (size_t)size);
        return SQLITE_IOERR_WRITE;
    }
    if (disk_ordered(disk, DISK_NO_WRITE, disk->changes)) {
        host_note(disk_host, "  %s cannot be written", file->name);
        return SQLITE_IOERR_WRITE;
    }
    if ((size_t)at + (size_t)size > file->now.size &&
        disk_ordered(disk, DISK_FULL, disk->changes)) {
        host_note(disk_host, "  %s cannot grow", file->name);
        return SQLITE_FULL;
    }
    disk_change(file, (size_t)at, buffer, (size_t)size);
    return SQLITE_OK;
}

static int on_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct file *file = file_of(base);
    struct disk *disk = disk_of(file->name);
    bool was_off = disk->crashed;
    bool on = disk_powered("cut", file);
    if (!was_off && (size_t)size < file->now.size)
        disk_change(file, (size_t)size, NULL, 0);
    return on ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

static int on_sync(sqlite3_file *base, int flags)
{
    struct handle *handle = (struct handle *)base;
    struct file *file = handle->file;
    struct disk *disk = disk_of(file->name);
    (void)flags;
    if (!disk_powered("synced", file))
        return SQLITE_IOERR_FSYNC;
    if (disk_ordered(disk, DISK_NO_SYNC, disk->changes)) {
        host_note(disk_host, "  %s cannot be synced", file->name);
        for (size_t i = 0; i < file->change_count; i++)
            file->changes[i].doomed = true;
        return SQLITE_IOERR_FSYNC;
    }
    disk_sync(file);
    if (handle->names)
        disk_sync_names(disk_of(file->name));
    handle->names = false;
    return SQLITE_OK;
}

static int on_size(sqlite3_file *base, sqlite3_int64 *ret_size)
{
    if (disk_of(file_of(base)->name)->crashed)
        return SQLITE_IOERR_FSTAT;
    *ret_size = (sqlite3_int64)file_of(base)->now.size;
    return SQLITE_OK;
}

/* ---- Locks ---------------------------------------------------------------- */

static int highest_other(const struct handle *handle)
{
    int level = SQLITE_LOCK_NONE;
    for (const struct handle *other = handle->file->handles; other; other = other->next) {
        if (other != handle && other->level > level)
            level = other->level;
    }
    return level;
}

static int on_lock(sqlite3_file *base, int level)
{
    struct handle *handle = (struct handle *)base;
    int other = highest_other(handle);
    if (handle->level >= level)
        return SQLITE_OK;
    if ((level == SQLITE_LOCK_SHARED && other >= SQLITE_LOCK_PENDING) ||
        (level >= SQLITE_LOCK_RESERVED && other >= SQLITE_LOCK_RESERVED))
        return SQLITE_BUSY;
    if (level == SQLITE_LOCK_EXCLUSIVE && other >= SQLITE_LOCK_SHARED) {
        handle->level = SQLITE_LOCK_PENDING;
        return SQLITE_BUSY;
    }
    handle->level = level;
    return SQLITE_OK;
}

static int on_unlock(sqlite3_file *base, int level)
{
    struct handle *handle = (struct handle *)base;
    if (handle->level > level)
        handle->level = level;
    return SQLITE_OK;
}

static int on_check_reserved(sqlite3_file *base, int *ret)
{
    *ret = highest_other((struct handle *)base) >= SQLITE_LOCK_RESERVED;
    return SQLITE_OK;
}

/* ---- Shared memory -------------------------------------------------------- */

static int on_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **ret)
{
    struct file *file = file_of(base);
    *ret = NULL;
    if (region >= DISK_SHM_REGIONS)
        return SQLITE_FULL;
    if (!file->shm[region] && extend)
        file->shm[region] = calloc(1, (size_t)size);
    *ret = file->shm[region];
    return extend && !*ret ? SQLITE_NOMEM : SQLITE_OK;
}

static int on_shm_lock(sqlite3_file *base, int offset, int n, int flags)
{
    struct handle *handle = (struct handle *)base;
    unsigned mask = ((1u << n) - 1) << offset, shared = 0, exclusive = 0;
    for (const struct handle *other = handle->file->handles; other; other = other->next) {
        if (other != handle) {
            shared |= other->shm_shared;
            exclusive |= other->shm_exclusive;
        }
    }
    if (flags & SQLITE_SHM_UNLOCK) {
        handle->shm_shared &= ~mask;
        handle->shm_exclusive &= ~mask;
    } else if (flags & SQLITE_SHM_SHARED) {
        if (exclusive & mask)
            return SQLITE_BUSY;
        handle->shm_shared |= mask;
    } else {
        if ((exclusive | shared) & mask)
            return SQLITE_BUSY;
        handle->shm_exclusive |= mask;
    }
    return SQLITE_OK;
}

static void on_shm_barrier(sqlite3_file *base)
{
    (void)base; /* One thread. */
}

static int on_shm_unmap(sqlite3_file *base, int delete)
{
    struct handle *handle = (struct handle *)base;
    handle->shm_shared = handle->shm_exclusive = 0;
    for (const struct handle *other = handle->file->handles; other; other = other->next) {
        if (other != handle)
            return SQLITE_OK; /* Whoever is last takes it down. */
    }
    (void)delete;
    for (int i = 0; i < DISK_SHM_REGIONS; i++) {
        free(handle->file->shm[i]);
        handle->file->shm[i] = NULL;
    }
    return SQLITE_OK;
}

static int on_control(sqlite3_file *base, int what, void *arg)
{
    (void)base;
    (void)what;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int on_sector_size(sqlite3_file *base)
{
    (void)base;
    return DISK_SECTOR;
}

/* As SQLite takes all disks to be: a torn write spoils nothing beside it. */
static int on_characteristics(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {2,
                                           on_close,
                                           on_read,
                                           on_write,
                                           on_truncate,
                                           on_sync,
                                           on_size,
                                           on_lock,
                                           on_unlock,
                                           on_check_reserved,
                                           on_control,
                                           on_sector_size,
                                           on_characteristics,
                                           on_shm_map,
                                           on_shm_lock,
                                           on_shm_barrier,
                                           on_shm_unmap,
                                           NULL,
                                           NULL};

/* ---- The VFS -------------------------------------------------------------- */

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                   int *ret_flags)
{
    struct handle *handle = (struct handle *)base;
    (void)vfs;
    memset(handle, 0, sizeof *handle);
    if (!name || disk_of(name)->crashed)
        return SQLITE_CANTOPEN;
    struct file *file = disk_find(name, (flags & SQLITE_OPEN_CREATE) != 0);
    if (!file || (!file->exists && !(flags & SQLITE_OPEN_CREATE)))
        return SQLITE_CANTOPEN;
    if (!file->exists) {
        if (!disk_powered("made", file))
            return SQLITE_CANTOPEN;
        file->exists = true;
        file->replaced = file->safe_exists;
    }
    /* As SQLite's own VFS does it. */
    handle->names = (flags & SQLITE_OPEN_CREATE) &&
                    (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL));
    handle->base.pMethods = &methods;
    handle->file = file;
    handle->next = file->handles;
    file->handles = handle;
    if (ret_flags)
        *ret_flags = flags;
    return SQLITE_OK;
}

static int on_delete(sqlite3_vfs *vfs, const char *name, int sync_names)
{
    struct file *file = disk_find(name, false);
    (void)vfs;
    if (!file || !file->exists)
        return SQLITE_IOERR_DELETE_NOENT;
    bool was_off = disk_of(name)->crashed;
    bool on = disk_powered("deleted", file);
    if (!was_off) {
        file->exists = false;
        file->now.size = 0;
        disk_forget(file);
    }
    if (on && sync_names)
        disk_sync_names(disk_of(file->name));
    return on ? SQLITE_OK : SQLITE_IOERR_DELETE;
}

static int on_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
    const struct file *file = disk_find(name, false);
    (void)vfs;
    if (disk_of(name)->crashed)
        return SQLITE_IOERR_ACCESS;
    *ret = file && file->exists && (flags != SQLITE_ACCESS_EXISTS || file->now.size > 0);
    return SQLITE_OK;
}

static int on_full_name(sqlite3_vfs *vfs, const char *name, int size, char *ret)
{
    (void)vfs;
    sqlite3_snprintf(size, ret, "%s", name);
    return SQLITE_OK;
}

static int on_randomness(sqlite3_vfs *vfs, int size, char *ret)
{
    (void)vfs;
    for (int i = 0; i < size; i++)
        ret[i] = (char)(i * 37 + (int)(disk_host ? disk_host->seed >> (i % 8 * 8) : 0));
    return size;
}

static int on_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return microseconds;
}

static int on_time(sqlite3_vfs *vfs, double *ret)
{
    (void)vfs;
    *ret = 2451545.0;
    return SQLITE_OK;
}

static int on_last_error(sqlite3_vfs *vfs, int size, char *ret)
{
    (void)vfs;
    (void)size;
    (void)ret;
    return 0;
}

void disk_install(void)
{
    static sqlite3_vfs vfs = {.iVersion = 1,
                              .szOsFile = sizeof(struct handle),
                              .mxPathname = DISK_NAME_MAX - 1,
                              .zName = "simulated",
                              .xOpen = on_open,
                              .xDelete = on_delete,
                              .xAccess = on_access,
                              .xFullPathname = on_full_name,
                              .xRandomness = on_randomness,
                              .xSleep = on_sleep,
                              .xCurrentTime = on_time,
                              .xGetLastError = on_last_error};
    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
        abort();
}
