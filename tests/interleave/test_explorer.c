/*
 * The explorer itself: the outcomes of small programs whose outcomes under C11 are known, and,
 * for programs made at random, the same outcomes with and without reduction.
 */
#include "harness.h"

static TRI_ATOMIC(uint32_t) a, b;
static uint32_t seen[4];
static uint32_t plain_value;
static uint64_t outcomes; /* a set, of what the check numbers */
static memory_order store_order, load_order;

static void reset(void)
{
    tri_store(&a, 0u, TRI_RELAXED);
    tri_store(&b, 0u, TRI_RELAXED);
    memset(seen, 0, sizeof seen);
    plain_value = 0;
}

static void enter(void)
{
    outcomes |= UINT64_C(1) << (seen[0] + 3 * seen[1]);
}

static void enter4(void)
{
    outcomes |= UINT64_C(1) << (seen[0] | seen[1] << 1 | seen[2] << 2 | seen[3] << 3);
}

static void run(const char *name, void (*t0)(void), void (*t1)(void), void (*t2)(void),
                void (*t3)(void), void (*check)(void))
{
    const struct tri_program p = {
        .name = name, .set_up = reset, .threads = {t0, t1, t2, t3}, .check = check};
    outcomes = 0;
    explore_clean(&p);
}

/* Store buffering. */
static void sb0(void)
{
    tri_store(&a, 1u, store_order);
    seen[0] = tri_load(&b, load_order);
}
static void sb1(void)
{
    tri_store(&b, 1u, store_order);
    seen[1] = tri_load(&a, load_order);
}
/* Message passing. */
static void mp0(void)
{
    tri_store(&a, 1u, TRI_RELAXED);
    tri_store(&b, 1u, store_order);
}
static void mp1(void)
{
    seen[0] = tri_load(&b, load_order);
    seen[1] = tri_load(&a, TRI_RELAXED);
}
/* Two stores each, in opposite directions. */
static void ww0(void)
{
    tri_store(&a, 1u, store_order);
    tri_store(&b, 2u, store_order);
}
static void ww1(void)
{
    tri_store(&b, 1u, store_order);
    tri_store(&a, 2u, store_order);
}
static void ww_check(void)
{
    seen[0] = tri_load(&a, TRI_RELAXED);
    seen[1] = tri_load(&b, TRI_RELAXED);
    enter();
}
/* Independent reads of independent writes. */
static void write_a(void)
{
    tri_store(&a, 1u, store_order);
}
static void write_b(void)
{
    tri_store(&b, 1u, store_order);
}
static void read_ab(void)
{
    seen[0] = tri_load(&a, load_order);
    seen[1] = tri_load(&b, load_order);
}
static void read_ba(void)
{
    seen[2] = tri_load(&b, load_order);
    seen[3] = tri_load(&a, load_order);
}
/* Two reads of one place. */
static void write_twice(void)
{
    tri_store(&a, 1u, TRI_RELAXED);
    tri_store(&a, 2u, TRI_RELAXED);
}
static void read_twice(void)
{
    seen[0] = tri_load(&a, TRI_RELAXED);
    seen[1] = tri_load(&a, TRI_RELAXED);
}
static void count_up(void)
{
    (void)tri_fetch_add(&a, 1u, TRI_RELAXED);
    (void)tri_fetch_add(&a, 1u, TRI_RELAXED);
}
static void three_counted(void)
{
    TRI_EXPECT(tri_load(&a, TRI_RELAXED) == 6);
}

#define OUT(x, y) (UINT64_C(1) << ((x) + 3 * (y)))

