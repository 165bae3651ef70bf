/* town.h - runs of the order system in the simulator, with what goes wrong in them. */
#ifndef SIM_ORDERS_TOWN_H
#define SIM_ORDERS_TOWN_H

#include "disk.h"
#include "oracle.h"

#include "flow.h"

#include "troupe/test.h"

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

struct town {
    struct tr_test *test;
    struct host host;
    struct history history;
    struct world world;
    struct oracle oracle;
    bool stuck; /* the run waits for what will never happen */
};
extern struct town town;

/* Before SQLite is used. Takes `--plant BUG` off the command line if the bug is ours. */
void town_install(int *argc, char ***argv);
/* An empty disk, and nobody was told of anything. `town.history` comes next. */
void town_begin(struct tr_test *test);
/* One run, a restart of the machine, and the oracle. The last one has no faults. */
void town_run(const struct run *run, bool last);

#endif
