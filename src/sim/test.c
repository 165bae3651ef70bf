/* What users test their actors with: troupe/test.h. */
#include "sim/run.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "core/send.h"

#include <setjmp.h>
#include <stdio.h>

#define PROBES_MAX 256u

struct record {
    const struct tr_type *type;
    void *body;
};

struct probe {
    tr_pid pid;
    struct record *records;
    size_t count;
    size_t capacity;
};

struct tr_test {
    struct tri_sim *sim;
    struct probe *probes[PROBES_MAX];
    unsigned probe_count;
    jmp_buf out;
    bool failed;
    char why[512];
};

/* ---- Failing ------------------------------------------------------------- */

/* The first reason counts. Out of the test function at once, but never out of a handler: the
 * core's frames must not be jumped over. */
static void fail(struct tr_test *test, const char *fmt, ...) TR_PRINTF(2, 3);
static void fail(struct tr_test *test, const char *fmt, ...)
{
    if (!test->failed) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(test->why, sizeof test->why, fmt, args);
        va_end(args);
        test->failed = true;
    }
    if (!test->sim->in_turn)
        longjmp(test->out, 1);
}

static void leave_if_failed(struct tr_test *test)
{
    if (test->failed)
        longjmp(test->out, 1);
}

void tr_expect_(struct tr_test *test, bool holds, const char *text, const char *file, int line)
{
    if (!holds)
        fail(test, "%s:%d: expected %s", file, line, text);
}

void tr_test_failed(struct tr_test *test, const char *fmt, ...)
{
    char why[sizeof test->why];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    fail(test, "%s", why);
}

static bool line_has(const char *line, const char *end, const char *part)
{
    size_t size = strlen(part);
    for (; line + size <= end; line++) {
        if (memcmp(line, part, size) == 0)
            return true;
    }
    return false;
}

void tr_expect_trace_(struct tr_test *test, const char *const *parts, const char *file, int line)
{
    const char *at = tr_test_trace(test);
    for (; *parts; parts++) {
        bool found = false;
        while (*at && !found) {
            const char *end = strchr(at, '\n');
            found = line_has(at, end, *parts);
            at = end + 1;
        }
        if (!found)
            fail(test, "%s:%d: expected a line with \"%s\" in the trace, after those before", file,
                 line, *parts);
    }
}

/* ---- Probes -------------------------------------------------------------- */

struct probe_args {
    struct tr_test *test;
    struct probe *probe;
};

static tr_err probe_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    *(struct probe_args *)state = *(const struct probe_args *)arg;
    return TR_OK;
}

static tr_err probe_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    const struct probe_args *self = state;
    struct probe *probe = self->probe;
    size_t size = tr_msg_size(msg);
    (void)ctx;
    bool failing = tri_alloc_fail_pending();
    tri_alloc_fail_after(-1);
    if (probe->count == probe->capacity) {
        size_t capacity = probe->capacity ? 2 * probe->capacity : 16;
        struct record *records = tri_realloc(probe->records, capacity * sizeof *records);
        if (records) {
            probe->records = records;
            probe->capacity = capacity;
        }
    }
    void *body = probe->count < probe->capacity ? tri_malloc(size) : NULL;
    if (body) {
        memcpy(body, tr_msg_body(msg), size);
        probe->records[probe->count++] = (struct record){msg->type, body};
    } else {
        fail(self->test, "a probe has no memory for its %zuth message", probe->count + 1);
    }
    tri_alloc_fail_after(failing ? 0 : -1);
    return TR_OK;
}

const struct tr_actor tri_probe_actor = {.name = "probe",
                                         .state_size = sizeof(struct probe_args),
                                         .arg_size = sizeof(struct probe_args),
                                         .init = probe_init,
                                         .receive = probe_receive};

tr_pid tr_test_probe(struct tr_test *test, const char *name)
{
    struct probe *probe = test->probe_count < PROBES_MAX ? tri_calloc(1, sizeof *probe) : NULL;
    if (!probe) {
        fail(test, "there are %u probes already, or memory is short", test->probe_count);
        return TR_NOBODY;
    }
    test->probes[test->probe_count++] = probe;
    struct probe_args args = {test, probe};
    probe->pid = tr_spawn(tr_test_ctx(test), &tri_probe_actor, .name = name, .arg = &args);
    if (tr_pid_is_nobody(probe->pid))
        fail(test, "probe '%s' cannot start: %s", name ? name : "",
             tr_strerror(tr_pid_err(probe->pid)));
    return probe->pid;
}

static struct probe *find_probe(struct tr_test *test, tr_pid pid)
{
    for (unsigned i = 0; i < test->probe_count; i++) {
        if (tr_pid_equal(test->probes[i]->pid, pid))
            return test->probes[i];
    }
    fail(test, "%" PRIx64 " is no probe of this test", pid.bits);
    return NULL;
}

void tr_test_send_(struct tr_test *test, tr_pid probe, tr_pid to, const struct tr_type *type,
                   const void *body, size_t size)
{
    tr_ctx *ctx = tr_test_ctx(test);
    if (!find_probe(test, probe))
        return;
    struct tri_block *block = tri_block_new(ctx, type, size, false);
    if (!block) {
        fail(test, "no memory for a %s", type->name);
        return;
    }
    memcpy(tri_block_body(block), body, size);
    block->from = probe;
    tri_deliver(ctx, to, block);
}

size_t tr_test_count_(struct tr_test *test, tr_pid pid, const struct tr_type *type)
{
    const struct probe *probe = find_probe(test, pid);
    size_t count = 0;
    for (size_t i = 0; probe && i < probe->count; i++)
        count += probe->records[i].type == type;
    return count;
}

