/*
 * main.c - the order system in the simulator. A seed makes up an order file and what goes wrong;
 * the real actors, intake and store work on it, over a disk that is simulated. After every run
 * the machine starts anew, and the books are held against the oracle and audited. The last run
 * has no faults, and everything must have come to its end.
 */
#include "alloc.h"
#include "disk.h"
#include "oracle.h"

#include "flow.h"
#include "plant.h"
#include "verify.h"

#include <stdio.h>

#define BOOKS "books.db"
#define RUNS_MAX 4
#define FAULTS_MAX 6

/* What goes wrong in a run. */
enum trouble {
    TROUBLE_DISK, /* and those after it: enum disk_fault */
    TROUBLE_ALLOC = DISK_FAULTS,
    TROUBLE_SQLITE_ALLOC,
    TROUBLE_FAIL,
    TROUBLE_LATE,
    TROUBLE_HEAP,
    TROUBLE_PROVIDER,
    TROUBLES
};

struct fault {
    enum trouble what;
    unsigned at, count;
};

struct run {
    int rows; /* of the file, which grows from one run to the next */
    enum flow_backpressure backpressure;
    struct fault faults[FAULTS_MAX];
    int fault_count;
};

struct provider {
    struct payment_provider base;
    struct world *world;
};

struct text_source {
    struct ord_source base;
    const char *text;
    size_t size, at;
};

static struct {
    struct tr_test *test;
    struct history history;
    struct world world;
    struct oracle oracle;
    struct run runs[RUNS_MAX];
    int run_count;
    bool stuck; /* the run waits for what will never happen */
} town;

/* ---- What the order system gets ------------------------------------------- */

/* With the power everything else of the process is gone. */
static struct world *world_of(struct payment_provider *provider)
{
    struct world *world = ((struct provider *)provider)->world;
    world->off = world->off || disk_crashed();
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
    town.world.off = town.world.off || disk_crashed();
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
    if (disk_crashed())
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
        if (disk_crashed() || !tr_test_next(town.test))
            return;
    }
}

/* ---- What goes wrong ------------------------------------------------------ */

static unsigned below(unsigned bound)
{
    return (unsigned)(tr_test_random(town.test) % bound);
}

/* One kind of trouble in so many of a hundred runs, up to `reach`. */
static void make_fault(struct run *run, unsigned percent, enum trouble what, unsigned reach)
{
    bool any = below(100) < percent, early = below(4) == 0;
    unsigned at = below(reach), times = 1 + below(3);
    /* Much happens in the beginning. */
    at = early ? at / 8 : at;
    if (any && run->fault_count < FAULTS_MAX && tr_test_event(town.test))
        run->faults[run->fault_count++] = (struct fault){what, at, times};
}

static void make_faults(struct run *run)
{
    make_fault(run, 60, (enum trouble)DISK_CRASH, 160);
    make_fault(run, 8, (enum trouble)DISK_NO_WRITE, 160);
    make_fault(run, 8, (enum trouble)DISK_FULL, 160);
    make_fault(run, 10, (enum trouble)DISK_NO_SYNC, 160);
    make_fault(run, 6, (enum trouble)DISK_NO_READ, 60);
    make_fault(run, 15, TROUBLE_ALLOC, 60);
    make_fault(run, 8, TROUBLE_SQLITE_ALLOC, 4000);
    make_fault(run, 15, TROUBLE_FAIL, 60);
    make_fault(run, 30, TROUBLE_LATE, 100);
    make_fault(run, 10, TROUBLE_HEAP, 40);
    make_fault(run, 10, TROUBLE_PROVIDER, 30);
}

static void make_runs(void)
{
    static const enum flow_backpressure pressures[] = {BACKPRESSURE_DELAY, BACKPRESSURE_QUEUE};
    int rows = 0;
    town.run_count = 1 + (int)below(RUNS_MAX);
    for (int i = 0; i < town.run_count; i++) {
        struct run *run = &town.runs[i];
        bool last = i == town.run_count - 1;
        unsigned more = below(4), dice = below(2);
        /* Mostly all there is, at times only a part at first. */
        int to = last || more ? town.history.count
                              : rows + (int)below((unsigned)(town.history.count - rows + 1));
        while (to < town.history.count && !oracle_may_cut(&town.history, to))
            to++;
        *run = (struct run){.rows = rows = to > rows ? to : rows};
        run->backpressure = town.history.drop && !last ? BACKPRESSURE_DROP : pressures[dice];
        if (!last)
            make_faults(run);
    }
}

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
            disk_order((enum disk_fault)fault->what, fault->at, fault->count);
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
                 disk_changes());
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

static void make_run(const struct run *run, bool last)
{
    static struct flow_result result;
    struct ord_error error = {""};
    bool good = run_flow(run, &result, &error);
    tr_test_restart(town.test);
    disk_start();
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

static void orders(struct tr_test *t)
{
    memset(&town, 0, sizeof town);
    town.test = t;
    disk_reset(t);
    world_reset(&town.world, t);
    history_make(t, &town.history);
    oracle_reset(&town.oracle, &town.history, &town.world);
    make_runs();
    for (int i = 0; i < town.run_count; i++)
        make_run(&town.runs[i], i == town.run_count - 1);
}

int main(int argc, char **argv)
{
    sim_alloc_install();
    disk_install();
    if (argc > 2 && strcmp(argv[1], "--plant") == 0 && orders_plant(argv[2])) {
        argv[2] = argv[0];
        argv += 2;
        argc -= 2;
    }
    return tr_test_main(argc, argv, orders);
}
