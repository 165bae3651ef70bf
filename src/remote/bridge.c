/* Actors of other nodes that peers reach through this one: remote/bridge.h. */
#include "remote/bridge.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "remote/far.h"
#include "remote/flow.h"

#define VIA "$via/"
#define VIA_SIZE 5u
#define CODE_DIGITS 11u
/* The code always has all its digits: with fewer, other texts would stand for it, too. */
#define CODE_TOP ((uint64_t)1 << 63)
/* Type keys that are no pointers and no numbers of system types. */
#define KEY_TOP ((uint64_t)1 << 63)

const struct tr_type tri_passing_type = {"passing message", sizeof(struct tri_passing), NULL, 0};

/* ---- Configuration ------------------------------------------------------------------------ */

static bool is_name(const char *name)
{
    size_t size = strnlen(name, TRI_ID_SIZE_MAX + 1);
    if (size == 0 || size > TRI_ID_SIZE_MAX || name[0] == '$' || name[0] == '/')
        return false;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)name[i] <= ' ' || name[i] == '@' || name[i] == 0x7f)
            return false;
    }
    return true;
}

static bool copy_type_names(struct tri_bridge *route, const char *const *types)
{
    size_t count = 0;
    if (!types)
        return true;
    while (types[count])
        count++;
    route->types = tri_calloc(count + 1, sizeof *route->types);
    for (size_t i = 0; route->types && i < count; i++) {
        route->types[i] = tri_strdup(types[i]);
        if (!route->types[i])
            return false;
    }
    return route->types != NULL;
}

static tr_err take(struct tr_remote *remote, const struct tr_remote_route *given,
                   struct tr_error *error)
{
    struct tri_bridge *route = &remote->routes[remote->route_count++];
    const char *to = given->to ? given->to : "";
    const char *at = strrchr(to, '@');
    const char *address = at ? at + 1 : to;
    if (!is_name(given->name))
        return tri_error_set(error, TR_EINVAL, 0,
                             "the route '%s' has no name that an actor could have: want 1 to %u "
                             "characters, none of them a space or '@', not beginning with '$' or "
                             "'/'",
                             given->name, TRI_ID_SIZE_MAX);
    bool tree = given->name[strlen(given->name) - 1] == '/';
    if (!tri_table_is_address(tri_name(address)) || address[0] == '$' || (tree && at) ||
        (!tree && (!at || at == to || at - to > (ptrdiff_t)TRI_ID_SIZE_MAX)))
        return tri_error_set(error, TR_EINVAL, 0, "the route '%s' leads to '%s', want %s",
                             given->name, to,
                             tree ? "host:port of a node" : "id@host:port of an actor");
    for (uint32_t i = 0; i + 1 < remote->route_count; i++) {
        if (strcmp(remote->routes[i].name, given->name) == 0)
            return tri_error_set(error, TR_EINVAL, 0, "there are two routes '%s'", given->name);
    }
    route->name = tri_strdup(given->name);
    route->address = tri_strdup(address);
    if (at)
        route->id = tri_calloc(1, (size_t)(at - to) + 1);
    if (route->id)
        memcpy(route->id, to, (size_t)(at - to));
    bool ok = route->name && route->address && (!at || route->id) &&
              copy_type_names(route, given->types);
    return ok ? TR_OK : TR_ENOMEM;
}

tr_err tri_bridge_init(struct tr_remote *remote, const struct tr_remote_route *routes,
                       struct tr_error *error)
{
    uint32_t count = 0;
    tr_err err = TR_OK;
    while (routes && routes[count].name && count <= TRI_ROUTES_MAX)
        count++;
    if (count > TRI_ROUTES_MAX)
        return tri_error_set(error, TR_EINVAL, 0, "there are more than %u routes", TRI_ROUTES_MAX);
    remote->routes = count ? tri_calloc(count, sizeof *remote->routes) : NULL;
    if (count && !remote->routes)
        return TR_ENOMEM;
    for (uint32_t i = 0; i < count && !err; i++)
        err = take(remote, &routes[i], error);
    return err;
}

