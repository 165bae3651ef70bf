/* Which actors of which nodes are known: remote/far.h. */
#include "base/alloc.h"
#include "base/hash.h"
#include "core/spawn.h"
#include "remote/far.h"
#include "remote/flow.h"
#include "troupe/middleware.h"

#define CAPACITY_MIN 64u
/* Seconds after which what only sent something is forgotten; the second, when there are many. */
#define UNUSED_S 600u
#define UNUSED_CROWDED_S 10u
/* A sweep looks at this share of the table. */
#define SWEEP_PART 32u

tr_err tri_table_init(struct tr_remote *remote)
{
    struct tri_table *table = &remote->table;
    uint32_t places = 64;
    while (places < remote->config.links_max * 2)
        places *= 2;
    tri_mutex_init(&table->lock);
    const uint64_t key[2] = {tri_sys_random(remote->sys), tri_sys_random(remote->sys)};
    memcpy(table->key, key, sizeof table->key);
    table->capacity = CAPACITY_MIN;
    table->address_mask = places - 1;
    table->by_id = tri_calloc(CAPACITY_MIN, sizeof(struct tri_far *));
    table->by_pid = tri_calloc(CAPACITY_MIN, sizeof(struct tri_far *));
    table->links = tri_calloc(remote->config.links_max, sizeof(struct tri_link *));
    table->by_address = tri_calloc(places, sizeof(struct tri_link *));
    return table->by_id && table->by_pid && table->links && table->by_address ? TR_OK : TR_ENOMEM;
}

void tri_table_fini(struct tr_remote *remote)
{
    struct tri_table *table = &remote->table;
    for (uint32_t i = 0; i < table->link_count; i++)
        tri_link_destroy(table->links[i]);
    tri_free(table->links);
    tri_free(table->by_address);
    tri_free(table->by_id);
    tri_free(table->by_pid);
    tri_mutex_fini(&table->lock);
}

/* ---- Links ------------------------------------------------------------------- */

/* The place of an address, taken or free. Under the lock. */
static struct tri_link **place_of(struct tri_table *table, struct tri_name address)
{
    uint32_t i = (uint32_t)tri_siphash(table->key, address.at, address.size);
    for (;; i++) {
        struct tri_link **place = &table->by_address[i & table->address_mask];
        if (!*place || tri_name_equal(tri_name((*place)->address), address))
            return place;
    }
}

struct tri_link *tri_table_find(struct tr_remote *remote, struct tri_name address)
{
    tri_mutex_lock(&remote->table.lock);
    struct tri_link *link = *place_of(&remote->table, address);
    tri_mutex_unlock(&remote->table.lock);
    return link;
}

/* It becomes a key, a log line, and what is dialled. */
bool tri_table_is_address(struct tri_name address)
{
    const char *colon = NULL;
    if (address.size == 0 || address.size > TR_ADDRESS_SIZE_MAX)
        return false;
    for (uint32_t i = 0; i < address.size; i++) {
        unsigned char c = (unsigned char)address.at[i];
        if (c <= ' ' || c == 0x7f || c == '@')
            return false;
        if (c == ':')
            colon = address.at + i;
    }
    if (address.at[0] == '$')
        return true;
    const char *end = address.at + address.size;
    unsigned port = 0;
    if (!colon || colon == address.at || colon + 1 == end || end - colon > 6)
        return false;
    for (const char *at = colon + 1; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
        port = port * 10 + (unsigned)(*at - '0');
    }
    return port > 0 && port <= 65535;
}

