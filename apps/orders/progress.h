/* progress.h - how far a run is: a bar on a terminal, a line now and then elsewhere. */
#ifndef ORDERS_PROGRESS_H
#define ORDERS_PROGRESS_H

#include "flow.h"

#include <stdio.h>

struct progress {
    FILE *out;
    bool terminal, quiet;
    bool drawn;       /* a bar stands on the terminal's last line */
    unsigned percent; /* plain lines: the last one printed, and when */
    double told_s;
};

/* Looks whether `out` is a terminal. quiet: nothing is shown. */
void progress_init(struct progress *progress, FILE *out, bool quiet);
void progress_show(struct progress *progress, const struct flow_progress *now);
/* Takes the bar away, so that something else can be printed. */
void progress_clear(struct progress *progress);

#endif
