/*
 * main.c - the order system's three nodes on a simulated network. A seed makes up the orders, and
 * what goes wrong: links, partitions, nodes that stall, are killed, lose power at any write, or
 * whose disk or memory fails. Then everything is mended, and must come to rest; the power goes a
 * last time, and the three databases are held against the oracle of the one-node simulation, against
 * what the payment provider and the customers know, and against each other by the auditor.
 */
#include "place.h"

#include "plant.h"

#include <stdio.h>
#include <stdlib.h>

#define MS UINT64_C(1000000)
#define ROUNDS_MAX 60u
#define REST_MS 300000u

static enum node_role any_role(void)
{
    return (enum node_role)(ROLE_GATEWAY + place_chance(PLACE_ROLES));
}

static void part(enum node_role a, enum node_role b, bool parted)
{
    if (a != b)
        tri_net_part(place.net, a - 1u, b - 1u, parted);
}

static void boot_somehow(enum node_role role)
{
    static const enum disk_fault faults[] = {DISK_CRASH,    DISK_CRASH, DISK_CRASH,   DISK_CRASH,
                                             DISK_NO_WRITE, DISK_FULL,  DISK_NO_SYNC, DISK_NO_READ};
    struct ailment ailment = {.what = faults[place_chance(8)], .at = place_chance(120), .count = 1};
    bool ill = place_chance(3) == 0;
    place_boot(role, ill ? &ailment : NULL);
}

/* Something goes wrong, or is mended. */
static void disturb(void)
{
    enum node_role role = any_role(), other = any_role();
    bool up = place.station[role].up;
    switch (place_chance(14)) {
    case 0:
        if (role != other)
            tri_net_cut(place.net, role - 1u, other - 1u);
        break;
    case 1:
        part(role, other, true);
        break;
    case 2:
        part(role, other, true);
        part(other, role, true);
        break;
    case 3:
    case 4:
        part(role, other, false);
        part(other, role, false);
        break;
    case 5:
        if (up)
            tri_net_stall(place.net, role - 1u, (1 + place_chance(4000)) * MS);
        break;
    case 6:
        place_kill(role, place_chance(2));
        break;
    case 7:
        if (place_chance(4) == 0)
            place_leave(role);
        break;
    case 8:
        if (place_chance(3) == 0)
            place_starve(place_chance(2), place_chance(200));
        break;
    case 9:
        if (up && place_chance(3) == 0)
            place_confuse(role, place_chance(20), 1 + place_chance(200));
        break;
    default:
        if (!up)
            boot_somehow(role);
    }
}

static void mend(void)
{
    tri_net_faults(place.net, &(struct tri_net_faults){.delay_us_max = 500});
    place_calm();
    for (int a = ROLE_GATEWAY; a < ROLE_COUNT; a++) {
        for (int b = ROLE_GATEWAY; b < ROLE_COUNT; b++)
            part((enum node_role)a, (enum node_role)b, false);
        if (place.station[a].ill)
            place_kill((enum node_role)a, place_chance(2));
        if (!place.station[a].up)
            place_boot((enum node_role)a, NULL);
    }
    place.credit = UINT32_MAX;
}

static void come_to_rest(void)
{
    char why[256] = "";
    for (unsigned ms = 0; ms < REST_MS && !place.why[0]; ms += 100) {
        /* What failed before may end a process only now; whoever runs it starts it again. */
        for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++)
            if (!place.station[role].up)
                place_boot((enum node_role)role, NULL);
        place_run(100 * MS);
        if (place_at_rest(why, sizeof(why)))
            return;
    }
    place_wrong("it never comes to rest: %s", why);
}

static void begin(uint64_t seed, bool trace)
{
    place_begin(seed, trace);
    struct tri_net_faults faults = {.delay_us_max = 1 + place_chance(10000)};
    if (place_chance(2)) {
        faults.cut_permille = place_chance(10);
        faults.refuse_permille = place_chance(300);
    }
    tri_net_faults(place.net, &faults);
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
        tri_net_skew(place.net, (unsigned)role - 1, (int64_t)place_chance(5000) * (int64_t)MS,
                     (int)place_chance(400) - 200);
        if (place_chance(4) == 0)
            boot_somehow((enum node_role)role);
        else
            place_boot((enum node_role)role, NULL);
    }
}

static bool play(uint64_t seed, bool trace, uint64_t *ret_digest)
{
    begin(seed, trace);
    bool calm = place_chance(6) == 0;
    unsigned rounds = calm ? 0 : place_chance(ROUNDS_MAX), hectic = 1 + place_chance(4);
    for (unsigned round = 0; round < rounds && !place.why[0]; round++) {
        place.credit += place_chance(4);
        place_run((1 + place_chance(80)) * MS);
        if (place_chance(hectic) == 0)
            disturb();
    }
    mend();
    come_to_rest();
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT && !place.why[0]; role++)
        place_leave((enum node_role)role);
    if (!place.why[0])
        place_check();
    *ret_digest = tri_net_digest(place.net) ^ place.changes ^ place.boots;
    if (trace)
        fputs(tri_net_trace(place.net), stdout);
    place_end();
    return !place.why[0];
}

static int usage(void)
{
    fprintf(stderr, "usage: sim_pipeline [--plant BUG] [--seeds N] [--seed S [--trace]]\n");
    return 2;
}

int main(int argc, char **argv)
{
    uint64_t seeds = 100, first = 1, boots = 0, deaths = 0;
    const char *planted = NULL;
    bool trace = false, good = true;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--trace") == 0) {
            trace = true;
        } else if (more && strcmp(argv[i], "--seeds") == 0) {
            seeds = strtoull(argv[++i], NULL, 10);
        } else if (more && strcmp(argv[i], "--seed") == 0) {
            first = strtoull(argv[++i], NULL, 10);
            seeds = 1;
        } else if (more && strcmp(argv[i], "--plant") == 0 && orders_plant(argv[i + 1])) {
            planted = argv[++i];
        } else {
            return usage();
        }
    }
    place_install();
    for (uint64_t seed = first; seed < first + seeds && good; seed++) {
        uint64_t digest = 0, again = 0;
        good = play(seed, trace, &digest);
        boots += place.boots;
        deaths += place.deaths;
        if (good && seed % 10 == 0 && (!play(seed, false, &again) || again != digest)) {
            place_wrong("another run of it went another way");
            good = false;
        }
        if (!good)
            printf("seed %llu fails: %s\nagain: %s%s%s --seed %llu --trace\n",
                   (unsigned long long)seed, place.why, argv[0], planted ? " --plant " : "",
                   planted ? planted : "", (unsigned long long)seed);
    }
    if (good)
        printf("%llu seeds: three nodes started %llu times\n", (unsigned long long)seeds,
               (unsigned long long)boots);
    return good ? 0 : 1;
}
