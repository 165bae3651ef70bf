/*
 * tests/gate/work.c - stands in for bench_troupe: work WORKLOAD WORKERS SCALE.
 *
 * Each unit is TROUPE_GATE_STEPS steps of the same few instructions, so that the test of the gate
 * can let a unit grow by so many percent. TROUPE_GATE_EXIT: it ends with that instead.
 */
#include <stdlib.h>

int main(int argc, char **argv)
{
    static volatile unsigned sink;
    const char *steps_text = getenv("TROUPE_GATE_STEPS");
    const char *exit_text = getenv("TROUPE_GATE_EXIT");
    unsigned steps = steps_text ? (unsigned)atoi(steps_text) : 0;
    if (exit_text)
        return atoi(exit_text);
    if (argc != 4 || !steps)
        return 2;
    /* 4,000,000 units at scale 1, as ping-pong has; and a tenth of it before, to warm up. */
    unsigned long units = (unsigned long)(4e6 * 1.1 * atof(argv[3]) + 0.5);
    for (unsigned long u = 0; u < units; u++) {
        for (unsigned i = 0; i < steps; i++)
            sink++;
    }
    return 0;
}
