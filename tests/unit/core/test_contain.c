/* Contained actors: each kind of fault fails the actor alone, and its supervisor decides. */
#define _GNU_SOURCE
#undef NDEBUG /* assert() is one of the faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "forked.h"
#include "os/fault.h"
#include "troupe/troupe.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

enum kind {
    HEALTHY,
    NULL_READ,
    NULL_WRITE,
    WILD_READ,
    WILD_WRITE,
    DIVIDE,
    ILLEGAL,
    OVERFLOW,
    ASSERTION,
    ABORT,
    ERROR,
    BAD_BODY,
    BAD_TEXT,
    KINDS
};
struct order {
    int kind;
    char rest[60]; /* Too large for the smallest block: sent by tr_send_copy_(). */
};
TR_TYPE(order);

static struct {
    int inits, stops, restarts, handled, failures, fresh;
    tr_err code;
    int directive;
    char text[256];
} seen;

static uintptr_t unmapped;
static volatile int zero;

static int depth(volatile char *above)
{
    volatile char here[512];
    here[0] = *above;
    return zero == 2 ? 0 : depth(here) + here[0];
}

static tr_err fault(tr_ctx *ctx, int kind)
{
    volatile char start = 1;
    volatile uintptr_t at = kind == NULL_READ || kind == NULL_WRITE ? 0 : unmapped;
    switch (kind) {
    case NULL_READ:
    case WILD_READ:
        (void)*(volatile int *)at;
        break;
    case NULL_WRITE:
    case WILD_WRITE:
        *(volatile int *)at = 1;
        break;
    case DIVIDE:
#if defined(__x86_64__)
        zero = 7 / zero;
#else
        (void)raise(SIGFPE);
#endif
        break;
    case ILLEGAL:
        __builtin_trap();
    case OVERFLOW:
        zero = depth(&start);
        break;
    case ASSERTION:
        assert(zero == 1);
        break;
    case ABORT:
        abort();
    case ERROR:
        return tr_fail(ctx, TR_EUSER, "the order was to fail");
    case BAD_BODY:
        tr_send_copy_(ctx, tr_self(ctx), &order_type, (const void *)at, sizeof(struct order));
        break;
    case BAD_TEXT:
        return tr_fail(ctx, TR_EUSER, "%s", (const char *)at);
    default:
        break;
    }
    return TR_OK;
}

struct victim {
    int handled;
    char *memory;
};

static tr_err victim_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct victim *self = state;
    (void)arg;
    seen.inits++;
    seen.fresh += self->handled == 0 && self->memory == NULL;
    self->memory = tr_alloc(ctx, 1000);
    if (!self->memory)
        return TR_ENOMEM;
    for (int i = 0; i < 1000; i++)
        CHECK(self->memory[i] == 0);
    memset(self->memory, 0xff, 1000);
    return TR_OK;
}

static tr_err on_order(tr_ctx *ctx, struct victim *self, const struct order *msg)
{
    self->handled++;
    memset(self->memory, self->handled, 1000);
    tr_err err = fault(ctx, msg->kind);
    seen.handled++;
    return err;
}

static void victim_stop(tr_ctx *ctx, void *state)
{
    (void)ctx;
    (void)state;
    seen.stops++;
}

static void victim_restarted(tr_ctx *ctx, void *state, tr_err why)
{
    (void)ctx;
    (void)state;
    (void)why;
    seen.restarts++;
}

#define VICTIM_HANDLERS(ON) ON(order, on_order)
TR_DISPATCH(victim, VICTIM_HANDLERS);
static const struct tr_actor victim_actor = {.name = "victim",
                                             .state_size = sizeof(struct victim),
                                             .init = victim_init,
                                             .receive = victim_receive,
                                             .stop = victim_stop,
                                             .restarted = victim_restarted,
                                             .flags = TR_ACTOR_CONTAINED};

/* ---- Who hears of it ----------------------------------------------------- */

struct listener {
    char none;
};

static tr_err listener_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_subscribe(ctx, tr_actor_failed);
}

static tr_err on_failed(tr_ctx *ctx, struct listener *self, const struct tr_actor_failed *msg)
{
    (void)ctx;
    (void)self;
    seen.failures++;
    seen.code = msg->code;
    seen.directive = msg->directive;
    memcpy(seen.text, msg->text, sizeof seen.text);
    return TR_OK;
}

#define LISTENER_HANDLERS(ON) ON(tr_actor_failed, on_failed)
TR_DISPATCH(listener, LISTENER_HANDLERS);
static const struct tr_actor listener_actor = {
    .name = "listener", .init = listener_init, .receive = listener_receive};

