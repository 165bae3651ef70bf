/*
 * The torture of `make torture`: contained actors fault in every way, 100,000 times in one
 * process, beside healthy actors under message load. Right if the process lives, no healthy actor
 * misses a message, memory stays flat, actors recover fast, and the accounts balance.
 *
 * usage: torture [faults] [healthy actors] [endless loops]
 */
#define CAMPAIGN_FAULTS 50000u /* from here on times and memory are judged */
#define _GNU_SOURCE
#undef NDEBUG /* assert() is one of the faults. */
#include "troupe/troupe.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "os/fault.h"

#define VICTIMS 64u
#define SLICE 4u /* faults at a time, each with BEATS messages to healthy actors */
#define BEATS 10u
#define LINES 10u /* of progress */

enum kind {
    NULL_READ,
    NULL_WRITE,
    WILD_READ,
    WILD_WRITE,
    DIVIDE,
    ILLEGAL,
    OVERFLOW,
    ASSERTION,
    ABORT,
    ERROR,
    KINDS,
    LOOP = KINDS
};
static const char *const kind_names[] = {
    "null read", "null write", "wild read", "wild write", "division",    "illegal instruction",
    "overflow",  "assertion",  "abort",     "error",      "endless loop"};

struct hurt {
    uint32_t kind;
};
struct beat {
    uint64_t number; /* 1, 2, … for each healthy actor */
};
struct ready {
    uint64_t after_ns; /* from the fault to the restarted actor's init */
};
TR_TYPE(hurt);
TR_TYPE(beat);
TR_TYPE(ready);

static struct {
    uint32_t faults, healthy, loops;
    uint64_t *latency; /* written by the collector alone */
    uint32_t latencies;
    uint64_t failed[3]; /* TR_EFAULT, TR_EUSER, TR_ELOOP */
    uint64_t odd;       /* failures of other codes */
    uint64_t *beats;    /* per healthy actor, written by it alone */
    atomic_uint_fast64_t missed;
    uint64_t hurt_ns[VICTIMS]; /* when each victim was hurt; its own handlers' */
    FILE *out;                 /* stderr takes what assert() says, and goes nowhere */
} t;

static uintptr_t unmapped;
static volatile int zero;

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Victims ------------------------------------------------------------- */

static int depth(volatile char *above)
{
    volatile char here[512];
    here[0] = *above;
    return zero == 2 ? 0 : depth(here) + here[0];
}

static tr_err do_hurt(tr_ctx *ctx, uint32_t kind)
{
    volatile char start = 1;
    volatile uintptr_t at = kind <= NULL_WRITE ? 16 : unmapped;
    switch (kind) {
    case NULL_READ:
    case WILD_READ:
        return (tr_err) * (volatile int *)at;
    case NULL_WRITE:
    case WILD_WRITE:
        *(volatile int *)at = 1;
        break;
    case DIVIDE:
#if defined(__x86_64__)
        zero = 7 / zero;
#else
        (void)raise(SIGFPE);
#endif
        break;
    case ILLEGAL:
        __builtin_trap();
    case OVERFLOW:
        zero = depth(&start);
        break;
    case ASSERTION:
        assert(zero == 1);
        break;
    case ABORT:
        abort();
    case ERROR:
        return tr_fail(ctx, TR_EUSER, "as asked");
    default:
        while (zero == 0)
            at++;
        break;
    }
    return TR_OK;
}

struct victim {
    char *memory;
};

/* The argument of a victim is its place in t.hurt_ns. */
static tr_err victim_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct victim *self = state;
    uint64_t *since = *(uint64_t *const *)arg;
    self->memory = tr_alloc(ctx, 2000);
    if (!self->memory)
        return TR_ENOMEM;
    if (*since)
        tr_send(ctx, tr_lookup(ctx, "collector"), ready, .after_ns = now_ns() - *since);
    *since = 0;
    memcpy(self->memory, &since, sizeof since);
    return TR_OK;
}

static tr_err on_hurt(tr_ctx *ctx, struct victim *self, const struct hurt *msg)
{
    uint64_t *since;
    memcpy(&since, self->memory, sizeof since);
    memset(self->memory + sizeof since, (int)msg->kind, 1000);
    *since = msg->kind == LOOP ? 0 : now_ns();
    return do_hurt(ctx, msg->kind);
}

#define VICTIM_HANDLERS(ON) ON(hurt, on_hurt)
TR_DISPATCH(victim, VICTIM_HANDLERS);
static const struct tr_actor victim_actor = {.name = "victim",
                                             .state_size = sizeof(struct victim),
                                             .arg_size = sizeof(uint64_t *),
                                             .init = victim_init,
                                             .receive = victim_receive,
                                             .flags = TR_ACTOR_CONTAINED};
