/* place.c - see place.h. */
#include "place.h"

#include "../orders/alloc.h"

#include "sim/nodes/wire.h"

#include <sqlite3.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct source {
    struct ord_source base;
};

struct place place;

static struct source source;
static struct payment_provider provider;

/* ---- Chance and words ------------------------------------------------------ */

uint32_t place_chance(uint32_t bound)
{
    return tri_net_chance(place.net, bound);
}

void place_wrong(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (!place.why[0])
        vsnprintf(place.why, sizeof(place.why), fmt, args);
    va_end(args);
}

static uint32_t on_choose(void *user, uint32_t bound)
{
    (void)user;
    return place_chance(bound);
}

static uint64_t on_random(void *user)
{
    return tri_prng_next(user);
}

static bool on_event(void *user)
{
    (void)user;
    return true;
}

static void on_note(void *user, const char *line)
{
    (void)user;
    net_note(place.net, "%s", line);
}

static void on_wrong(void *user, const char *why)
{
    (void)user;
    place_wrong("%s", why);
}

/* ---- What the nodes get ---------------------------------------------------- */

static long read_text(struct ord_source *base, char *buffer, size_t size, struct ord_error *error)
{
    struct station *gateway = &place.station[ROLE_GATEWAY];
    size_t part = gateway->size - gateway->at;
    (void)base;
    (void)error;
    part = part > size ? size : part;
    memcpy(buffer, gateway->text + gateway->at, part);
    gateway->at += part;
    return (long)part;
}

/* A process that is being ended reaches nobody. */
static bool dead(enum node_role role)
{
    return disk_crashed(role);
}

static enum payment_answer capture(struct payment_provider *self, const char *key, int64_t pence,
                                   unsigned *ret_late_ms)
{
    (void)self;
    if (dead(ROLE_PROCESSING))
        return PAYMENT_SILENT;
    return (enum payment_answer)world_capture(&place.world, key, pence, ret_late_ms);
}

static enum payment_answer inquire(struct payment_provider *self, const char *key, unsigned attempt)
{
    (void)self;
    (void)attempt;
    return dead(ROLE_PROCESSING) ? PAYMENT_SILENT
                                 : (enum payment_answer)world_inquire(&place.world, key);
}

static enum payment_answer refund(struct payment_provider *self, const char *key, int64_t pence)
{
    (void)self;
    return dead(ROLE_PROCESSING) ? PAYMENT_SILENT
                                 : (enum payment_answer)world_refund(&place.world, key, pence);
}

static bool deliver(void *user, const struct notice *notice)
{
    (void)user;
    return !dead(ROLE_LEDGER) && world_tell(&place.world, notice->key, notice->id, notice->state);
}

static void acknowledge(void *user, const char *key)
{
    (void)user;
    if (dead(ROLE_GATEWAY))
        return;
    for (unsigned i = 0; i < place.acknowledged_count; i++)
        if (strcmp(place.acknowledged[i], key) == 0)
            place_wrong("order %s is acknowledged twice", key);
    if (place.acknowledged_count < KEYS_MAX)
        snprintf(place.acknowledged[place.acknowledged_count++], sizeof(place.acknowledged[0]),
                 "%.15s", key);
}

static void complain(void *user, const char *sentence)
{
    (void)user;
    net_note(place.net, "gateway: %s", sentence);
}

static void say(void *user, enum node_role role, const char *sentence)
{
    (void)user;
    net_note(place.net, "%s: %s", node_role_name(role), sentence);
}

/* ---- Beginning and end ----------------------------------------------------- */

void place_install(void)
{
    sim_alloc_install();
    disk_install();
    source.base.read = read_text;
    provider = (struct payment_provider){capture, inquire, refund};
}

static void add_station(enum node_role role)
{
    static const char *const files[] = {
        [ROLE_GATEWAY] = "gateway", [ROLE_PROCESSING] = "processing", [ROLE_LEDGER] = "ledger"};
    struct station *station = &place.station[role];
    station->role = role;
    snprintf(station->path, sizeof(station->path), "%d/%s.db", (int)role, files[role]);
    station->remote = parts_remote();
    (void)tri_net_add(place.net, &station->remote);
    station->options = (struct node_options){.role = role,
                                             .db = station->path,
                                             .under_way = place.history.under_way,
                                             .name = "history",
                                             .window_s = place.history.window_minutes * 60,
                                             .provider = &provider,
                                             .stock = place.history.stock,
                                             .stock_given = true,
                                             .deliver = deliver,
                                             .acknowledge = acknowledge,
                                             .complain = complain,
                                             .say = say};
    if (role != ROLE_GATEWAY)
        return;
    station->options.source = &source.base;
    station->text = history_text(&place.history, place.history.count, &station->size);
}

