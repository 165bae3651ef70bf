/* Nodes that talk over mutual TLS. */
#include "nodes.h"

#include "certificates.h"

#include <unistd.h>

static char folder[] = "/tmp/troupe-secure-XXXXXX";
static char paths[8][80];
static struct tr_remote_tls tls_a, tls_b, tls_other;

static const char *path(int index, const char *name)
{
    snprintf(paths[index], sizeof paths[index], "%s/%s", folder, name);
    return paths[index];
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    struct identity root = make_identity("root", NULL, NULL, 1);
    struct identity a = make_identity("a", &root, "IP:127.0.0.1,URI:spiffe://shop/a", 1);
    struct identity b = make_identity("b", &root, "IP:127.0.0.1,URI:spiffe://shop/b", 1);
    struct identity elsewhere = make_identity("elsewhere", NULL, NULL, 1);
    struct identity other = make_identity("other", &elsewhere, "IP:127.0.0.1", 1);
    write_identity(&root, folder, "root");
    write_identity(&a, folder, "a");
    write_identity(&b, folder, "b");
    write_identity(&other, folder, "other");
    const char *ca = path(0, "root.pem");
    tls_a = (struct tr_remote_tls){path(1, "a.pem"), path(2, "a.key"), ca};
    tls_b = (struct tr_remote_tls){path(3, "b.pem"), path(4, "b.key"), ca};
    tls_other = (struct tr_remote_tls){path(5, "other.pem"), path(6, "other.key"), ca};
    free_identity(&root);
    free_identity(&a);
    free_identity(&b);
    free_identity(&elsewhere);
    free_identity(&other);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"root", "a", "b", "other"};
    for (size_t i = 0; i < 4; i++) {
        char file[100];
        snprintf(file, sizeof file, "%s/%s.pem", folder, names[i]);
        (void)unlink(file);
        snprintf(file, sizeof file, "%s/%s.key", folder, names[i]);
        (void)unlink(file);
    }
    return rmdir(folder);
}

static void spawn_echo(struct node *node)
{
    assert_int_equal(tr_pid_err(tr_spawn(tr_root(node->sys), &echo_actor, .name = "echo")), TR_OK);
}

static void certified_nodes_talk(void **state)
{
    (void)state;
    struct tr_error error;
    forget();
    struct node a = start_node((struct tr_remote_config){.tls = &tls_a});
    struct node b = start_node((struct tr_remote_config){.tls = &tls_b});
    spawn_echo(&b);
    tell(&a, 'r', far(&a, &b, "echo"), "secret");
    await("user echo:secret (answer)");
    assert_int_equal(tr_remote_reload_tls(b.remote, &error), TR_OK);
    stop_node(&a);
    a = start_node((struct tr_remote_config){.tls = &tls_a});
    tell(&a, 'r', far(&a, &b, "echo"), "again");
    await("user echo:again (answer)");
    stop_node(&a);
    stop_node(&b);
}

static void others_are_refused(void **state)
{
    (void)state;
    forget();
    struct node b = start_node((struct tr_remote_config){.tls = &tls_b});
    struct node other = start_node((struct tr_remote_config){.tls = &tls_other, .give_up_ms = 200});
    struct node plain = start_node((struct tr_remote_config){.give_up_ms = 200});
    spawn_echo(&b);
    tell(&other, 'r', far(&other, &b, "echo"), "x");
    await("user failed peer cannot be reached");
    forget();
    tell(&plain, 'r', far(&plain, &b, "echo"), "x");
    await("user failed peer cannot be reached");
    assert_null(strstr(seen, "echo x"));
    stop_node(&other);
    stop_node(&plain);
    stop_node(&b);
}

static void names_may_be_asked_for(void **state)
{
    (void)state;
    static const char *const allowed[] = {"spiffe://shop/b", "127.0.0.1:*", NULL};
    static const char *const only_a[] = {"spiffe://shop/a", NULL};
    static const char *const only_b[] = {"spiffe://shop/b", NULL};
    forget();
    struct node a = start_node(
        (struct tr_remote_config){.tls = &tls_a, .give_up_ms = 200, .peers_allowed = allowed});
    struct node b = start_node((struct tr_remote_config){.tls = &tls_b, .peers_allowed = only_b});
    spawn_echo(&b);
    tell(&a, 'r', far(&a, &b, "echo"), "x");
    await("user failed peer cannot be reached"); /* It is spiffe://shop/a. */
    stop_node(&b);
    forget();
    b = start_node((struct tr_remote_config){.tls = &tls_b, .peers_allowed = only_a});
    spawn_echo(&b);
    tell(&a, 'r', far(&a, &b, "echo"), "y");
    await("user echo:y (answer)"); /* Its address is not allowed, but its name is. */
    stop_node(&a);
    stop_node(&b);
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    struct tr_remote_tls tls[] = {tls_a, tls_a, tls_a};
    static const char *const says[] = {"certificate_file", "no-such.key", "ca_file"};
    tls[0].certificate_file = NULL;
    tls[1].key_file = "no-such.key";
    tls[2].ca_file = NULL;
    for (size_t i = 0; i < 3; i++) {
        tr_system *sys;
        tr_remote *remote;
        struct tr_error error = {0};
        const struct tr_config config = {.workers = 1, .log = tr_log_none};
        const struct tr_remote_config node = {.tls = &tls[i]};
        assert_int_equal(tr_system_create(&sys, &config), TR_OK);
        assert_int_not_equal(tr_remote_start(sys, &node, &remote, &error), TR_OK);
        if (!strstr(error.text, says[i]))
            fail_msg("'%s' does not say '%s'", error.text, says[i]);
        tr_system_destroy(sys);
    }
    struct tr_error error = {0};
    struct node plain = start_node((struct tr_remote_config){0});
    assert_int_equal(tr_remote_reload_tls(plain.remote, &error), TR_ENOTSUP);
    stop_node(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certified_nodes_talk),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(names_may_be_asked_for),
        cmocka_unit_test(what_is_missing_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
