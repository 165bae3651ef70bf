/* Who this node is, and who may talk to it: remote/node.h. */
#include "base/alloc.h"
#include "remote/node.h"

#include <stdio.h>

#define BLOCKED_MAX 65536u

/* ---- Addresses ----------------------------------------------------------------------------- */

static bool add_own(struct tr_remote *remote, const char *host, const char *port)
{
    char text[TR_ADDRESS_SIZE_MAX + 1];
    size_t count = 0;
    while (remote->own && remote->own[count])
        count++;
    snprintf(text, sizeof text, "%s:%s", host, port);
    char **own = tri_realloc(remote->own, (count + 2) * sizeof *own);
    if (!own)
        return false;
    remote->own = own;
    own[count + 1] = NULL;
    own[count] = tri_strdup(text);
    return own[count] != NULL;
}

tr_err tri_remote_set_address(struct tr_remote *remote, const char *address)
{
    const char *colon = strrchr(address, ':');
    TRI_ASSERT(!remote->address);
    remote->address = tri_strdup(address);
    bool ok = remote->address != NULL;
    if (ok && colon) /* Clients have none. */
        ok = add_own(remote, "localhost", colon + 1) && add_own(remote, "127.0.0.1", colon + 1) &&
             add_own(remote, "[::1]", colon + 1);
    return ok ? TR_OK : TR_ENOMEM;
}

bool tri_remote_is_own(const struct tr_remote *remote, struct tri_name address)
{
    if (address.size == 0 || tri_name_equal(address, TRI_NAME("nonhost")) ||
        (remote->address && tri_name_equal(address, tri_name(remote->address))))
        return true;
    for (char **own = remote->own; own && *own; own++) {
        if (tri_name_equal(address, tri_name(*own)))
            return true;
    }
    return false;
}

enum tr_dialect tri_remote_known_dialect(const struct tr_remote *remote, const char *address)
{
    for (uint32_t i = 0; i < remote->peer_count; i++) {
        if (strcmp(remote->peers[i].address, address) == 0)
            return remote->peers[i].dialect;
    }
    return TR_DIALECT_DETECT;
}

/* "host:port", "host:*", or a name. */
static bool matches(const char *pattern, const char *text)
{
    size_t size = strlen(pattern);
    const char *colon = strrchr(text, ':');
    if (strcmp(pattern, text) == 0)
        return true;
    return size > 2 && strcmp(pattern + size - 2, ":*") == 0 && colon &&
           (size_t)(colon - text) == size - 2 && memcmp(pattern, text, size - 2) == 0;
}

static bool has_word(const char *words, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = words; at && size && (at = strstr(at, word)); at += size) {
        if ((at == words || at[-1] == ' ') && (at[size] == '\0' || at[size] == ' '))
            return true;
    }
    return false;
}

bool tri_remote_peer_allowed(const struct tr_remote *remote, const char *address, const char *names)
{
    if (!remote->allowed)
        return true;
    for (char **at = remote->allowed; *at; at++) {
        if (matches(*at, address) || has_word(names, *at))
            return true;
    }
    return false;
}

/* ---- Block list ------------------------------------------------------------------------------ */

bool tri_remote_is_blocked(struct tr_remote *remote, struct tri_name member_id)
{
    tri_spin_lock(&remote->blocked_lock);
    const struct tri_blocked *b = remote->blocked;
    tri_spin_unlock(&remote->blocked_lock); /* Entries are never taken away. */
    while (b && !tri_name_equal((struct tri_name){b->id, b->size}, member_id))
        b = b->next;
    return b != NULL;
}

tr_err tr_remote_block(tr_remote *remote, const char *system_id)
{
    struct tri_name id = tri_name(system_id);
    if (tri_remote_is_blocked(remote, id))
        return TR_OK;
    struct tri_blocked *b = tri_malloc(sizeof *b + id.size);
    if (!b)
        return TR_ENOMEM;
    b->size = id.size;
    memcpy(b->id, id.at, id.size);
    tri_spin_lock(&remote->blocked_lock);
    bool full_up = remote->blocked_count >= BLOCKED_MAX;
    if (!full_up) {
        b->next = remote->blocked;
        remote->blocked = b;
        remote->blocked_count++;
    }
    tri_spin_unlock(&remote->blocked_lock);
    if (full_up)
        tri_free(b);
    return full_up ? TR_EFULL : TR_OK;
}
