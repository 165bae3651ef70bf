#include "core/names.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "os/random.h"
#include "os/thread.h"

/* Open addressing with linear probing; names may come from outside, so the hash is keyed. */
struct entry {
    const char *name; /* NULL: never used; `gone`: removed */
    uint64_t hash;
    tr_pid pid;
};

struct tri_names {
    tri_mutex lock;
    uint8_t key[16];
    struct entry *entries;
    uint32_t capacity; /* a power of two */
    uint32_t used;     /* places that are not NULL */
    uint32_t count;
    uint32_t *by_pid; /* place + 1 in `entries`, by the hash of the PID; twice as many */
};

static const char gone[] = "";

struct tri_names *tri_names_create(void)
{
    struct tri_names *names = tri_calloc(1, sizeof *names);
    if (!names)
        return NULL;
    tri_mutex_init(&names->lock);
    tri_random_bytes(names->key, sizeof names->key);
    return names;
}

void tri_names_destroy(struct tri_names *names)
{
    if (!names)
        return;
    tri_mutex_fini(&names->lock);
    tri_free(names->entries);
    tri_free(names->by_pid);
    tri_free(names);
}

/* PIDs are made here, so nobody chooses them to collide; slots are small numbers in a row. */
static uint32_t pid_home(const struct tri_names *names, tr_pid pid)
{
    return (uint32_t)(pid.bits * 0x9e3779b97f4a7c15ull >> 32) & (names->capacity * 2 - 1);
}

/* Places of removed names stay in the index, as they do in the table, until it is made anew. */
static void index_pid(struct tri_names *names, uint32_t place)
{
    uint32_t i = pid_home(names, names->entries[place].pid);
    while (names->by_pid[i])
        i = (i + 1) & (names->capacity * 2 - 1);
    names->by_pid[i] = place + 1;
}

static struct entry *find(const struct tri_names *names, const char *name, uint64_t hash)
{
    if (names->capacity == 0)
        return NULL;
    uint32_t mask = names->capacity - 1;
    for (uint32_t i = (uint32_t)hash & mask; names->entries[i].name; i = (i + 1) & mask) {
        struct entry *e = &names->entries[i];
        if (e->hash == hash && e->name != gone && strcmp(e->name, name) == 0)
            return e;
    }
    return NULL;
}

static uint32_t place(struct entry *entries, uint32_t capacity, struct entry entry)
{
    uint32_t i = (uint32_t)entry.hash & (capacity - 1);
    while (entries[i].name)
        i = (i + 1) & (capacity - 1);
    entries[i] = entry;
    return i;
}

/* Keeps at least a quarter of the places unused, so that probing ends. */
static bool make_room(struct tri_names *names)
{
    if ((names->used + 1) * 4ull <= names->capacity * 3ull)
        return true;
    uint32_t capacity = names->count * 4 > names->capacity ? names->capacity * 2 : names->capacity;
    if (capacity < 64)
        capacity = 64;
    struct entry *entries = tri_calloc(capacity, sizeof *entries);
    uint32_t *by_pid = tri_calloc(capacity * (size_t)2, sizeof *by_pid);
    if (!entries || !by_pid) {
        tri_free(entries);
        tri_free(by_pid);
        return false;
    }
    for (uint32_t i = 0; i < names->capacity; i++) {
        if (names->entries[i].name && names->entries[i].name != gone)
            (void)place(entries, capacity, names->entries[i]);
    }
    tri_free(names->entries);
    tri_free(names->by_pid);
    names->entries = entries;
    names->by_pid = by_pid;
    names->capacity = capacity;
    names->used = names->count;
    for (uint32_t i = 0; i < capacity; i++) {
        if (entries[i].name)
            index_pid(names, i);
    }
    return true;
}

tr_err tri_names_add(struct tri_names *names, const char *name, tr_pid pid)
{
    uint64_t hash = tri_siphash(names->key, name, strlen(name));
    tr_err err = TR_OK;
    tri_mutex_lock(&names->lock);
    if (find(names, name, hash))
        err = TR_EEXIST;
    else if (!make_room(names))
        err = TR_ENOMEM;
    if (!err) {
        index_pid(names, place(names->entries, names->capacity, (struct entry){name, hash, pid}));
        names->count++;
        names->used++;
    }
    tri_mutex_unlock(&names->lock);
    return err;
}

void tri_names_remove(struct tri_names *names, const char *name)
{
    uint64_t hash = tri_siphash(names->key, name, strlen(name));
    tri_mutex_lock(&names->lock);
    struct entry *e = find(names, name, hash);
    if (e) {
        e->name = gone;
        names->count--;
    }
    tri_mutex_unlock(&names->lock);
}

tr_pid tri_names_find(struct tri_names *names, const char *name)
{
    uint64_t hash = tri_siphash(names->key, name, strlen(name));
    tri_mutex_lock(&names->lock);
    struct entry *e = find(names, name, hash);
    tr_pid pid = e ? e->pid : TR_NOBODY;
    tri_mutex_unlock(&names->lock);
    return pid;
}

size_t tri_names_of(struct tri_names *names, tr_pid pid, char *ret_name, size_t name_size)
{
    size_t size = 0;
    tri_mutex_lock(&names->lock);
    uint32_t mask = names->capacity * 2 - 1;
    for (uint32_t i = names->capacity ? pid_home(names, pid) : 0;
         names->capacity && names->by_pid[i]; i = (i + 1) & mask) {
        const struct entry *e = &names->entries[names->by_pid[i] - 1];
        if (e->name == gone || !tr_pid_equal(e->pid, pid))
            continue;
        size = strlen(e->name);
        if (size >= name_size)
            size = 0;
        memcpy(ret_name, e->name, size);
        ret_name[size] = '\0';
        break;
    }
    tri_mutex_unlock(&names->lock);
    return size;
}

void tri_names_each(struct tri_names *names, void (*each)(void *user, const char *name, tr_pid pid),
                    void *user)
{
    tri_mutex_lock(&names->lock);
    for (uint32_t i = 0; i < names->capacity; i++) {
        const struct entry *e = &names->entries[i];
        if (e->name && e->name != gone)
            each(user, e->name, e->pid);
    }
    tri_mutex_unlock(&names->lock);
}