void place_begin(uint64_t seed, bool trace)
{
    memset(&place, 0, sizeof(place));
    place.seed = seed;
    place.net = tri_net_create(seed, trace);
    if (!place.net)
        abort();
    tri_prng_seed(&place.past, seed + UINT64_C(0xD1B54A32D192ED03));
    place.host = (struct host){.user = &place.past,
                               .seed = seed,
                               .choose = on_choose,
                               .random = on_random,
                               .event = on_event,
                               .note = on_note,
                               .wrong = on_wrong};
    disk_reset(&place.host);
    world_reset(&place.world, &place.host);
    place.world.told_first = true;
    oracle_reset(&place.oracle, &place.history, &place.world);
    history_make(&place.host, &place.history);
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++)
        add_station((enum node_role)role);
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++)
        for (int peer = ROLE_GATEWAY; peer < ROLE_COUNT; peer++)
            if (peer != role)
                place.station[role].options.peer[peer] = tri_net_address(place.net,
                                                                         (unsigned)peer - 1);
}

void place_end(void)
{
    place_calm();
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++)
        place_kill((enum node_role)role, true);
    tri_net_destroy(place.net);
    free(place.station[ROLE_GATEWAY].text);
}

/* ---- Processes ------------------------------------------------------------- */

static void stop_starving(void)
{
    sim_alloc_fail(-1);
    sim_sqlite_alloc_fail(-1);
}

static void end_process(struct station *station, bool power)
{
    tri_net_kill(place.net, station->role - 1);
    stop_starving();
    parts_fini(&station->parts);
    place.changes = place.changes * 31 + disk_changes(station->role);
    place.deaths++;
    station->up = false;
    station->power_lost = power || station->forgetful;
    if (station->role == ROLE_PROCESSING)
        world_again(&place.world);
}

void place_kill(enum node_role role, bool power)
{
    struct station *station = &place.station[role];
    if (!station->up)
        return;
    net_note(place.net, "%s: %s", node_role_name(role), power ? "the power goes" : "kill -9");
    disk_cut(role);
    end_process(station, power);
}

void place_leave(enum node_role role)
{
    struct station *station = &place.station[role];
    struct tr_accounts accounts;
    if (!station->up)
        return;
    (void)tr_remote_stop(tri_net_remote(place.net, role - 1), 2000);
    if (disk_crashed(role)) {
        place_kill(role, true);
        return;
    }
    (void)tr_system_stop(tri_net_system(place.net, role - 1), 5000);
    tr_system_accounts(tri_net_system(place.net, role - 1), &accounts);
    if (!tr_accounts_balance(&accounts))
        place_wrong("the accounts of the %s do not balance", node_role_name(role));
    end_process(station, disk_crashed(role));
}

/* An order that was acknowledged is there, whatever became of the process and the machine. */
static void check_acknowledged(void)
{
    sqlite3 *db = outbox_connection(place.station[ROLE_GATEWAY].parts.config[ROLE_GATEWAY].outbox);
    sqlite3_stmt *find = NULL;
    sqlite3_prepare_v2(db, "SELECT 1 FROM accepted WHERE what = 0 AND key = ?", -1, &find, NULL);
    for (unsigned i = 0; find && i < place.acknowledged_count; i++) {
        sqlite3_bind_text(find, 1, place.acknowledged[i], -1, SQLITE_STATIC);
        if (sqlite3_step(find) == SQLITE_DONE)
            place_wrong("order %s was acknowledged, and the gateway's database has it no more",
                        place.acknowledged[i]);
        sqlite3_reset(find);
    }
    sqlite3_finalize(find);
}

