/* TLS between two ends: who is let in, who is not and why, and certificates that change. */
#include "wires.h"

#include "certificates.h"
#include "remote/tls.h"

#include <unistd.h>

static char folder[] = "/tmp/troupe-tls-XXXXXX";

enum who { AUTHORITY, SERVER, CLIENT, STRANGER, EXPIRED, OTHER_HOST, RENEWED, COUNT };
static const char *const files[COUNT] = {"authority", "server",     "client", "stranger",
                                         "expired",   "other_host", "renewed"};

static const char *file(enum who who, const char *kind)
{
    static char paths[8][300];
    static unsigned next;
    char *path = paths[next++ % 8];
    (void)snprintf(path, 300, "%s/%s.%s", folder, files[who], kind);
    return path;
}

static void make(enum who who, const struct identity *issuer, const char *names, int days)
{
    struct identity made = make_identity(files[who], issuer, names, days);
    write_identity(&made, folder, files[who]);
    free_identity(&made);
}

static int make_all(void **state)
{
    assert_non_null(mkdtemp(folder));
    struct identity authority = make_identity("authority", NULL, NULL, 10);
    struct identity nobody = make_identity("nobody", NULL, NULL, 10);
    write_identity(&authority, folder, "authority");
    make(SERVER, &authority, "IP:127.0.0.1,DNS:localhost,URI:spiffe://shop.example/ns/prod/server",
         10);
    make(CLIENT, &authority, "URI:spiffe://shop.example/ns/prod/client", 10);
    make(STRANGER, &nobody, "IP:127.0.0.1,URI:spiffe://shop.example/ns/prod/client", 10);
    make(EXPIRED, &authority, "IP:127.0.0.1", -1);
    make(OTHER_HOST, &authority, "DNS:other.example", 10);
    make(RENEWED, &authority, "IP:127.0.0.1,URI:spiffe://shop.example/ns/prod/renewed", 10);
    free_identity(&authority);
    free_identity(&nobody);
    return wires_set_up(state);
}

static int remove_all(void **state)
{
    (void)state;
    for (enum who who = 0; who < COUNT; who++) {
        (void)unlink(file(who, "pem"));
        (void)unlink(file(who, "key"));
    }
    return rmdir(folder);
}

static struct tri_tls *tls_of(enum who who, bool mutual, const char *const *peer_names)
{
    struct tri_tls *tls;
    struct tr_error error;
    struct tri_tls_config config = {
        .ca_file = file(AUTHORITY, "pem"), .mutual = mutual, .peer_names = peer_names};
    if (who != COUNT) {
        config.certificate_file = file(who, "pem");
        config.key_file = file(who, "key");
    }
    if (tri_tls_create(&config, &tls, &error) != TR_OK)
        fail_msg("%s", error.text);
    return tls;
}

static struct tri_tls *server_tls, *client_tls;

static void begin_tls(struct tri_tls *of_server, struct tri_tls *of_client)
{
    server_tls = of_server;
    client_tls = of_client;
    begin_with((struct tri_io_config){.tls = of_server}, (struct tri_io_config){.tls = of_client});
}

static void finish_tls(void)
{
    finish();
    tri_tls_destroy(server_tls);
    tri_tls_destroy(client_tls);
}

/* Echoes a large and a small message. */
static struct end *talk(size_t number, const char *to)
{
    static uint8_t large[1000000];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (uint8_t)(i * 13 + i / 999);
    accepts_like.echoes = true;
    struct end *end = dial(number, to, "/test/echo");
    send_bytes(end, large, sizeof large);
    (void)act(
        (struct sending){.end = end, .bytes = "small", .size = 5, .count = 1, .closes = true});
    tri_mutex_lock(&lock);
    WAIT_UNTIL(end->closed);
    tri_mutex_unlock(&lock);
    return end;
}

static void expect_talk(size_t number)
{
    struct end *end = talk(number, address);
    tri_mutex_lock(&lock);
    assert_string_equal(end->text, "");
    assert_int_equal(end->status, TRI_WIRE_OK);
    assert_int_equal(end->messages, 2);
    assert_int_equal(end->bytes, 1000005);
    tri_mutex_unlock(&lock);
}