static const struct tr_supervision always = {.on_failure = TR_RESTART, .restarts_max = UINT_MAX};

/* ---- Healthy actors, and who counts --------------------------------------- */

static tr_err healthy_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    memcpy(state, arg, sizeof(uint64_t *));
    return TR_OK;
}

static tr_err healthy_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    uint64_t *count = *(uint64_t **)state;
    const struct beat *beat = tr_as(msg, beat);
    (void)ctx;
    if (!beat || beat->number != ++*count)
        atomic_fetch_add(&t.missed, 1);
    return TR_OK;
}
static const struct tr_actor healthy_actor = {.name = "healthy",
                                              .state_size = sizeof(uint64_t *),
                                              .arg_size = sizeof(uint64_t *),
                                              .init = healthy_init,
                                              .receive = healthy_receive};

static tr_err collector_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_subscribe(ctx, tr_actor_failed);
}

static tr_err collector_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    const struct ready *ready = tr_as(msg, ready);
    const struct tr_actor_failed *failed = tr_as(msg, tr_actor_failed);
    (void)ctx;
    (void)state;
    if (ready && t.latencies < t.faults)
        t.latency[t.latencies++] = ready->after_ns;
    if (!failed)
        return TR_OK;
    if (failed->code == TR_EFAULT)
        t.failed[0]++;
    else if (failed->code == TR_EUSER)
        t.failed[1]++;
    else if (failed->code == TR_ELOOP)
        t.failed[2]++;
    else
        t.odd++;
    return TR_OK;
}
static const struct tr_actor collector_actor = {
    .name = "collector", .init = collector_init, .receive = collector_receive};

/* ---- The run ------------------------------------------------------------- */