void place_boot(enum node_role role, const struct ailment *ailment)
{
    struct station *station = &place.station[role];
    disk_start(role, station->power_lost);
    station->ill = ailment != NULL;
    station->excused = ailment || sim_alloc_pending();
    station->forgetful = ailment && ailment->what == DISK_NO_SYNC;
    if (ailment)
        disk_order(role, ailment->what, ailment->at, ailment->count);
    station->at = 0;
    station->all_taken = false;
    if (!parts_init(&station->parts, &station->options, &station->error) ||
        tri_net_boot(place.net, role - 1) != TR_OK)
        abort();
    station->up = true;
    place.boots++;
    bool good = parts_open(&station->parts, tr_root(tri_net_system(place.net, role - 1))) &&
                parts_connect(&station->parts);
    if (good && role == ROLE_GATEWAY)
        check_acknowledged();
    if (good)
        return;
    net_note(place.net, "%s cannot start: %s", node_role_name(role), station->error.text);
    if (!station->excused && !disk_crashed(role))
        place_wrong("the %s cannot start although nothing is wrong: %s", node_role_name(role),
                    station->error.text);
    place_kill(role, disk_crashed(role));
}

void place_starve(bool sqlite, unsigned after)
{
    net_note(place.net, "allocation %u of %s will fail", after, sqlite ? "SQLite" : "the nodes");
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++)
        place.station[role].excused = true;
    if (sqlite)
        sim_sqlite_alloc_fail((long)after);
    else
        sim_alloc_fail((long)after);
}

static struct tri_sim *sim_of(enum node_role role)
{
    return place.net->nodes[role - 1].sim;
}

void place_confuse(enum node_role role, unsigned fail_permille, unsigned late_permille)
{
    net_note(place.net, "%s: of a thousand messages %u fail, %u are late", node_role_name(role),
             fail_permille, late_permille);
    place.station[role].excused = true;
    sim_of(role)->faults = (struct tr_test_faults){
        .fail_permille = fail_permille, .delay_permille = late_permille, .delay_ms_max = 100};
}

/* ---- Time ------------------------------------------------------------------ */

/* What node.c's main thread looks for. */
static void look_after(struct station *station)
{
    struct ord_error why;
    bool crashed = disk_crashed(station->role);
    if (!crashed && gate_wait(&station->parts.gate, 0, 0, UINT64_MAX, &why))
        return;
    if (!crashed) {
        net_note(place.net, "%s ends: %s", node_role_name(station->role), why.text);
        if (!station->excused)
            place_wrong("the %s failed although nothing is wrong: %s",
                        node_role_name(station->role), why.text);
    }
    place_kill(station->role, crashed);
}

static bool stalled(enum node_role role)
{
    return place.net->nodes[role - 1].stalled_until_ns > tri_net_now_ns(place.net);
}

static void take_in(struct station *gateway)
{
    struct ord_error broken;
    if (!gateway->up || gateway->all_taken || place.credit == 0 || stalled(ROLE_GATEWAY) ||
        !parts_may_take(&gateway->parts))
        return;
    place.credit--;
    enum intake_result got = parts_take(&gateway->parts, gateway->parts.root, &broken);
    gateway->all_taken = got != INTAKE_DOC;
    if (got == INTAKE_BROKEN) {
        if (!gateway->excused)
            place_wrong("the intake broke off: %s", broken.text);
        place_kill(ROLE_GATEWAY, false);
    }
}

static bool step(uint64_t until)
{
    bool more = tri_net_step(place.net, until);
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++)
        if (place.station[role].up)
            look_after(&place.station[role]);
    return more;
}

void place_run(uint64_t ns)
{
    uint64_t until = tri_net_now_ns(place.net) + ns;
    bool more = true;
    while (more && tri_net_now_ns(place.net) < until) {
        more = step(until);
        take_in(&place.station[ROLE_GATEWAY]);
    }
    while (step(until)) {
    }
}

void place_calm(void)
{
    stop_starving();
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++)
        tri_net_stall(place.net, (unsigned)role - 1, 0);
    while (step(tri_net_now_ns(place.net))) {
    }
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
        if (!place.station[role].up)
            continue;
        struct tri_sim *sim = sim_of((enum node_role)role);
        for (size_t i = 0; i < sim->late_count; i++) /* Or what is on time would overtake them. */
            sim->late[i].due_ns = sim->now_ns;
        tri_sim_deliver_due(sim);
        sim->faults = (struct tr_test_faults){.drop_permille = 0};
    }
}