static struct tri_link *make_link(struct tr_remote *remote, struct tri_name address, bool admitted,
                                  struct tri_link **place, tr_err *ret_err)
{
    struct tri_table *table = &remote->table;
    char text[TR_ADDRESS_SIZE_MAX + 1];
    memcpy(text, address.at, address.size);
    text[address.size] = '\0';
    *ret_err = table->leaving ? TR_ECLOSING : TR_EFULL;
    if (table->leaving || table->link_count >= remote->config.links_max)
        return NULL;
    *ret_err = TR_EDENIED;
    if (!admitted && text[0] != '$' && !tri_remote_peer_allowed(remote, text, NULL))
        return NULL;
    *ret_err = TR_ENOMEM;
    struct tri_link *link = tri_link_create(remote, text);
    if (!link)
        return NULL;
    link->number = table->link_count;
    table->links[table->link_count++] = link;
    *place = link;
    *ret_err = TR_OK;
    return link;
}

struct tri_link *tri_table_link(struct tr_remote *remote, struct tri_name address, bool admitted,
                                tr_err *ret_err)
{
    *ret_err = TR_EINVAL;
    if (!tri_table_is_address(address))
        return NULL;
    tri_mutex_lock(&remote->table.lock);
    struct tri_link **place = place_of(&remote->table, address);
    struct tri_link *link = *place;
    if (link)
        *ret_err = remote->table.closed ? TR_ECLOSING : TR_OK;
    else
        link = make_link(remote, address, admitted, place, ret_err);
    tri_mutex_unlock(&remote->table.lock);
    return *ret_err ? NULL : link;
}

void tri_table_member(struct tr_remote *remote, const char *member_id,
                      void (*each)(void *user, struct tri_link *link), void *user)
{
    tri_mutex_lock(&remote->table.lock);
    for (uint32_t i = 0; member_id[0] && i < remote->table.link_count; i++) {
        if (strcmp(remote->table.links[i]->member_id, member_id) == 0)
            each(user, remote->table.links[i]);
    }
    tri_mutex_unlock(&remote->table.lock);
}

/* ---- Actors ------------------------------------------------------------------- */

static uint32_t id_hash(const struct tri_link *link, struct tri_name id)
{
    uint64_t hash = tri_siphash(link->remote->table.key, id.at, id.size);
    return (uint32_t)(hash ^ hash >> 32) + link->number * 2654435769u;
}

static uint32_t pid_hash(tr_pid pid)
{
    return (uint32_t)(pid.bits * 0x9e3779b97f4a7c15ull >> 32);
}

static struct tri_far *find(const struct tri_link *link, struct tri_name id, uint32_t hash)
{
    const struct tri_table *table = &link->remote->table;
    struct tri_far *far = table->by_id[hash & (table->capacity - 1)];
    while (far && !(far->link == link && far->hash == hash && far->id_size == id.size &&
                    memcmp(far->id, id.at, id.size) == 0))
        far = far->by_id_next;
    return far;
}

static struct tri_far *find_pid(const struct tri_table *table, tr_pid pid)
{
    struct tri_far *far = table->by_pid[pid_hash(pid) & (table->capacity - 1)];
    while (far && !tr_pid_equal(far->pid, pid))
        far = far->by_pid_next;
    return far;
}

static void enter(struct tri_table *table, struct tri_far *far)
{
    uint32_t i = far->hash & (table->capacity - 1);
    uint32_t p = pid_hash(far->pid) & (table->capacity - 1);
    far->by_id_next = table->by_id[i];
    table->by_id[i] = far;
    far->by_pid_next = table->by_pid[p];
    table->by_pid[p] = far;
}

/* Longer chains are slower, not wrong: without memory it stays as it is. */
static void grow(struct tri_table *table)
{
    struct tri_far **old = table->by_id;
    uint32_t old_capacity = table->capacity;
    struct tri_far **by_id = tri_calloc(old_capacity * (size_t)2, sizeof(struct tri_far *));
    struct tri_far **by_pid = tri_calloc(old_capacity * (size_t)2, sizeof(struct tri_far *));
    if (!by_id || !by_pid) {
        tri_free(by_id);
        tri_free(by_pid);
        return;
    }
    tri_free(table->by_pid);
    table->by_id = by_id;
    table->by_pid = by_pid;
    table->capacity = old_capacity * 2;
    for (uint32_t i = 0; i < old_capacity; i++) {
        for (struct tri_far *far = old[i], *next; far; far = next) {
            next = far->by_id_next;
            enter(table, far);
        }
    }
    tri_free(old);
}

