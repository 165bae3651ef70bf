/* Routes: what peers reach through a node, and what not. With real nodes of protoactor-go:
 * tests/interop/test_bridge.py. */
#include "nodes.h"

#include "base/prng.h"
#include "remote/bridge.h"
#include "remote/far.h"

/* ---- Three nodes ----------------------------------------------------------------------- */

static struct node near_node, middle, far_node;

static int set_up(void **state)
{
    (void)state;
    forget();
    near_node = start_node((struct tr_remote_config){0});
    far_node = start_node((struct tr_remote_config){0});
    const struct tr_remote_route routes[] = {{"far/", tr_remote_address(far_node.remote), NULL},
                                             {NULL, NULL, NULL}};
    middle = start_node((struct tr_remote_config){
        .routes = routes, .backoff_ms_min = 5, .backoff_ms_max = 5, .give_up_ms = 200});
    tr_pid echo = tr_spawn(tr_root(far_node.sys), &echo_actor, .name = "echo");
    assert_int_equal(tr_pid_err(echo), TR_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stop_node(&near_node);
    stop_node(&middle);
    if (far_node.sys)
        stop_node(&far_node);
    return 0;
}

static struct tr_link_stats link_to(struct node *from, const char *address)
{
    struct tr_link_stats links[8];
    size_t count = tr_remote_links(from->remote, links, 8);
    for (size_t i = 0; i < count && i < 8; i++) {
        if (strcmp(links[i].address, address) == 0)
            return links[i];
    }
    return (struct tr_link_stats){.state = TR_LINK_IDLE};
}

static void an_actor_behind_a_route_is_one_like_others(void **state)
{
    (void)state;
    tr_pid echo = far(&near_node, &middle, "far/echo");
    tell(&near_node, 's', echo, "plain");
    await("echo plain");
    await("user echo:plain");
    tell(&near_node, 'h', echo, "headed");
    await("echo header green");
    tell(&near_node, 'r', echo, "asked");
    await("user echo:asked (answer)");
    tell(&near_node, 't', echo, "");
    await("user touched");
    struct words answer;
    tr_err err = tr_ask(tr_root(near_node.sys), echo, TR_INTO(words, &answer), 10000, words,
                        .text = "from outside");
    assert_int_equal(err, TR_OK);
    assert_string_equal(answer.text, "echo:from outside");
    assert_int_equal(link_to(&middle, tr_remote_address(far_node.remote)).forwarded, 4);
    tell(&near_node, 'w', echo, "");
    tell(&near_node, 'r', echo, "watched");
    await("user echo:watched (answer)");
    tr_stop(tr_root(near_node.sys), echo);
    await("user down success");
    forget();
    tell(&near_node, 'r', echo, "gone");
    await("user failed no such actor");
    tell(&near_node, 'w', echo, "");
    await("user down no such actor");
}

static void a_node_behind_that_ends_is_told(void **state)
{
    (void)state;
    tr_pid echo = far(&near_node, &middle, "far/echo");
    tell(&near_node, 'r', echo, "there?");
    await("user echo:there? (answer)");
    tell(&near_node, 'w', echo, "");
    tell(&near_node, 'r', echo, "still?");
    await("user echo:still? (answer)");
    stop_node(&far_node);
    far_node.sys = NULL;
    await("user down peer cannot be reached");
    /* What is on its way meanwhile fails, once the middle has given up. */
    tell(&near_node, 'r', echo, "gone?");
    await("user failed no such actor");
    check_accounts(&middle, false);
}

static void actors_of_its_own_come_first(void **state)
{
    (void)state;
    tr_pid own = tr_spawn(tr_root(middle.sys), &user_actor, .name = "far/echo");
    assert_int_equal(tr_pid_err(own), TR_OK);
    tell(&near_node, 's', far(&near_node, &middle, "far/echo"), "mine");
    await("user mine");
}

/* ---- Circles ------------------------------------------------------------------------------ */

static void nothing_goes_in_circles(void **state)
{
    char text[2][200];
    (void)state;
    forget();
    /* Two nodes must know each other's address before they start. */
    struct node first = start_node((struct tr_remote_config){0});
    snprintf(text[0], sizeof text[0], "%.90s", tr_remote_address(first.remote));
    stop_node(&first);
    snprintf(text[1], sizeof text[1], "circle@%.90s", text[0]);
    const struct tr_remote_route there[] = {
        {"circle", text[1], NULL}, {"x/", text[0], NULL}, {NULL, NULL, NULL}};
    struct node second = start_node((struct tr_remote_config){.routes = there});
    char back_text[80];
    snprintf(back_text, sizeof back_text, "circle@%s", tr_remote_address(second.remote));
    const struct tr_remote_route back[] = {{"circle", back_text, NULL},
                                           {"x/", tr_remote_address(second.remote), NULL},
                                           {NULL, NULL, NULL}};
    first = start_node((struct tr_remote_config){.routes = back, .listen = text[0]});
    struct node user = start_node((struct tr_remote_config){0});
    static const char *const ids[] = {"circle", "x/circle", "x/x/x/x/x/circle", "x/x/nobody"};
    for (size_t i = 0; i < TRI_ARRAY_COUNT(ids); i++) {
        tr_pid pid = far(&user, &second, ids[i]);
        forget();
        tell(&user, 'r', pid, "round");
        await("user failed no such actor");
        tell(&user, 's', pid, "round");
        tr_poison(tr_root(user.sys), pid);
        tr_stop(tr_root(user.sys), pid);
        /* What comes by its own node again is watched for from there, and known by that name. */
        if (strncmp(ids[i], "x/x", 3) == 0)
            continue;
        forget();
        tell(&user, 'w', pid, "");
        await("user down no such actor");
    }
    uint64_t passed = link_to(&second, text[0]).forwarded +
                      link_to(&first, tr_remote_address(second.remote)).forwarded;
    assert_true(passed < 60);
    stop_node(&user);
    stop_node(&first);
    stop_node(&second);
}

/* ---- Configuration ------------------------------------------------------------------------- */

static void wrong_routes_are_refused(void **state)
{
    static const struct {
        struct tr_remote_route route;
        const char *says;
    } wrong[] = {{{"", "x@127.0.0.1:1", NULL}, "no name"},
                 {{"$x", "x@127.0.0.1:1", NULL}, "no name"},
                 {{"/", "127.0.0.1:1", NULL}, "no name"},
                 {{"a b", "x@127.0.0.1:1", NULL}, "no name"},
                 {{"x", NULL, NULL}, "want id@host:port"},
                 {{"x", "127.0.0.1:1", NULL}, "want id@host:port"},
                 {{"x", "@127.0.0.1:1", NULL}, "want id@host:port"},
                 {{"x", "x@127.0.0.1", NULL}, "want id@host:port"},
                 {{"x/", "x@127.0.0.1:1", NULL}, "want host:port"},
                 {{"x/", "127.0.0.1:0", NULL}, "want host:port"},
                 {{"x/", "$client/x", NULL}, "want host:port"},
                 {{"one", "x@127.0.0.1:1", NULL}, "two routes 'one'"},
                 {{"x/", "nonhost:1", NULL}, NULL},
                 {{"x", "y@127.0.0.1:65109", NULL}, "which is this node"}};
    (void)state;
    for (size_t i = 0; i < TRI_ARRAY_COUNT(wrong); i++) {
        tr_system *sys;
        tr_remote *remote = NULL;
        struct tr_error error = {.text = ""};
        const struct tr_config config = {.workers = 1, .log = tr_log_none};
        const struct tr_remote_route routes[] = {
            {"one", "x@127.0.0.1:1", NULL}, wrong[i].route, {NULL, NULL, NULL}};
        assert_int_equal(tr_system_create(&sys, &config), TR_OK);
        struct tr_remote_config given = {
            .routes = routes, .listen = "127.0.0.1:0", .aliases = NULL};
        const char *const aliases[] = {"127.0.0.1:65109", NULL};
        given.aliases = aliases;
        tr_err err = tr_remote_start(sys, &given, &remote, &error);
        assert_int_equal(err, wrong[i].says ? TR_EINVAL : TR_OK);
        if (wrong[i].says && !strstr(error.text, wrong[i].says)) {
            fprintf(stderr, "%zu: %s\n", i, error.text);
            fail();
        }
        if (remote)
            assert_int_equal(tr_remote_stop(remote, 1000), TR_OK);
        assert_int_equal(tr_system_stop(sys, 1000), TR_OK);
        tr_system_destroy(sys);
    }
}

/* ---- Names ---------------------------------------------------------------------------------- */

static void random_text(struct tri_prng *prng, char *text, uint32_t size)
{
    static const char chars[] = "abcXYZ0189/$._-~+:";
    for (uint32_t i = 0; i < size; i++)
        text[i] = chars[tri_prng_below(prng, sizeof chars - 1)];
    text[size] = '\0';
}

/* Whatever has been told leads back; what differs from it anywhere leads nowhere. */
static void what_was_told_leads_back(void **state)
{
    (void)state;
    struct tri_prng prng;
    tr_err err;
    tri_prng_seed(&prng, 2026);
    struct tr_remote *remote = middle.remote;
    struct tri_remote_io io = {.remote = remote, .ctx = tr_root(middle.sys)};
    const char *there = tr_remote_address(far_node.remote);
    struct tri_link *to = tri_table_link(remote, tri_name(there), true, &err);
    assert_non_null(to);
    for (int round = 0; round < 200; round++) {
        char address[80];
        char id[TRI_ID_SIZE_MAX + 1];
        char told[TRI_ID_SIZE_MAX + 1];
        uint32_t size = 1 + (uint32_t)tri_prng_below(&prng, 120);
        uint64_t call = 1;
        snprintf(address, sizeof address, "10.0.0.%d:80", round % 50);
        struct tri_link *home = tri_table_link(remote, tri_name(address), true, &err);
        assert_non_null(home);
        random_text(&prng, id, size);
        memcpy(told, id, sizeof told);
        assert_true(tri_bridge_rename(to, home, told, &size));
        assert_true(size > strlen(id) && size == strlen(told));
        tr_pid found = tri_bridge_open(&io, (struct tri_name){told, size}, &call);
        assert_true(tr_pid_equal(found, tri_far_find(home, tri_name(id))));
        assert_int_equal(call, 0);
        for (uint32_t at = 0; at < size; at++) {
            char was = told[at];
            told[at] = (char)(told[at] ^ (1 << tri_prng_below(&prng, 7)));
            assert_true(
                tr_pid_is_nobody(tri_bridge_open(&io, (struct tri_name){told, size}, &call)));
            told[at] = was;
            assert_true(tr_pid_is_nobody(tri_bridge_open(&io, (struct tri_name){told, at}, &call)));
        }
    }
}

static void names_of_routes_are_preferred(void **state)
{
    (void)state;
    tr_err err;
    struct tr_remote *remote = middle.remote;
    struct tri_remote_io io = {.remote = remote, .ctx = tr_root(middle.sys)};
    struct tri_link *home = tri_table_link(remote, tri_name(tr_remote_address(far_node.remote)),
                                           true, &err);
    struct tri_link *to = tri_table_link(remote, TRI_NAME("10.0.0.1:80"), true, &err);
    struct tri_link *other = tri_table_link(remote, TRI_NAME("10.0.0.2:80"), true, &err);
    char id[TRI_ID_SIZE_MAX + 1] = "echo";
    uint32_t size = 4;
    assert_true(tri_bridge_rename(to, home, id, &size));
    assert_string_equal(id, "far/echo");
    assert_int_equal(size, 8);
    /* To its own node it is known as it is; and so are those whom no route concerns. */
    snprintf(id, sizeof id, "echo");
    size = 4;
    assert_false(tri_bridge_rename(home, home, id, &size));
    assert_false(tri_bridge_rename(to, other, id, &size));
    assert_string_equal(id, "echo");
    /* A future has no proxy, but a call. */
    snprintf(id, sizeof id, "future$7");
    size = 8;
    uint64_t call = 0;
    assert_true(tri_bridge_rename(to, home, id, &size));
    assert_memory_equal(id, "$via/", 5);
    tr_pid found = tri_bridge_open(&io, (struct tri_name){id, size}, &call);
    assert_true(tr_pid_equal(found, tri_far_future(home, io.ctx)));
    assert_int_equal(call, TRI_CALL_FUTURE | 7);
    /* What does not fit cannot be told. */
    memset(id, 'x', TRI_ID_SIZE_MAX);
    id[TRI_ID_SIZE_MAX] = '\0';
    size = TRI_ID_SIZE_MAX;
    assert_true(tri_bridge_rename(to, home, id, &size));
    assert_int_equal(size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_actor_behind_a_route_is_one_like_others, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_node_behind_that_ends_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(actors_of_its_own_come_first, set_up, tear_down),
        cmocka_unit_test(nothing_goes_in_circles),
        cmocka_unit_test(wrong_routes_are_refused),
        cmocka_unit_test_setup_teardown(what_was_told_leads_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_of_routes_are_preferred, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
