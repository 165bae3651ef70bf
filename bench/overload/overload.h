/*
 * overload.h - the load that every system under test gets, and what is measured.
 *
 * One server works `work_us` on each message. A thread drives it through four phases: as fast as
 * it can with 8 messages under way (the peak), at 80 % of the peak, at ten times the peak, and at
 * 80 % again (the recovery); the last three with random (Poisson) arrivals. Every 10 ms goes a
 * control message. Latency is from the call that sends to the end of the work.
 */
#ifndef OVERLOAD_H
#define OVERLOAD_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OV_WINDOW_MS 250u
#define OV_STEPS 16u /* per doubling: latencies within 6 % */
#define OV_BUCKETS (OV_STEPS * 40u)
#define OV_CONTROL_NS 10000000u
#define OV_UNDER_WAY 8u

enum ov_phase { OV_PEAK, OV_NORMAL, OV_OVERLOAD, OV_RECOVERY, OV_PHASES };
static const char *const ov_phase_names[] = {"peak", "normal", "overload", "recovery"};

/* The server writes done, controls and the latencies; the driver the rest. */
struct ov_window {
    uint64_t offered, done, controls, rss;
    int phase;
    uint32_t latency[OV_BUCKETS], control[OV_BUCKETS];
};

struct ov_run {
    uint64_t start_ns, work_ns;
    unsigned seconds[OV_PHASES];
    unsigned windows_max, windows;
    struct ov_window *window;
    uint64_t done; /* of work; written by the server only: ov_done() */
    double peak;   /* messages a second */
    void *user;
    void (*send)(struct ov_run *run, uint64_t now_ns);
    void (*control)(struct ov_run *run, uint64_t now_ns);
    /* Instead of the driver's sends in the overload phase: sources that are held back. */
    void (*flood)(struct ov_run *run, int on);
};

static inline uint64_t ov_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline unsigned ov_bucket(uint64_t us)
{
    if (us < OV_STEPS)
        return (unsigned)us;
    unsigned doubling = 63u - (unsigned)__builtin_clzll(us) - 4u;
    unsigned bucket = (doubling + 1) * OV_STEPS + (unsigned)((us >> doubling) - OV_STEPS);
    return bucket < OV_BUCKETS ? bucket : OV_BUCKETS - 1;
}

static inline uint64_t ov_bucket_top(unsigned bucket)
{
    if (bucket < OV_STEPS)
        return bucket;
    unsigned doubling = bucket / OV_STEPS - 1;
    return ((uint64_t)(OV_STEPS + bucket % OV_STEPS + 1) << doubling) - 1;
}

static inline uint64_t ov_done(struct ov_run *run)
{
    return __atomic_load_n(&run->done, __ATOMIC_RELAXED);
}

static inline struct ov_window *ov_window_at(struct ov_run *run, uint64_t now_ns)
{
    uint64_t index = (now_ns - run->start_ns) / (OV_WINDOW_MS * 1000000u);
    return &run->window[index < run->windows_max ? index : run->windows_max - 1];
}

/* The server: works, and counts. */
static inline void ov_work(struct ov_run *run, uint64_t sent_ns)
{
    uint64_t end = ov_now() + run->work_ns, now;
    while ((now = ov_now()) < end) {
    }
    struct ov_window *window = ov_window_at(run, now);
    window->done++;
    window->latency[ov_bucket((now - sent_ns) / 1000)]++;
    __atomic_store_n(&run->done, run->done + 1, __ATOMIC_RELAXED);
}

static inline void ov_controlled(struct ov_run *run, uint64_t sent_ns)
{
    uint64_t now = ov_now();
    struct ov_window *window = ov_window_at(run, now);
    window->controls++;
    window->control[ov_bucket((now - sent_ns) / 1000)]++;
}