static void expect_refusal(size_t number, const char *says)
{
    struct end *end = talk(number, address);
    tri_mutex_lock(&lock);
    assert_int_equal(end->messages, 0);
    if (!strstr(end->text, says))
        fail_msg("'%s' does not say '%s'", end->text, says);
    assert_true(end->status == TRI_WIRE_UNREACHABLE || end->status == TRI_WIRE_LOST);
    tri_mutex_unlock(&lock);
}

static void a_server_is_known_by_its_name(void **state)
{
    (void)state;
    char named[64];
    begin_tls(tls_of(SERVER, false, NULL), tls_of(COUNT, false, NULL));
    expect_talk(0);
    (void)snprintf(named, sizeof named, "localhost%s", strrchr(address, ':'));
    struct end *end = talk(1, named);
    assert_int_equal(end->status, TRI_WIRE_OK);
    assert_string_equal(end->names, "127.0.0.1 localhost spiffe://shop.example/ns/prod/server");
    assert_string_equal(accepted[1].names, ""); /* It was not asked. */
    finish_tls();
}

static void servers_that_are_not_who_they_should_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum who who;
        const char *says;
    } cases[] = {{STRANGER, "unable to get local issuer certificate"},
                 {EXPIRED, "certificate has expired"},
                 {OTHER_HOST, "IP address mismatch"}};
    for (size_t i = 0; i < TRI_ARRAY_COUNT(cases); i++) {
        begin_tls(tls_of(cases[i].who, false, NULL), tls_of(COUNT, false, NULL));
        expect_refusal(0, cases[i].says);
        tri_mutex_lock(&lock);
        assert_false(dialled[0].opened);
        assert_int_equal(dialled[0].status, TRI_WIRE_UNREACHABLE);
        assert_int_equal(written, 0);
        tri_mutex_unlock(&lock);
        finish_tls();
    }
}

static void clients_show_certificates(void **state)
{
    (void)state;
    begin_tls(tls_of(SERVER, true, NULL), tls_of(CLIENT, true, NULL));
    expect_talk(0);
    assert_string_equal(accepted[0].names, "spiffe://shop.example/ns/prod/client");
    finish_tls();
    begin_tls(tls_of(SERVER, true, NULL), tls_of(COUNT, true, NULL));
    expect_refusal(0, "certificate required");
    finish_tls();
    begin_tls(tls_of(SERVER, true, NULL), tls_of(STRANGER, true, NULL));
    expect_refusal(0, "unknown ca");
    assert_int_equal(accepted_count, 0);
    finish_tls();
}

static void only_names_of_the_list_are_let_in(void **state)
{
    (void)state;
    static const char *const exact[] = {"a.example", "spiffe://shop.example/ns/prod/client", NULL};
    static const char *const below[] = {"spiffe://shop.example/ns/prod/*", NULL};
    static const char *const others[] = {"spiffe://shop.example/ns/test/*", "client",
                                         "spiffe://shop.example/ns/prod", NULL};
    begin_tls(tls_of(SERVER, true, exact), tls_of(CLIENT, true, below));
    expect_talk(0);
    finish_tls();
    begin_tls(tls_of(SERVER, true, others), tls_of(CLIENT, true, NULL));
    expect_refusal(0, "");
    assert_int_equal(accepted_count, 0);
    finish_tls();
    /* A client's list says who servers may be, whatever they were dialled as. */
    begin_tls(tls_of(SERVER, true, exact), tls_of(CLIENT, true, others));
    expect_refusal(0, "none of the peer's names is allowed: '127.0.0.1 localhost spiffe:");
    finish_tls();
}

