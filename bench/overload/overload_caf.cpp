/* overload_caf.cpp - CAF under ten times the load it can take: see overload.h. */
#include "overload.h"

#include "caf/all.hpp"

using namespace caf;

struct target {
    actor server;
};

static behavior server(event_based_actor *, ov_run *run)
{
    return {[=](uint64_t sent_ns) { ov_work(run, sent_ns); },
            [=](uint64_t sent_ns, bool) { ov_controlled(run, sent_ns); }};
}

int main(int argc, char **argv)
{
    static ov_run run;
    int work_us = argc == 3 ? atoi(argv[1]) : 0, seconds = argc == 3 ? atoi(argv[2]) : 0;
    if (work_us < 1 || seconds < 1) {
        fprintf(stderr, "usage: overload_caf WORK_US OVERLOAD_S\n");
        return 2;
    }
    if (ov_init(&run, static_cast<unsigned>(work_us), static_cast<unsigned>(seconds)))
        return 1;
    actor_system_config cfg;
    cfg.set("scheduler.max-threads", size_t{1});
    actor_system sys{cfg};
    target t{sys.spawn(server, &run)};
    run.user = &t;
    run.send = [](ov_run *r, uint64_t now) {
        anon_send(static_cast<target *>(r->user)->server, now);
    };
    run.control = [](ov_run *r, uint64_t now) {
        anon_send<message_priority::high>(static_cast<target *>(r->user)->server, now, true);
    };
    ov_run_all(&run);
    ov_report(&run, "caf", "", stdout);
    fflush(stdout);
    _exit(0); /* Its backlog would take many minutes. */
}
