/* outbox.c - see outbox.h. */
#include "nodes/outbox.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUSY_MS 2000
#define NUMBER_BITS 48 /* an outbox id is the peer's role, then the number */

/* "Trog", "Trop": the ledger's node lives in the books. */
static const int32_t application_ids[ROLE_COUNT] = {
    [ROLE_GATEWAY] = 0x54726f67, [ROLE_PROCESSING] = 0x54726f70};
#define NODE_SCHEMA_VERSION 1

static const char node_schema[] =
    "CREATE TABLE IF NOT EXISTS node(name TEXT PRIMARY KEY, value TEXT NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS peers(role INTEGER PRIMARY KEY, identity INTEGER NOT NULL,"
    " kept INTEGER NOT NULL, applied INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS outbox(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL,"
    " body BLOB NOT NULL) STRICT;";

enum statement { PUT, FETCH, FORGET, KEPT, APPLIED, MEET, STATEMENTS };
static const char *const sql[STATEMENTS] = {
    [PUT] = "INSERT INTO outbox VALUES(?,?,?)",
    [FETCH] = "SELECT id, kind, body FROM outbox WHERE id > ? AND id <= ? ORDER BY id",
    [FORGET] = "DELETE FROM outbox WHERE id > ? AND id <= ?",
    [KEPT] = "UPDATE peers SET kept=?2 WHERE role=?1",
    [APPLIED] = "UPDATE peers SET applied=?2 WHERE role=?1",
    [MEET] = "UPDATE peers SET identity=?2 WHERE role=?1",
};

struct outbox {
    sqlite3 *db;
    bool borrowed;
    char *path;
    uint64_t identity;
    enum node_role role;
    sqlite3_stmt *statement[STATEMENTS];
    struct outbox_peer peer[ROLE_COUNT];
    bool put[ROLE_COUNT]; /* in this transaction */
};

static const char *const names[ROLE_COUNT] = {"none", "gateway", "processing", "ledger"};

const char *node_role_name(enum node_role role)
{
    return names[role];
}

enum node_role node_role_of(const char *name)
{
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++)
        if (strcmp(name, names[role]) == 0)
            return (enum node_role)role;
    return ROLE_NONE;
}

bool outbox_failed(struct outbox *outbox, const char *doing, struct ord_error *error)
{
    int code = outbox->db ? sqlite3_errcode(outbox->db) : SQLITE_NOMEM;
    const char *hint = code == SQLITE_FULL ? " (free some space and start the node again)"
                       : code == SQLITE_BUSY || code == SQLITE_LOCKED
                           ? " (another program holds it; start the node again)"
                           : "";
    return ord_fail(error, "database '%s': %s: %s%s", outbox->path, doing,
                    outbox->db ? sqlite3_errmsg(outbox->db) : "memory is short", hint);
}

static bool query_int(sqlite3 *db, const char *text, int64_t *ret_value)
{
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW;
    if (good)
        *ret_value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return good;
}

/* ---- Opening --------------------------------------------------------------- */