void tri_bridge_fini(struct tr_remote *remote)
{
    for (uint32_t i = 0; i < remote->route_count; i++) {
        struct tri_bridge *route = &remote->routes[i];
        for (char **type = route->types; type && *type; type++)
            tri_free(*type);
        tri_free(route->types);
        tri_free(route->name);
        tri_free(route->id);
        tri_free(route->address);
    }
    tri_free(remote->routes);
}

tr_err tri_bridge_check(const struct tr_remote *remote, struct tr_error *error)
{
    for (uint32_t i = 0; i < remote->route_count; i++) {
        if (tri_remote_is_own(remote, tri_name(remote->routes[i].address)))
            return tri_error_set(error, TR_EINVAL, 0,
                                 "the route '%s' leads to %s, which is this node",
                                 remote->routes[i].name, remote->routes[i].address);
    }
    return TR_OK;
}

bool tri_bridge_leads_to(const struct tr_remote *remote, const char *address)
{
    for (uint32_t i = 0; i < remote->route_count; i++) {
        if (strcmp(remote->routes[i].address, address) == 0)
            return true;
    }
    return false;
}

/* ---- Finding ------------------------------------------------------------------------------- */

/* The route that an id is of, exact names first; *ret_id is that of the actor behind it. */
static const struct tri_bridge *route_of(const struct tr_remote *remote, struct tri_name id,
                                         struct tri_name *ret_id)
{
    const struct tri_bridge *found = NULL;
    for (uint32_t i = 0; i < remote->route_count; i++) {
        const struct tri_bridge *route = &remote->routes[i];
        struct tri_name name = tri_name(route->name);
        if (route->id && tri_name_equal(name, id)) {
            *ret_id = tri_name(route->id);
            return route;
        }
        if (!route->id && id.size > name.size && memcmp(id.at, name.at, name.size) == 0 &&
            (!found || strlen(found->name) < name.size)) {
            *ret_id = (struct tri_name){id.at + name.size, id.size - name.size};
            found = route;
        }
    }
    return found;
}

/* A future has no proxy of its own, unless it watches: see remote/far.h. */
static tr_pid actor_at(struct tri_link *link, struct tr_ctx *ctx, struct tri_name id,
                       uint64_t *ret_call)
{
    uint64_t number;
    tr_pid pid;
    if (tri_future_number(id, &number)) {
        pid = tri_far_find(link, id);
        if (tr_pid_is_nobody(pid)) {
            pid = tri_far_future(link, ctx);
            *ret_call = TRI_CALL_FUTURE | number;
        }
    } else {
        pid = tri_far_get(link, ctx, id, false);
    }
    return tr_pid_is_nobody(pid) ? TR_NOBODY : pid;
}

/* The code of what stands behind it; the hash takes the first word along, so that it is no other's. */
static void write_code(const struct tr_remote *remote, const char *rest, uint32_t size,
                       char code[CODE_DIGITS])
{
    char text[VIA_SIZE + TRI_ID_SIZE_MAX] = VIA;
    memcpy(text + VIA_SIZE, rest, size);
    (void)tri_number_write(tri_siphash(remote->table.key, text, VIA_SIZE + size) | CODE_TOP, code);
}

