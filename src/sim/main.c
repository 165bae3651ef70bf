/* tr_test_main(): many seeds, and the report of one that fails. */
#include "base/alloc.h"
#include "base/plant.h"
#include "sim/run.h"
#include "sim/shrink.h"

#include <stdio.h>
#include <stdlib.h>

#define SEEDS_DEFAULT 100u
/* Decisions of a schedule given on the command line. */
#define SCHEDULE_MAX 65536u
/* Other schedules that are tried when an event is left out of a history. */
#define SALTS 4u

struct options {
    uint64_t seeds;
    uint64_t seed;
    uint64_t repeat; /* 0: once */
    bool one;
    bool trace;
    uint16_t *script; /* NULL: none was given */
    size_t script_count;
    uint32_t *events; /* NULL: none were given */
    size_t event_count;
};

/* A run that fails, made shorter. */
struct again {
    tr_test_fn fn;
    uint64_t seed;
    uint16_t *decisions;
    size_t decision_count;
    uint32_t *events; /* NULL: there is no history */
    size_t event_count;
};

static bool number(const char *text, uint64_t most, uint64_t *ret)
{
    char *end;
    if (!text || *text < '0' || *text > '9')
        return false;
    *ret = strtoull(text, &end, 10);
    return *end == '\0' && *ret <= most;
}

static bool parse_schedule(const char *text, struct options *o)
{
    o->script = tri_calloc(SCHEDULE_MAX, sizeof *o->script);
    if (!o->script || !text)
        return false;
    while (*text) {
        char *end;
        unsigned long value = strtoul(text, &end, 10);
        if (end == text || value > UINT16_MAX || (*end && *end != ',') ||
            o->script_count == SCHEDULE_MAX)
            return false;
        o->script[o->script_count++] = (uint16_t)value;
        text = *end ? end + 1 : end;
    }
    return true;
}

/* Ascending; "-": none. */
static bool parse_events(const char *text, struct options *o)
{
    o->events = tri_calloc(SCHEDULE_MAX, sizeof *o->events);
    if (!o->events || !text)
        return false;
    while (strcmp(text, "-") != 0 && *text) {
        char *end;
        unsigned long value = strtoul(text, &end, 10);
        if (end == text || value > UINT32_MAX || (*end && *end != ',') ||
            o->event_count == SCHEDULE_MAX ||
            (o->event_count > 0 && value <= o->events[o->event_count - 1]))
            return false;
        o->events[o->event_count++] = (uint32_t)value;
        text = *end ? end + 1 : end;
    }
    return true;
}

/* An option and its value. */
static bool parse_one(const char *option, const char *value, struct options *o)
{
    if (strcmp(option, "--seeds") == 0)
        return number(value, UINT32_MAX, &o->seeds);
    if (strcmp(option, "--seed") == 0)
        return o->one = number(value, UINT64_MAX, &o->seed);
    if (strcmp(option, "--plant") == 0)
        return value && tri_plant(value); /* Only in builds of our own. */
    if (strcmp(option, "--repeat") == 0)
        return number(value, UINT32_MAX, &o->repeat);
    if (strcmp(option, "--schedule") == 0)
        return parse_schedule(value, o);
    return strcmp(option, "--events") == 0 && parse_events(value, o);
}

static bool parse(int argc, char **argv, struct options *o)
{
    const char *seeds = getenv("TROUPE_SEEDS");
    bool good = !seeds || number(seeds, UINT32_MAX, &o->seeds);
    if (!good)
        fprintf(stderr, "TROUPE_SEEDS is '%s', want a number\n", seeds);
    for (int i = 1; i < argc && good; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--trace") == 0) {
            o->trace = true;
            continue;
        }
        good = parse_one(argv[i], value, o);
        if (!good)
            fprintf(stderr,
                    "%s: '%s %s' is not understood, want --seeds N, or --seed S with --trace, "
                    "--repeat N, --schedule D,D,… or --events N,N,…\n",
                    argv[0], argv[i], value ? value : "");
        i++;
    }
    if (good && (o->script || o->events || o->repeat) && !o->one) {
        fprintf(stderr, "%s: --repeat, --schedule and --events want --seed\n", argv[0]);
        good = false;
    }
    return good;
}

/* ---- A seed that fails --------------------------------------------------- */

static const uint16_t no_decision = 0;
static const uint32_t no_event = 0;

static struct tri_sim_options options_of(const struct again *again)
{
    return (struct tri_sim_options){
        .seed = again->seed,
        .script = again->decision_count ? again->decisions : &no_decision,
        .script_count = again->decision_count,
        .events = again->event_count || !again->events ? again->events : &no_event,
        .event_count = again->event_count,
    };
}

static bool fails_again(void *user, const uint16_t *decisions, size_t count)
{
    const struct again *again = user;
    struct tri_sim_options options = options_of(again);
    options.script = count ? decisions : &no_decision;
    options.script_count = count;
    struct tri_test_result result;
    bool failed = tri_test_run(again->fn, &options, &result) && result.failed;
    tri_test_result_fini(&result);
    return failed;
}

/* With other events the schedule may have to be another one: a few are tried, and the one that
 * fails is taken over. */
