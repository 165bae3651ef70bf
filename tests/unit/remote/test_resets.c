/*
 * Numbered messages over a connection that is reset in the middle of frames, again and again:
 * their order is kept, none comes twice, and the accounts say how many may be lost.
 * TROUPE_RESETS: how many times; default 100.
 */
#include "nodes.h"

#include "base/prng.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- A relay that resets -------------------------------------------------------------------- */

struct relay {
    int listener;
    uint16_t port, to;
    pthread_t thread;
    unsigned resets; /* still to come */
    struct tri_prng prng;
};

static void reset(int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    (void)close(fd);
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

/* Passes on up to `budget` bytes from one to the other; false: enough, or one has ended. */
static bool pass_on(int from, int to, size_t *budget)
{
    char bytes[4096];
    size_t most = *budget < sizeof bytes ? *budget : sizeof bytes;
    ssize_t n = recv(from, bytes, most, 0);
    if (n <= 0 || send(to, bytes, (size_t)n, MSG_NOSIGNAL) != n)
        return false;
    *budget -= (size_t)n;
    return *budget > 0;
}

static void *run_relay(void *arg)
{
    struct relay *relay = arg;
    for (;;) {
        int near = accept(relay->listener, NULL, NULL);
        if (near < 0)
            return NULL; /* The listener was shut down. */
        int far = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in to = loopback(relay->to);
        size_t budget = relay->resets ? 200 + tri_prng_below(&relay->prng, 60000) : SIZE_MAX;
        if (connect(far, (struct sockaddr *)&to, sizeof to) == 0) {
            struct pollfd fds[2] = {{.fd = near, .events = POLLIN}, {.fd = far, .events = POLLIN}};
            bool on = true;
            while (on && poll(fds, 2, -1) > 0) {
                for (int i = 0; i < 2 && on; i++) {
                    if (fds[i].revents)
                        on = pass_on(fds[i].fd, fds[1 - i].fd, &budget);
                }
            }
        }
        reset(near);
        reset(far);
        /* Relaxed: the test looks at it now and then. */
        if (relay->resets)
            __atomic_sub_fetch(&relay->resets, 1, __ATOMIC_RELAXED);
    }
}

static void start_relay(struct relay *relay, uint16_t to, unsigned resets)
{
    struct sockaddr_in at = loopback(0);
    socklen_t size = sizeof at;
    *relay = (struct relay){.to = to, .resets = resets};
    tri_prng_seed(&relay->prng, 42);
    relay->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(relay->listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(relay->listener, 16), 0);
    assert_int_equal(getsockname(relay->listener, (struct sockaddr *)&at, &size), 0);
    relay->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&relay->thread, NULL, run_relay, relay), 0);
}

static void stop_relay(struct relay *relay)
{
    (void)shutdown(relay->listener, SHUT_RDWR);
    (void)pthread_join(relay->thread, NULL);
    (void)close(relay->listener);
}

/* ---- What comes out of it ---------------------------------------------------------------------- */

static uint64_t arrived; /* written by one actor, read when it is at rest */
static uint64_t last;

static tr_err count_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    const struct words *w = tr_body(msg, &words_type);
    (void)state;
    if (!w)
        return tr_unhandled(ctx);
    uint64_t number = strtoull(w->text, NULL, 10);
    if (arrived && number <= last)
        note("%" PRIu64 " after %" PRIu64, number, last);
    last = number;
    arrived++;
    return TR_OK;
}

static const struct tr_actor count_actor = {.name = "count", .receive = count_receive};

static void resets_are_accounted_for(void **state)
{
    (void)state;
    const char *given = getenv("TROUPE_RESETS");
    unsigned resets = given ? (unsigned)atoi(given) : 100;
    struct node b = start_node((struct tr_remote_config){0});
    assert_int_equal(tr_pid_err(tr_spawn(tr_root(b.sys), &count_actor, .name = "count")), TR_OK);
    struct relay relay;
    start_relay(&relay, (uint16_t)atoi(strrchr(tr_remote_address(b.remote), ':') + 1), resets);
    struct node a = start_node((struct tr_remote_config){
        .backoff_ms_min = 1, .backoff_ms_max = 2, .queue_bytes = 65536, .batch_bytes = 16384});
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%u", relay.port);
    tr_pid pid = tr_remote_pid(tr_root(a.sys), address, "count");
    assert_int_equal(tr_pid_err(pid), TR_OK);
    uint64_t sent = 0;
    while (__atomic_load_n(&relay.resets, __ATOMIC_RELAXED) != 0) {
        struct words w = {""};
        snprintf(w.text, sizeof w.text, "%" PRIu64, sent);
        if (tr_try_send_(tr_root(a.sys), pid, &words_type, &w, sizeof w) == TR_OK)
            sent++;
        else
            sched_yield();
    }
    struct tr_accounts accounts;
    assert_int_equal(tr_remote_stop(a.remote, 5000), TR_OK); /* Writes what is queued. */
    assert_int_equal(tr_system_stop(a.sys, 30000), TR_OK);
    tr_system_accounts(a.sys, &accounts);
    check_accounts(&a, true);
    tr_system_destroy(a.sys);
    stop_relay(&relay);
    stop_node(&b);
    assert_null(strstr(seen, " after "));
    uint64_t dead = accounts.dead[TR_DEAD_LINK];
    printf("%u resets: %" PRIu64 " sent, %" PRIu64 " arrived, %" PRIu64 " dead letters, %" PRIu64
           " unknown\n",
           resets, sent, arrived, dead, accounts.unknown);
    assert_true(arrived > 0);
    assert_true(arrived + dead <= sent);                    /* A dead letter has not arrived. */
    assert_true(arrived + dead + accounts.unknown >= sent); /* Nothing is lost but what may be. */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(resets_are_accounted_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