static void leave_chain(struct tri_far **at, const struct tri_far *far, bool by_pid)
{
    while (*at != far)
        at = by_pid ? &(*at)->by_pid_next : &(*at)->by_id_next;
    *at = by_pid ? far->by_pid_next : far->by_id_next;
}

/* Takes it out of the table, and frees what it watches. Under the lock; it is to be stopped. */
static void take_out(struct tri_table *table, struct tri_far *far)
{
    leave_chain(&table->by_id[far->hash & (table->capacity - 1)], far, false);
    leave_chain(&table->by_pid[pid_hash(far->pid) & (table->capacity - 1)], far, true);
    if (far->link_prev)
        far->link_prev->link_next = far->link_next;
    else
        far->link->fars = far->link_next;
    if (far->link_next)
        far->link_next->link_prev = far->link_prev;
    if (far->link->future == far)
        far->link->future = NULL;
    table->count--;
    /* Release pairs with the acquire in told(): its STOP is ours. */
    tri_store(&far->leaving, true, TRI_RELEASE);
}

/* Under the lock. */
static tr_pid make(struct tri_link *link, struct tr_ctx *ctx, struct tri_name id, uint32_t hash,
                   bool kept)
{
    struct tr_remote *remote = link->remote;
    struct tri_table *table = &remote->table;
    if (table->closed || id.size > TRI_ID_SIZE_MAX)
        return tr_nobody(table->closed ? TR_ECLOSING : TR_EINVAL);
    if (table->count >= remote->config.remote_pids_max)
        return tr_nobody(TR_EFULL);
    struct tri_far *far = tri_calloc(1, sizeof *far + id.size + 1);
    if (!far)
        return tr_nobody(TR_ENOMEM);
    struct tr_spawn_args mailbox = {0};
    far->proxy = tri_far_proxy;
    if (tri_flow_holds(remote)) {
        mailbox = tri_flow_mailbox(remote);
        far->proxy.deliver = tri_flow_deliver;
    }
    far->link = link;
    far->hash = hash;
    far->kept = kept;
    far->id_size = id.size;
    if (id.size)
        memcpy(far->id, id.at, id.size);
    tri_store(&far->used_s, tri_load(&table->now_s, TRI_RELAXED), TRI_RELAXED);
    tr_pid pid = tri_spawn_remote(ctx, &far->proxy, &mailbox);
    if (tr_pid_is_nobody(pid)) {
        tri_free(far);
        return pid;
    }
    tri_fetch_add(&remote->fars, 1u, TRI_RELAXED); /* Told to who stops by the last one's end. */
    far->pid = pid;
    if (table->count >= table->capacity)
        grow(table);
    enter(table, far);
    far->link_next = link->fars;
    if (link->fars)
        link->fars->link_prev = far;
    link->fars = far;
    table->count++;
    return pid;
}

tr_pid tri_far_get(struct tri_link *link, struct tr_ctx *ctx, struct tri_name id, bool kept)
{
    struct tri_table *table = &link->remote->table;
    uint32_t hash = id_hash(link, id);
    if (id.size == 0)
        return tr_nobody(TR_EINVAL);
    tri_mutex_lock(&table->lock);
    struct tri_far *far = find(link, id, hash);
    tr_pid pid;
    if (far) {
        pid = far->pid;
        far->kept |= kept;
        /* Relaxed: a coarse clock for the sweep. */
        tri_store(&far->used_s, tri_load(&table->now_s, TRI_RELAXED), TRI_RELAXED);
    } else {
        pid = make(link, ctx, id, hash, kept);
    }
    tri_mutex_unlock(&table->lock);
    return pid;
}

tr_pid tri_far_find_locked(struct tri_link *link, struct tri_name id)
{
    const struct tri_far *far = find(link, id, id_hash(link, id));
    return far ? far->pid : TR_NOBODY;
}

