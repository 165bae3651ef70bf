// Workloads in which many messages are under way: counting, fork-join throughput, fan-in,
// fan-out, chameneos, big, parallel.
#include "bench.hpp"

using item_atom = atom_constant<atom("item")>;
using accepted_atom = atom_constant<atom("accepted")>;
using meet_atom = atom_constant<atom("meet")>;
using met_atom = atom_constant<atom("met")>;
using ping_atom = atom_constant<atom("ping")>;
using pong_atom = atom_constant<atom("pong")>;

// ---- Counting and fan-in

static behavior sink(stateful_actor<uint64_t> *self, uint64_t total)
{
    self->state = total;
    return {[=](item_atom, uint64_t number, uint32_t ack) {
        if (ack)
            self->send(actor_cast<actor>(self->current_sender()), accepted_atom::value, number);
        if (--self->state == 0)
            finish();
    }};
}

static void produce(event_based_actor *self, const actor &to, uint64_t sent, uint64_t count,
                    uint64_t window)
{
    uint64_t last = window && sent + window < count ? sent + window : count;
    for (uint64_t number = sent + 1; number <= last; number++)
        self->send(to, item_atom::value, number,
                   static_cast<uint32_t>(number == last && last < count));
}

static behavior producer(event_based_actor *self, actor to, uint64_t count, uint64_t window)
{
    return {
        [=](go_atom) { produce(self, to, 0, count, window); },
        [=](accepted_atom, uint64_t number) { produce(self, to, number, count, window); },
    };
}

static void producers(run &r, unsigned count, uint64_t messages, uint64_t window)
{
    uint64_t each = r.count(messages, count) / count;
    actor to = r.spawn(sink, each * count);
    std::vector<actor> all;
    for (unsigned i = 0; i < count; i++)
        all.push_back(r.spawn(producer, to, each, window));
    r.begin(each * count);
    for (auto &a : all)
        r.root->send(a, go_atom::value);
    r.await();
}

void counting(run &r)
{
    producers(r, 1, 1000000, 0);
}

void counting_windowed(run &r)
{
    producers(r, 1, 1000000, 1000);
}

void fan_in(run &r)
{
    producers(r, 60, 1200000, 0);
}

void fan_in_windowed(run &r)
{
    producers(r, 60, 1200000, 100);
}

// ---- Fork-join throughput

static behavior worker(stateful_actor<uint64_t> *self, actor referee)
{
    return {[=](ball_atom, uint64_t left) {
        self->state += left;
        if (left == 0)
            self->send(referee, done_atom::value);
    }};
}

static behavior dealer(event_based_actor *self, std::vector<actor> workers, uint64_t each)
{
    return {[=](go_atom) {
        for (uint64_t left = each; left-- > 0;)
            for (auto &w : workers)
                self->send(w, ball_atom::value, left);
    }};
}

void fork_join_throughput(run &r)
{
    uint64_t each = r.count(1200000, 60) / 60;
    actor referee = spawn_referee(r, 60);
    std::vector<actor> workers;
    for (unsigned i = 0; i < 60; i++)
        workers.push_back(r.spawn(worker, referee));
    actor dealing = r.spawn(dealer, workers, each);
    r.begin(each * 60);
    r.root->send(dealing, go_atom::value);
    r.await();
}

// ---- Fan-out

static behavior echo(stateful_actor<uint64_t> *self)
{
    return {[=](ball_atom, uint64_t) {
        self->state++;
        self->send(actor_cast<actor>(self->current_sender()), done_atom::value);
    }};
}

struct source_state {
    std::vector<actor> sinks;
    uint64_t rounds = 0;
    uint64_t waiting = 0;
};

static void send_round(stateful_actor<source_state> *self)
{
    auto &state = self->state;
    state.waiting = state.sinks.size();
    for (auto &s : state.sinks)
        self->send(s, ball_atom::value, state.rounds);
}

static behavior source(stateful_actor<source_state> *self, std::vector<actor> sinks,
                       uint64_t rounds)
{
    self->state.sinks = std::move(sinks);
    self->state.rounds = rounds;
    return {
        [=](go_atom) { send_round(self); },
        [=](done_atom) {
            if (--self->state.waiting)
                return;
            if (--self->state.rounds)
                send_round(self);
            else
                finish();
        },
    };
}

