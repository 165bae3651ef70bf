/*
 * A peer that sends any bytes at all: batches and handshakes of real nodes, damaged in every way.
 * What comes of it is the end of that stream at worst; others do not notice.
 */
#include "nodes.h"
#include "wires.h"

#include "../codec/hex.h"
#include "../codec/recorded.h"
#include "base/prng.h"
#include "remote/node.h"

#define STREAMS 150
#define MESSAGES 40

static const char connect_request[] =
    "121912170a05434e4f4445120e3132372e302e302e313a39313030"; /* CNODE at 127.0.0.1:9100 */
static const char *const samples[] = {ask,   reply,           terminated, pill_and_stop,
                                      ask_b, connect_request, "2200"};

/* Bytes changed, taken away, put in, or a size that lies. */
static void damage(struct tri_prng *prng, struct bytes *bytes)
{
    unsigned times = 1 + (unsigned)tri_prng_below(prng, 4);
    while (times-- && bytes->size > 1) {
        size_t at = tri_prng_below(prng, bytes->size);
        switch (tri_prng_below(prng, 4)) {
        case 0:
            bytes->data[at] ^= (uint8_t)(1u << tri_prng_below(prng, 8));
            break;
        case 1:
            bytes->data[at] = (uint8_t)tri_prng_next(prng);
            break;
        case 2:
            bytes->size = at;
            break;
        default:
            memmove(bytes->data + at, bytes->data + at + 1, bytes->size - at - 1);
            bytes->size--;
            break;
        }
    }
}

static bool is_closed(const struct end *end)
{
    tri_mutex_lock(&lock);
    bool closed = end->closed;
    tri_mutex_unlock(&lock);
    return closed;
}

static void bytes_of_any_kind(void **state)
{
    (void)state;
    struct tri_prng prng;
    struct tr_error error;
    const struct tri_io_config config = {.threads = 1};
    const char *seed = getenv("TROUPE_SEED");
    tri_prng_seed(&prng, seed ? strtoull(seed, NULL, 10) : 4711);
    forget();
    struct node good = start_node((struct tr_remote_config){0});
    struct node victim = start_node((struct tr_remote_config){.links_max = 16,
                                                              .remote_pids_max = 500,
                                                              .give_up_ms = 50,
                                                              .backoff_ms_min = 10,
                                                              .backoff_ms_max = 20});
    assert_int_equal(tr_pid_err(tr_spawn(tr_root(victim.sys), &echo_actor, .name = "steady")),
                     TR_OK);
    tell(&good, 'r', far(&good, &victim, "steady"), "before");
    await("user echo:before (answer)");
    assert_int_equal(tri_io_create(&config, &client, &error), TR_OK);
    unsigned ended = 0;
    for (unsigned i = 0; i < STREAMS; i++) {
        memset(&dialled[0], 0, sizeof dialled[0]);
        struct end *end = dial(0, tr_remote_address(victim.remote), TRI_RECEIVE_PATH);
        struct bytes hello = from_hex(connect_request);
        if (tri_prng_below(&prng, 10) == 0)
            damage(&prng, &hello);
        send_bytes(end, hello.data, hello.size);
        for (unsigned k = 0; k < MESSAGES && !is_closed(end); k++) {
            struct bytes bytes = from_hex(samples[tri_prng_below(&prng, 7)]);
            damage(&prng, &bytes);
            send_bytes(end, bytes.data, bytes.size);
        }
        ended += is_closed(end);
        if (!is_closed(end))
            (void)act((struct sending){.end = end, .ends = true, .status = TRI_WIRE_CANCELLED});
        tri_mutex_lock(&lock);
        WAIT_UNTIL(end->closed);
        tri_mutex_unlock(&lock);
    }
    tri_io_destroy(client);
    client = NULL;
    assert_true(ended > STREAMS / 10); /* Some of it was beyond understanding. */
    forget();
    tell(&good, 'r', far(&good, &victim, "steady"), "after");
    await("user echo:after (answer)");
    stop_node(&good);
    stop_node(&victim); /* Its accounts balance. */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_of_any_kind)};
    return cmocka_run_group_tests(tests, wires_set_up, NULL);
}
