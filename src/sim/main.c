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

struct options {
    uint64_t seeds;
    uint64_t seed;
    bool one;
    bool trace;
    uint16_t *script; /* NULL: none was given */
    size_t script_count;
};

struct again {
    tr_test_fn fn;
    uint64_t seed;
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
        if (strcmp(argv[i], "--seeds") == 0)
            good = number(value, UINT32_MAX, &o->seeds);
        else if (strcmp(argv[i], "--seed") == 0)
            o->one = good = number(value, UINT64_MAX, &o->seed);
        else if (strcmp(argv[i], "--plant") == 0)
            good = value && tri_plant(value); /* Only in builds of our own. */
        else if (strcmp(argv[i], "--schedule") == 0)
            good = parse_schedule(value, o);
        else
            good = false;
        if (!good)
            fprintf(stderr,
                    "%s: '%s %s' is not understood, want --seeds N, or --seed S with --trace or "
                    "--schedule D,D,…\n",
                    argv[0], argv[i], value ? value : "");
        i++;
    }
    if (good && o->script && !o->one) {
        fprintf(stderr, "%s: --schedule wants --seed\n", argv[0]);
        good = false;
    }
    return good;
}

static bool fails_again(void *user, const uint16_t *decisions, size_t count)
{
    const struct again *again = user;
    static const uint16_t none = 0;
    struct tri_sim_options options = {
        .seed = again->seed, .script = count ? decisions : &none, .script_count = count};
    struct tri_test_result result;
    bool failed = tri_test_run(again->fn, &options, &result) && result.failed;
    tri_test_result_fini(&result);
    return failed;
}

static void print_replay(const char *program, uint64_t seed, const uint16_t *decisions,
                         size_t count)
{
    printf("  see it again:  %s --seed %" PRIu64 " --trace --schedule ", program, seed);
    for (size_t i = 0; i < count; i++)
        printf("%s%u", i ? "," : "", decisions[i]);
    printf("%s\n", count ? "" : "0");
}

/* Shrinks what fails and shows the result. */
static void report(const char *program, struct again *again, struct tri_test_result *result)
{
    size_t before = result->decision_count;
    printf("seed %" PRIu64 " fails: %s\n", again->seed, result->why);
    printf("  the whole run: %s --seed %" PRIu64 " --trace\n", program, again->seed);
    size_t count = tri_shrink(result->decisions, before, fails_again, again);
    static const uint16_t none = 0;
    struct tri_sim_options options = {.seed = again->seed,
                                      .script = count ? result->decisions : &none,
                                      .script_count = count,
                                      .trace = true};
    struct tri_test_result shortest;
    if (tri_test_run(again->fn, &options, &shortest) && shortest.failed) {
        printf("  shrunk from %zu decisions to %zu: %s\n%s", before, count, shortest.why,
               shortest.trace ? shortest.trace : "");
        print_replay(program, again->seed, result->decisions, count);
    } else {
        printf("  it does not fail again: something is not decided by the seed\n");
    }
    tri_test_result_fini(&shortest);
}

/* One seed; true if it was good. */
static bool try_seed(const char *program, tr_test_fn fn, const struct options *o, uint64_t seed)
{
    struct tri_sim_options options = {
        .seed = seed, .script = o->script, .script_count = o->script_count, .trace = o->trace};
    struct tri_test_result result;
    struct again again = {fn, seed};
    bool ran = tri_test_run(fn, &options, &result);
    bool good = ran && !result.failed;
    if (o->trace)
        fputs(result.trace ? result.trace : "", stdout);
    if (!ran || (!good && o->script))
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
    else if (o.one)
        code = !try_seed(argv[0], fn, &o, o.seed);
    for (uint64_t seed = 1; !o.one && code == 0 && seed <= o.seeds; seed++)
        code = !try_seed(argv[0], fn, &o, seed);
    if (code == 0)
        printf("ok, %" PRIu64 " seeds\n", o.one ? 1 : o.seeds);
    tri_free(o.script);
    return code;
}