static bool make(struct outbox *outbox, const char *schema, struct ord_error *error)
{
    char text[640];
    int64_t identity = 0;
    while (identity <= 0) /* SQLite's generator has its seed from its VFS: the system, or a test. */
        sqlite3_randomness(sizeof(identity), &identity);
    int used = snprintf(text, sizeof(text),
                        "INSERT INTO node VALUES('role','%s'),('identity','%lld');"
                        "INSERT INTO peers VALUES(1,0,0,0),(2,0,0,0),(3,0,0,0);",
                        names[outbox->role], (long long)identity);
    if (application_ids[outbox->role])
        snprintf(text + used, sizeof(text) - (size_t)used,
                 "PRAGMA application_id=%d; PRAGMA user_version=%d;", application_ids[outbox->role],
                 NODE_SCHEMA_VERSION);
    if (sqlite3_exec(outbox->db, node_schema, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(outbox->db, text, NULL, NULL, NULL) != SQLITE_OK ||
        (schema && sqlite3_exec(outbox->db, schema, NULL, NULL, NULL) != SQLITE_OK))
        return outbox_failed(outbox, "cannot be set up", error);
    return true;
}

static bool check(struct outbox *outbox, const char *schema, struct ord_error *error)
{
    int64_t application = 0, version = 0, tables = 0, ours = 0;
    int32_t wanted = application_ids[outbox->role];
    if (!query_int(outbox->db, "PRAGMA application_id", &application) ||
        !query_int(outbox->db, "PRAGMA user_version", &version) ||
        !query_int(outbox->db, "SELECT count(*) FROM sqlite_schema", &tables) ||
        !query_int(outbox->db, "SELECT count(*) FROM sqlite_schema WHERE name='node'", &ours))
        return outbox_failed(outbox, "cannot be read", error);
    if ((application == 0 && tables == 0) || (wanted == 0 && ours == 0)) {
        int64_t orders = 0;
        if (wanted == 0 && query_int(outbox->db, "SELECT count(*) FROM orders", &orders) && orders)
            return ord_fail(error,
                            "'%s' holds books that were kept without nodes (%lld orders): a ledger "
                            "node begins with new books",
                            outbox->path, (long long)orders);
        return make(outbox, schema, error);
    }
    if (wanted != 0 && application != wanted)
        return ord_fail(error, "'%s' is not the database of a %s node", outbox->path,
                        names[outbox->role]);
    if (wanted != 0 && version != NODE_SCHEMA_VERSION)
        return ord_fail(error, "'%s' has schema version %lld, this program knows %d", outbox->path,
                        (long long)version, NODE_SCHEMA_VERSION);
    return true;
}

static bool load(struct outbox *outbox, struct ord_error *error)
{
    int64_t identity = 0, first = 0;
    if (!query_int(outbox->db, "SELECT CAST(value AS INTEGER) FROM node WHERE name='identity'",
                   &identity) ||
        identity <= 0)
        return outbox_failed(outbox, "does not say who it is", error);
    outbox->identity = (uint64_t)identity;
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++) {
        struct outbox_peer *peer = &outbox->peer[role];
        sqlite3_stmt *row = NULL;
        char text[160];
        bool good = sqlite3_prepare_v2(outbox->db,
                                       "SELECT identity, kept, applied FROM peers WHERE role=?", -1,
                                       &row, NULL) == SQLITE_OK;
        if (good)
            sqlite3_bind_int(row, 1, role);
        good = good && sqlite3_step(row) == SQLITE_ROW;
        if (good)
            *peer = (struct outbox_peer){.identity = (uint64_t)sqlite3_column_int64(row, 0),
                                         .kept = (uint64_t)sqlite3_column_int64(row, 1),
                                         .applied = (uint64_t)sqlite3_column_int64(row, 2)};
        sqlite3_finalize(row);
        snprintf(text, sizeof(text),
                 "SELECT coalesce(min(id) & %lld, 0) FROM outbox WHERE id >> %d = %d",
                 (1LL << NUMBER_BITS) - 1, NUMBER_BITS, role);
        if (!good || !query_int(outbox->db, text, &first))
            return outbox_failed(outbox, "cannot be read", error);
        peer->acked = first > 0 ? (uint64_t)first - 1 : peer->kept;
    }
    return true;
}

static bool set_up(struct outbox *outbox, const char *schema, struct ord_error *error)
{
    static const char pragmas[] =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=16384;"
        "PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=OFF;";
    if ((!outbox->borrowed && sqlite3_exec(outbox->db, pragmas, NULL, NULL, NULL) != SQLITE_OK) ||
        sqlite3_exec(outbox->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return outbox_failed(outbox, "cannot be opened for writing", error);
    if (!check(outbox, schema, error) || !load(outbox, error))
        return false;
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(outbox->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &outbox->statement[i], NULL) != SQLITE_OK)
            return outbox_failed(outbox, "cannot be used", error);
    if (sqlite3_exec(outbox->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return outbox_failed(outbox, "cannot be set up", error);
    return true;
}

static struct outbox *begin(const char *path, enum node_role role, struct ord_error *error)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));
    if (outbox)
        outbox->path = strdup(path);
    if (!outbox || !outbox->path) {
        free(outbox);
        ord_fail(error, "memory is short opening '%s'", path);
        return NULL;
    }
    outbox->role = role;
    return outbox;
}

struct outbox *outbox_open(const char *path, enum node_role role, const char *schema,
                           struct ord_error *error)
{
    struct outbox *outbox = begin(path, role, error);
    if (!outbox)
        return NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &outbox->db, flags, NULL) != SQLITE_OK) {
        outbox_failed(outbox, "cannot be opened", error);
        outbox_close(outbox);
        return NULL;
    }
    sqlite3_busy_timeout(outbox->db, BUSY_MS);
    if (!set_up(outbox, schema, error)) {
        outbox_close(outbox);
        return NULL;
    }
    return outbox;
}

struct outbox *outbox_within(struct sqlite3 *db, const char *path, enum node_role role,
                             struct ord_error *error)
{
    struct outbox *outbox = begin(path, role, error);
    if (!outbox)
        return NULL;
    outbox->db = db;
    outbox->borrowed = true;
    if (!set_up(outbox, NULL, error)) {
        outbox_rollback(outbox);
        outbox_close(outbox);
        return NULL;
    }
    return outbox;
}

void outbox_close(struct outbox *outbox)
{
    if (!outbox)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(outbox->statement[i]);
    if (!outbox->borrowed)
        sqlite3_close(outbox->db);
    free(outbox->path);
    free(outbox);
}

struct sqlite3 *outbox_connection(struct outbox *outbox)
{
    return outbox->db;
}

uint64_t outbox_identity(const struct outbox *outbox)
{
    return outbox->identity;
}

const struct outbox_peer *outbox_peer(const struct outbox *outbox, enum node_role peer)
{
    return &outbox->peer[peer];
}

/* ---- Transactions ---------------------------------------------------------- */

static int64_t id_of(enum node_role peer, uint64_t number)
{
    return (int64_t)((uint64_t)peer << NUMBER_BITS | number);
}