static void known_programs_have_their_known_outcomes(void **state)
{
    (void)state;
    store_order = TRI_RELEASE, load_order = TRI_ACQUIRE;
    run("store buffering, release/acquire", sb0, sb1, NULL, NULL, enter);
    assert_true(outcomes == (OUT(0, 0) | OUT(0, 1) | OUT(1, 0) | OUT(1, 1)));
    store_order = load_order = TRI_SEQ_CST;
    run("store buffering, seq_cst", sb0, sb1, NULL, NULL, enter);
    assert_true(outcomes == (OUT(0, 1) | OUT(1, 0) | OUT(1, 1)));

    store_order = load_order = TRI_RELAXED;
    run("message passing, relaxed", mp0, mp1, NULL, NULL, enter);
    assert_true(outcomes == (OUT(0, 0) | OUT(0, 1) | OUT(1, 0) | OUT(1, 1)));
    store_order = TRI_RELEASE, load_order = TRI_ACQUIRE;
    run("message passing, release/acquire", mp0, mp1, NULL, NULL, enter);
    assert_true(outcomes == (OUT(0, 0) | OUT(0, 1) | OUT(1, 1)));
    store_order = TRI_RELAXED;
    run("message passing, relaxed/acquire", mp0, mp1, NULL, NULL, enter);
    assert_true(outcomes & OUT(1, 0));

    store_order = TRI_RELEASE;
    run("2+2W, release", ww0, ww1, NULL, NULL, ww_check);
    assert_true(outcomes == (OUT(1, 1) | OUT(1, 2) | OUT(2, 1) | OUT(2, 2)));
    store_order = TRI_SEQ_CST;
    run("2+2W, seq_cst", ww0, ww1, NULL, NULL, ww_check);
    assert_true(outcomes == (OUT(1, 2) | OUT(2, 1) | OUT(2, 2)));

    store_order = TRI_RELEASE, load_order = TRI_ACQUIRE;
    run("IRIW, release/acquire", write_a, write_b, read_ab, read_ba, enter4);
    assert_true(outcomes & 1u << 5); /* 1 0 1 0: they disagree */
    store_order = load_order = TRI_SEQ_CST;
    run("IRIW, seq_cst", write_a, write_b, read_ab, read_ba, enter4);
    assert_false(outcomes & 1u << 5);

    run("coherence", write_twice, read_twice, NULL, NULL, enter);
    assert_true(outcomes ==
                (OUT(0, 0) | OUT(0, 1) | OUT(0, 2) | OUT(1, 1) | OUT(1, 2) | OUT(2, 2)));
    run("counting", count_up, count_up, count_up, NULL, three_counted);
}

/* ---- What must be found -------------------------------------------------- */

static void pub0(void)
{
    plain_value = 1;
    tri_store(&a, 1u, store_order);
}
static void pub1(void)
{
    if (tri_load(&a, TRI_ACQUIRE))
        TRI_EXPECT(plain_value == 1);
}
static void wait_b(void)
{
    while (!tri_load(&b, TRI_ACQUIRE))
        tri_pause();
}
static void lost_update(void)
{
    tri_store(&a, tri_load(&a, TRI_RELAXED) + 1, TRI_RELAXED);
}
static void two_counted(void)
{
    TRI_EXPECT(tri_load(&a, TRI_RELAXED) == 2);
}

static void races_deadlocks_and_lost_updates_are_found(void **state)
{
    (void)state;
    struct tri_verdict v;
    struct tri_program p = {.name = "publish", .set_up = reset, .threads = {pub0, pub1}};
    store_order = TRI_RELEASE;
    explore_clean(&p);
    store_order = TRI_RELAXED;
    tri_explore(&p, &v);
    assert_true(v.failed);
    assert_non_null(strstr(v.text, "data race"));

    p = (struct tri_program){.name = "deadlock", .set_up = reset, .threads = {wait_b, pub0}};
    tri_explore(&p, &v);
    assert_true(v.failed);
    assert_non_null(strstr(v.text, "deadlock"));

    p = (struct tri_program){.name = "lost update",
                             .set_up = reset,
                             .threads = {lost_update, lost_update},
                             .check = two_counted};
    tri_explore(&p, &v);
    assert_true(v.failed);
}

/* ---- Random programs ----------------------------------------------------- */

#define RANDOM_OPS 3
static struct {
    uint8_t kind, place, value, order;
} random_ops[3][RANDOM_OPS];
static uint32_t results[3][RANDOM_OPS];
static TRI_ATOMIC(uint32_t) cells[2];
static TRI_ATOMIC(uint32_t) lock;
static uint32_t locked;
static int random_counts[3]; /* operations of each thread */
static uint64_t found[1024];
static uint32_t found_count;

