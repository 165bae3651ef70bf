/*
 * nodes.c - random histories of actors on several nodes against an oracle that knows what was
 * promised across nodes:
 *
 * - between two actors order is kept, and no message comes twice;
 * - without a broken connection, a parted network or a killed node none is lost;
 * - a request has exactly one outcome, and an answer answers it;
 * - a watcher hears of an end, or of the loss of its node, exactly once for each watch;
 * - every node's accounts balance, those of unknown fate counted.
 *
 * A seed's remainder by four says how its nodes are set up: as they are by themselves, with queues
 * that soon hold senders back, with such that soon drop the oldest, or with routes, by which a third
 * of the pairs talk through another node.
 *
 *     nodes [--seeds N] [--seed S [--trace]]
 */
#include "words.h"

#include "sim/nodes/net.h"
#include "troupe/troupe.h"

#include <stdio.h>
#include <stdlib.h>

#define NODES 3u
#define ROUNDS 200u
#define TALKERS 3u /* on each node */
#define ALL (NODES * TALKERS)

/* ---- Messages: a text that says who, to whom, how many --------------------------------- */

struct go {
    char none;
};
TR_TYPE(go);

enum { SENDS, ASKS };

enum set_up { PLAIN, DELAYS, DROPS, ROUTES, SET_UPS };

/* What the oracle knows. */
static struct {
    struct tri_net *net;
    uint64_t seed;
    bool lossy; /* something has happened that may lose messages */
    uint32_t life[NODES];
    /* By sender and receiver: the numbers given out, and the last one that came. */
    uint32_t given[ALL][ALL], came[ALL][ALL], lives[ALL];
    uint64_t sent, arrived, asked, answered, failed;
    unsigned broken; /* promises */
    tr_pid pids[ALL];
} w;

static void wrong(const char *fmt, ...) TR_PRINTF(1, 2);
static void wrong(const char *fmt, ...)
{
    va_list args;
    if (w.broken++ > 5)
        return;
    fprintf(stderr, "seed %llu: ", (unsigned long long)w.seed);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\n");
}

/* ---- The actors ------------------------------------------------------------------------- */

struct talker {
    unsigned number;
    uint64_t calls[64]; /* open ones */
    unsigned open;
    tr_pid watched;
    unsigned downs;
};

static void name_of(unsigned number, char name[16])
{
    snprintf(name, 16, "talker-%u", number);
}

/* The node through which talker `by` reaches another, if not its own. */
static unsigned node_between(unsigned by, unsigned number)
{
    unsigned home = number / TALKERS;
    unsigned between = (by / TALKERS + 1) % NODES;
    if (between == home)
        between = (between + 1) % NODES;
    bool through = w.seed % SET_UPS == ROUTES && (by + number) % 3 == 0;
    return through && between != by / TALKERS ? between : home;
}

static tr_pid find(tr_ctx *ctx, unsigned by, unsigned number)
{
    char name[16];
    char text[64];
    unsigned home = number / TALKERS;
    unsigned between = node_between(by, number);
    name_of(number, name);
    if (between != home)
        snprintf(text, sizeof text, "via-%u/%s@%s", home, name, tri_net_address(w.net, between));
    else
        snprintf(text, sizeof text, "%s@%s", name, tri_net_address(w.net, home));
    return tr_lookup(ctx, text);
}

static void say(tr_ctx *ctx, struct talker *self, unsigned to, int what)
{
    struct words words;
    tr_pid pid = find(ctx, self->number, to);
    if (tr_pid_is_nobody(pid))
        return; /* One of ours, which is not there: its node is. */
    uint32_t number = ++w.given[self->number][to];
    snprintf(words.text, sizeof words.text, "%u %u %u %u", self->number, to, number,
             w.lives[self->number]);
    w.sent++;
    if (what == SENDS || self->open == 64) {
        tr_send_(ctx, pid, &words_type, &words, sizeof words);
        return;
    }
    w.asked++;
    self->calls[self->open++] = tr_request_(ctx, pid, 2000, &words_type, &words, sizeof words);
}

static void over(struct talker *self, uint64_t call, const char *how)
{
    for (unsigned i = 0; i < self->open; i++) {
        if (self->calls[i] == call) {
            self->calls[i] = self->calls[--self->open];
            return;
        }
    }
    wrong("talker %u: %s to a call that is not open", self->number, how);
}

static void heard(tr_ctx *ctx, struct talker *self, const struct words *words)
{
    unsigned from, to, number, life;
    if (sscanf(words->text, "%u %u %u %u", &from, &to, &number, &life) != 4 || from >= ALL ||
        to != self->number) {
        wrong("talker %u got '%.40s'", self->number, words->text);
        return;
    }
    char sender[TR_ADDRESS_SIZE_MAX * 2];
    unsigned between = node_between(from, to);
    /* What comes back to its own node by another is known there as it is. */
    if (between != to / TALKERS && from / TALKERS != to / TALKERS &&
        tr_pid_text(ctx, tr_sender(ctx), sender, sizeof sender) &&
        !strstr(sender, tri_net_address(w.net, between)))
        wrong("talker %u knows talker %u as %s, not by its name at %s", to, from, sender,
              tri_net_address(w.net, between));
    uint32_t last = w.came[from][to];
    w.arrived++;
    if (number <= last)
        wrong("talker %u: number %u of talker %u after %u", to, number, from, last);
    else if (number != last + 1 && !w.lossy)
        wrong("talker %u: number %u of talker %u after %u, and nothing has been lost", to, number,
              from, last);
    w.came[from][to] = number;
    if (tr_caller_of(ctx).call)
        tr_reply_(ctx, &words_type, words, sizeof *words);
}