static bool run(struct outbox *outbox, enum statement which, const char *doing,
                struct ord_error *error)
{
    sqlite3_stmt *statement = outbox->statement[which];
    int step = sqlite3_step(statement);
    if (step != SQLITE_DONE)
        outbox_failed(outbox, doing, error);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return step == SQLITE_DONE;
}

bool outbox_begin(struct outbox *outbox, struct ord_error *error)
{
    memset(outbox->put, 0, sizeof(outbox->put));
    if (sqlite3_exec(outbox->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return outbox_failed(outbox, "a batch cannot begin", error);
    return true;
}

static bool set_number(struct outbox *outbox, enum statement which, enum node_role peer,
                       uint64_t number, struct ord_error *error)
{
    sqlite3_bind_int(outbox->statement[which], 1, (int)peer);
    sqlite3_bind_int64(outbox->statement[which], 2, (int64_t)number);
    return run(outbox, which, "what a peer has cannot be entered", error);
}

bool outbox_commit(struct outbox *outbox, struct ord_error *error)
{
    for (int role = ROLE_GATEWAY; role < ROLE_COUNT; role++)
        if (outbox->put[role] &&
            !set_number(outbox, KEPT, (enum node_role)role, outbox->peer[role].kept, error))
            return false;
    if (sqlite3_exec(outbox->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return outbox_failed(outbox, "a batch cannot be committed", error);
    return true;
}

void outbox_rollback(struct outbox *outbox)
{
    if (!sqlite3_get_autocommit(outbox->db))
        sqlite3_exec(outbox->db, "ROLLBACK", NULL, NULL, NULL);
}

bool outbox_put(struct outbox *outbox, enum node_role to, enum parcel_kind kind, const void *body,
                size_t size, struct ord_error *error)
{
    if (size > PARCEL_SIZE_MAX)
        return ord_fail(error, "a parcel for the %s has %zu bytes, at most %u can be sent",
                        names[to], size, PARCEL_SIZE_MAX);
    sqlite3_stmt *put = outbox->statement[PUT];
    sqlite3_bind_int64(put, 1, id_of(to, ++outbox->peer[to].kept));
    sqlite3_bind_int(put, 2, (int)kind);
    sqlite3_bind_blob(put, 3, body ? body : "", (int)size, SQLITE_STATIC);
    outbox->put[to] = true;
    return run(outbox, PUT, "a parcel cannot be kept", error);
}

bool outbox_applied(struct outbox *outbox, enum node_role from, uint64_t number,
                    struct ord_error *error)
{
    outbox->peer[from].applied = number;
    return set_number(outbox, APPLIED, from, number, error);
}

bool outbox_meet(struct outbox *outbox, enum node_role peer, uint64_t identity,
                 struct ord_error *error)
{
    outbox->peer[peer].identity = identity;
    return set_number(outbox, MEET, peer, identity, error);
}

bool outbox_forget(struct outbox *outbox, enum node_role to, uint64_t number,
                   struct ord_error *error)
{
    sqlite3_bind_int64(outbox->statement[FORGET], 1, id_of(to, 0));
    sqlite3_bind_int64(outbox->statement[FORGET], 2, id_of(to, number));
    outbox->peer[to].acked = number;
    return run(outbox, FORGET, "acknowledged parcels cannot be cleared away", error);
}

struct outbox_parcel **outbox_fetch(struct outbox *outbox, enum node_role to, uint64_t number,
                                    uint64_t count, uint64_t bytes, struct outbox_parcel **tail,
                                    struct ord_error *error)
{
    sqlite3_stmt *fetch = outbox->statement[FETCH];
    uint64_t used = 0;
    int step = SQLITE_DONE;
    sqlite3_bind_int64(fetch, 1, id_of(to, number));
    sqlite3_bind_int64(fetch, 2, id_of(to, number + count));
    while ((step = sqlite3_step(fetch)) == SQLITE_ROW) {
        size_t size = (size_t)sqlite3_column_bytes(fetch, 2);
        if (used > 0 && used + size > bytes) {
            step = SQLITE_DONE;
            break;
        }
        used += size;
        struct outbox_parcel *parcel = malloc(sizeof(*parcel) + size);
        uint64_t found = (uint64_t)sqlite3_column_int64(fetch, 0) & ((1ULL << NUMBER_BITS) - 1);
        if (!parcel || found != ++number) {
            sqlite3_reset(fetch);
            free(parcel);
            ord_fail(error,
                     parcel ? "database '%s': parcel %llu for the %s is missing"
                            : "memory is short: '%s', parcel %llu for the %s",
                     outbox->path, (unsigned long long)number, names[to]);
            return NULL;
        }
        *parcel = (struct outbox_parcel){.number = number,
                                         .to = to,
                                         .kind = (enum parcel_kind)sqlite3_column_int(fetch, 1),
                                         .size = (uint32_t)size};
        if (size > 0)
            memcpy(parcel->body, sqlite3_column_blob(fetch, 2), size);
        *tail = parcel;
        tail = &parcel->next;
    }
    if (step != SQLITE_DONE)
        outbox_failed(outbox, "parcels cannot be read", error);
    sqlite3_reset(fetch);
    return step == SQLITE_DONE ? tail : NULL;
}
