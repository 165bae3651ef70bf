/* gate.c - see gate.h. */
#include "gate.h"

#include <stdio.h>
#include <string.h>

bool gate_init(struct gate *gate)
{
    memset(gate, 0, sizeof(*gate));
    if (pthread_mutex_init(&gate->lock, NULL) != 0)
        return false;
    if (pthread_cond_init(&gate->moved, NULL) == 0)
        return true;
    pthread_mutex_destroy(&gate->lock);
    return false;
}

void gate_fini(struct gate *gate)
{
    pthread_cond_destroy(&gate->moved);
    pthread_mutex_destroy(&gate->lock);
}

static unsigned bucket_of(uint64_t us)
{
    if (us < GATE_STEPS)
        return (unsigned)us;
    unsigned doubling = 63u - (unsigned)__builtin_clzll(us) - 5u;
    unsigned bucket = (doubling + 1) * GATE_STEPS + (unsigned)((us >> doubling) - GATE_STEPS);
    return bucket < GATE_BUCKETS ? bucket : GATE_BUCKETS - 1;
}

static uint64_t bucket_top(unsigned bucket)
{
    if (bucket < GATE_STEPS)
        return bucket;
    unsigned doubling = bucket / GATE_STEPS - 1;
    return ((uint64_t)(GATE_STEPS + bucket % GATE_STEPS + 1) << doubling) - 1;
}

void gate_advance(struct gate *gate, struct doc *const *docs, size_t count)
{
    uint64_t now = ord_now_ns();
    pthread_mutex_lock(&gate->lock);
    struct gate_figures *figures = &gate->figures;
    for (size_t i = 0; i < count; i++) {
        const struct doc *doc = docs[i];
        figures->committed_lines += doc->lines;
        if (doc->what == DOC_ORDER) {
            figures->by_state[doc->state]++;
            gate->owed += doc->state == STATE_REFUNDED;
            figures->latency[bucket_of((now - doc->started_ns) / 1000)]++;
        } else {
            figures->refused++;
            figures->refused_lines += doc->lines;
        }
    }
    figures->committed += count;
    figures->batches++;
    if (count > figures->batch_most)
        figures->batch_most = count;
    pthread_cond_signal(&gate->moved);
    pthread_mutex_unlock(&gate->lock);
}

void gate_fail(struct gate *gate, const char *why)
{
    pthread_mutex_lock(&gate->lock);
    if (!gate->failed)
        snprintf(gate->why.text, sizeof(gate->why.text), "%s", why);
    gate->failed = true;
    pthread_cond_signal(&gate->moved);
    pthread_mutex_unlock(&gate->lock);
}

/* Under the lock, which it gives back meanwhile. */
static void wait_moved(struct gate *gate)
{
    if (!gate->next) {
        pthread_cond_wait(&gate->moved, &gate->lock);
        return;
    }
    pthread_mutex_unlock(&gate->lock);
    bool on = gate->next(gate->user);
    if (!on)
        gate_fail(gate, "the actors are at rest, and not all orders are done");
    pthread_mutex_lock(&gate->lock);
}

bool gate_wait(struct gate *gate, uint64_t committed, uint64_t lines, uint64_t lines_left,
               struct ord_error *error)
{
    pthread_mutex_lock(&gate->lock);
    while (!gate->failed && (gate->figures.committed < committed ||
                             lines - gate->figures.committed_lines > lines_left))
        wait_moved(gate);
    bool failed = gate->failed;
    if (failed)
        *error = gate->why;
    pthread_mutex_unlock(&gate->lock);
    return !failed;
}

void gate_owe(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->owed++;
    pthread_mutex_unlock(&gate->lock);
}

void gate_paid_back(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->owed--;
    pthread_cond_signal(&gate->moved);
    pthread_mutex_unlock(&gate->lock);
}

bool gate_wait_paid_back(struct gate *gate, struct ord_error *error)
{
    pthread_mutex_lock(&gate->lock);
    while (!gate->failed && gate->owed != 0)
        wait_moved(gate);
    bool failed = gate->failed;
    if (failed)
        *error = gate->why;
    pthread_mutex_unlock(&gate->lock);
    return !failed;
}

bool gate_passable(struct gate *gate, uint64_t committed, uint64_t lines, uint64_t lines_left)
{
    pthread_mutex_lock(&gate->lock);
    bool passable = gate->failed || (gate->figures.committed >= committed &&
                                     lines - gate->figures.committed_lines <= lines_left);
    pthread_mutex_unlock(&gate->lock);
    return passable;
}

uint64_t gate_committed(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    uint64_t committed = gate->figures.committed;
    pthread_mutex_unlock(&gate->lock);
    return committed;
}

uint64_t gate_latency_us(const struct gate_figures *figures, unsigned permille)
{
    uint64_t orders = figures->committed - figures->refused;
    uint64_t wanted = (orders * permille + 999) / 1000, seen = 0;
    for (unsigned i = 0; i < GATE_BUCKETS; i++) {
        seen += figures->latency[i];
        if (seen >= wanted && seen > 0)
            return bucket_top(i);
    }
    return 0;
}