static inline uint64_t ov_rss(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file) {
        if (fscanf(file, "%*u %lu", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static inline double ov_exponential(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return -log(((double)(*seed >> 11) + 1) / 9007199254740993.0);
}

/* One phase at `rate` messages a second; rate 0: OV_UNDER_WAY at a time. */
static inline void ov_drive(struct ov_run *run, int phase, double rate)
{
    uint64_t seed = 42, sent = ov_done(run), now = ov_now();
    uint64_t end = now + (uint64_t)run->seconds[phase] * 1000000000u;
    uint64_t next_control = now;
    double next = (double)now;
    struct ov_window *seen = NULL;
    while ((now = ov_now()) < end) {
        struct ov_window *window = ov_window_at(run, now);
        if (window != seen) {
            seen = window;
            window->phase = phase;
            window->rss = ov_rss();
        }
        if (now >= next_control) {
            run->control(run, now);
            next_control += OV_CONTROL_NS;
        }
        if (rate <= 0) {
            if (phase == OV_PEAK && sent - ov_done(run) < OV_UNDER_WAY) {
                run->send(run, now);
                sent++;
                window->offered++;
            }
        } else if ((double)now >= next) {
            run->send(run, now);
            window->offered++;
            next += ov_exponential(&seed) * 1e9 / rate;
        } else if (next - (double)now > 200000) {
            usleep(50);
        }
    }
}

struct ov_sum {
    uint64_t offered, done, controls, rss;
    uint32_t latency[OV_BUCKETS], control[OV_BUCKETS];
};

static inline uint64_t ov_quantile(const uint32_t *buckets, uint64_t count, double q)
{
    uint64_t want = (uint64_t)ceil((double)count * q), seen = 0;
    for (unsigned i = 0; i < OV_BUCKETS && count; i++) {
        seen += buckets[i];
        if (seen >= want)
            return ov_bucket_top(i);
    }
    return 0;
}

static inline void ov_sum_phase(const struct ov_run *run, int phase, struct ov_sum *sum)
{
    memset(sum, 0, sizeof *sum);
    for (unsigned i = 0; i < run->windows_max; i++) {
        const struct ov_window *w = &run->window[i];
        if (w->phase != phase)
            continue;
        sum->offered += w->offered;
        sum->done += w->done;
        sum->controls += w->controls;
        sum->rss = w->rss > sum->rss ? w->rss : sum->rss;
        for (unsigned b = 0; b < OV_BUCKETS; b++) {
            sum->latency[b] += w->latency[b];
            sum->control[b] += w->control[b];
        }
    }
}

static inline void ov_report_phases(const struct ov_run *run, FILE *out)
{
    static struct ov_sum sum;
    for (int p = 0; p < OV_PHASES; p++) {
        ov_sum_phase(run, p, &sum);
        fprintf(out,
                "%s{\"phase\":\"%s\",\"seconds\":%u,\"offered\":%llu,\"done\":%llu,"
                "\"p50_us\":%llu,\"p99_us\":%llu,\"control_p99_us\":%llu,\"controls\":%llu,"
                "\"rss\":%llu}",
                p ? "," : "", ov_phase_names[p], run->seconds[p], (unsigned long long)sum.offered,
                (unsigned long long)sum.done,
                (unsigned long long)ov_quantile(sum.latency, sum.done, 0.5),
                (unsigned long long)ov_quantile(sum.latency, sum.done, 0.99),
                (unsigned long long)ov_quantile(sum.control, sum.controls, 0.99),
                (unsigned long long)sum.controls, (unsigned long long)sum.rss);
    }
}

/* One JSON object: the phases, and every window. */
static inline void ov_report(const struct ov_run *run, const char *system, const char *more,
                             FILE *out)
{
    fprintf(out,
            "{\"system\":\"%s\",%s\"work_us\":%.0f,\"window_ms\":%u,\"peak\":%.0f,\"phases\":[",
            system, more, (double)run->work_ns / 1000, OV_WINDOW_MS, run->peak);
    ov_report_phases(run, out);
    fprintf(out, "],\"windows\":[");
    for (unsigned i = 0; i < run->windows; i++) {
        const struct ov_window *w = &run->window[i];
        fprintf(out, "%s[%d,%llu,%llu,%llu,%llu,%llu]", i ? "," : "", w->phase,
                (unsigned long long)w->offered, (unsigned long long)w->done,
                (unsigned long long)ov_quantile(w->latency, w->done, 0.99),
                (unsigned long long)ov_quantile(w->control, w->controls, 0.99),
                (unsigned long long)w->rss);
    }
    fprintf(out, "]}\n");
}

static inline int ov_init(struct ov_run *run, unsigned work_us, unsigned overload_s)
{
    unsigned all = 0;
    run->work_ns = (uint64_t)work_us * 1000;
    run->seconds[OV_PEAK] = overload_s < 10 ? 1 : 4;
    run->seconds[OV_NORMAL] = overload_s < 10 ? 2 : 10;
    run->seconds[OV_OVERLOAD] = overload_s;
    run->seconds[OV_RECOVERY] = overload_s < 10 ? 2 : 10;
    for (int p = 0; p < OV_PHASES; p++)
        all += run->seconds[p];
    run->windows_max = (all + 2) * 1000 / OV_WINDOW_MS;
    run->window = (struct ov_window *)calloc(run->windows_max, sizeof *run->window);
    for (unsigned i = 0; run->window && i < run->windows_max; i++)
        run->window[i].phase = -1;
    return run->window ? 0 : 1;
}

static inline void ov_run_all(struct ov_run *run)
{
    run->start_ns = ov_now();
    ov_drive(run, OV_PEAK, 0);
    run->peak = (double)ov_done(run) / run->seconds[OV_PEAK];
    ov_drive(run, OV_NORMAL, run->peak * 0.8);
    if (run->flood)
        run->flood(run, 1);
    ov_drive(run, OV_OVERLOAD, run->flood ? 0 : run->peak * 10);
    if (run->flood)
        run->flood(run, 0);
    ov_drive(run, OV_RECOVERY, run->peak * 0.8);
    run->windows = (unsigned)((ov_now() - run->start_ns) / (OV_WINDOW_MS * 1000000u));
    if (run->windows > run->windows_max)
        run->windows = run->windows_max;
}

#endif