static const struct tr_supervision always = {.on_failure = TR_RESTART, .restarts_max = 1000};

static tr_system *start(bool manual)
{
    tr_system *sys;
    void *hole = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unmapped = (uintptr_t)hole + 4096 * 100;
    memset(&seen, 0, sizeof seen);
    CHECK(tr_system_create(&sys, &(struct tr_config){.manual = manual,
                                                     .workers = 2,
                                                     .watchdog_ms = 50,
                                                     .log = tr_log_none}) == TR_OK);
    CHECK(!tr_pid_is_nobody(tr_spawn(tr_root(sys), &listener_actor)));
    tr_system_run(sys);
    return sys;
}

static void finish(tr_system *sys)
{
    struct tr_accounts accounts;
    tr_system_run(sys);
    tr_system_accounts(sys, &accounts);
    CHECK(tr_accounts_balance(&accounts));
    CHECK(tr_system_stop(sys, 30000) == TR_OK);
    tr_system_destroy(sys);
}

static int told_kind;
static bool told_manual;

static void one_kind(void)
{
    int kind = told_kind;
    tr_system *sys = start(told_manual);
    tr_ctx *root = tr_root(sys);
    tr_pid victim = tr_spawn(root, &victim_actor, .supervise = &always);
    for (int round = 1; round <= 20; round++) {
        tr_send(root, victim, order, .kind = HEALTHY);
        tr_send(root, victim, order, .kind = kind);
        tr_system_run(sys);
        CHECK(seen.failures == round && seen.inits == round + 1 && seen.restarts == round);
        CHECK(seen.fresh == seen.inits && seen.directive == TR_RESTART);
        bool returned = kind == ERROR;
        CHECK(seen.code == (returned ? TR_EUSER : TR_EFAULT));
        CHECK(seen.handled == (returned ? 2 * round : round));
        CHECK(seen.stops == (returned ? round : 0)); /* No hook sees a state after a fault. */
    }
    CHECK(tr_alive(root, victim));
    static const char *const texts[KINDS] = {[NULL_READ] = "SIGSEGV at address 0x0,",
                                             [NULL_WRITE] = "SIGSEGV at address 0x0,",
                                             [WILD_READ] = "SIGSEGV at address 0x",
                                             [WILD_WRITE] = "SIGSEGV at address 0x",
                                             [DIVIDE] = "SIGFPE",
                                             [ILLEGAL] = "SIGILL",
                                             [OVERFLOW] = "stack overflow",
                                             [ASSERTION] = "failed assertion",
                                             [ABORT] = "abort()",
                                             [ERROR] = "the order was to fail",
                                             [BAD_BODY] = "SIGSEGV at address 0x",
                                             [BAD_TEXT] = "SIGSEGV at address 0x"};
    if (!strstr(seen.text, texts[kind]))
        fprintf(stderr, "kind %d: %s\n", kind, seen.text);
    CHECK(strstr(seen.text, texts[kind]));
    finish(sys);
}

static void need_traps(void)
{
    if (tri_fault_off()) {
        print_message("skipped: %s\n", tri_fault_off());
        skip();
    }
}

static void test_kinds(void **state)
{
    (void)state;
    need_traps();
    for (told_kind = HEALTHY + 1; told_kind < KINDS; told_kind++) {
        told_manual = false;
        assert_forked_ok(one_kind);
        told_manual = true;
        assert_forked_ok(one_kind);
    }
}

/* ---- Other functions than receive ---------------------------------------- */

static tr_err on_orders(tr_ctx *ctx, struct victim *self, const struct order *const *orders,
                        size_t count)
{
    (void)self;
    seen.handled += (int)count;
    return fault(ctx, orders[0]->kind);
}

TR_BATCH(victim, order, on_orders);
static const struct tr_actor batch_actor = {.name = "batches",
                                            .state_size = sizeof(struct victim),
                                            .receive = victim_receive,
                                            .receive_batch = victim_receive_batch,
                                            .batch_type = &order_type,
                                            .batch_max = 100,
                                            .flags = TR_ACTOR_CONTAINED};

static void in_batch(void)
{
    tr_system *sys = start(true);
    tr_pid victim = tr_spawn(tr_root(sys), &batch_actor, .supervise = &always);
    for (int i = 0; i < 10; i++)
        tr_send(tr_root(sys), victim, order, .kind = i == 0 ? WILD_WRITE : HEALTHY);
    tr_system_run(sys);
    CHECK(seen.handled == 10 && seen.failures == 1 && seen.code == TR_EFAULT);
    tr_send(tr_root(sys), victim, order, .kind = HEALTHY);
    tr_system_run(sys);
    CHECK(seen.handled == 11 && seen.failures == 1);
    finish(sys);
}

