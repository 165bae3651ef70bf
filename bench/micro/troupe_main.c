/*
 * troupe_main.c - bench_troupe WORKLOAD WORKERS SCALE: plays one workload and prints
 * nanoseconds per unit (bytes per actor for the memory workloads) on one line.
 *
 * After each round the system must be at rest with balanced accounts and without a dead
 * letter; otherwise there is no figure and the exit code is 1.
 */
#include "bench.h"

#include <math.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* warm_rounds: full rounds before the timed one; warm_scale: one short round before it. */
struct workload {
    const char *name;
    workload_fn run;
    unsigned warm_rounds;
    double warm_scale;
};

static const struct workload workloads[] = {
    {"ping-pong", run_ping_pong, 0, 0.1},
    {"pairs", run_pairs, 0, 0.1},
    {"ring-100", run_ring_100, 0, 0.1},
    {"ring-503", run_ring_503, 0, 0.1},
    {"counting", run_counting, 0, 0},
    {"counting-warm", run_counting, 3, 0},
    {"counting-windowed", run_counting_windowed, 0, 0.1},
    {"fork-join-throughput", run_fork_join_throughput, 0, 0.1},
    {"fork-join-create", run_fork_join_create, 0, 0.1},
    {"churn", run_churn, 0, 0.1},
    {"chameneos", run_chameneos, 0, 0.1},
    {"big", run_big, 0, 0.1},
    {"fan-in", run_fan_in, 0, 0.1},
    {"fan-in-windowed", run_fan_in_windowed, 0, 0.1},
    {"fan-out", run_fan_out, 0, 0.1},
    {"ask", run_ask, 0, 0.1},
    {"idle-memory", run_idle_memory, 0, 0},
    {"memory-left", run_memory_left, 0, 0},
    {"million", run_million, 0, 0},
    {"parallel", run_parallel, 0, 0.1},
};
#define WORKLOAD_COUNT (sizeof(workloads) / sizeof(workloads[0]))

static sem_t finished;
static uint64_t began_ns, finished_ns;
static tr_system *stepped; /* the system, if it has no workers of its own */

_Noreturn void bench_die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("bench_troupe: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t bench_count(const struct run *run, uint64_t base, uint64_t least)
{
    uint64_t count = (uint64_t)((double)base * run->scale);
    return count < least ? least : count;
}

void bench_begin(struct run *run)
{
    tr_system_run(run->sys);
    began_ns = now_ns();
}

void bench_finish(void)
{
    finished_ns = now_ns();
    sem_post(&finished);
}

void bench_await(void)
{
    if (stepped)
        tr_system_run(stepped);
    while (sem_wait(&finished) != 0)
        continue; /* Interrupted by a signal. */
}

uint64_t bench_resident(void)
{
    unsigned long long total, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file)
        bench_die("/proc/self/statm cannot be read");
    if (fscanf(file, "%llu %llu", &total, &resident) != 2)
        bench_die("/proc/self/statm has an unknown format");
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

tr_pid bench_spawn(struct run *run, const struct tr_actor *actor, const void *arg)
{
    if (run->spawned_count == run->spawned_capacity) {
        run->spawned_capacity = run->spawned_capacity ? 2 * run->spawned_capacity : 1024;
        run->spawned = realloc(run->spawned, run->spawned_capacity * sizeof(*run->spawned));
        if (!run->spawned)
            bench_die("no memory for %zu PIDs", run->spawned_capacity);
    }
    tr_pid pid = tr_spawn(run->root, actor, .arg = arg);
    if (tr_pid_is_nobody(pid))
        bench_die("cannot spawn actor %zu (%s): %s", run->spawned_count, actor->name,
                  tr_strerror(tr_pid_err(pid)));
    run->spawned[run->spawned_count++] = pid;
    return pid;
}

/* ---- The referee ----------------------------------------------------------- */

struct referee {
    uint64_t left;
};

static tr_err referee_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct referee *)state)->left = *(const uint64_t *)arg;
    return TR_OK;
}

