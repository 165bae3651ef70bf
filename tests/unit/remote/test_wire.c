/* Two ends of a wire over loopback: messages, ends, back-pressure, fates of buffers. */
#include "wires.h"

static void echoes_messages_and_its_status(void **state)
{
    (void)state;
    begin();
    accepts_like.echoes = true;
    accepts_like.end_status = TRI_WIRE_NOT_FOUND;
    accepts_like.end_text = "50% gefunden, nicht \xC3\xBC"
                            "berall";
    size_t size = 3000000;
    uint8_t *large = malloc(size);
    for (size_t i = 0; i < size; i++)
        large[i] = (uint8_t)(i * 7 + i / 256);
    struct end *end = dial(0, address, "/test/echo");
    send_bytes(end, "", 0);
    send_bytes(end, "hello", 5);
    send_bytes(end, large, size);
    (void)act((struct sending){.end = end, .bytes = "bye", .size = 3, .count = 1, .closes = true});
    tri_mutex_lock(&lock);
    WAIT_UNTIL(end->closed && accepted[0].closed);
    assert_true(end->opened && accepted[0].ended && !end->ended);
    assert_int_equal(end->messages, 4);
    assert_int_equal(end->bytes, size + 8);
    assert_int_equal(accepted[0].bytes, size + 8);
    assert_true(end->sum == accepted[0].sum);
    uint64_t sum = 0, place = 0;
    for (size_t i = 0; i < 5; i++)
        sum += (uint64_t)(uint8_t) "hello"[i] * ++place;
    for (size_t i = 0; i < size; i++)
        sum += (uint64_t)large[i] * ++place;
    for (size_t i = 0; i < 3; i++)
        sum += (uint64_t)(uint8_t) "bye"[i] * ++place;
    assert_true(end->sum == sum);
    assert_int_equal(end->status, TRI_WIRE_NOT_FOUND);
    assert_string_equal(end->text, accepts_like.end_text);
    assert_int_equal(accepted[0].status, TRI_WIRE_ENDED);
    assert_int_equal(written, 8);
    assert_int_equal(unsent, 0);
    tri_mutex_unlock(&lock);
    free(large);
    finish();
}

static void small_messages_go_out_together(void **state)
{
    (void)state;
    enum { COUNT = 100000, SIZE = 100 };
    begin();
    uint8_t message[SIZE];
    memset(message, 'x', sizeof message);
    struct end *end = dial(0, address, "/test/sink");
    (void)act((struct sending){
        .end = end, .bytes = message, .size = SIZE, .count = COUNT, .closes = true});
    tri_mutex_lock(&lock);
    /* The other end may have read it before this one is told that it is written. */
    WAIT_UNTIL(accepted_count == 1 && accepted[0].ended && written == COUNT);
    assert_int_equal(accepted[0].messages, COUNT);
    assert_int_equal(accepted[0].bytes, COUNT * SIZE);
    tri_mutex_unlock(&lock);
    struct tri_io_counters counters;
    tri_io_counters(client, &counters);
    assert_int_equal(counters.messages_out, COUNT);
    assert_true(counters.writes < COUNT / 100);
    tri_io_counters(server, &counters);
    assert_int_equal(counters.messages_in, COUNT);
    assert_int_equal(counters.connections, 1);
    finish();
}

static void unknown_paths_are_not_implemented(void **state)
{
    (void)state;
    begin();
    struct end *end = dial(0, address, "/nobody/Knows");
    tri_mutex_lock(&lock);
    WAIT_UNTIL(end->closed);
    assert_int_equal(end->status, TRI_WIRE_UNIMPLEMENTED);
    assert_string_equal(end->text, "no method /nobody/Knows here");
    tri_mutex_unlock(&lock);
    finish();
}

#define LETTERS_16 "abcdefghijklmnop"
#define LONG_NAME LETTERS_16 LETTERS_16 LETTERS_16 LETTERS_16