static tr_err bad_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    seen.inits++;
    return seen.inits < 3 ? fault(ctx, NULL_READ) : TR_OK;
}

static void bad_stop(tr_ctx *ctx, void *state)
{
    (void)state;
    seen.stops++;
    (void)fault(ctx, ABORT);
}

static const struct tr_actor bad_hooks_actor = {.name = "hooks",
                                                .state_size = sizeof(struct victim),
                                                .init = bad_init,
                                                .receive = victim_receive,
                                                .stop = bad_stop,
                                                .flags = TR_ACTOR_CONTAINED};

static void in_hooks(void)
{
    tr_system *sys = start(true);
    tr_pid victim = tr_spawn(tr_root(sys), &bad_hooks_actor, .supervise = &always);
    tr_system_run(sys);
    CHECK(seen.inits == 3 && seen.failures == 2 && tr_alive(tr_root(sys), victim));
    tr_stop(tr_root(sys), victim);
    tr_system_run(sys);
    CHECK(seen.stops == 1 && !tr_alive(tr_root(sys), victim));
    finish(sys);
}

/* ---- Directives ---------------------------------------------------------- */

static void resume_ends(void)
{
    static const struct tr_supervision resume = {.on_failure = TR_RESUME, .restarts_max = 10};
    tr_system *sys = start(true);
    tr_pid victim = tr_spawn(tr_root(sys), &victim_actor, .supervise = &resume);
    tr_send(tr_root(sys), victim, order, .kind = ERROR);
    tr_system_run(sys);
    CHECK(tr_alive(tr_root(sys), victim)); /* Its state is what it was. */
    tr_send(tr_root(sys), victim, order, .kind = DIVIDE);
    tr_system_run(sys);
    CHECK(seen.failures == 2 && !tr_alive(tr_root(sys), victim) && seen.stops == 0);
    finish(sys);
}

static void others_still_crash(void)
{
    static struct tr_actor plain;
    plain = victim_actor;
    plain.flags = 0;
    tr_system *sys = start(false);
    tr_pid contained = tr_spawn(tr_root(sys), &victim_actor, .supervise = &always);
    tr_send(tr_root(sys), contained, order, .kind = NULL_READ);
    tr_system_run(sys);
    CHECK(seen.failures == 1);
    tr_pid victim = tr_spawn(tr_root(sys), &plain, .supervise = &always);
    tr_send(tr_root(sys), victim, order, .kind = NULL_READ);
    tr_system_run(sys);
}

static void test_elsewhere(void **state)
{
    (void)state;
    need_traps();
    assert_forked_ok(in_batch);
    assert_forked_ok(in_hooks);
    assert_forked_ok(resume_ends);
    assert_forked_signal(others_still_crash, SIGSEGV);
}

/* ---- Arena --------------------------------------------------------------- */

static tr_err on_fill(tr_ctx *ctx, struct victim *self, const struct order *msg)
{
    size_t sum = 0;
    (void)self;
    for (size_t size = 1; sum + size <= TR_ARENA_MAX / 4; size += 997) {
        char *memory = tr_alloc(ctx, size);
        CHECK(memory && (uintptr_t)memory % 16 == 0 && memory[0] == 0 && memory[size - 1] == 0);
        memset(memory, 0xee, size);
        sum += size;
    }
    CHECK(tr_alloc(ctx, TR_ARENA_MAX) == NULL && tr_alloc(ctx, SIZE_MAX) == NULL);
    CHECK(tr_alloc(ctx, 0) != NULL);
    return msg->kind == ERROR ? TR_EUSER : TR_OK;
}

static tr_err fill_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    return on_fill(ctx, state, tr_as(msg, order));
}
static const struct tr_actor filler_actor = {
    .name = "filler", .state_size = sizeof(struct victim), .receive = fill_receive};

static void test_arena(void **state)
{
    (void)state;
    tr_system *sys = start(true);
    tr_ctx *root = tr_root(sys);
    struct tr_stats before, after;
    assert_null(tr_alloc(root, 10)); /* Outside of actors there is none. */
    tr_system_stats(sys, &before);
    tr_pid pid = tr_spawn(root, &filler_actor, .supervise = &always);
    for (int i = 0; i < 20; i++) { /* More than the cap if a restart did not release it. */
        tr_send(root, pid, order, .kind = ERROR);
        tr_system_run(sys);
    }
    assert_int_equal(seen.failures, 20);
    tr_stop(root, pid);
    tr_system_run(sys);
    tr_system_stats(sys, &after);
    assert_true(after.message_bytes <= before.message_bytes + (1u << 20));
    finish(sys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
