#include "core/cold.h"

#include "base/alloc.h"
#include "core/send.h"

static void prepare_timer(struct tri_timer *timer, enum tri_sys_kind kind, struct tri_cell *cell)
{
    timer->sys.flags = (uint8_t)kind;
    timer->cell = cell;
}

struct tri_cold *tri_cold(struct tri_cell *cell)
{
    if (cell->cold)
        return cell->cold;
    struct tri_cold *cold = tri_calloc(1, sizeof *cold);
    if (!cold)
        return NULL;
    prepare_timer(&cold->call_timer, TRI_SYS_CALL_TIMER, cell);
    prepare_timer(&cold->idle_timer, TRI_SYS_IDLE_TIMER, cell);
    prepare_timer(&cold->backoff_timer, TRI_SYS_BACKOFF_TIMER, cell);
    /* Refused while there was no memory to write down why. */
    cold->dead[TR_DEAD_UNHANDLED] = cell->refused;
    cell->cold = cold;
    return cold;
}

void tri_cold_free(struct tri_cell *cell)
{
    struct tri_cold *cold = cell->cold;
    if (!cold)
        return;
    tri_pids_fini(&cold->watchers);
    tri_pids_fini(&cold->probers);
    tri_pids_fini(&cold->watching);
    tri_pids_fini(&cold->links);
    tri_free(cold->below);
    tri_free(cold->owned);
    tri_calls_fini(&cold->calls);
    tri_free(cold->timers.items);
    tri_free(cold->fail_text);
    tri_free(cold->name);
    tri_free(cold);
    cell->cold = NULL;
}