static void unreachable_peers_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *to, *says;
    } cases[] = {
        {"127.0.0.1:1", "cannot connect to '127.0.0.1:1': Connection refused"},
        {"nowhere", "address 'nowhere' is not host:port"},
        {":80", "address ':80' is not host:port"},
        {"127.0.0.1:70000", "address '127.0.0.1:70000' is not host:port"},
        {"::1:80", "address '::1:80' is not host:port"},
        /* Too long for any name, so that no server is asked: one that does not answer takes longer
         * than a connection has. */
        {LONG_NAME ":80", "cannot look up '" LONG_NAME ":80': "},
    };
    begin();
    for (size_t i = 0; i < TRI_ARRAY_COUNT(cases); i++) {
        struct end *end = dial(i, cases[i].to, "/test/x");
        send_bytes(end, "lost", 4);
        tri_mutex_lock(&lock);
        WAIT_UNTIL(end->closed);
        assert_int_equal(end->status, TRI_WIRE_UNREACHABLE);
        assert_memory_equal(end->text, cases[i].says, strlen(cases[i].says));
        assert_false(end->opened);
        tri_mutex_unlock(&lock);
    }
    assert_int_equal(written, 0);
    finish();
}

static void names_are_looked_up(void **state)
{
    (void)state;
    char name[80];
    begin();
    (void)snprintf(name, sizeof name, "localhost%s", strrchr(address, ':'));
    struct end *end = dial(0, name, "/test/x");
    send_bytes(end, "here", 4);
    tri_mutex_lock(&lock);
    WAIT_UNTIL(accepted_count == 1 && accepted[0].messages == 1);
    assert_memory_equal(accepted[0].last, "here", 4);
    assert_true(end->opened && !end->closed);
    tri_mutex_unlock(&lock);
    finish();
}

static void a_pause_stops_the_sender_and_loses_nothing(void **state)
{
    (void)state;
    enum { COUNT = 400, SIZE = 100000 };
    uint8_t *message = calloc(1, SIZE);
    begin();
    struct end *end = dial_until_heard(address, "/test/sink");
    (void)act((struct sending){.end = &accepted[0], .pauses = true});
    size_t queued = act(
        (struct sending){.end = end, .bytes = message, .size = SIZE, .count = COUNT});
    assert_int_equal(queued, COUNT * (SIZE + 5));
    tri_mutex_lock(&lock);
    WAIT_UNTIL(written > 1);
    tri_mutex_unlock(&lock);
    /* Until nothing moves any more: what is on its way fits into a window. */
    size_t before;
    do {
        before = queued;
        for (int i = 0; i < 20; i++)
            queued = act((struct sending){.end = end});
    } while (queued != before);
    assert_true(queued > COUNT * SIZE - (4u << 20));
    tri_mutex_lock(&lock);
    assert_int_equal(accepted[0].messages, 1);
    assert_int_equal(end->writables, 0);
    tri_mutex_unlock(&lock);
    (void)act((struct sending){.end = &accepted[0], .resumes = true});
    tri_mutex_lock(&lock);
    WAIT_UNTIL(accepted[0].messages == COUNT + 1 && end->writables == 1);
    assert_int_equal(accepted[0].bytes, COUNT * SIZE + 1);
    assert_int_equal(unsent, 0);
    tri_mutex_unlock(&lock);
    assert_int_equal(act((struct sending){.end = end}), 0);
    free(message);
    finish();
}

static void what_is_held_back_comes_before_the_end(void **state)
{
    (void)state;
    begin();
    accepts_like.echoes = true;
    struct end *end = dial_until_answered(address, "/test/echo");
    (void)act((struct sending){
        .end = end, .pauses = true, .bytes = "2", .size = 1, .count = 2, .closes = true});
    tri_mutex_lock(&lock);
    WAIT_UNTIL(accepted[0].closed); /* all is at the client */
    assert_int_equal(end->messages, 1);
    assert_false(end->closed);
    tri_mutex_unlock(&lock);
    (void)act((struct sending){.end = end, .resumes = true});
    tri_mutex_lock(&lock);
    WAIT_UNTIL(end->closed);
    assert_int_equal(end->messages, 3);
    assert_int_equal(end->status, TRI_WIRE_OK);
    tri_mutex_unlock(&lock);
    finish();
}

