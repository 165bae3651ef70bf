// Workloads in which one message is under way per chain, and those in which actors come
// and go: ping-pong, pairs, rings, ask, create, churn, memory.
#include "bench.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

actor spawn_referee(run &r, uint64_t expected)
{
    return r.spawn(
        [](stateful_actor<uint64_t> *self, uint64_t count) -> behavior {
            self->state = count;
            return {[=](done_atom) {
                if (--self->state == 0)
                    finish();
            }};
        },
        expected);
}

// ---- Ping-pong, pairs and rings

struct player_state {
    actor next;
};

static behavior player(stateful_actor<player_state> *self, actor referee)
{
    return {
        [=](ball_atom, uint64_t left) {
            if (left == 0)
                self->send(referee, done_atom::value);
            else
                self->send(self->state.next, ball_atom::value, left - 1);
        },
        [=](peer_atom, const actor &next) { self->state.next = next; },
    };
}

static void rings(run &r, unsigned size, unsigned count)
{
    uint64_t each = r.count(4000000, count) / count;
    actor referee = spawn_referee(r, count);
    std::vector<actor> firsts;
    for (unsigned i = 0; i < count; i++) {
        actor first = r.spawn(player, referee), last = first;
        for (unsigned j = 1; j < size; j++) {
            actor next = r.spawn(player, referee);
            r.root->send(last, peer_atom::value, next);
            last = next;
        }
        r.root->send(last, peer_atom::value, first);
        firsts.push_back(first);
    }
    r.begin(each * count);
    for (auto &first : firsts)
        r.root->send(first, ball_atom::value, each - 1);
    r.await();
}

void ping_pong(run &r)
{
    rings(r, 2, 1);
}

void pairs(run &r)
{
    rings(r, 2, 1000);
}

void ring_100(run &r)
{
    rings(r, 100, 1);
}

void ring_503(run &r)
{
    rings(r, 503, 1);
}

// ---- Ask

static behavior server()
{
    return {[](uint64_t value) { return value + 1; }};
}

static void ask_next(event_based_actor *self, const actor &to, uint64_t value, uint64_t count)
{
    self->request(to, std::chrono::seconds(30), value)
        .then(
            [=](uint64_t answer) {
                if (answer == count)
                    finish();
                else
                    ask_next(self, to, answer, count);
            },
            [](const error &) {
                std::fputs("bench_caf: ask: a request failed\n", stderr);
                std::_Exit(1);
            });
}

static behavior client(event_based_actor *self, actor to, uint64_t count)
{
    return {[=](go_atom) { ask_next(self, to, 0, count); }};
}

void ask(run &r)
{
    uint64_t count = r.count(2000000, 1);
    actor to = r.spawn(server);
    actor asking = r.spawn(client, to, count);
    r.begin(count);
    r.root->send(asking, go_atom::value);
    r.await();
}

// ---- Fork-join create and churn

static std::atomic<uint64_t> children_left;

static behavior child(event_based_actor *self)
{
    return {[=](ball_atom, uint64_t) {
        self->quit();
        if (children_left.fetch_sub(1, std::memory_order_relaxed) == 1)
            finish();
    }};
}

static behavior creator(event_based_actor *self, uint64_t count)
{
    return {[=](go_atom) {
        for (uint64_t i = 0; i < count; i++)
            self->send(self->spawn(child), ball_atom::value, i);
    }};
}

void fork_join_create(run &r)
{
    uint64_t count = r.count(1000000, 1);
    children_left = count;
    actor creating = r.spawn(creator, count);
    r.begin(count);
    r.root->send(creating, go_atom::value);
    r.await();
}

static behavior mayfly(event_based_actor *self)
{
    return {[=](ball_atom, uint64_t) {
        self->quit();
        return done_atom::value;
    }};
}

static void breed(event_based_actor *self, uint64_t left)
{
    self->send(self->spawn(mayfly), ball_atom::value, left);
}

static behavior breeder(stateful_actor<uint64_t> *self, uint64_t count)
{
    self->state = count;
    return {
        [=](go_atom) { breed(self, self->state); },
        [=](done_atom) {
            if (--self->state == 0)
                finish();
            else
                breed(self, self->state);
        },
    };
}

void churn(run &r)
{
    uint64_t count = r.count(1000000, 1);
    actor breeding = r.spawn(breeder, count);
    r.begin(count);
    r.root->send(breeding, go_atom::value);
    r.await();
}

// ---- Memory of idle actors that have handled one message

struct sleeper_state {
    uint64_t handled = 0;
};

static behavior sleeper(stateful_actor<sleeper_state> *self)
{
    return {[=](ball_atom, uint64_t value) {
        self->state.handled += value + 1;
        if (children_left.fetch_sub(1, std::memory_order_relaxed) == 1)
            finish();
    }};
}

static double resident()
{
    unsigned long long total = 0, pages = 0;
    FILE *file = std::fopen("/proc/self/statm", "r");
    if (!file || std::fscanf(file, "%llu %llu", &total, &pages) != 2)
        std::_Exit(1);
    std::fclose(file);
    return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

void idle_memory(run &r)
{
    uint64_t count = r.count(1000000, 1);
    children_left = count;
    // The handles belong to the caller: their memory is touched before the first reading.
    r.spawned.resize(count);
    r.spawned.clear();
    double before = resident();
    for (uint64_t i = 0; i < count; i++)
        r.root->send(r.spawn(sleeper), ball_atom::value, i);
    r.await();
    r.bytes = (resident() - before) / static_cast<double>(count);
}
