/*
 * oracle.h - what the books must say. A model of the order system from docs/guide/orders.md and
 * docs/reference/orders-ledger.md that shares no code, not even a header, with it.
 */
#ifndef SIM_ORDERS_ORACLE_H
#define SIM_ORDERS_ORACLE_H

#include "history.h"
#include "world.h"

#define GROUP_ROWS_MAX 64
#define GROUPS_MAX 200

/* The rows of one number, as the intake has to gather them. */
struct group {
    const struct row *rows[GROUP_ROWS_MAX];
    int count;
    bool spoiled; /* refused: a row of it cannot be read, or they do not agree */
    bool twice;   /* same customer, basket and amount within the window */
};

struct entered {
    struct group group;
    int64_t returned[GROUP_ROWS_MAX]; /* pieces of each line that came back */
    int outcome[GROUP_ROWS_MAX];
    int state;
};

struct refused {
    const struct row *first; /* NULL: a conflict, known by its content alone */
    struct group group;
    bool due; /* it must be in the books by now */
};

struct oracle {
    const struct history *history;
    struct world *world;
    struct entered entered[GROUPS_MAX];
    int entered_count;
    struct refused refused[GROUPS_MAX];
    int refused_count;
    int64_t received[CODES], sold[CODES], written_off[CODES], returned[CODES];
    bool seen[CODES];
    char why[256]; /* what does not hold; "": all does */
};

void oracle_reset(struct oracle *oracle, const struct history *history, struct world *world);

/* May the file be cut between these rows, so that no order is? */
bool oracle_may_cut(const struct history *history, int row);

/* What is known about a run that has ended. */
struct oracle_run {
    int rows;   /* it was to enter so many */
    bool whole; /* it came to its end */
    bool drops; /* it may have turned orders away */
};

/* Holds the books against the model. False, and ->why says why, if they differ. */
bool oracle_check(struct oracle *oracle, const char *path, const struct oracle_run *run);
/* False: nothing was set up yet. */
bool oracle_books_there(const char *path);
/* Was every order that is in the books acknowledged, and paid back if the books say so? */
bool oracle_all_told(struct oracle *oracle);

#endif