static void a_client_that_ends_takes_back_what_is_queued(void **state)
{
    (void)state;
    enum { COUNT = 100, SIZE = 200000 };
    uint8_t *message = calloc(1, SIZE);
    begin();
    struct end *end = dial_until_heard(address, "/test/sink");
    (void)act((struct sending){.end = &accepted[0], .pauses = true});
    (void)act((struct sending){.end = end, .bytes = message, .size = SIZE, .count = COUNT});
    (void)act((struct sending){.end = end, .ends = true});
    (void)act((struct sending){.end = &accepted[0], .resumes = true});
    tri_mutex_lock(&lock);
    WAIT_UNTIL(end->closed && accepted[0].closed);
    assert_int_equal(end->status, TRI_WIRE_ENDED);
    assert_int_equal(accepted[0].status, TRI_WIRE_CANCELLED);
    assert_int_equal(written + unsent, COUNT + 1);
    assert_true(unsent > 0);
    assert_true(accepted[0].messages <= written);
    tri_mutex_unlock(&lock);
    free(message);
    finish();
}

static void a_lost_server_is_told_and_nothing_is_forgotten(void **state)
{
    (void)state;
    enum { COUNT = 300, SIZE = 100000 };
    uint8_t *message = calloc(1, SIZE);
    begin();
    struct end *end = dial_until_heard(address, "/test/sink");
    (void)act((struct sending){.end = &accepted[0], .pauses = true});
    (void)act((struct sending){.end = end, .bytes = message, .size = SIZE, .count = COUNT});
    tri_io_destroy(server);
    server = NULL;
    tri_mutex_lock(&lock);
    assert_true(accepted[0].closed); /* told before destroy returned */
    assert_int_equal(accepted[0].status, TRI_WIRE_ENDED);
    WAIT_UNTIL(end->closed);
    assert_int_equal(end->status, TRI_WIRE_LOST);
    assert_int_equal(written + unsent, COUNT + 1);
    assert_true(unsent > 0);
    tri_mutex_unlock(&lock);
    free(message);
    finish();
}

static void large_messages_are_refused_with_their_size(void **state)
{
    (void)state;
    begin_with((struct tri_io_config){.limits.message_max = 1000}, (struct tri_io_config){0});
    uint8_t message[1001] = {0};
    struct end *end = dial(0, address, "/test/sink"), *other = dial(1, address, "/test/sink");
    send_bytes(end, message, 1000);
    send_bytes(end, message, 1001);
    send_bytes(other, message, 7);
    tri_mutex_lock(&lock);
    WAIT_UNTIL(end->closed && accepted_count == 2 &&
               accepted[0].messages + accepted[1].messages == 2);
    assert_int_equal(end->status, TRI_WIRE_RESOURCE_EXHAUSTED);
    assert_string_equal(end->text, "a message has 1001 bytes, more than the 1000 that are taken");
    assert_false(other->closed);
    tri_mutex_unlock(&lock);
    finish();
}

/* ---- Jobs and timers ----------------------------------------------------- */

enum { POSTERS = 3, JOBS = 20000 };

struct numbered {
    struct tri_wire_job job;
    unsigned poster, number;
};

static unsigned seen[POSTERS], out_of_order;
static struct numbered jobs[POSTERS][JOBS];

static void numbered_run(struct tri_wire_job *job)
{
    struct numbered *numbered = TRI_CONTAINER_OF(job, struct numbered, job);
    tri_mutex_lock(&lock);
    out_of_order += seen[numbered->poster]++ != numbered->number;
    tri_cond_broadcast(&happened);
    tri_mutex_unlock(&lock);
}

static void post_all(void *arg)
{
    struct numbered *mine = arg;
    struct tri_wire *wire = tri_io_wire(client, 0);
    for (unsigned i = 0; i < JOBS; i++) {
        mine[i] = (struct numbered){{.run = numbered_run},
                                    mine == jobs[0]   ? 0
                                    : mine == jobs[1] ? 1
                                                      : 2,
                                    i};
        wire->post(wire->self, &mine[i].job);
    }
}

