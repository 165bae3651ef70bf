/*
 * codec/envelope.h - batches of messages as protoactor-go has them, in both dialects.
 *
 * A batch is one remote.MessageBatch: tables of type names, targets and senders, and envelopes
 * that refer to them by index. Neither direction allocates per message.
 */
#ifndef TROUPE_CODEC_ENVELOPE_H
#define TROUPE_CODEC_ENVELOPE_H

#include "codec/wire.h"

enum tri_dialect {
    TRI_DIALECT_UNKNOWN,
    TRI_DIALECT_A, /* targets are PIDs: protoactor-go before 2025-08-13 */
    TRI_DIALECT_B, /* targets are ids: protoactor-go since, and .NET */
};

/* actor.PID. In a table `request_id` is 0: envelopes carry it. */
struct tri_wire_pid {
    struct tri_name address, id;
    uint32_t request_id;
};

struct tri_header {
    struct tri_name key, value;
};

/* Entries of one table of one batch, out and in. A protoactor-go batch has at most 1,000. */
#define TRI_BATCH_TABLE_MAX 32768
/* Different keys per table that a batch finds again; further ones get an entry each time. */
#define TRI_BATCH_KEYS 256

/* ---- Going out ----------------------------------------------------------- */

struct tri_batch_key {
    uint64_t key;
    uint32_t serial, index;
};

/* One of the three tables: its entries as they will be sent, and what is already in it. */
struct tri_batch_table {
    uint8_t *bytes;
    uint32_t size, capacity, count, keyed;
    struct tri_batch_key keys[2 * TRI_BATCH_KEYS];
};

/*
 * A batch under construction in memory of the caller's. Not locked. About 25 KiB, of which a
 * short batch touches a few hundred bytes.
 */
struct tri_batch {
    uint8_t *memory, *at, *end; /* envelopes begin TRI_BATCH_FRONT bytes into `memory` */
    uint8_t *limit;             /* of the envelopes: the rest is for the tables */
    uint32_t count;             /* envelopes */
    uint32_t serial;
    enum tri_dialect dialect;
    uint8_t envelope_width, payload_width; /* bytes of the sizes, as they last were */
    struct tri_batch_table types, targets, senders;
};

/* Bytes at the front of a batch's memory for its tables; the first 5 stay free in any case. */
#define TRI_BATCH_FRONT 1024
/* The smallest memory that a batch may be given. */
#define TRI_BATCH_MEMORY_MIN 4096

void tri_batch_init(struct tri_batch *batch);
void tri_batch_fini(struct tri_batch *batch);

/*
 * Begins an empty batch in `size` bytes of `memory`, which stay the caller's. The whole batch
 * with its tables never takes more than that. UNKNOWN counts as A: both dialects parse it.
 */
void tri_batch_begin(struct tri_batch *batch, enum tri_dialect dialect, void *memory, size_t size);

/* Where `key` is or belongs. At most half of the places are taken, so there is a free one. */
static inline uint32_t tri_batch_place(const struct tri_batch *batch,
                                       const struct tri_batch_table *table, uint64_t key)
{
    const uint32_t mask = 2 * TRI_BATCH_KEYS - 1;
    uint32_t at = (uint32_t)(key * 0x9E3779B97F4A7C15u >> 40) & mask;
    while (table->keys[at].serial == batch->serial && table->keys[at].key != key)
        at = (at + 1) & mask;
    return at;
}

/*
 * The index of what was put under `key` (not 0) into this batch, or -1. A key is the caller's:
 * a PID's bits, a pointer.
 */
static inline int32_t tri_batch_find(const struct tri_batch *batch,
                                     const struct tri_batch_table *table, uint64_t key)
{
    const struct tri_batch_key *found = &table->keys[tri_batch_place(batch, table, key)];
    return found->serial == batch->serial ? (int32_t)found->index : -1;
}

enum tri_batch_result {
    TRI_BATCH_OK,
    TRI_BATCH_FULL,      /* finish it, and put this into the next */
    TRI_BATCH_TOO_LARGE, /* does not fit into an empty one either */
    TRI_BATCH_INVALID,   /* a text that is not UTF-8, or a body without encoding */
    TRI_BATCH_NO_MEMORY, /* for a table */
};

