/* No threads: actors inside an event loop that exists already; batches; dead letters; accounts. */
#include "troupe/troupe.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct entry {
    int64_t pence;
};
struct day_end {
    char none;
};
TR_TYPE(entry);
TR_TYPE(day_end);

/* ---- A ledger that commits what has come in by the batch ----------------- */

struct ledger {
    int64_t total;
};

static tr_err ledger_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    tr_after(ctx, 20, day_end);
    return TR_OK;
}

static tr_err on_entries(tr_ctx *ctx, struct ledger *self, const struct entry *const *entries,
                         size_t count)
{
    (void)ctx;
    for (size_t i = 0; i < count; i++)
        self->total += entries[i]->pence;
    printf("ledger: one commit for %zu entries\n", count);
    return TR_OK;
}

static tr_err on_day_end(tr_ctx *ctx, struct ledger *self, const struct day_end *msg)
{
    (void)msg;
    printf("ledger: day ends at %" PRId64 " pence\n", self->total);
    tr_stop(ctx, tr_self(ctx));
    return TR_OK;
}

#define LEDGER_HANDLERS(ON) ON(day_end, on_day_end)
TR_DISPATCH(ledger, LEDGER_HANDLERS);
TR_BATCH(ledger, entry, on_entries);
static const struct tr_actor ledger_actor = {.name = "ledger",
                                             .state_size = sizeof(struct ledger),
                                             .init = ledger_init,
                                             .receive = ledger_receive,
                                             .accepts = ledger_accepts,
                                             .receive_batch = ledger_receive_batch,
                                             .batch_type = &entry_type,
                                             .batch_max = 8};

/* ---- Who reads the dead letters ------------------------------------------ */

struct office {
    unsigned letters;
};

static tr_err office_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_subscribe(ctx, tr_dead_letter);
}

static tr_err on_dead(tr_ctx *ctx, struct office *self, const struct tr_dead_letter *msg)
{
    (void)ctx;
    self->letters++;
    printf("office: a dead letter: %s, %s\n", msg->type->name, tr_dead_reason_name(msg->reason));
    return TR_OK;
}

#define OFFICE_HANDLERS(ON) ON(tr_dead_letter, on_dead)
TR_DISPATCH(office, OFFICE_HANDLERS);
static const struct tr_actor office_actor = {.name = "office",
                                             .state_size = sizeof(struct office),
                                             .init = office_init,
                                             .receive = office_receive,
                                             .accepts = office_accepts};

/* ---- The event loop ------------------------------------------------------ */

/* Reads "1 2 3\n" from `fd` and sends each number to the ledger; false at the end. */
static bool feed(tr_ctx *root, tr_pid ledger, int fd)
{
    char text[256];
    ssize_t size = read(fd, text, sizeof text - 1);
    if (size <= 0)
        return false;
    text[size] = 0;
    char *at = text;
    for (;;) {
        char *end;
        long long pence = strtoll(at, &end, 10);
        if (end == at)
            return true;
        tr_send(root, ledger, entry, .pence = pence);
        at = end;
    }
}

/* How long poll() may sleep: until the next timer is due. */
static int sleep_ms(tr_system *sys)
{
    uint64_t due = tr_system_next_timer_ns(sys), now = tr_now_ns(tr_root(sys));
    if (due == UINT64_MAX)
        return -1;
    return due > now ? (int)((due - now) / 1000000) + 1 : 0;
}

int main(void)
{
    tr_system *sys;
    if (tr_system_create(&sys, &(struct tr_config){.manual = true, .log = tr_log_none}))
        return 1;
    tr_ctx *root = tr_root(sys);
    tr_pid ledger = tr_spawn(root, &ledger_actor);
    if (tr_pid_is_nobody(tr_spawn(root, &office_actor)))
        return 1;

    int ends[2];
    static const char line[] = "1 2 3 4 5 6 7 8 9 10\n";
    if (pipe(ends) || write(ends[1], line, sizeof line - 1) != (ssize_t)(sizeof line - 1))
        return 1;
    close(ends[1]);

    struct pollfd input = {.fd = ends[0], .events = POLLIN};
    while (tr_alive(root, ledger)) {
        if (poll(&input, 1, sleep_ms(sys)) > 0 && !feed(root, ledger, input.fd))
            input.fd = -1; /* poll() leaves negative ones alone */
        while (tr_system_step(sys, 100) > 0)
            ;
    }
    tr_send(root, ledger, entry, .pence = 11); /* too late */
    while (tr_system_step(sys, 100) > 0)
        ;

    struct tr_accounts accounts;
    tr_system_accounts(sys, &accounts);
    printf("accounts: %s, %" PRIu64 " for nobody\n",
           tr_accounts_balance(&accounts) ? "balanced" : "NOT balanced",
           accounts.dead[TR_DEAD_NO_ACTOR]);
    bool right = tr_accounts_balance(&accounts) && accounts.dead[TR_DEAD_NO_ACTOR] == 1;
    close(ends[0]);
    tr_system_destroy(sys);
    return right ? 0 : 1;
}
