/* town.c - see town.h. */
#include "town.h"

#include "alloc.h"

#include "plant.h"
#include "verify.h"

#include <stdio.h>

#define BOOKS "books.db"
#define MACHINE 0

struct provider {
    struct payment_provider base;
    struct world *world;
};

struct text_source {
    struct ord_source base;
    const char *text;
    size_t size, at;
};

struct town town;

/* ---- What the order system gets ------------------------------------------- */

/* With the power everything else of the process is gone. */
static struct world *world_of(struct payment_provider *provider)
{
    struct world *world = ((struct provider *)provider)->world;
    world->off = world->off || disk_crashed(MACHINE);
    return world;
}

static enum payment_answer capture(struct payment_provider *provider, const char *key,
                                   int64_t pence, unsigned *ret_late_ms)
{
    return (enum payment_answer)world_capture(world_of(provider), key, pence, ret_late_ms);
}

static enum payment_answer inquire(struct payment_provider *provider, const char *key,
                                   unsigned attempt)
{
    (void)attempt;
    return (enum payment_answer)world_inquire(world_of(provider), key);
}

static enum payment_answer refund(struct payment_provider *provider, const char *key, int64_t pence)
{
    return (enum payment_answer)world_refund(world_of(provider), key, pence);
}

static bool deliver(void *user, const struct notice *notice)
{
    (void)user;
    town.world.off = town.world.off || disk_crashed(MACHINE);
    return world_tell(&town.world, notice->key, notice->id, notice->state);
}

static long read_text(struct ord_source *base, char *buffer, size_t size, struct ord_error *error)
{
    struct text_source *source = (struct text_source *)base;
    size_t part = source->size - source->at;
    (void)error;
    if (part > size)
        part = size;
    memcpy(buffer, source->text + source->at, part);
    source->at += part;
    return (long)part;
}

static bool go_on(void *user)
{
    (void)user;
    if (disk_crashed(MACHINE))
        return false;
    town.stuck = !tr_test_next(town.test);
    return !town.stuck;
}

static void meanwhile(void *user)
{
    /* A little, or as far as it goes for now. */
    unsigned steps = tr_test_choose(town.test, 8);
    (void)user;
    for (steps *= steps == 7 ? 40 : 2; steps > 0; steps--) {
        if (disk_crashed(MACHINE) || !tr_test_next(town.test))
            return;
    }
}

/* ---- What goes wrong ------------------------------------------------------ */

static void order_faults(const struct run *run)
{
    static const char *const words[] = {"power",   "no write", "full",         "no sync",
                                        "no read", "alloc",    "sqlite alloc", "fail",
                                        "late",    "heap",     "provider"};
    struct tr_test_faults chance = {.delay_ms_max = 100};
    for (int i = 0; i < run->fault_count; i++) {
        const struct fault *fault = &run->faults[i];
        tr_test_note(town.test, "  ordered: %s at %u, %u times", words[fault->what], fault->at,
                     fault->count);
        if (fault->what < (enum trouble)DISK_FAULTS)
            disk_order(MACHINE, (enum disk_fault)fault->what, fault->at, fault->count);
        else if (fault->what == TROUBLE_ALLOC)
            sim_alloc_fail((long)fault->at);
        else if (fault->what == TROUBLE_SQLITE_ALLOC)
            sim_sqlite_alloc_fail((long)fault->at);
        else if (fault->what == TROUBLE_FAIL)
            chance.fail_permille = fault->at;
        else if (fault->what == TROUBLE_LATE)
            chance.delay_permille = fault->at;
        else if (fault->what == TROUBLE_PROVIDER)
            town.world.down_from = 1 + fault->at;
        else
            chance.alloc_permille = fault->at;
    }
    tr_test_faults(town.test, &chance);
}

static void faults_off(void)
{
    sim_alloc_fail(-1);
    sim_sqlite_alloc_fail(-1);
    tr_test_faults(town.test, &(struct tr_test_faults){.drop_permille = 0});
}

/* ---- Runs ----------------------------------------------------------------- */

