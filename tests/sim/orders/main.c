/*
 * main.c - the order system in the simulator. A seed makes up an order file and what goes wrong;
 * the real actors, intake and store work on it, over a disk that is simulated. After every run
 * the machine starts anew, and the books are held against the oracle and audited. The last run
 * has no faults, and everything must have come to its end.
 */
#include "town.h"

#define RUNS_MAX 4

static struct run runs[RUNS_MAX];
static int run_count;

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
    run_count = 1 + (int)below(RUNS_MAX);
    for (int i = 0; i < run_count; i++) {
        struct run *run = &runs[i];
        bool last = i == run_count - 1;
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

static void orders(struct tr_test *t)
{
    town_begin(t);
    history_make(&town.host, &town.history);
    make_runs();
    for (int i = 0; i < run_count; i++)
        town_run(&runs[i], i == run_count - 1);
}

int main(int argc, char **argv)
{
    town_install(&argc, &argv);
    return tr_test_main(argc, argv, orders);
}