void fan_out(run &r)
{
    uint64_t rounds = r.count(2000000, 2000) / 2000;
    std::vector<actor> sinks;
    for (unsigned i = 0; i < 1000; i++)
        sinks.push_back(r.spawn(echo));
    actor sending = r.spawn(source, sinks, rounds);
    r.begin(rounds * 2000);
    r.root->send(sending, go_atom::value);
    r.await();
}

// ---- Chameneos

static behavior creature(stateful_actor<uint32_t> *self, actor mall, uint32_t colour)
{
    self->state = colour;
    return {
        [=](go_atom) { self->send(mall, meet_atom::value, self->state); },
        [=](met_atom, uint32_t other) {
            if (other != self->state)
                self->state = 3 - self->state - other;
            self->send(mall, meet_atom::value, self->state);
        },
    };
}

struct mall_state {
    uint64_t left = 0;
    actor waiting;
    uint32_t colour = 0;
};

static behavior mall(stateful_actor<mall_state> *self, uint64_t meetings)
{
    self->state.left = meetings;
    return {[=](meet_atom, uint32_t colour) {
        auto &state = self->state;
        if (state.left == 0)
            return;
        if (!state.waiting) {
            state.waiting = actor_cast<actor>(self->current_sender());
            state.colour = colour;
            return;
        }
        self->send(state.waiting, met_atom::value, colour);
        self->send(actor_cast<actor>(self->current_sender()), met_atom::value, state.colour);
        state.waiting = nullptr;
        if (--state.left == 0)
            finish();
    }};
}

void chameneos(run &r)
{
    uint64_t meetings = r.count(500000, 1);
    actor place = r.spawn(mall, meetings);
    std::vector<actor> creatures;
    for (uint32_t i = 0; i < 100; i++)
        creatures.push_back(r.spawn(creature, place, i % 3));
    r.begin(meetings);
    for (auto &c : creatures)
        r.root->send(c, go_atom::value);
    r.await();
}

// ---- Big

static constexpr unsigned big_actors = 120;

struct big_state {
    uint64_t pings = 0;
    uint32_t seed = 0;
};

static void big_ping(stateful_actor<big_state> *self, const std::vector<actor> &all)
{
    self->state.seed = self->state.seed * 1664525u + 1013904223u;
    self->send(all[(self->state.seed >> 8) % big_actors], ping_atom::value);
}

static behavior big_actor(stateful_actor<big_state> *self, const std::vector<actor> *all,
                          actor referee, uint64_t pings, uint32_t seed)
{
    self->state.pings = pings;
    self->state.seed = seed;
    return {
        [=](go_atom) { big_ping(self, *all); },
        [=](ping_atom) { self->send(actor_cast<actor>(self->current_sender()), pong_atom::value); },
        [=](pong_atom) {
            if (--self->state.pings)
                big_ping(self, *all);
            else
                self->send(referee, done_atom::value);
        },
    };
}

void big(run &r)
{
    uint64_t pings = r.count(2400000, 2 * big_actors) / (2 * big_actors);
    actor referee = spawn_referee(r, big_actors);
    std::vector<actor> all;
    for (uint32_t i = 0; i < big_actors; i++)
        all.push_back(r.spawn(big_actor, &all, referee, pings, i + 1));
    r.begin(pings * 2 * big_actors);
    for (auto &a : all)
        r.root->send(a, go_atom::value);
    r.await();
}

// ---- Parallel

static constexpr unsigned computers = 64;
static constexpr unsigned compute_steps = 910;

static behavior computer(stateful_actor<uint32_t> *self, actor referee)
{
    return {[=](ball_atom, uint64_t left) {
        uint32_t value = self->state;
        for (unsigned i = 0; i < compute_steps; i++)
            value = value * 1664525u + 1013904223u;
        self->state = value;
        if (left == 0)
            self->send(referee, done_atom::value);
        else
            self->send(self, ball_atom::value, left - 1);
    }};
}

void parallel(run &r)
{
    uint64_t each = r.count(64000, computers) / computers;
    actor referee = spawn_referee(r, computers);
    std::vector<actor> all;
    for (unsigned i = 0; i < computers; i++)
        all.push_back(r.spawn(computer, referee));
    r.begin(each * computers);
    for (auto &a : all)
        r.root->send(a, ball_atom::value, each - 1);
    r.await();
}