const void *tr_test_nth_(struct tr_test *test, tr_pid pid, size_t index, const struct tr_type *type)
{
    const struct probe *probe = find_probe(test, pid);
    size_t seen = 0;
    for (size_t i = 0; probe && i < probe->count; i++) {
        if (probe->records[i].type == type && seen++ == index)
            return probe->records[i].body;
    }
    fail(test, "the probe got %zu messages of type %s, want more than %zu", seen, type->name,
         index);
    TRI_UNREACHABLE("fail() came back outside of handlers");
}

/* ---- The fixture --------------------------------------------------------- */

tr_ctx *tr_test_ctx(struct tr_test *test)
{
    return tr_root(test->sim->sys);
}

uint64_t tr_test_seed(const struct tr_test *test)
{
    return test->sim->options.seed;
}

const char *tr_test_trace(const struct tr_test *test)
{
    return tri_text(&test->sim->trace);
}

void tr_test_settle(struct tr_test *test)
{
    tri_sim_settle(test->sim);
    leave_if_failed(test);
}

void tr_test_advance(struct tr_test *test, unsigned ms)
{
    tri_sim_advance(test->sim, (uint64_t)ms * 1000000u);
    leave_if_failed(test);
}

void tr_test_fault_(struct tr_test *test, const struct tr_type *type, int what, unsigned count,
                    unsigned ms)
{
    struct tri_sim *sim = test->sim;
    if (sim->rule_count == TRI_SIM_RULES_MAX) {
        fail(test, "more than %u faults were ordered", TRI_SIM_RULES_MAX);
        return;
    }
    sim->rules[sim->rule_count++] = (struct tri_sim_rule){type, what, count, ms};
}

void tr_test_faults(struct tr_test *test, const struct tr_test_faults *faults)
{
    unsigned all = faults->drop_permille + faults->delay_permille + faults->duplicate_permille +
                   faults->fail_permille;
    if (all > 999 || faults->alloc_permille > 999) {
        fail(test, "faults add up to %u per thousand, want at most 999", all);
        return;
    }
    test->sim->faults = *faults;
}

bool tr_test_next(struct tr_test *test)
{
    return !test->failed && tri_sim_next(test->sim) && !test->failed;
}

uint64_t tr_test_random(struct tr_test *test)
{
    return tri_prng_next(&test->sim->history);
}

bool tr_test_event(struct tr_test *test)
{
    return tri_sim_event(test->sim);
}

uint32_t tr_test_choose(struct tr_test *test, uint32_t bound)
{
    if (bound == 0)
        fail(test, "tr_test_choose() among none");
    return bound > 1 ? tri_sim_decide(test->sim, bound) : 0;
}

void tr_test_note(struct tr_test *test, const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    tri_sim_note(test->sim, "%s", line);
}

/* Stops the system, and looks what it left behind. */
static void end_system(struct tr_test *test)
{
    struct tr_accounts accounts;
    tri_alloc_fail_after(-1);
    if (!test->sim->sys)
        return;
    tri_sim_finish(test->sim, &accounts);
    uint64_t leaked = tri_sim_leaked(test->sim);
    if (test->failed)
        return;
    test->failed = leaked > 0 || !tr_accounts_balance(&accounts);
    if (!tr_accounts_balance(&accounts))
        snprintf(test->why, sizeof test->why,
                 "the message accounts do not balance: accepted %" PRIu64 ", processed %" PRIu64
                 ", queued %" PRIu64,
                 accounts.accepted, accounts.processed, accounts.queued);
    else if (leaked)
        snprintf(test->why, sizeof test->why,
                 "messages or states were never given back, in %" PRIu64 " bytes of memory",
                 leaked);
}

void tr_test_restart(struct tr_test *test)
{
    end_system(test);
    tri_sim_note(test->sim, "  the process ends, and starts again");
    if (!tri_sim_boot(test->sim))
        fail(test, "no memory for another simulated system");
    leave_if_failed(test);
}

static void free_probes(struct tr_test *test)
{
    for (unsigned i = 0; i < test->probe_count; i++) {
        struct probe *probe = test->probes[i];
        for (size_t r = 0; r < probe->count; r++)
            tri_free(probe->records[r].body);
        tri_free(probe->records);
        tri_free(probe);
    }
}

bool tri_test_run(tr_test_fn fn, const struct tri_sim_options *options, struct tri_test_result *ret)
{
    static struct tr_test test; /* One at a time; what setjmp() returns to must be the same. */
    memset(&test, 0, sizeof test);
    *ret = (struct tri_test_result){0};
    struct tri_sim_options traced = *options;
    traced.trace = true; /* Expectations may be about it. */
    test.sim = tri_sim_create(&traced);
    if (!test.sim) {
        snprintf(ret->why, sizeof ret->why, "no memory for a simulated system");
        return false;
    }
    if (setjmp(test.out) == 0)
        fn(&test);
    end_system(&test);
    ret->failed = test.failed;
    memcpy(ret->why, test.why, sizeof ret->why);
    ret->messages = test.sim->messages;
    ret->decisions = test.sim->decisions;
    ret->decision_count = test.sim->decision_count;
    ret->event_count = test.sim->event;
    ret->trace = test.sim->trace.bytes;
    test.sim->decisions = NULL;
    test.sim->trace = (struct tri_text){0};
    free_probes(&test);
    tri_sim_destroy(test.sim);
    return true;
}

void tri_test_result_fini(struct tri_test_result *result)
{
    tri_free(result->decisions);
    tri_free(result->trace);
    *result = (struct tri_test_result){0};
}
