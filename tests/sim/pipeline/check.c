/* check.c - whether the three nodes have come to rest, and whether all is as it must be then. */
#include "place.h"

#include "verify.h"

#include <stdio.h>

bool place_at_rest(char *why, size_t size)
{
    struct station *gateway = &place.station[ROLE_GATEWAY];
    struct role_gateway_figures figures;
    why[0] = '\0';
    if (!gateway->up || !gateway->all_taken ||
        gate_committed(&gateway->parts.gate) < gateway->parts.seq) {
        snprintf(why, size, "the gateway %s", gateway->up ? "takes orders in" : "is down");
        return false;
    }
    role_gateway_figures(gateway->parts.gateway, &figures);
    if (figures.accepted != figures.ended)
        snprintf(why, size, "%llu of %llu orders have ended", (unsigned long long)figures.ended,
                 (unsigned long long)figures.accepted);
    for (int role = ROLE_GATEWAY; !why[0] && role < ROLE_COUNT; role++) {
        struct parts *parts = &place.station[role].parts;
        const char *name = node_role_name((enum node_role)role);
        if (!place.station[role].up || !parts_settled(parts))
            snprintf(why, size, "the %s is at work", name);
        struct desk_board board = parts_look(parts, (enum node_role)role);
        for (int peer = ROLE_GATEWAY; !why[0] && peer < ROLE_COUNT; peer++)
            if (peer != role && (!board.peer[peer].up || board.peer[peer].trouble ||
                                 board.peer[peer].kept != board.peer[peer].acked))
                snprintf(why, size, "%s and %s: up %d, trouble %d, %llu of %llu acknowledged", name,
                         node_role_name((enum node_role)peer), board.peer[peer].up,
                         (int)board.peer[peer].trouble, (unsigned long long)board.peer[peer].acked,
                         (unsigned long long)board.peer[peer].kept);
    }
    return !why[0];
}

static void audit(void)
{
    static struct verify_result result;
    char why[VERIFY_TEXT_SIZE];
    const struct station *station = place.station;
    if (!verify_books(station[ROLE_LEDGER].path, &result, why) ||
        !verify_nodes(station[ROLE_LEDGER].path, station[ROLE_GATEWAY].path,
                      station[ROLE_PROCESSING].path, &result, why)) {
        place_wrong("the auditor: %s", why);
        return;
    }
    for (int i = 0; i < result.count; i++)
        if (!result.check[i].good)
            place_wrong("the auditor: %s: %s", result.check[i].name, result.check[i].detail);
}

void place_check(void)
{
    struct oracle_run whole = {.rows = place.history.count, .whole = true};
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++)
        disk_start((unsigned)role, true);
    if (!oracle_check(&place.oracle, place.station[ROLE_LEDGER].path, &whole) ||
        !oracle_all_told(&place.oracle))
        place_wrong("%s", place.oracle.why);
    audit();
}