static bool run_flow(const struct run *run, struct flow_result *result, struct ord_error *error)
{
    struct text_source source = {.base = {.read = read_text}};
    char *text = history_text(&town.history, run->rows, &source.size);
    source.text = text;
    struct provider provider = {{capture, inquire, refund}, &town.world};
    struct flow_stage stage = {tr_system_of(tr_test_ctx(town.test)), go_on, meanwhile, NULL};
    struct flow_options options = {
        .source = &source.base,
        .name = "history",
        .db = BOOKS,
        .stage = &stage,
        .stock = town.history.stock,
        .stock_given = true,
        .backpressure = run->backpressure,
        .under_way = town.history.under_way,
        .window_s = town.history.window_minutes * 60,
        .provider = &provider.base,
        .deliver = deliver,
    };
    order_faults(run);
    bool good = flow_run(&options, result, error);
    faults_off();
    free(text);
    tr_test_note(town.test, "  the run %s, %u changes of the disk", good ? "is over" : error->text,
                 disk_changes(MACHINE));
    return good;
}

static void audit(void)
{
    struct verify_result result;
    char why[VERIFY_TEXT_SIZE];
    if (!oracle_books_there(BOOKS))
        return;
    if (!verify_books(BOOKS, &result, why))
        tr_test_failed(town.test, "the auditor: %s", why);
    for (int i = 0; i < result.count; i++) {
        if (!result.check[i].good)
            tr_test_failed(town.test, "the auditor: %s: %s", result.check[i].name,
                           result.check[i].detail);
    }
}

/* After a run without faults. */
static void check_result(const struct flow_result *result)
{
    tr_expect(town.test, result->lines_accounted);
    tr_expect(town.test, result->messages_accounted);
    tr_expect(town.test, !result->broken);
    tr_expect(town.test, result->lines_read == (uint64_t)town.history.count);
}

void town_run(const struct run *run, bool last)
{
    static struct flow_result result;
    struct ord_error error = {.text = ""};
    bool good = run_flow(run, &result, &error);
    tr_test_restart(town.test);
    disk_start(MACHINE, true);
    if (town.stuck)
        tr_test_failed(town.test, "the run would wait for ever");
    struct oracle_run done = {run->rows, good && !result.broken,
                              run->backpressure == BACKPRESSURE_DROP};
    if (!good && run->fault_count == 0)
        tr_test_failed(town.test, "the run failed although nothing was wrong: %s", error.text);
    if (!oracle_check(&town.oracle, BOOKS, &done))
        tr_test_failed(town.test, "%s", town.oracle.why);
    audit();
    world_start(&town.world);
    if (last) {
        check_result(&result);
        if (!oracle_all_told(&town.oracle))
            tr_test_failed(town.test, "%s", town.oracle.why);
    }
}

static uint32_t on_choose(void *user, uint32_t bound)
{
    return tr_test_choose(user, bound);
}

static uint64_t on_random(void *user)
{
    return tr_test_random(user);
}

static bool on_event(void *user)
{
    return tr_test_event(user);
}

static void on_note(void *user, const char *line)
{
    tr_test_note(user, "%s", line);
}

static void on_wrong(void *user, const char *why)
{
    tr_test_failed(user, "%s", why);
}

void town_begin(struct tr_test *test)
{
    memset(&town, 0, sizeof town);
    town.test = test;
    town.host = (struct host){.user = test,
                              .seed = tr_test_seed(test),
                              .choose = on_choose,
                              .random = on_random,
                              .event = on_event,
                              .note = on_note,
                              .wrong = on_wrong};
    disk_reset(&town.host);
    world_reset(&town.world, &town.host);
    oracle_reset(&town.oracle, &town.history, &town.world);
}

void town_install(int *argc, char ***argv)
{
    sim_alloc_install();
    disk_install();
    if (*argc > 2 && strcmp((*argv)[1], "--plant") == 0 && orders_plant((*argv)[2])) {
        (*argv)[2] = (*argv)[0];
        *argv += 2;
        *argc -= 2;
    }
}
