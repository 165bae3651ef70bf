// bench_caf WORKLOAD WORKERS SCALE: plays one of the workloads of bench/README.md with CAF
// and prints nanoseconds per unit (bytes per actor for idle-memory).
#include "bench.hpp"

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace
{

struct workload {
    void (*play)(run &);
    unsigned warm_rounds;
    double warm_scale;
};

const std::map<std::string, workload> workloads = {
    {"ping-pong", {ping_pong, 0, 0.1}},
    {"pairs", {pairs, 0, 0.1}},
    {"ring-100", {ring_100, 0, 0.1}},
    {"ring-503", {ring_503, 0, 0.1}},
    {"counting", {counting, 0, 0}},
    {"counting-warm", {counting, 3, 0}},
    {"counting-windowed", {counting_windowed, 0, 0.1}},
    {"fork-join-throughput", {fork_join_throughput, 0, 0.1}},
    {"fork-join-create", {fork_join_create, 0, 0.1}},
    {"churn", {churn, 0, 0.1}},
    {"chameneos", {chameneos, 0, 0.1}},
    {"big", {big, 0, 0.1}},
    {"fan-in", {fan_in, 0, 0.1}},
    {"fan-in-windowed", {fan_in_windowed, 0, 0.1}},
    {"fan-out", {fan_out, 0, 0.1}},
    {"ask", {ask, 0, 0.1}},
    {"idle-memory", {idle_memory, 0, 0}},
    {"parallel", {parallel, 0, 0.1}},
};

std::mutex mutex;
std::condition_variable condition;
bool is_finished;
std::chrono::steady_clock::time_point ended;

double play(run &r, const workload &w, double scale)
{
    r.scale = scale;
    is_finished = false;
    w.play(r);
    for (auto &a : r.spawned)
        anon_send_exit(a, exit_reason::user_shutdown);
    r.spawned.clear();
    if (r.bytes > 0)
        return r.bytes;
    auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(ended - r.began);
    return static_cast<double>(took.count()) / static_cast<double>(r.units);
}

} // namespace

void run::begin(uint64_t count)
{
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    units = count;
    began = std::chrono::steady_clock::now();
}

void finish()
{
    std::lock_guard<std::mutex> guard(mutex);
    ended = std::chrono::steady_clock::now();
    is_finished = true;
    condition.notify_one();
}

void run::await()
{
    std::unique_lock<std::mutex> guard(mutex);
    condition.wait(guard, [] { return is_finished; });
}

int main(int argc, char **argv)
{
    auto found = argc == 4 ? workloads.find(argv[1]) : workloads.end();
    if (found == workloads.end()) {
        std::fputs("usage: bench_caf WORKLOAD WORKERS SCALE\n", stderr);
        return 2;
    }
    actor_system_config config;
    config.set("scheduler.max-threads", static_cast<size_t>(std::strtoul(argv[2], nullptr, 10)));
    actor_system system(config);
    run r(system);
    const workload &w = found->second;
    double scale = std::strtod(argv[3], nullptr);
    if (w.warm_scale > 0)
        play(r, w, scale * w.warm_scale);
    for (unsigned i = 0; i < w.warm_rounds; i++)
        play(r, w, scale);
    std::printf("%.4f\n", play(r, w, scale));
    std::fflush(stdout);
    // The actors still running are no part of the figure.
    std::_Exit(0);
}
