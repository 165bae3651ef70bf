/* desk_batch.c - the desk's writer: one batch is one transaction, and then what may be sent is read. */
#include "nodes/desk_batch.h"

#include "plant.h"

#include <stdlib.h>

uint64_t desk_items_free(struct desk_item *items)
{
    uint64_t count = 0;
    for (; items; count++) {
        struct desk_item *next = items->next;
        parcel_order_free(items->order);
        free(items->ends);
        free(items->door);
        free(items);
        items = next;
    }
    return count;
}

bool desk_prepare(struct desk_config *config)
{
    config->job = calloc(1, sizeof(*config->job));
    return config->job != NULL;
}

void desk_fini(struct desk_config *config)
{
    struct desk_job *job = config->job;
    config->job = NULL;
    if (!job)
        return;
    desk_items_free(job->items);
    while (job->fetched) {
        struct outbox_parcel *next = job->fetched->next;
        free(job->fetched);
        job->fetched = next;
    }
    free(job);
}

static bool write_applied(struct desk_job *job, enum node_role role, struct ord_error *error)
{
    uint64_t applied = job->peer[role].applied;
    return applied == 0 || outbox_applied(job->config->outbox, role, applied, error);
}

static bool write_all(struct desk_job *job, struct ord_error *error)
{
    const struct desk_config *config = job->config;
    struct outbox *outbox = config->outbox;
    if (!outbox_begin(outbox, error))
        return false;
    for (int i = ROLE_GATEWAY; i < ROLE_COUNT; i++) {
        enum node_role role = (enum node_role)i;
        if ((job->peer[i].meet && !outbox_meet(outbox, role, job->peer[i].meet, error)) ||
            (job->peer[i].forget && !outbox_forget(outbox, role, job->peer[i].forget, error)) ||
            (!ORDERS_PLANTED(PARCEL_TWICE) && !write_applied(job, role, error)))
            return false;
    }
    if (!config->ops->write(config->state, outbox, job->items, error) ||
        !outbox_commit(outbox, error))
        return false;
    bool good = true;
    for (int i = ROLE_GATEWAY; ORDERS_PLANTED(PARCEL_TWICE) && good && i < ROLE_COUNT; i++)
        good = write_applied(job, (enum node_role)i, error);
    return good;
}

tr_err desk_write_batch(const void *arg, void *result)
{
    struct desk_job *job = ((const struct desk_batch *)arg)->job;
    struct outbox *outbox = job->config->outbox;
    struct desk_batch_written *written = result;
    struct outbox_parcel **tail = &job->fetched;
    written->good = !job->writes || write_all(job, &written->why);
    if (!written->good)
        outbox_rollback(outbox);
    for (int role = ROLE_GATEWAY; written->good && role < ROLE_COUNT; role++) {
        uint64_t kept = outbox_peer(outbox, (enum node_role)role)->kept;
        if (job->peer[role].window == 0 || job->peer[role].after >= kept)
            continue;
        tail = outbox_fetch(outbox, (enum node_role)role, job->peer[role].after,
                            job->peer[role].window, job->peer[role].bytes, tail, &written->why);
        written->good = tail != NULL;
    }
    return TR_OK;
}
