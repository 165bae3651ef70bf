/*
 * loop.c - the bare loop that the order system is measured against: one thread, no actors, no
 * messages. It reads orders with the same parser, decides on them with the same rules, and enters
 * them with the same statements in batches of a given size, each one transaction on disk before
 * the next begins. bench/README.md says what it leaves out.
 */
#include "intake.h"
#include "rules.h"
#include "store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Room for lines that a document keeps when it is used again. */
#define KEPT_LINES 64u

struct loop {
    struct dict *products, *countries;
    struct ord_source *source;
    struct intake *intake;
    struct store *store;
    struct doc *docs, **batch;
    int64_t *on_hand; /* by product number */
    uint32_t room;
    uint64_t batch_orders, batch_lines;
    uint64_t orders, lines, batches;
};

/* No order finds too little: what is missing is got in, as the order system does by default. */
static bool reserve(struct loop *loop, struct doc *doc, struct ord_error *error)
{
    if (doc->products_known >= loop->room) {
        uint32_t room = doc->products_known * 2 + 1024;
        int64_t *on_hand = realloc(loop->on_hand, room * sizeof(*on_hand));
        if (!on_hand)
            return ord_fail(error, "memory is short at order %s", doc->key);
        memset(on_hand + loop->room, 0, (room - loop->room) * sizeof(*on_hand));
        loop->on_hand = on_hand;
        loop->room = room;
    }
    for (uint32_t i = 0; i < doc->lines; i++) {
        struct doc_line *line = &doc->line[i];
        int64_t *on_hand = &loop->on_hand[line->product];
        int64_t want = line->outcome == OUTCOME_SOLD          ? line->quantity
                       : line->outcome == OUTCOME_WRITTEN_OFF ? -(int64_t)line->quantity
                                                              : 0;
        if (want > *on_hand) {
            line->received = (int32_t)(want - *on_hand);
            *on_hand = want;
        }
        *on_hand -= want;
    }
    return true;
}

static bool decide(struct loop *loop, struct doc *doc, struct ord_error *error)
{
    if (doc->what != DOC_ORDER)
        return true;
    rules_classify(doc);
    if (doc->state != STATE_FULFILLED)
        return true;
    doc->paid = doc->amount > 0; /* Every capture succeeds, as with `orders run --data`. */
    return reserve(loop, doc, error);
}

/* One batch. False: the input is over, or *error says what went wrong. */
static bool one_batch(struct loop *loop, struct ord_error *error)
{
    uint64_t count = 0, lines = 0;
    enum intake_result result = INTAKE_DOC;
    while (count < loop->batch_orders && lines < loop->batch_lines) {
        struct doc *doc = &loop->docs[count];
        if (doc->lines_max > KEPT_LINES) {
            free(doc->line);
            doc->line = NULL;
            doc->lines_max = 0;
        }
        result = intake_next(loop->intake, doc, error);
        if (result != INTAKE_DOC)
            break;
        if (!decide(loop, doc, error))
            return false;
        loop->batch[count++] = doc;
        lines += doc->lines;
    }
    if (count > 0 && !store_write(loop->store, loop->batch, count, error))
        return false;
    loop->batches += count > 0;
    loop->orders += count;
    loop->lines += lines;
    return result == INTAKE_DOC;
}

static bool set_up(struct loop *loop, const char *data, const char *db, struct ord_error *error)
{
    loop->products = dict_create();
    loop->countries = dict_create();
    loop->docs = calloc(loop->batch_orders, sizeof(*loop->docs));
    loop->batch = calloc(loop->batch_orders, sizeof(struct doc *));
    if (!loop->products || !loop->countries || !loop->docs || !loop->batch)
        return ord_fail(error, "memory is short");
    loop->source = ord_source_open(data, error);
    if (!loop->source)
        return false;
    struct intake_options intake = {.source = loop->source,
                                    .name = data,
                                    .products = loop->products,
                                    .countries = loop->countries,
                                    .window_s = 600};
    struct store_options store = {
        .path = db, .products = loop->products, .countries = loop->countries, .stock = -1};
    loop->intake = intake_create(&intake, error);
    loop->store = loop->intake ? store_open(&store, error) : NULL;
    if (loop->store && store_orders(loop->store) != 0)
        return ord_fail(error, "'%s' holds orders already; the loop needs an empty database", db);
    return loop->store != NULL;
}

static void tear_down(struct loop *loop)
{
    store_close(loop->store);
    intake_destroy(loop->intake);
    ord_source_close(loop->source);
    dict_destroy(loop->products);
    dict_destroy(loop->countries);
    for (uint64_t i = 0; loop->docs && i < loop->batch_orders; i++)
        free(loop->docs[i].line);
    free(loop->docs);
    free(loop->batch);
    free(loop->on_hand);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
    struct loop loop = {0};
    struct ord_error error = {.text = ""};
    char *end = NULL, *end_lines = NULL;
    if (argc == 5) {
        loop.batch_orders = strtoull(argv[3], &end, 10);
        loop.batch_lines = strtoull(argv[4], &end_lines, 10);
    }
    if (argc != 5 || *end || *end_lines || loop.batch_orders == 0 || loop.batch_lines == 0 ||
        loop.batch_orders > 1000000) {
        fputs("usage: bench_orders_loop FILE DATABASE ORDERS LINES\n"
              "Enters FILE into a new DATABASE; a batch ends at ORDERS (1 to 1,000,000) or LINES\n",
              stderr);
        return 2;
    }
    bool good = set_up(&loop, argv[1], argv[2], &error);
    double cpu = cpu_seconds();
    uint64_t started = ord_now_ns();
    while (good && one_batch(&loop, &error)) {
    }
    double seconds = (double)(ord_now_ns() - started) / 1e9;
    cpu = cpu_seconds() - cpu;
    tear_down(&loop);
    if (error.text[0] != '\0') {
        fprintf(stderr, "bench_orders_loop: %s\n", error.text);
        return 1;
    }
    printf("{\"orders\": %" PRIu64 ", \"lines\": %" PRIu64 ", \"batches\": %" PRIu64
           ", \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n",
           loop.orders, loop.lines, loop.batches, seconds, cpu);
    return 0;
}