tr_pid tri_bridge_open(struct tri_remote_io *io, struct tri_name id, uint64_t *ret_call)
{
    const uint32_t front = VIA_SIZE + CODE_DIGITS + 1;
    char code[CODE_DIGITS];
    uint64_t size;
    tr_err err;
    *ret_call = 0;
    if (id.size <= front || id.size > TRI_ID_SIZE_MAX || memcmp(id.at, VIA, VIA_SIZE) != 0 ||
        id.at[front - 1] != '/')
        return TR_NOBODY;
    write_code(io->remote, id.at + front, id.size - front, code);
    if (memcmp(id.at + VIA_SIZE, code, CODE_DIGITS) != 0)
        return TR_NOBODY;
    /* From here on it is as we wrote it. */
    const char *at = id.at + front;
    const char *slash = memchr(at, '/', id.size - front);
    if (!slash || !tri_number_read(at, (uint32_t)(slash - at), &size))
        return TR_NOBODY;
    struct tri_name address = {slash + 1, (uint32_t)size};
    struct tri_name actor = {slash + 1 + size + 1, 0};
    actor.size = (uint32_t)(id.at + id.size - actor.at);
    struct tri_link *link = tri_table_find(io->remote, address);
    if (!link)
        link = tri_table_link(io->remote, address, false, &err);
    return link ? actor_at(link, io->ctx, actor, ret_call) : TR_NOBODY;
}

tr_pid tri_bridge_find(struct tri_remote_io *io, const char *member_id, struct tri_name id,
                       uint64_t *ret_call)
{
    struct tri_name actor;
    tr_err err;
    *ret_call = 0;
    if (id.size > VIA_SIZE && memcmp(id.at, VIA, VIA_SIZE) == 0)
        return tri_bridge_open(io, id, ret_call);
    const struct tri_bridge *route = route_of(io->remote, id, &actor);
    if (!route || tri_remote_is_own(io->remote, tri_name(route->address)))
        return TR_NOBODY;
    struct tri_link *link = tri_table_link(io->remote, tri_name(route->address), false, &err);
    if (!link)
        return TR_NOBODY;
    /* Relaxed: not known before the first contact, so a loop goes round once and ends. */
    if (route->id && tri_load(&link->troupe, TRI_RELAXED) &&
        strncmp(member_id, TRI_TROUPE_ID, sizeof TRI_TROUPE_ID - 1) == 0)
        return TR_NOBODY;
    return actor_at(link, io->ctx, actor, ret_call);
}

/* ---- Naming -------------------------------------------------------------------------------- */

/* The name of a route to an actor; false if there is none, or it would be too long. */
static bool name_by_route(const struct tr_remote *remote, const char *address, char *id,
                          uint32_t *size)
{
    const struct tri_bridge *found = NULL;
    for (uint32_t i = 0; i < remote->route_count && !(found && found->id); i++) {
        const struct tri_bridge *route = &remote->routes[i];
        if (strcmp(route->address, address) == 0 &&
            (route->id ? strcmp(route->id, id) == 0 : !found))
            found = route;
    }
    size_t name_size = found ? strlen(found->name) : 0;
    if (!found || name_size + (found->id ? 0 : *size) > TRI_ID_SIZE_MAX)
        return false;
    if (!found->id)
        memmove(id + name_size, id, *size + 1u);
    memcpy(id, found->name, name_size + (found->id ? 1 : 0));
    *size = (uint32_t)(name_size + (found->id ? 0 : *size));
    return true;
}

bool tri_bridge_rename(const struct tri_link *to, const struct tri_link *home,
                       char id[TRI_ID_SIZE_MAX + 1], uint32_t *size)
{
    const struct tr_remote *remote = to->remote;
    struct tri_name address = tri_name(home->address);
    char text[TRI_ID_SIZE_MAX + 1] = VIA;
    uint64_t number;
    if (home == to || !(home->bridged || to->bridged))
        return false;
    if (!tri_future_number((struct tri_name){id, *size}, &number) &&
        name_by_route(remote, home->address, id, size))
        return true;
    uint32_t at = VIA_SIZE + CODE_DIGITS;
    if (*size == 0 || at + 6 + address.size + *size > TRI_ID_SIZE_MAX) {
        *size = 0;
        return true;
    }
    text[at++] = '/';
    const uint32_t front = at;
    at += tri_number_write(address.size, text + at);
    text[at++] = '/';
    memcpy(text + at, address.at, address.size);
    at += address.size;
    text[at++] = '/';
    memcpy(text + at, id, *size);
    at += *size;
    write_code(remote, text + front, at - front, text + VIA_SIZE);
    memcpy(id, text, at);
    id[at] = '\0';
    *size = at;
    return true;
}

