// The benchmark between two CAF nodes: see bench/remote/README.md.
//   bench_remote serve ADDRESS
//   bench_remote run ADDRESS       then lines WORKLOAD SIZE PAIRS COUNT on standard input
#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <iostream>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <unistd.h>

using namespace caf;

using load_atom = atom_constant<atom("load")>;
using nothing_atom = atom_constant<atom("nothing")>;
using count_atom = atom_constant<atom("count")>;
using done_atom = atom_constant<atom("done")>;
using sink_atom = atom_constant<atom("sink")>;
using echo_atom = atom_constant<atom("echo")>;

static constexpr uint32_t window = 1000; // requests under way, of all pairs together

// ---- Server ---------------------------------------------------------------------------------

struct sink_state {
    uint64_t left = 0;
    actor caller;
};

// Counts what comes, and answers when as many have come as it was told.
static behavior sink(stateful_actor<sink_state> *self)
{
    auto took = [=] {
        if (--self->state.left == 0)
            self->send(self->state.caller, done_atom::value);
    };
    return {
        [=](count_atom, uint64_t count) {
            self->state.left = count;
            self->state.caller = actor_cast<actor>(self->current_sender());
        },
        [=](load_atom, const std::string &) { took(); },
        [=](nothing_atom) { took(); },
    };
}

static behavior echo(event_based_actor *self)
{
    return {
        [=](load_atom, const std::string &data) {
            self->send(actor_cast<actor>(self->current_sender()), load_atom::value, data);
        },
        [=](nothing_atom) {
            self->send(actor_cast<actor>(self->current_sender()), nothing_atom::value);
        },
    };
}

// Gives out the actors by their numbers.
static behavior registry(event_based_actor *self)
{
    auto sinks = std::make_shared<std::map<uint32_t, actor>>();
    auto echos = std::make_shared<std::map<uint32_t, actor>>();
    return {
        [=](sink_atom, uint32_t number) {
            auto &a = (*sinks)[number];
            if (!a)
                a = self->spawn(sink);
            return a;
        },
        [=](echo_atom, uint32_t number) {
            auto &a = (*echos)[number];
            if (!a)
                a = self->spawn(echo);
            return a;
        },
    };
}

// ---- Client ---------------------------------------------------------------------------------

static std::mutex mutex;
static std::condition_variable changed;
static uint32_t finished;

static void finish()
{
    std::lock_guard<std::mutex> guard{mutex};
    finished++;
    changed.notify_one();
}

static void put(event_based_actor *self, const actor &to, const std::string &data)
{
    if (data.empty())
        self->send(to, nothing_atom::value);
    else
        self->send(to, load_atom::value, data);
}

static behavior source(event_based_actor *self, actor to, uint32_t size, uint64_t count)
{
    std::string data(size, '\0');
    self->send(to, count_atom::value, count);
    for (uint64_t i = 0; i < count; i++)
        put(self, to, data);
    return {[=](done_atom) {
        finish();
        self->quit();
    }};
}

struct asker_state {
    uint64_t to_send = 0, left = 0;
};

static behavior asker(stateful_actor<asker_state> *self, actor to, uint32_t size, uint64_t count,
                      uint32_t at_once)
{
    std::string data(size, '\0');
    self->state.left = count;
    self->state.to_send = count;
    for (uint32_t i = 0; i < at_once && self->state.to_send > 0; i++, self->state.to_send--)
        put(self, to, data);
    auto got = [=] {
        if (--self->state.left == 0) {
            finish();
            self->quit();
        } else if (self->state.to_send > 0) {
            self->state.to_send--;
            put(self, to, data);
        }
    };
    return {
        [=](load_atom, const std::string &) { got(); },
        [=](nothing_atom) { got(); },
    };
}

static void play(actor_system &sys, const actor &names, const std::string &line)
{
    std::istringstream words{line};
    std::string workload;
    uint32_t size, pairs;
    uint64_t count;
    if (!(words >> workload >> size >> pairs >> count))
        throw std::runtime_error("cannot make sense of " + line);
    scoped_actor self{sys};
    std::vector<actor> there;
    bool stream = workload == "stream";
    for (uint32_t i = 0; i < pairs; i++) {
        auto asked = stream ? self->request(names, infinite, sink_atom::value, i)
                            : self->request(names, infinite, echo_atom::value, i);
        asked.receive([&](actor &a) { there.push_back(a); },
                      [&](error &e) { throw std::runtime_error(sys.render(e)); });
    }
    auto began = std::chrono::steady_clock::now();
    for (auto &to : there) {
        if (stream)
            sys.spawn(source, to, size, count / pairs);
        else
            sys.spawn(asker, to, size, count / pairs, workload == "window" ? window / pairs : 1);
    }
    std::unique_lock<std::mutex> guard{mutex};
    changed.wait(guard, [&] { return finished == pairs; });
    finished = 0;
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    printf("end %.9f %llu\n", took.count(), static_cast<unsigned long long>(count / pairs * pairs));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: bench_remote serve ADDRESS | run ADDRESS\n");
        return 2;
    }
    std::string address{argv[2]};
    auto colon = address.rfind(':');
    auto host = address.substr(0, colon);
    auto port = static_cast<uint16_t>(std::stoul(address.substr(colon + 1)));
    actor_system_config config;
    config.load<io::middleman>();
    actor_system sys{config};
    if (std::string{argv[1]} == "serve") {
        auto names = sys.spawn(registry);
        auto published = sys.middleman().publish(names, port, host.c_str(), true);
        if (!published) {
            fprintf(stderr, "bench_remote: %s\n", sys.render(published.error()).c_str());
            return 1;
        }
        printf("ready %s\n", address.c_str());
        fflush(stdout);
        while (getchar() != EOF)
            continue;
        _exit(0); // Its actors would keep the system.
    }
    auto names = sys.middleman().remote_actor(host, port);
    if (!names) {
        fprintf(stderr, "bench_remote: %s\n", sys.render(names.error()).c_str());
        return 1;
    }
    printf("ready -\n");
    fflush(stdout);
    for (std::string line; std::getline(std::cin, line);)
        play(sys, *names, line);
    _exit(0);
}