static void certificates_change_without_a_restart(void **state)
{
    (void)state;
    struct tr_error error;
    begin_tls(tls_of(SERVER, false, NULL), tls_of(COUNT, false, NULL));
    struct end *old = dial(0, address, "/test/echo");
    accepts_like.echoes = true;
    send_bytes(old, "1", 1);
    tri_mutex_lock(&lock);
    WAIT_UNTIL(old->messages == 1);
    tri_mutex_unlock(&lock);
    char keep[2][300];
    (void)snprintf(keep[0], 300, "%s", file(SERVER, "pem"));
    (void)snprintf(keep[1], 300, "%s", file(SERVER, "key"));
    /* Only the certificate: it does not fit the key, and all stays as it was. */
    assert_int_equal(rename(file(RENEWED, "pem"), keep[0]), 0);
    assert_int_equal(tri_tls_reload(server_tls, &error), TR_EINVAL);
    assert_non_null(strstr(error.text, keep[1]));
    expect_talk(1);
    assert_string_equal(dialled[1].names,
                        "127.0.0.1 localhost spiffe://shop.example/ns/prod/server");
    assert_int_equal(rename(file(RENEWED, "key"), keep[1]), 0);
    assert_int_equal(tri_tls_reload(server_tls, &error), TR_OK);
    expect_talk(2);
    assert_string_equal(dialled[2].names, "127.0.0.1 spiffe://shop.example/ns/prod/renewed");
    send_bytes(old, "2", 1); /* Connections from before go on. */
    tri_mutex_lock(&lock);
    WAIT_UNTIL(old->messages == 2);
    tri_mutex_unlock(&lock);
    finish_tls();
}

static void wrong_files_are_named(void **state)
{
    (void)state;
    struct tri_tls *tls;
    struct tr_error error;
    struct tri_tls_config config = {.certificate_file = "/nowhere/cert.pem", .key_file = "x"};
    assert_int_equal(tri_tls_create(&config, &tls, &error), TR_EINVAL);
    assert_non_null(strstr(error.text, "/nowhere/cert.pem"));
    config.key_file = NULL;
    assert_int_equal(tri_tls_create(&config, &tls, &error), TR_EINVAL);
    assert_non_null(strstr(error.text, "give both"));
    config = (struct tri_tls_config){.ca_file = "/nowhere/ca.pem"};
    assert_int_equal(tri_tls_create(&config, &tls, &error), TR_EINVAL);
    assert_non_null(strstr(error.text, "/nowhere/ca.pem"));
}

static void plaintext_stays_on_loopback(void **state)
{
    (void)state;
    struct tri_io_group *group;
    struct tr_error error;
    uint16_t port;
    struct tri_io_config config = {0};
    assert_int_equal(tri_io_create(&config, &group, &error), TR_OK);
    assert_int_equal(tri_io_listen(group, "0.0.0.0:0", &port, &error), TR_EDENIED);
    assert_non_null(strstr(error.text, "'0.0.0.0:0' is not loopback"));
    assert_int_equal(tri_io_listen(group, ":0", &port, &error), TR_EDENIED);
    assert_int_equal(tri_io_listen(group, "here:0", &port, &error), TR_EINVAL);
    assert_int_equal(tri_io_listen(group, "127.0.0.1", &port, &error), TR_EINVAL);
    assert_int_equal(tri_io_listen(group, "localhost:0", &port, &error), TR_OK);
    tri_io_destroy(group);
    config.plaintext_anywhere = true;
    assert_int_equal(tri_io_create(&config, &group, &error), TR_OK);
    assert_int_equal(tri_io_listen(group, ":0", &port, &error), TR_OK);
    tri_io_destroy(group);
}

static void plaintext_and_tls_do_not_mix(void **state)
{
    (void)state;
    begin_tls(tls_of(SERVER, false, NULL), NULL);
    expect_refusal(0, "");
    finish_tls();
    begin_tls(NULL, tls_of(COUNT, false, NULL));
    expect_refusal(0, "TLS handshake");
    finish_tls();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_is_known_by_its_name),
        cmocka_unit_test(servers_that_are_not_who_they_should_be_are_refused),
        cmocka_unit_test(clients_show_certificates),
        cmocka_unit_test(only_names_of_the_list_are_let_in),
        cmocka_unit_test(certificates_change_without_a_restart),
        cmocka_unit_test(wrong_files_are_named),
        cmocka_unit_test(plaintext_stays_on_loopback),
        cmocka_unit_test(plaintext_and_tls_do_not_mix),
    };
    return cmocka_run_group_tests(tests, make_all, remove_all);
}
