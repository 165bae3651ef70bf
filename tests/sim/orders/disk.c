#include "disk_internal.h"

#include <stdlib.h>
#include <string.h>

/* Running out of memory here is no part of any test. */
static void *must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

struct disk disks[DISK_MACHINES];
const struct host *disk_host;

/* ---- Bytes ---------------------------------------------------------------- */

static void put(struct bytes *bytes, size_t at, const unsigned char *data, size_t size)
{
    if (at + size > bytes->room) {
        bytes->room = (at + size) * 2;
        bytes->data = must(realloc(bytes->data, bytes->room));
    }
    if (at > bytes->size)
        memset(bytes->data + bytes->size, 0, at - bytes->size);
    memcpy(bytes->data + at, data, size);
    if (at + size > bytes->size)
        bytes->size = at + size;
}

static void apply(struct bytes *bytes, const struct change *change)
{
    if (change->data)
        put(bytes, change->at, change->data, change->size);
    else if (bytes->size > change->at)
        bytes->size = change->at;
}

void disk_forget(struct file *file)
{
    for (size_t i = 0; i < file->change_count; i++)
        free(file->changes[i].data);
    file->change_count = 0;
}

void disk_change(struct file *file, size_t at, const void *data, size_t size)
{
    if (file->change_count == file->change_room) {
        file->change_room = file->change_room * 2 + 64;
        file->changes = must(realloc(file->changes, file->change_room * sizeof *file->changes));
    }
    struct change change = {.at = at, .size = size};
    if (data) {
        change.data = must(malloc(size ? size : 1));
        memcpy(change.data, data, size);
    }
    file->changes[file->change_count++] = change;
    apply(&file->now, &change);
}

/* ---- Power ---------------------------------------------------------------- */

/* Some sectors of a write stay, others do not. */
static void apply_torn(struct bytes *bytes, const struct change *change)
{
    unsigned mask = 0, sector = 0;
    for (size_t done = 0; done < change->size; sector++) {
        if (sector % 8 == 0)
            mask = host_choose(disk_host, 256);
        size_t part = DISK_SECTOR - (change->at + done) % DISK_SECTOR;
        if (part > change->size - done)
            part = change->size - done;
        if (!(mask >> sector % 8 & 1))
            put(bytes, change->at + done, change->data + done, part);
        done += part;
    }
}

static void lose_power_of(struct file *file)
{
    static const char *const words[] = {"all kept", "all lost", "each by chance", "each by chance"};
    if (file->replaced && file->exists && file->safe_exists && host_choose(disk_host, 2)) {
        host_note(disk_host, "  %s: the deleted one is back", file->name);
        disk_forget(file);
        file->exists = false;
    }
    if (file->replaced && file->exists)
        file->safe.size = 0;
    if (file->exists != file->safe_exists && host_choose(disk_host, 2)) {
        host_note(disk_host, "  %s: %s", file->name, file->exists ? "gone" : "back");
        file->exists = file->safe_exists;
        if (!file->exists)
            file->safe.size = 0;
        disk_forget(file);
    }
    unsigned how = file->change_count ? host_choose(disk_host, 4) : 0;
    if (file->change_count)
        host_note(disk_host, "  %s: %zu changes not synced, %s", file->name, file->change_count,
                  words[how]);
    for (size_t i = 0; i < file->change_count; i++) {
        const struct change *change = &file->changes[i];
        unsigned fate = how < 2 ? how : host_choose(disk_host, 3);
        if (fate == 0)
            apply(&file->safe, change);
        else if (fate == 2 && change->data)
            apply_torn(&file->safe, change);
    }
    disk_forget(file);
    file->now.size = 0;
    if (file->exists && file->safe.size)
        put(&file->now, 0, file->safe.data, file->safe.size);
    file->safe_exists = file->exists;
    file->replaced = false;
}

void disk_start(unsigned machine, bool power_lost)
{
    struct disk *disk = &disks[machine];
    for (int i = 0; i < DISK_FILES_MAX; i++) {
        if (disk->files[i].handles)
            abort();
        if (disk->files[i].name[0] && power_lost)
            lose_power_of(&disk->files[i]);
    }
    disk->crashed = false;
    disk->changes = disk->reads = 0;
    disk->order_count = 0;
}

static void empty(struct disk *disk)
{
    for (int i = 0; i < DISK_FILES_MAX; i++) {
        struct file *file = &disk->files[i];
        disk_forget(file);
        free(file->changes);
        free(file->now.data);
        free(file->safe.data);
    }
    *disk = (struct disk){.crashed = false};
}

void disk_reset(const struct host *host)
{
    for (unsigned i = 0; i < DISK_MACHINES; i++)
        empty(&disks[i]);
    disk_host = host;
    sqlite3_randomness(0, NULL); /* It starts anew, from our seed. */
}

void disk_order(unsigned machine, enum disk_fault what, unsigned at, unsigned count)
{
    struct disk *disk = &disks[machine];
    if (disk->order_count == DISK_ORDERS_MAX)
        abort();
    disk->orders[disk->order_count].what = what;
    disk->orders[disk->order_count].at = at;
    disk->orders[disk->order_count++].count = count;
}

void disk_cut(unsigned machine)
{
    disks[machine].crashed = true;
}

bool disk_crashed(unsigned machine)
{
    return disks[machine].crashed;
}

unsigned disk_changes(unsigned machine)
{
    return disks[machine].changes;
}

bool disk_ordered(struct disk *disk, enum disk_fault what, unsigned now)
{
    for (unsigned i = 0; i < disk->order_count; i++) {
        if (disk->orders[i].what == what && now >= disk->orders[i].at &&
            disk->orders[i].count > 0) {
            disk->orders[i].count--;
            return true;
        }
    }
    return false;
}

bool disk_powered(const char *doing, const struct file *file)
{
    struct disk *disk = disk_of(file->name);
    if (disk->crashed)
        return false;
    if (!disk_ordered(disk, DISK_CRASH, disk->changes++))
        return true;
    host_note(disk_host, "  the power goes while %s is %s", file->name, doing);
    disk->crashed = true;
    return false;
}

/* ---- For the VFS --------------------------------------------------------- */

void disk_sync(struct file *file)
{
    if (file->replaced)
        file->safe.size = 0;
    file->replaced = false;
    file->safe_exists = file->exists;
    for (size_t i = 0; i < file->change_count; i++) {
        const struct change *change = &file->changes[i];
        if (!change->doomed || host_choose(disk_host, 2) == 0)
            apply(&file->safe, change);
    }
    disk_forget(file);
}

void disk_sync_names(struct disk *disk)
{
    for (int i = 0; i < DISK_FILES_MAX; i++) {
        struct file *file = &disk->files[i];
        if (file->replaced || !file->exists)
            file->safe.size = 0;
        file->replaced = false;
        file->safe_exists = file->exists;
    }
}

struct disk *disk_of(const char *name)
{
    unsigned machine = name[0] && name[1] == '/' ? (unsigned)(name[0] - '0') : 0;
    return &disks[machine < DISK_MACHINES ? machine : 0];
}

struct file *disk_find(const char *name, bool create)
{
    struct disk *disk = disk_of(name);
    struct file *free_one = NULL;
    for (int i = 0; i < DISK_FILES_MAX; i++) {
        struct file *file = &disk->files[i];
        if (strcmp(file->name, name) == 0)
            return file;
        if (!file->name[0] && !free_one)
            free_one = file;
    }
    if (!create)
        return NULL;
    strncpy(((struct file *)must(free_one))->name, name, DISK_NAME_MAX - 1);
    return free_one;
}
