/* The simulated disk: what was synced survives any crash, in order and without gaps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/disk.h"

struct seen {
    uint64_t count;
};

static tr_err count_entry(void *user, uint64_t sequence, const void *data, size_t size)
{
    struct seen *seen = user;
    assert_int_equal(size, sizeof sequence);
    assert_memory_equal(data, &sequence, size);
    assert_int_equal(sequence, ++seen->count);
    return TR_OK;
}

static uint64_t entries_of(const struct tri_store *store)
{
    struct seen seen = {0};
    assert_int_equal(store->replay(store->self, "orders", 1, count_entry, &seen), TR_OK);
    return seen.count;
}

/* A writer that counts on what was synced, and starts again after each crash with what is there.
 * Returns how many crashes it saw. */
static unsigned write_through_crashes(uint64_t seed, unsigned *ret_lost)
{
    struct tri_sim *sim = tri_sim_create(&(struct tri_sim_options){.seed = seed});
    struct tri_sim_disk_faults faults = {30, 30, 30};
    struct tri_sim_disk *disk = tri_sim_disk_create(sim, &faults);
    struct tri_store store = tri_sim_disk_store(disk);
    uint64_t next = 1, promised = 0;
    unsigned crashes = 0;
    for (unsigned step = 0; step < 400; step++) {
        tr_err err = store.append(store.self, "orders", next, &next, sizeof next);
        if (!err)
            next++;
        if (!err && step % 3 == 0 && store.sync(store.self) == TR_OK)
            promised = next - 1;
        if (!tri_sim_disk_crashed(disk))
            continue;
        crashes++;
        tri_sim_disk_restart(disk);
        uint64_t there = entries_of(&store);
        assert_true(there >= promised && there <= next);
        *ret_lost += there + 1 < next;
        next = there + 1;
        promised = there; /* What a crash leaves is on the disk. */
    }
    tri_sim_disk_destroy(disk);
    tri_sim_finish(sim, NULL);
    tri_sim_destroy(sim);
    return crashes;
}

static void synced_entries_survive(void **state)
{
    (void)state;
    unsigned crashes = 0, lost = 0;
    for (uint64_t seed = 1; seed <= 50; seed++)
        crashes += write_through_crashes(seed, &lost);
    assert_true(crashes > 200);
    assert_true(lost > 50);
}

static void gaps_are_refused(void **state)
{
    (void)state;
    struct tri_sim *sim = tri_sim_create(&(struct tri_sim_options){.seed = 1});
    struct tri_sim_disk *disk = tri_sim_disk_create(sim, NULL);
    struct tri_store store = tri_sim_disk_store(disk);
    uint64_t n = 1;
    assert_int_equal(store.append(store.self, "orders", 2, &n, sizeof n), TR_EINVAL);
    assert_int_equal(store.append(store.self, "orders", 1, &n, sizeof n), TR_OK);
    assert_int_equal(store.append(store.self, "others", 1, &n, sizeof n), TR_OK);
    assert_int_equal(store.append(store.self, "orders", 1, &n, sizeof n), TR_EINVAL);
    assert_int_equal(store.sync(store.self), TR_OK);
    tri_sim_disk_crash(disk);
    assert_int_equal(store.sync(store.self), TR_EIO);
    tri_sim_disk_restart(disk);
    assert_int_equal(entries_of(&store), 1);
    tri_sim_disk_destroy(disk);
    tri_sim_finish(sim, NULL);
    tri_sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synced_entries_survive),
        cmocka_unit_test(gaps_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