/* Put an entry into a table and tell its index. What is put lies under `key` from now on. */
enum tri_batch_result tri_batch_put_type(struct tri_batch *batch, uint64_t key,
                                         struct tri_name name, int32_t *ret_index);
enum tri_batch_result tri_batch_put_target(struct tri_batch *batch, uint64_t key,
                                           const struct tri_wire_pid *pid, int32_t *ret_index);
enum tri_batch_result tri_batch_put_sender(struct tri_batch *batch, uint64_t key,
                                           const struct tri_wire_pid *pid, int32_t *ret_index);

struct tri_envelope_out {
    int32_t type, target;
    int32_t sender; /* -1: none */
    uint32_t target_request_id, sender_request_id;
    const struct tr_codec *codec; /* NULL: `body` is the encoding, as it came from elsewhere */
    const void *body;
    size_t body_size;
    uint32_t serializer_id; /* 0; 1 is JSON, which protoactor-go cannot take */
    uint32_t header_count;
    const struct tri_header *headers;
};

/* Adds a message. Unless TRI_BATCH_OK is returned the batch's envelopes are as before. */
enum tri_batch_result tri_batch_add(struct tri_batch *batch, const struct tri_envelope_out *out);

/* Bytes that finish() would make of it. */
size_t tri_batch_size(const struct tri_batch *batch);

/*
 * Makes one remote.RemoteMessage of it: `*ret_size` bytes at the returned place in the batch's
 * memory, at least 5 bytes (gRPC's prefix) after its beginning. The batch then holds nothing;
 * begin() it again.
 */
uint8_t *tri_batch_finish(struct tri_batch *batch, size_t *ret_size);

/* ---- Coming in ----------------------------------------------------------- */

/* An entry of a table. The caller may keep in `seen` what it found out about it. */
struct tri_batch_type {
    struct tri_name name;
    const void *seen;
};

struct tri_batch_pid {
    struct tri_wire_pid pid;
    uint64_t seen[2];
};

struct tri_envelope_in {
    struct tri_batch_type *type;
    struct tri_batch_pid *target;
    struct tri_batch_pid *sender; /* NULL: none */
    const uint8_t *payload;
    size_t payload_size;
    uint32_t target_request_id, sender_request_id; /* as they count: the envelope's or the PID's */
    uint32_t serializer_id;                        /* 0 or 1 */
    struct tri_reader headers;                     /* for tri_next_header() */
};

/*
 * Reads batches, one after the other; keeps its tables' memory. One per thread is enough.
 * At most TRI_BATCH_TABLE_MAX entries a table: 4 MiB in all.
 */
struct tri_batch_reader {
    struct tri_batch_type *types;
    struct tri_batch_pid *targets, *senders;
    uint32_t type_count, target_count, sender_count;
    uint32_t type_capacity, target_capacity, sender_capacity;
    uint32_t envelope_count;
    enum tri_dialect dialect;
    struct tri_reader rest;
};

void tri_batch_reader_init(struct tri_batch_reader *reader);
void tri_batch_reader_fini(struct tri_batch_reader *reader);

/*
 * Indexes the tables of a remote.MessageBatch, which is borrowed until the last envelope is done
 * with. With UNKNOWN, `reader->dialect` tells afterwards: A if every target parses completely as
 * a PID and begins with 0x0A or 0x12, else B, UNKNOWN without any target (or with empty ones
 * only). `seen` is all zero. TR_EPROTO: malformed. TR_EFULL: a table is too long. TR_ENOMEM.
 */
tr_err tri_batch_parse(struct tri_batch_reader *reader, const uint8_t *data, size_t size,
                       enum tri_dialect dialect);

/*
 * The next envelope. False after the last one, and where it is malformed or refers to what is
 * not there: then *ret_err is TR_EPROTO, else TR_OK.
 */
bool tri_batch_next(struct tri_batch_reader *reader, struct tri_envelope_in *ret, tr_err *ret_err);

/* The next header of an envelope; as above. */
bool tri_next_header(struct tri_reader *headers, struct tri_header *ret, tr_err *ret_err);

/* ---- actor.PID by itself ------------------------------------------------- */

/* Borrowed views into `data`. TR_EPROTO: malformed. */
tr_err tri_parse_pid(const uint8_t *data, size_t size, struct tri_wire_pid *ret);
void tri_write_pid(struct tri_writer *writer, uint32_t number, const struct tri_wire_pid *pid);

#endif
