/*
 * sweep.c - one order file with a little of everything, and one thing that goes wrong in its first
 * run: every kind of trouble, at every place. The seed is the kind and the place.
 */
#include "town.h"

#define KINDS 7u

static const struct row rows[] = {
    {"50001", 0, 6, 2550, 1, 1, false},   {"50001", 4, 1, 850, 1, 1, false},
    {"50002", 1, 4, 1250, 2, 2, false},   {"50003", 0, 9, 2555, 3, 3, false},
    {"50004", 3, 3, 1000, 0, 4, false},   {"50004", 3, 3, 1000, 0, 4, false},
    {"C50005", 0, -6, 2550, 1, 5, false}, {"50006", 1, 4, 1250, 2, 6, false},
    {"50007", 2, -2, 0, 0, 7, false},     {"A50008", 5, 1, -5000, 0, 8, false},
    {"50002", 1, 4, 1250, 2, 2, false},   {"50001", 0, 7, 2550, 1, 1, false},
    {"50009", 2, 1, 500, 3, 9, true},     {"", 2, 1, 500, 3, 9, false},
    {"50010", 0, 5, 2550, 3, 10, false},  {"50011", 0, 2, 0, 3, 11, false},
    {"50012", 2, 2, 500, 2, 12, false},   {"C50013", 2, -1, 500, 2, 13, false},
};

/* An order that was turned away is no basket that comes twice when its copy is let in. */
static const struct row copies[] = {
    {"50001", 0, 1, 2550, 1, 1, false}, {"50002", 1, 4, 1250, 2, 2, false},
    {"50003", 0, 1, 2555, 3, 3, false}, {"50004", 3, 3, 1000, 1, 4, false},
    {"50005", 3, 2, 1000, 1, 4, false}, {"50002", 1, 4, 1250, 2, 2, false},
    {"50001", 0, 1, 2550, 1, 1, false},
};

static void take(const struct row *some, size_t count)
{
    memcpy(town.history.rows, some, count * sizeof *some);
    town.history.count = (int)count;
}

static void one_trouble(struct tr_test *t)
{
    unsigned number = (unsigned)tr_test_seed(t) - 1, at = number / KINDS;
    struct fault fault = {(enum trouble)(number % KINDS), at, 1};
    town_begin(t);
    town.history = (struct history){.window_minutes = 10, .stock = 12, .under_way = 4};
    take(rows, sizeof rows / sizeof rows[0]);
    if (fault.what == TROUBLE_SQLITE_ALLOC)
        fault.at *= 5;
    struct run run = {.rows = town.history.count, .fault_count = 1, .faults = {fault}};
    town_run(&run, false);
    run.fault_count = 0;
    town_run(&run, true);
}

static void turned_away(struct tr_test *t)
{
    town_begin(t);
    town.history = (struct history){.window_minutes = 10, .stock = -1, .under_way = 1};
    take(copies, sizeof copies / sizeof copies[0]);
    struct run run = {.rows = town.history.count, .backpressure = BACKPRESSURE_DROP};
    town_run(&run, false);
    town_run(&run, false);
    run.backpressure = BACKPRESSURE_DELAY;
    town_run(&run, true);
}

int main(int argc, char **argv)
{
    town_install(&argc, &argv);
    int code = tr_test_main(argc, argv, one_trouble);
    /* Here seeds are schedules, and a few will do. */
    char option[] = "--seeds", count[] = "100";
    char *few[] = {argv[0], option, count, NULL};
    bool many = argc > 1 && strcmp(argv[1], "--seeds") == 0;
    return code ? code : tr_test_main(many ? 3 : argc, many ? few : argv, turned_away);
}