static uint64_t resident_kb(void)
{
    char line[128] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long long all = 0, resident = 0;
    if (!file || !fgets(line, sizeof line, file) || sscanf(line, "%llu %llu", &all, &resident) != 2)
        fprintf(t.out, "/proc/self/statm cannot be read\n");
    if (file)
        (void)fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

struct people {
    tr_pid victims[VICTIMS];
    tr_pid *healthy;
    uint64_t *sent; /* beats, per healthy actor */
    uint64_t asked[KINDS + 1];
    uint64_t beats;
};

static void spawn_all(tr_ctx *root, struct people *p)
{
    p->healthy = calloc(t.healthy, sizeof *p->healthy);
    p->sent = calloc(t.healthy, sizeof *p->sent);
    t.beats = calloc(t.healthy, sizeof *t.beats);
    t.latency = calloc(t.faults + 1, sizeof *t.latency);
    if (!p->healthy || !p->sent || !t.beats || !t.latency)
        exit(2);
    for (uint32_t i = 0; i <= t.faults; i++)
        t.latency[i] = 1; /* Touched: it is no growth later. */
    if (tr_pid_is_nobody(tr_spawn(root, &collector_actor, .name = "collector")))
        exit(2);
    for (uint32_t i = 0; i < t.healthy; i++) {
        uint64_t *place = &t.beats[i];
        p->healthy[i] = tr_spawn(root, &healthy_actor, .arg = &place);
    }
    for (uint32_t i = 0; i < VICTIMS; i++) {
        uint64_t *place = &t.hurt_ns[i];
        p->victims[i] = tr_spawn(root, &victim_actor, .arg = &place, .supervise = &always);
    }
}

/* A slice of faults, and messages to healthy actors around each. */
static void slice(tr_ctx *root, struct people *p, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        for (uint32_t b = 0; b < BEATS; b++) {
            uint32_t who = (uint32_t)(p->beats++ % t.healthy);
            tr_send(root, p->healthy[who], beat, .number = ++p->sent[who]);
        }
        uint32_t kind = i % KINDS;
        if (t.loops && i % (t.faults / t.loops) == 0)
            kind = LOOP;
        p->asked[kind]++;
        tr_send(root, p->victims[i * 7 % VICTIMS], hurt, .kind = kind);
    }
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool expect(bool ok, const char *what)
{
    fprintf(t.out, "%-4s %s\n", ok ? "ok" : "FAIL", what);
    return ok;
}

static bool judge(tr_system *sys, const struct people *p, uint64_t early_kb, uint64_t late_kb)
{
    struct tr_accounts accounts;
    uint64_t faults = 0, got = 0;
    uint32_t n = t.latencies;
    tr_system_accounts(sys, &accounts);
    for (uint32_t k = 0; k <= KINDS; k++)
        fprintf(t.out, "     %-20s %8" PRIu64 "\n", kind_names[k], p->asked[k]);
    for (uint32_t k = 0; k < ERROR; k++)
        faults += p->asked[k];
    bool complete = atomic_load(&t.missed) == 0;
    for (uint32_t i = 0; i < t.healthy; i++) {
        complete = complete && t.beats[i] == p->sent[i];
        got += t.beats[i];
    }
    qsort(t.latency, n, sizeof *t.latency, by_size);
    double median = n ? (double)t.latency[n / 2] / 1000 : 1e9;
    fprintf(t.out, "     recovery: median %.1f us, p99 %.1f us, worst %.1f us, of %u\n", median,
            n ? (double)t.latency[(uint64_t)n * 99 / 100] / 1000 : 0,
            n ? (double)t.latency[n - 1] / 1000 : 0, n);
    fprintf(t.out, "     healthy actors: %u, messages sent %" PRIu64 ", got %" PRIu64 "\n",
            t.healthy, p->beats, got);
    fprintf(t.out, "     memory: %" PRIu64 " kB after the first tenth, %" PRIu64 " kB at the end\n",
            early_kb, late_kb);
    fprintf(t.out,
            "     failures: %" PRIu64 " faults, %" PRIu64 " errors, %" PRIu64 " loops, %" PRIu64
            " others\n",
            t.failed[0], t.failed[1], t.failed[2], t.odd);
    bool good = expect(t.failed[0] == faults, "every fault failed its actor, and nothing else");
    good &= expect(t.failed[1] == p->asked[ERROR] && t.odd == 0, "so did every error");
    good &= expect(t.failed[2] == p->asked[LOOP], "every endless loop was ended");
    good &= expect(n == t.faults - p->asked[LOOP], "every victim came back");
    good &= expect(complete && got == p->beats, "no healthy actor missed a message");
    /* A short run, beside other tests, says nothing about times, nor about memory: the pools still
     * grow. */
    if (t.faults >= CAMPAIGN_FAULTS) {
        good &= expect(median < 100, "median recovery below 100 us");
        good &= expect(late_kb <= early_kb + early_kb / 50, "memory flat within 2 %");
    }
    good &= expect(tr_accounts_balance(&accounts) && accounts.queued == 0,
                   "the message accounts balance");
    return good;
}

static bool torture(tr_system *sys)
{
    tr_ctx *root = tr_root(sys);
    static struct people p;
    uint64_t early_kb = 0, start = now_ns();
    spawn_all(root, &p);
    tr_system_run(sys);
    for (uint32_t done = 0; done < t.faults;) {
        uint32_t count = t.faults - done < SLICE ? t.faults - done : SLICE;
        slice(root, &p, done, count);
        tr_system_run(sys);
        uint32_t before = done;
        done += count;
        uint32_t step = t.faults / LINES ? t.faults / LINES : 1;
        if (done / step == before / step)
            continue;
        uint64_t kb = resident_kb();
        early_kb = early_kb ? early_kb : kb;
        fprintf(t.out, "%8u faults, %" PRIu64 " messages, %" PRIu64 " kB, %.1f s\n", done, p.beats,
                kb, (double)(now_ns() - start) / 1e9);
        (void)fflush(t.out);
    }
    bool good = judge(sys, &p, early_kb, resident_kb());
    free(p.healthy);
    free(p.sent);
    free(t.beats);
    free(t.latency);
    return good;
}

static uint32_t argument(int argc, char **argv, int at, uint32_t otherwise, uint32_t least)
{
    char *end;
    unsigned long value = argc > at ? strtoul(argv[at], &end, 10) : otherwise;
    if (value < least || value > 100000000 || (argc > at && *end != '\0')) {
        fprintf(stderr, "torture: '%s' is no number of %u to 100000000\n", argv[at], least);
        exit(2);
    }
    return (uint32_t)value;
}

int main(int argc, char **argv)
{
    t.faults = argument(argc, argv, 1, 100000, 100);
    t.healthy = argument(argc, argv, 2, 10000, 1);
    t.loops = argument(argc, argv, 3, 20, 0);
    t.out = fdopen(dup(STDOUT_FILENO), "w");
    if (!t.out)
        return 2;
    if (tri_fault_off()) {
        fprintf(t.out, "skipped: %s\n", tri_fault_off());
        return 77;
    }
    unmapped = (uintptr_t)mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + 4096;
    tr_system *sys;
    struct tr_config config = {.workers = 2, .watchdog_ms = 50, .log = tr_log_none};
    if (t.loops > t.faults || tr_system_create(&sys, &config) != TR_OK ||
        !freopen("/dev/null", "w", stderr))
        return 2;
    bool good = torture(sys);
    good &= expect(tr_system_stop(sys, 10000) == TR_OK, "the system stops in good order");
    tr_system_destroy(sys);
    (void)fclose(t.out);
    return good ? 0 : 1;
}
