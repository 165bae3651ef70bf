/* The spin lock itself, spinning; elsewhere it is one step of the explorer. */
#undef TRI_MODEL_SPIN
#include "harness.h"

#include "os/spin.h"

static struct tri_spin lock;
static uint32_t counter;

void tri_thread_yield(void)
{
}

static void reset(void)
{
    tri_spin_init(&lock);
    counter = 0;
}
static void count_once(void)
{
    tri_spin_lock(&lock);
    counter++;
    tri_spin_unlock(&lock);
}
static void count_twice(void)
{
    count_once();
    count_once();
}
static void try_once(void)
{
    if (tri_spin_try_lock(&lock)) {
        counter++;
        tri_spin_unlock(&lock);
    }
}
static void free_again(void)
{
    TRI_EXPECT(tri_load(&lock.held, TRI_RELAXED) == 0);
    TRI_EXPECT(counter >= 2 && counter <= 4);
}

static const struct tri_program two = {.name = "spin lock: two threads",
                                       .set_up = reset,
                                       .threads = {count_twice, count_twice},
                                       .check = free_again};
static const struct tri_program three = {.name = "spin lock: two threads and a try",
                                         .set_up = reset,
                                         .threads = {count_once, count_once, try_once},
                                         .check = free_again};

static void one_at_a_time(void **state)
{
    (void)state;
    explore_clean(&two);
    explore_clean(&three);
}

static void a_weaker_order_is_found(void **state)
{
    static const struct tri_program *const programs[] = {&two, &three, NULL};
    (void)state;
    explore_weakened(programs, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(a_weaker_order_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