static void jobs_of_a_thread_run_in_order(void **state)
{
    (void)state;
    struct tri_thread threads[POSTERS];
    begin();
    memset(seen, 0, sizeof seen);
    for (unsigned i = 0; i < POSTERS; i++)
        assert_true(tri_thread_create(&threads[i], "poster", post_all, jobs[i]));
    for (unsigned i = 0; i < POSTERS; i++)
        tri_thread_join(&threads[i]);
    tri_mutex_lock(&lock);
    WAIT_UNTIL(seen[0] == JOBS && seen[1] == JOBS && seen[2] == JOBS);
    assert_int_equal(out_of_order, 0);
    tri_mutex_unlock(&lock);
    finish();
}

static struct tri_wire_timer timers[4];
static unsigned fired[4], fires;
static bool early;
static uint64_t due[4];

static void fire(struct tri_wire_timer *timer)
{
    tri_mutex_lock(&lock);
    fired[fires++] = (unsigned)(timer - timers);
    early |= tri_clock_mono_ns() < due[timer - timers];
    tri_cond_broadcast(&happened);
    tri_mutex_unlock(&lock);
}

static void set_timers(struct tri_wire *wire, void *arg)
{
    (void)arg;
    static const unsigned ms[] = {30, 10, 20, 5};
    for (int i = 0; i < 4; i++) {
        timers[i].fire = fire;
        due[i] = wire->now_ns(wire->self) + ms[i] * 1000000u;
        wire->timer(wire->self, &timers[i], due[i]);
    }
    wire->timer(wire->self, &timers[3], 0);
    due[0] = wire->now_ns(wire->self) + 1000000u;
    wire->timer(wire->self, &timers[0], due[0]);
}

static void timers_fire_in_order(void **state)
{
    (void)state;
    begin();
    fires = 0;
    on_wire(tri_io_wire(client, 0), set_timers, NULL);
    tri_mutex_lock(&lock);
    WAIT_UNTIL(fires == 3);
    assert_true(fired[0] == 0 && fired[1] == 1 && fired[2] == 2);
    assert_false(early);
    tri_mutex_unlock(&lock);
    finish();
}

static void several_threads_share_the_connections(void **state)
{
    (void)state;
    enum { DIALS = 12 };
    begin_with((struct tri_io_config){.threads = 3}, (struct tri_io_config){0});
    accepts_like.echoes = true;
    for (size_t i = 0; i < DIALS; i++) {
        dial(i, address, "/test/echo");
        (void)act((struct sending){
            .end = &dialled[i], .bytes = "x", .size = 1, .count = 10, .closes = true});
    }
    tri_mutex_lock(&lock);
    for (size_t i = 0; i < DIALS; i++) {
        WAIT_UNTIL(dialled[i].closed);
        assert_int_equal(dialled[i].messages, 10);
    }
    bool used[3] = {false};
    for (size_t i = 0; i < DIALS; i++) {
        for (unsigned k = 0; k < 3; k++)
            used[k] |= accepted[i].wire == tri_io_wire(server, k);
    }
    assert_true(used[0] && used[1] && used[2]);
    tri_mutex_unlock(&lock);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echoes_messages_and_its_status),
        cmocka_unit_test(small_messages_go_out_together),
        cmocka_unit_test(unknown_paths_are_not_implemented),
        cmocka_unit_test(unreachable_peers_are_told),
        cmocka_unit_test(names_are_looked_up),
        cmocka_unit_test(a_pause_stops_the_sender_and_loses_nothing),
        cmocka_unit_test(what_is_held_back_comes_before_the_end),
        cmocka_unit_test(a_client_that_ends_takes_back_what_is_queued),
        cmocka_unit_test(a_lost_server_is_told_and_nothing_is_forgotten),
        cmocka_unit_test(large_messages_are_refused_with_their_size),
        cmocka_unit_test(jobs_of_a_thread_run_in_order),
        cmocka_unit_test(timers_fire_in_order),
        cmocka_unit_test(several_threads_share_the_connections),
    };
    return cmocka_run_group_tests(tests, wires_set_up, NULL);
}