static void random_reset(void)
{
    for (int i = 0; i < 2; i++)
        tri_store(&cells[i], 0u, TRI_RELAXED);
    tri_store(&lock, 0u, TRI_RELAXED);
    locked = 0;
    memset(results, 0, sizeof results);
}

static void random_thread(uint32_t t)
{
    static const memory_order orders[] = {TRI_RELAXED, TRI_ACQ_REL, TRI_SEQ_CST};
    for (int i = 0; i < random_counts[t]; i++) {
        TRI_ATOMIC(uint32_t) *cell = &cells[random_ops[t][i].place];
        memory_order order = orders[random_ops[t][i].order];
        uint32_t value = random_ops[t][i].value;
        switch (random_ops[t][i].kind) {
        case 0:
            results[t][i] = tri_load(cell, order == TRI_ACQ_REL ? TRI_ACQUIRE : order);
            break;
        case 1:
            tri_store(cell, value, order == TRI_ACQ_REL ? TRI_RELEASE : order);
            break;
        case 2:
            results[t][i] = tri_fetch_add(cell, value, order);
            break;
        case 3: /* The order in which the lock was had; sometimes something inside. */
            tri_model_lock(&lock);
            results[t][i] = 10 * ++locked;
            if (value == 2)
                results[t][i] += tri_load(cell, TRI_RELAXED);
            tri_store(&lock, 0u, TRI_RELEASE);
            break;
        default:
            results[t][i] = 0;
            (void)tri_cas_strong(cell, &results[t][i], value, order, TRI_RELAXED);
        }
    }
}
static void random0(void)
{
    random_thread(0);
}
static void random1(void)
{
    random_thread(1);
}
static void random2(void)
{
    random_thread(2);
}

static void random_check(void)
{
    uint64_t h = tri_load(&cells[0], TRI_RELAXED) * 31 + tri_load(&cells[1], TRI_RELAXED);
    for (int t = 0; t < 3; t++)
        for (int i = 0; i < RANDOM_OPS; i++)
            h = (h ^ results[t][i]) * 0x9e3779b97f4a7c15u + (h >> 29);
    for (uint32_t i = 0; i < found_count; i++)
        if (found[i] == h)
            return;
    if (found_count < TRI_ARRAY_COUNT(found))
        found[found_count++] = h;
}

static void reduction_loses_no_outcome(void **state)
{
    (void)state;
    struct tri_prng prng;
    uint64_t with = 0, without = 0;
    tri_prng_seed(&prng, 4711);
    for (int round = 0; round < rounds(60, 600); round++) {
        for (int t = 0; t < 3; t++)
            for (int i = 0; i < RANDOM_OPS; i++) {
                uint64_t r = tri_prng_next(&prng);
                random_ops[t][i].kind = r % 5;
                random_ops[t][i].place = r >> 8 & 1;
                random_ops[t][i].value = 1 + (r >> 16) % 2;
                random_ops[t][i].order = (r >> 24) % 3;
            }
        static const int counts[][3] = {{3, 3, 0}, {2, 2, 2}, {3, 3, 0}, {3, 1, 2}};
        memcpy(random_counts, counts[round % 4], sizeof random_counts);
        struct tri_program p = {.name = "random",
                                .set_up = random_reset,
                                .threads = {random0, random1, random_counts[2] ? random2 : NULL},
                                .check = random_check};
        struct tri_verdict v;
        found_count = 0;
        p.no_reduction = false;
        tri_explore(&p, &v);
        assert_true(v.complete && !v.failed);
        with += v.executions + v.cut;
        uint32_t reduced = found_count;
        p.no_reduction = true;
        tri_explore(&p, &v);
        assert_true(v.complete && !v.failed);
        without += v.executions;
        assert_int_equal(found_count, reduced);
    }
    printf("  random programs: %llu executions with reduction, %llu without, same outcomes\n",
           (unsigned long long)with, (unsigned long long)without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_programs_have_their_known_outcomes),
        cmocka_unit_test(races_deadlocks_and_lost_updates_are_found),
        cmocka_unit_test(reduction_loses_no_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