bool tri_bridge_can_tell(struct tr_remote *remote, tr_pid to, tr_pid from)
{
    char id[TRI_ID_SIZE_MAX + 1];
    uint32_t size;
    struct tri_link *home;
    const struct tri_link *link = tri_far_link(remote, to);
    if (!link || !tri_pid_remote(from) || !tri_far_name(remote, from, id, &size, &home))
        return true;
    if (size == 0) /* One of the futures there, at most as long as this. */
        size = tri_future_id((uint64_t)1 << 59, id);
    return !tri_bridge_rename(link, home, id, &size) || size != 0;
}

/* ---- Passing on ------------------------------------------------------------------------------ */

static bool may_pass(const struct tr_remote *remote, const struct tri_envelope_in *in)
{
    struct tri_name type = in->type->name;
    struct tri_name id;
    for (uint32_t i = 0; i < remote->refused_count; i++) {
        if (tri_name_equal(tri_name(remote->refused[i]->name), type))
            return false;
    }
    const struct tri_bridge *route = route_of(remote, in->target->pid.id, &id);
    char **types = route ? route->types : NULL;
    for (char **at = types; at && *at; at++) {
        if (tri_name_equal(tri_name(*at), type))
            return true;
    }
    return !types;
}

bool tri_bridge_pass(const struct tri_arrival *a, bool wait)
{
    const struct tri_envelope_in *in = a->in;
    struct tr_ctx *ctx = a->io->ctx;
    struct tr_remote *remote = a->io->remote;
    struct tri_name type = in->type->name;
    size_t size = sizeof(struct tri_passing) + type.size + in->payload_size;
    uint32_t flags = 0;
    if (type.size == 0 || type.size > TR_NAME_SIZE_MAX || size > TR_MESSAGE_SIZE_MAX ||
        !may_pass(remote, in) || !tri_bridge_can_tell(remote, a->to, a->from)) {
        tri_control_reject(a);
        return true;
    }
    if (wait && tri_flow_full(remote, a->to))
        return false; /* TR_DELAY: so long the peer waits. */
    struct tri_block *block = tri_inbound_block(ctx, &tri_passing_type, size, in->headers);
    if (!block) {
        if (wait)
            return false;
        tri_send_refused(ctx, a->to, &tri_passing_type);
        tri_control_dead_letter(a);
        return true;
    }
    struct tri_passing *passing = tri_block_body(block);
    passing->serializer_id = in->serializer_id;
    passing->type_size = type.size;
    passing->type_key = tri_siphash(remote->table.key, type.at, type.size) | KEY_TOP;
    uint8_t *rest = (uint8_t *)(passing + 1);
    memcpy(rest, type.at, type.size);
    if (in->payload_size)
        memcpy(rest + type.size, in->payload, in->payload_size);
    block->from = a->from;
    block->call = tri_arrival_answers(a);
    if (block->call) {
        flags = TRI_BLOCK_REPLY;
    } else if (!tr_pid_is_nobody(a->from)) {
        /* Without a number it wants to know all the same: its nodes tell senders so, too. */
        block->call = a->call ? a->call : TRI_CALL_UNNUMBERED;
        flags = TRI_BLOCK_REQUEST;
    }
    tri_deliver_tagged(ctx, a->to, block, block->tag | TRI_TAG_FLAGS(flags));
    return true;
}

void tri_bridge_unpack(const void *body, size_t size, struct tri_outgoing *out)
{
    const struct tri_passing *passing = body;
    const uint8_t *rest = (const uint8_t *)(passing + 1);
    out->type = (struct tri_name){(const char *)rest, passing->type_size};
    out->type_key = passing->type_key;
    out->serializer_id = passing->serializer_id;
    out->body = rest + passing->type_size;
    out->body_size = size - sizeof *passing - passing->type_size;
}
