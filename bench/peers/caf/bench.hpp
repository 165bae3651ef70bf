// What the workloads of bench_caf share.
#pragma once

#include <caf/all.hpp>

#include <chrono>
#include <cstdint>
#include <vector>

using namespace caf;

using ball_atom = atom_constant<atom("ball")>;
using peer_atom = atom_constant<atom("peer")>;
using done_atom = atom_constant<atom("done")>;
using go_atom = atom_constant<atom("go")>;

// One workload in one actor system; rounds share the system but no actors.
struct run {
    actor_system &sys;
    scoped_actor root;
    double scale = 1;
    uint64_t units = 0;
    double bytes = 0;
    std::chrono::steady_clock::time_point began;
    std::vector<actor> spawned;

    explicit run(actor_system &system) : sys(system), root(system)
    {
    }

    uint64_t count(uint64_t base, uint64_t least) const
    {
        auto count = static_cast<uint64_t>(static_cast<double>(base) * scale);
        return count < least ? least : count;
    }
    template <class Fun, class... Args> actor spawn(Fun fun, Args &&...args)
    {
        spawned.push_back(sys.spawn(fun, std::forward<Args>(args)...));
        return spawned.back();
    }
    // The clock starts once the actors that were set up are at rest.
    void begin(uint64_t count);
    void await();
};

// The clock stops, from whichever actor sees the last message.
void finish();

// An actor that counts `done` messages and finishes the round at the given number.
actor spawn_referee(run &r, uint64_t expected);

void ping_pong(run &r);
void pairs(run &r);
void ring_100(run &r);
void ring_503(run &r);
void ask(run &r);
void fork_join_create(run &r);
void churn(run &r);
void idle_memory(run &r);
void counting(run &r);
void counting_windowed(run &r);
void fan_in(run &r);
void fan_in_windowed(run &r);
void fork_join_throughput(run &r);
void fan_out(run &r);
void chameneos(run &r);
void big(run &r);
void parallel(run &r);