static void act(tr_ctx *ctx, struct talker *self)
{
    unsigned count = 1 + tri_net_chance(w.net, 4);
    for (unsigned i = 0; i < count; i++) {
        unsigned to = tri_net_chance(w.net, ALL);
        if (to != self->number)
            say(ctx, self, to, (int)tri_net_chance(w.net, 2));
    }
    if (tr_pid_is_nobody(self->watched) && tri_net_chance(w.net, 8) == 0) {
        self->watched = find(ctx, self->number, tri_net_chance(w.net, ALL));
        if (!tr_pid_is_nobody(self->watched))
            tr_watch(ctx, self->watched);
    }
}

static tr_err receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct talker *self = state;
    const struct tr_request_failed *failed = tr_as(msg, tr_request_failed);
    const struct tr_down *down = tr_as(msg, tr_down);
    if (tr_as(msg, go)) {
        act(ctx, self);
    } else if (msg->type == &words_type && tr_call(ctx)) {
        w.answered++;
        over(self, tr_call(ctx), "an answer");
    } else if (msg->type == &words_type) {
        heard(ctx, self, tr_msg_body(msg));
    } else if (failed) {
        w.failed++;
        over(self, failed->call, "a failure");
        if (!w.lossy)
            wrong("talker %u: a request failed (%s), and nothing has been lost", self->number,
                  tr_strerror(failed->reason));
    } else if (down) {
        if (!tr_pid_equal(down->who, self->watched))
            wrong("talker %u: the end of somebody it does not watch", self->number);
        if (!w.lossy)
            wrong("talker %u: an end (%s), and nobody has ended", self->number,
                  tr_strerror(down->reason));
        self->watched = TR_NOBODY;
        self->downs++;
    }
    return TR_OK;
}

static tr_err init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct talker *)state)->number = *(const unsigned *)arg;
    return TR_OK;
}

static const struct tr_actor talker_actor = {.name = "talker",
                                             .state_size = sizeof(struct talker),
                                             .arg_size = sizeof(unsigned),
                                             .init = init,
                                             .receive = receive};

/* ---- The history ------------------------------------------------------------------------ */

static void boot(unsigned node)
{
    if (tri_net_boot(w.net, node)) {
        wrong("node %u does not start", node);
        return;
    }
    for (unsigned i = 0; i < TALKERS; i++) {
        char name[16];
        unsigned number = node * TALKERS + i;
        name_of(number, name);
        w.lives[number]++;
        w.pids[number] = tr_spawn(tr_root(tri_net_system(w.net, node)), &talker_actor, .name = name,
                                  .arg = &number);
        if (tr_pid_is_nobody(w.pids[number]))
            wrong("talker %u is not spawned", number);
    }
}

static void kill_node(unsigned node)
{
    w.lossy = true;
    tri_net_kill(w.net, node);
    /* Whoever comes next begins anew, and so do the numbers that it has seen. */
    for (unsigned number = node * TALKERS; number < (node + 1) * TALKERS; number++) {
        for (unsigned other = 0; other < ALL; other++)
            w.came[other][number] = 0;
    }
}

/* Something goes wrong, or is mended. */
static void disturb(void)
{
    unsigned node = tri_net_chance(w.net, NODES);
    unsigned other = (node + 1 + tri_net_chance(w.net, NODES - 1)) % NODES;
    switch (tri_net_chance(w.net, 8)) {
    case 0:
        w.lossy = true;
        tri_net_cut(w.net, node, other);
        break;
    case 1:
        w.lossy = true;
        tri_net_part(w.net, node, other, true);
        break;
    case 2:
    case 3:
        tri_net_part(w.net, node, other, false);
        break;
    case 4:
        w.lossy = true;
        tri_net_stall(w.net, node, (uint64_t)(1 + tri_net_chance(w.net, 3000)) * 1000000u);
        break;
    case 5:
        if (tri_net_up(w.net, node))
            kill_node(node);
        break;
    default:
        if (!tri_net_up(w.net, node))
            boot(node);
    }
}

static void balance(unsigned node)
{
    struct tr_accounts a;
    tr_system_accounts(tri_net_system(w.net, node), &a);
    if (!tr_accounts_balance(&a))
        wrong("the accounts of node %u do not balance", node);
}