tr_pid tri_far_find(struct tri_link *link, struct tri_name id)
{
    tri_mutex_lock(&link->remote->table.lock);
    tr_pid pid = tri_far_find_locked(link, id);
    tri_mutex_unlock(&link->remote->table.lock);
    return pid;
}

tr_pid tri_far_future(struct tri_link *link, struct tr_ctx *ctx)
{
    struct tri_table *table = &link->remote->table;
    tri_mutex_lock(&table->lock);
    tr_pid pid;
    if (link->future) {
        pid = link->future->pid;
    } else {
        pid = make(link, ctx, TRI_NAME_NONE, id_hash(link, TRI_NAME_NONE), true);
        if (!tr_pid_is_nobody(pid))
            link->future = find_pid(table, pid);
    }
    tri_mutex_unlock(&table->lock);
    return pid;
}

struct tri_link *tri_far_link(struct tr_remote *remote, tr_pid pid)
{
    tri_mutex_lock(&remote->table.lock);
    const struct tri_far *far = find_pid(&remote->table, pid);
    struct tri_link *link = far ? far->link : NULL;
    tri_mutex_unlock(&remote->table.lock);
    return link;
}

bool tri_far_name(struct tr_remote *remote, tr_pid pid, char id[TRI_ID_SIZE_MAX + 1],
                  uint32_t *ret_id_size, struct tri_link **ret_link)
{
    tri_mutex_lock(&remote->table.lock);
    struct tri_far *far = find_pid(&remote->table, pid);
    if (far) {
        memcpy(id, far->id, far->id_size + 1u);
        *ret_id_size = far->id_size;
        if (ret_link)
            *ret_link = far->link;
    }
    tri_mutex_unlock(&remote->table.lock);
    return far != NULL;
}

/* ---- Who watches whom --------------------------------------------------------------- */

tr_err tri_far_watches(struct tri_link *link, struct tr_ctx *ctx, tr_pid far, tr_pid local,
                       struct tri_name local_id)
{
    struct tri_table *table = &link->remote->table;
    struct tri_watched *watched = tri_malloc(sizeof *watched + local_id.size);
    tr_err err = watched ? TR_OK : TR_ENOMEM;
    if (watched) {
        *watched = (struct tri_watched){.pid = local, .id_size = local_id.size};
        memcpy(watched->id, local_id.at, local_id.size);
    }
    tri_mutex_lock(&table->lock);
    struct tri_far *watcher = find_pid(table, far);
    const struct tri_watched *w = watcher ? watcher->watched : NULL;
    while (w && !tr_pid_equal(w->pid, local))
        w = w->next;
    bool again = w != NULL; /* It watches already. */
    if (!err && !watcher)
        err = TR_ENOACTOR;
    else if (!err && !again && link->watches >= link->remote->config.watches_max)
        err = TR_EFULL;
    bool take = !err && !again;
    if (take) {
        watched->next = watcher->watched;
        watcher->watched = watched;
        link->watches++;
    }
    tri_mutex_unlock(&table->lock);
    if (!take)
        tri_free(watched);
    if (!err) /* Twice is once: if it has ended meanwhile, this brings the answer. */
        tri_sys_send(ctx, local, TRI_SYS_WATCH, far, 0);
    return err;
}

void tri_far_unwatches(struct tri_link *link, struct tr_ctx *ctx, tr_pid far, tr_pid local)
{
    struct tri_watched *gone = NULL;
    tri_mutex_lock(&link->remote->table.lock);
    struct tri_far *watcher = find_pid(&link->remote->table, far);
    for (struct tri_watched **at = watcher ? &watcher->watched : NULL; at && *at;
         at = &(*at)->next) {
        if (!tr_pid_equal((*at)->pid, local))
            continue;
        gone = *at;
        *at = gone->next;
        link->watches--;
        break;
    }
    tri_mutex_unlock(&link->remote->table.lock);
    if (gone)
        tri_sys_send(ctx, local, TRI_SYS_UNWATCH, far, 0);
    tri_free(gone);
}