static bool fails_with(void *user, const uint32_t *events, size_t count)
{
    struct again *again = user;
    for (unsigned salt = 0; salt < SALTS; salt++) {
        struct tri_sim_options options = options_of(again);
        struct tri_test_result result;
        options.events = count ? events : &no_event;
        options.event_count = count;
        options.salt = salt;
        if (salt > 0)
            options.script = NULL;
        bool failed = tri_test_run(again->fn, &options, &result) && result.failed;
        if (failed) {
            tri_free(again->decisions);
            again->decisions = result.decisions;
            again->decision_count = result.decision_count;
            result.decisions = NULL;
        }
        tri_test_result_fini(&result);
        if (failed)
            return true;
    }
    return false;
}

/* The history first, since every event that goes takes decisions with it; then the schedule; and
 * once more, since a shorter schedule may need fewer events. */
static void make_shorter(struct again *again)
{
    for (int round = 0; round < 2; round++) {
        size_t before = again->event_count;
        if (again->events)
            again->event_count = tri_shrink_events(again->events, again->event_count, fails_with,
                                                   again);
        if (round > 0 && again->event_count == before)
            return;
        again->decision_count = tri_shrink(again->decisions, again->decision_count, fails_again,
                                           again);
    }
}

static void print_replay(const char *program, const struct again *again)
{
    printf("  see it again:  %s --seed %" PRIu64 " --trace --schedule ", program, again->seed);
    for (size_t i = 0; i < again->decision_count; i++)
        printf("%s%u", i ? "," : "", again->decisions[i]);
    printf("%s", again->decision_count ? "" : "0");
    for (size_t i = 0; i < again->event_count; i++)
        printf("%s%u", i ? "," : " --events ", again->events[i]);
    printf("%s\n", again->events && !again->event_count ? " --events -" : "");
}

/* Shrinks what fails and shows the result. */
static void report(const char *program, struct again *again, struct tri_test_result *result)
{
    size_t decisions = result->decision_count, events = result->event_count;
    printf("seed %" PRIu64 " fails: %s\n", again->seed, result->why);
    printf("  the whole run: %s --seed %" PRIu64 " --trace\n", program, again->seed);
    fflush(stdout);
    again->decisions = result->decisions;
    again->decision_count = decisions;
    result->decisions = NULL;
    again->events = events ? tri_malloc(events * sizeof *again->events) : NULL;
    again->event_count = again->events ? events : 0;
    for (size_t i = 0; i < again->event_count; i++)
        again->events[i] = (uint32_t)i;
    make_shorter(again);
    struct tri_sim_options options = options_of(again);
    options.trace = true;
    struct tri_test_result shortest;
    if (tri_test_run(again->fn, &options, &shortest) && shortest.failed) {
        printf("  shrunk from %zu decisions to %zu", decisions, again->decision_count);
        if (again->events)
            printf(", from %zu events to %zu", events, again->event_count);
        printf(": %s\n%s", shortest.why, shortest.trace ? shortest.trace : "");
        print_replay(program, again);
    } else {
        printf("  it does not fail again: something is not decided by the seed\n");
    }
    tri_test_result_fini(&shortest);
    tri_free(again->decisions);
    tri_free(again->events);
}

static struct tri_sim_options asked_for(const struct options *o, uint64_t seed)
{
    return (struct tri_sim_options){.seed = seed,
                                    .script = o->script,
                                    .script_count = o->script_count,
                                    .events = o->events,
                                    .event_count = o->event_count,
                                    .trace = o->trace};
}

static bool same_trace(const char *one, const char *other)
{
    return strcmp(one ? one : "", other ? other : "") == 0;
}

/* Runs a seed again and again; true if the same has happened each time. */
static bool try_again(tr_test_fn fn, const struct options *o)
{
    struct tri_sim_options options = asked_for(o, o->seed);
    struct tri_test_result first, again;
    bool same = tri_test_run(fn, &options, &first);
    uint64_t runs = 1;
    for (; same && runs < o->repeat; runs++) {
        same = tri_test_run(fn, &options, &again) && again.failed == first.failed &&
               same_trace(first.trace, again.trace);
        tri_test_result_fini(&again);
    }
    if (!same)
        printf("seed %" PRIu64 ": run %" PRIu64 " was another one than the first; something is "
               "not decided by the seed\n",
               o->seed, runs);
    tri_test_result_fini(&first);
    return same;
}

/* One seed; true if it was good. */
static bool try_seed(const char *program, tr_test_fn fn, const struct options *o, uint64_t seed)
{
    struct tri_sim_options options = asked_for(o, seed);
    struct tri_test_result result;
    struct again again = {.fn = fn, .seed = seed};
    bool ran = tri_test_run(fn, &options, &result);
    bool good = ran && !result.failed;
    if (o->trace)
        fputs(result.trace ? result.trace : "", stdout);
    if (!ran || (!good && (o->script || o->events)))
        printf("seed %" PRIu64 " fails: %s\n", seed, result.why);
    else if (!good)
        report(program, &again, &result);
    tri_test_result_fini(&result);
    return good;
}

int tr_test_main(int argc, char **argv, tr_test_fn fn)
{
    struct options o = {.seeds = SEEDS_DEFAULT};
    int code = 0;
    if (!parse(argc, argv, &o))
        code = 2;
    else if (o.repeat)
        code = !try_again(fn, &o);
    else if (o.one)
        code = !try_seed(argv[0], fn, &o, o.seed);
    for (uint64_t seed = 1; !o.one && code == 0 && seed <= o.seeds; seed++)
        code = !try_seed(argv[0], fn, &o, seed);
    if (code == 0)
        printf("ok, %" PRIu64 " seeds\n", o.one ? 1 : o.seeds);
    tri_free(o.script);
    tri_free(o.events);
    return code;
}