static void finish(void)
{
    struct tri_net_faults calm = {.delay_us_max = 100};
    tri_net_faults(w.net, &calm);
    for (unsigned i = 0; i < NODES; i++) {
        for (unsigned j = 0; j < NODES; j++)
            tri_net_part(w.net, i, j, false);
        if (!tri_net_up(w.net, i))
            boot(i);
    }
    tri_net_run(w.net, UINT64_C(30000000000));
    for (unsigned i = 0; i < NODES; i++)
        balance(i);
    if (w.asked != w.answered + w.failed && !w.lossy)
        wrong("%llu requests, %llu answers, %llu failures", (unsigned long long)w.asked,
              (unsigned long long)w.answered, (unsigned long long)w.failed);
    if (!w.lossy && w.sent != w.arrived)
        wrong("%llu messages sent, %llu came", (unsigned long long)w.sent,
              (unsigned long long)w.arrived);
    w.lossy = true; /* Those that are left hear of the end of the others. */
    for (unsigned i = 0; i < NODES; i++) {
        if (tri_net_leave(w.net, i, 10000) != TR_OK)
            wrong("node %u cannot leave in time", i);
    }
}

/* The nodes' addresses are those that the network gives them. */
static const struct tr_remote_config *config_of(uint64_t seed)
{
    static const struct tr_type *const types[] = {&words_type, NULL};
    static const struct tr_remote_route routes[NODES][NODES] = {
        {{"via-1/", "node-1:1", NULL}, {"via-2/", "node-2:1", NULL}},
        {{"via-0/", "node-0:1", NULL}, {"via-2/", "node-2:1", NULL}},
        {{"via-0/", "node-0:1", NULL}, {"via-1/", "node-1:1", NULL}}};
    static struct tr_remote_config configs[NODES];
    for (unsigned i = 0; i < NODES; i++) {
        configs[i] = (struct tr_remote_config){.types = types, .backoff_ms_max = 1000};
        switch ((enum set_up)(seed % SET_UPS)) {
        case DELAYS:
        case DROPS:
            configs[i].overflow = seed % SET_UPS == DELAYS ? TR_DELAY : TR_DROP_OLDEST;
            configs[i].queue_bytes = 1; /* What is not written yet fills it. */
            configs[i].queue_messages = 1;
            break;
        case ROUTES:
            configs[i].routes = routes[i];
            break;
        default:
            break;
        }
    }
    return configs;
}

static bool play(uint64_t seed, bool trace, uint64_t *ret_digest, uint64_t *ret_carried)
{
    const struct tr_remote_config *configs = config_of(seed);
    memset(&w, 0, sizeof w);
    w.seed = seed;
    w.net = tri_net_create(seed, trace);
    if (!w.net)
        return false;
    bool calm = tri_net_chance(w.net, 4) == 0;
    struct tri_net_faults faults = {.delay_us_max = 1 + tri_net_chance(w.net, 20000)};
    if (!calm) {
        faults.cut_permille = tri_net_chance(w.net, 10);
        faults.refuse_permille = tri_net_chance(w.net, 300);
        w.lossy = faults.cut_permille > 0;
    }
    w.lossy |= seed % SET_UPS == DROPS;
    tri_net_faults(w.net, &faults);
    for (unsigned i = 0; i < NODES; i++) {
        (void)tri_net_add(w.net, &configs[i]);
        tri_net_skew(w.net, i, (int64_t)tri_net_chance(w.net, 2000) * 1000000,
                     (int)tri_net_chance(w.net, 400) - 200);
        boot(i);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned who = tri_net_chance(w.net, ALL);
        if (tri_net_up(w.net, who / TALKERS))
            tr_send(tr_root(tri_net_system(w.net, who / TALKERS)), w.pids[who], go);
        tri_net_run(w.net, (uint64_t)tri_net_chance(w.net, 50000) * 1000);
        if (!calm && tri_net_chance(w.net, 4) == 0)
            disturb();
    }
    finish();
    *ret_digest = tri_net_digest(w.net);
    *ret_carried += tri_net_carried(w.net);
    if (trace)
        fputs(tri_net_trace(w.net), stdout);
    tri_net_destroy(w.net);
    return w.broken == 0;
}

int main(int argc, char **argv)
{
    uint64_t seeds = 100, first = 1, carried = 0;
    bool trace = false, good = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            trace = true;
        } else if (i + 1 < argc && strcmp(argv[i], "--seeds") == 0) {
            seeds = strtoull(argv[++i], NULL, 10);
        } else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
            first = strtoull(argv[++i], NULL, 10);
            seeds = 1;
        } else {
            fprintf(stderr, "usage: nodes [--seeds N] [--seed S [--trace]]\n");
            return 2;
        }
    }
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        uint64_t digest = 0, again = 0, same = 0;
        bool fine = play(seed, trace, &digest, &carried);
        if (fine && seed % 10 == 0 && (!play(seed, false, &again, &same) || again != digest)) {
            fprintf(stderr, "seed %llu: another run went another way\n", (unsigned long long)seed);
            fine = false;
        }
        if (!fine)
            fprintf(stderr, "again: %s --seed %llu --trace\n", argv[0], (unsigned long long)seed);
        good = good && fine;
    }
    printf("%llu seeds, %llu messages between nodes%s\n", (unsigned long long)seeds,
           (unsigned long long)carried, good ? "" : ": FAILED");
    return good ? 0 : 1;
}
