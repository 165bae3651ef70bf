#include "sim/disk.h"

#include "base/alloc.h"

struct entry {
    char *stream;
    uint64_t sequence;
    void *data;
    size_t size;
};

struct tri_sim_disk {
    struct tri_sim *sim;
    struct tri_sim_disk_faults faults;
    struct entry *entries; /* in the order of their appends */
    size_t count;
    size_t capacity;
    size_t safe; /* of them on stable storage */
    bool crashed;
};

static bool happens(struct tri_sim_disk *disk, unsigned permille)
{
    /* At the upper end, so that decision 0 is no fault. */
    return permille && 999 - tri_sim_decide(disk->sim, 1000) < permille;
}

struct tri_sim_disk *tri_sim_disk_create(struct tri_sim *sim,
                                         const struct tri_sim_disk_faults *faults)
{
    struct tri_sim_disk *disk = tri_calloc(1, sizeof *disk);
    if (!disk)
        return NULL;
    disk->sim = sim;
    disk->faults = faults ? *faults : (struct tri_sim_disk_faults){0};
    return disk;
}

static void drop_from(struct tri_sim_disk *disk, size_t first)
{
    for (size_t i = first; i < disk->count; i++) {
        tri_free(disk->entries[i].stream);
        tri_free(disk->entries[i].data);
    }
    disk->count = first;
}

void tri_sim_disk_destroy(struct tri_sim_disk *disk)
{
    if (!disk)
        return;
    drop_from(disk, 0);
    tri_free(disk->entries);
    tri_free(disk);
}

void tri_sim_disk_crash(struct tri_sim_disk *disk)
{
    size_t unsafe = disk->count - disk->safe;
    /* Decision 0 loses nothing: the dull crash. */
    size_t lost = unsafe ? tri_sim_decide(disk->sim, (uint32_t)unsafe + 1) : 0;
    drop_from(disk, disk->count - lost);
    disk->safe = disk->count;
    disk->crashed = true;
    tri_sim_note(disk->sim, "  the disk loses power, and %zu of %zu entries not yet safe", lost,
                 unsafe);
}

void tri_sim_disk_restart(struct tri_sim_disk *disk)
{
    disk->crashed = false;
}

bool tri_sim_disk_crashed(const struct tri_sim_disk *disk)
{
    return disk->crashed;
}

/* ---- The port ------------------------------------------------------------ */

static uint64_t last_of(const struct tri_sim_disk *disk, const char *stream)
{
    for (size_t i = disk->count; i-- > 0;) {
        if (strcmp(disk->entries[i].stream, stream) == 0)
            return disk->entries[i].sequence;
    }
    return 0;
}

static bool make_room(struct tri_sim_disk *disk)
{
    if (disk->count < disk->capacity)
        return true;
    size_t capacity = disk->capacity ? 2 * disk->capacity : 64;
    struct entry *entries = tri_realloc(disk->entries, capacity * sizeof *entries);
    if (!entries)
        return false;
    disk->entries = entries;
    disk->capacity = capacity;
    return true;
}

static tr_err append(void *self, const char *stream, uint64_t sequence, const void *data,
                     size_t size)
{
    struct tri_sim_disk *disk = self;
    if (disk->crashed)
        return TR_EIO;
    if (sequence != last_of(disk, stream) + 1)
        return TR_EINVAL;
    if (happens(disk, disk->faults.append_permille)) {
        tri_sim_note(disk->sim, "  the disk refuses %s %" PRIu64, stream, sequence);
        return TR_EIO;
    }
    struct entry entry = {.sequence = sequence, .size = size};
    if (make_room(disk)) {
        entry.stream = tri_strdup(stream);
        entry.data = tri_malloc(size);
    }
    if (!entry.stream || !entry.data) {
        tri_free(entry.stream);
        tri_free(entry.data);
        return TR_ENOMEM;
    }
    memcpy(entry.data, data, size);
    disk->entries[disk->count++] = entry;
    if (!happens(disk, disk->faults.crash_permille))
        return TR_OK;
    tri_sim_disk_crash(disk);
    return TR_EIO;
}

static tr_err sync_all(void *self)
{
    struct tri_sim_disk *disk = self;
    if (disk->crashed)
        return TR_EIO;
    if (happens(disk, disk->faults.crash_permille)) {
        tri_sim_disk_crash(disk);
        return TR_EIO;
    }
    if (happens(disk, disk->faults.sync_permille)) {
        tri_sim_note(disk->sim, "  the disk does not sync");
        return TR_EIO;
    }
    disk->safe = disk->count;
    return TR_OK;
}

static tr_err replay(void *self, const char *stream, uint64_t first,
                     tr_err (*each)(void *user, uint64_t sequence, const void *data, size_t size),
                     void *user)
{
    struct tri_sim_disk *disk = self;
    tr_err err = disk->crashed ? TR_EIO : TR_OK;
    for (size_t i = 0; i < disk->count && !err; i++) {
        const struct entry *entry = &disk->entries[i];
        if (entry->sequence >= first && strcmp(entry->stream, stream) == 0)
            err = each(user, entry->sequence, entry->data, entry->size);
    }
    return err;
}

struct tri_store tri_sim_disk_store(struct tri_sim_disk *disk)
{
    return (struct tri_store){append, sync_all, replay, disk};
}