bool tri_far_awaited(struct tri_link *link)
{
    bool awaited = false;
    tri_mutex_lock(&link->remote->table.lock);
    for (const struct tri_far *far = link->fars; far && !awaited; far = far->link_next)
        /* Relaxed: of old; a new one sends a message. */
        awaited = tri_load(&far->interest, TRI_RELAXED) & TRI_FAR_WATCHED;
    tri_mutex_unlock(&link->remote->table.lock);
    return awaited;
}

void tri_far_down(struct tri_link *link, struct tr_ctx *ctx, tr_err reason)
{
    tri_mutex_lock(&link->remote->table.lock);
    for (const struct tri_far *far = link->fars; far; far = far->link_next) {
        /* Relaxed: who begins to wait just now queues a message, and is told by the next end. */
        if (tri_load(&far->interest, TRI_RELAXED))
            tri_sys_send(ctx, far->pid, TRI_SYS_GONE, TR_NOBODY, (uint64_t)reason);
    }
    tri_mutex_unlock(&link->remote->table.lock);
}

bool tri_far_forget_watches(struct tri_link *link, struct tr_ctx *ctx)
{
    bool any = false;
    tri_mutex_lock(&link->remote->table.lock);
    for (struct tri_far *far = link->watches ? link->fars : NULL; far; far = far->link_next) {
        while (far->watched) {
            struct tri_watched *w = far->watched;
            far->watched = w->next;
            tri_sys_send(ctx, w->pid, TRI_SYS_UNWATCH, far->pid, 0);
            tri_free(w);
            any = true;
        }
    }
    link->watches = 0;
    tri_mutex_unlock(&link->remote->table.lock);
    return any;
}

/* ---- Forgetting ------------------------------------------------------------------------- */

static bool unused(const struct tri_far *far, uint32_t now_s, uint32_t limit_s)
{
    /* Relaxed: a coarse clock; who sends just now finds it gone, as after any end. */
    return !far->kept && !far->watched &&
           !(tri_load(&far->interest, TRI_RELAXED) & TRI_FAR_WATCHED) &&
           now_s - tri_load(&far->used_s, TRI_RELAXED) > limit_s;
}

void tri_table_sweep(struct tr_remote *remote, struct tr_ctx *ctx, uint32_t now_s)
{
    struct tri_table *table = &remote->table;
    tri_mutex_lock(&table->lock);
    tri_store(&table->now_s, now_s, TRI_RELAXED);
    bool crowded = table->count > remote->config.remote_pids_max / 2;
    uint32_t part = table->capacity / SWEEP_PART + 1;
    for (uint32_t i = 0; i < part; i++) {
        struct tri_far *next;
        for (struct tri_far *far = table->by_id[table->sweep++ & (table->capacity - 1)]; far;
             far = next) {
            next = far->by_id_next;
            if (!unused(far, now_s, crowded ? UNUSED_CROWDED_S : UNUSED_S))
                continue;
            take_out(table, far);
            tri_sys_send(ctx, far->pid, TRI_SYS_STOP, TR_NOBODY, TR_OK);
        }
    }
    tri_mutex_unlock(&table->lock);
}

void tri_table_close(struct tr_remote *remote, struct tr_ctx *ctx)
{
    struct tri_table *table = &remote->table;
    for (uint32_t i = 0; i < table->link_count; i++)
        (void)tri_far_forget_watches(table->links[i], ctx);
    tri_mutex_lock(&table->lock);
    table->closed = true;
    for (uint32_t i = 0; i < table->capacity; i++) {
        while (table->by_id[i]) {
            struct tri_far *far = table->by_id[i];
            take_out(table, far);
            tri_sys_send(ctx, far->pid, TRI_SYS_STOP, TR_NOBODY, TR_EPEER);
        }
    }
    tri_mutex_unlock(&table->lock);
}