static tr_err referee_on_done(tr_ctx *ctx, struct referee *self, const struct done *msg)
{
    (void)ctx;
    (void)msg;
    if (--self->left == 0)
        bench_finish();
    return TR_OK;
}

#define REFEREE_HANDLERS(ON) ON(done, referee_on_done)
TR_DISPATCH(referee, REFEREE_HANDLERS);

static const struct tr_actor referee_actor = {
    .name = "referee",
    .state_size = sizeof(struct referee),
    .arg_size = sizeof(uint64_t),
    .init = referee_init,
    .receive = referee_receive,
    .accepts = referee_accepts,
};

tr_pid bench_spawn_referee(struct run *run, uint64_t expected)
{
    return bench_spawn(run, &referee_actor, &expected);
}

/* ---- Rounds ---------------------------------------------------------------- */

static void check_accounts(struct run *run, const char *name)
{
    struct tr_accounts accounts;
    tr_system_accounts(run->sys, &accounts);
    if (!tr_accounts_balance(&accounts))
        bench_die("%s: the message accounts do not balance", name);
    for (int reason = 0; reason < TR_DEAD_REASON_COUNT; reason++)
        if (accounts.dead[reason])
            bench_die("%s: %" PRIu64 " dead letters (%s)", name, accounts.dead[reason],
                      tr_dead_reason_name((enum tr_dead_reason)reason));
}

/* Nanoseconds per unit, or bytes per actor. */
static double play(struct run *run, const struct workload *workload, double scale)
{
    run->scale = scale;
    run->units = 0;
    run->bytes = NAN;
    workload->run(run);
    tr_system_run(run->sys);
    check_accounts(run, workload->name);
    for (size_t i = 0; i < run->spawned_count; i++)
        tr_stop(run->root, run->spawned[i]);
    run->spawned_count = 0;
    tr_system_run(run->sys);
    if (!isnan(run->bytes))
        return run->bytes;
    return (double)(finished_ns - began_ns) / (double)run->units;
}

static const struct workload *find(const char *name)
{
    for (size_t i = 0; i < WORKLOAD_COUNT; i++)
        if (strcmp(workloads[i].name, name) == 0)
            return &workloads[i];
    fprintf(stderr, "bench_troupe: no workload \"%s\"; there are:\n", name);
    for (size_t i = 0; i < WORKLOAD_COUNT; i++)
        fprintf(stderr, "  %s\n", workloads[i].name);
    exit(2);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: bench_troupe WORKLOAD WORKERS SCALE\n", stderr);
        return 2;
    }
    const struct workload *workload = find(argv[1]);
    char *end;
    unsigned long workers = strtoul(argv[2], &end, 10);
    if (*end || end == argv[2] || workers > 256)
        bench_die("workers is \"%s\", want 1 to 256, or 0 for a stepped system", argv[2]);
    double scale = strtod(argv[3], &end);
    if (*end || !(scale > 0 && scale <= 1000))
        bench_die("scale is \"%s\", want more than 0 and at most 1000", argv[3]);

    struct run run = {0};
    struct tr_error error = {0};
    struct tr_config config = {.workers = (unsigned)workers, .manual = workers == 0, .seed = 1};
    if (tr_system_create_(&run.sys, &config, &error))
        bench_die("cannot create a system: %s", error.text);
    run.root = tr_root(run.sys);
    stepped = config.manual ? run.sys : NULL;
    sem_init(&finished, 0, 0);

    if (workload->warm_scale > 0)
        play(&run, workload, scale * workload->warm_scale);
    for (unsigned i = 0; i < workload->warm_rounds; i++)
        play(&run, workload, scale);
    printf("%.4f\n", play(&run, workload, scale));

    tr_system_destroy(run.sys);
    free(run.spawned);
    sem_destroy(&finished);
    return 0;
}
