/* Message memory: blocks that go home from other workers, one list for all who return. */
#include "harness.h"

#include "core/pool.h"
#include "world.h"

#define BLOCKS 4

static tr_system *sys;
static struct tri_pool *home, *others[2];
static char *blocks[BLOCKS];
static uint32_t got;
static TRI_ATOMIC(uint32_t) handed; /* so many blocks were handed over */

/* The owner's pool with `count` blocks of one class out, none free and no fresh memory. */
static void reset_with(uint32_t count)
{
    sys = world_system(3);
    home = &sys->workers[0]->ctx.pool;
    others[0] = &sys->workers[1]->ctx.pool;
    others[1] = &sys->workers[2]->ctx.pool;
    for (uint32_t i = 0; i < count; i++)
        blocks[i] = tri_pool_get(home, 0, false);
    home->fresh_end[0] = home->fresh[0];
    home->free[0] = NULL;
    sys->limit.bytes_max = 0; /* Nothing new: only what comes home. */
    got = 0;
    tri_store(&handed, 0u, TRI_RELAXED);
}
static void reset(void)
{
    reset_with(BLOCKS);
}

/* Uses a block plainly, as a handler does, and frees it far from home. */
static void give(struct tri_pool *pool, uint32_t index)
{
    memset(blocks[index], (int)index, 64);
    tri_pool_put(pool, blocks[index], home->owner, 0);
}
static void giver0(void) /* a batch of two goes home by itself */
{
    give(others[0], 0);
    give(others[0], 1);
}
static void giver1(void)
{
    give(others[1], 2);
    give(others[1], 3);
}
static void flusher1(void) /* one block, sent home before its worker sleeps */
{
    give(others[1], 2);
    tri_pool_flush(others[1]);
}
static void get_one(void)
{
    char *block = tri_pool_get(home, 0, false);
    if (!block)
        return;
    memset(block, 0xaa, 64);
    got++;
}
static void getter(void)
{
    get_one();
    get_one();
}
/* A message to another worker, whose block comes back while the owner looks for one. */
static void sender(void)
{
    memset(blocks[0], 1, 64);
    tri_store(&handed, 1u, TRI_RELEASE);
    get_one();
}
static void receiver(void)
{
    if (!tri_load(&handed, TRI_ACQUIRE))
        return;
    give(others[0], 0);
    tri_pool_flush(others[0]);
}

static uint32_t left_at_home(void)
{
    uint32_t count = 0;
    tri_pool_flush(others[0]);
    tri_pool_flush(others[1]);
    for (char *p; (p = tri_pool_get(home, 0, false)); count++)
        TRI_EXPECT(count < BLOCKS);
    return count;
}
static void four_came_home(void)
{
    TRI_EXPECT(got + left_at_home() == 4);
}
static void three_came_home(void)
{
    TRI_EXPECT(got + left_at_home() == 3);
}
static void at_most_one(void)
{
    TRI_EXPECT(got + left_at_home() <= 1);
}

static const struct tri_program give_and_get = {
    .name = "pool: a batch comes home", .set_up = reset, .threads = {getter, giver0}};
static const struct tri_program two_give = {.name = "pool: two give, the owner takes",
                                            .set_up = reset,
                                            .threads = {getter, giver0, giver1},
                                            .check = four_came_home};
static const struct tri_program one_flushes = {.name = "pool: a batch and a flush",
                                               .set_up = reset,
                                               .threads = {getter, giver0, flusher1},
                                               .check = three_came_home};
static const struct tri_program there_and_back = {.name = "pool: there and back",
                                                  .set_up = reset,
                                                  .threads = {sender, receiver},
                                                  .check = at_most_one};

static void every_block_comes_home_once(void **state)
{
    static const struct tri_program *const programs[] = {&give_and_get, &two_give, &one_flushes,
                                                         &there_and_back, NULL};
    (void)state;
    for (int i = 0; programs[i]; i++)
        explore_clean(programs[i]);
}

static void a_weaker_order_is_found(void **state)
{
    static const struct tri_program *const programs[] = {&two_give, &there_and_back, NULL};
    (void)state;
    explore_weakened(programs, NULL);
}

/* ---- Slabs -------------------------------------------------------------------- */

static struct tri_filler filler;

/* Two blocks of an open slab with the two others, and no other slab to be had. */
static void reset_slab(void)
{
    reset_with(0);
    sys->limit.bytes_max = UINT64_MAX;
    memset(&filler, 0, sizeof filler);
    for (uint32_t i = 0; i < 2; i++)
        blocks[i] = tri_pool_fill(home, &filler, 64);
    home->fresh_end[TRI_SLAB_CLASS] = home->fresh[TRI_SLAB_CLASS];
    home->free[TRI_SLAB_CLASS] = NULL;
    sys->limit.bytes_max = 0;
}
static void empty_one(struct tri_pool *pool, uint32_t index)
{
    memset(blocks[index], (int)index, 64);
    tri_pool_empty(pool, blocks[index]);
    tri_pool_flush(pool);
}
static void emptier0(void)
{
    empty_one(others[0], 0);
}
static void emptier1(void)
{
    empty_one(others[1], 1);
}
/* Ends the slab, and uses it for something else if it is back. */
static void ender(void)
{
    tri_pool_fill_end(home, &filler);
    char *slab = tri_pool_get(home, TRI_SLAB_CLASS, false);
    if (!slab)
        return;
    memset(slab, 0xaa, 256); /* The header and both blocks. */
    got++;
}
static void one_slab_came_home(void)
{
    while (tri_pool_get(home, TRI_SLAB_CLASS, false))
        TRI_EXPECT(++got <= 1);
    TRI_EXPECT(got == 1);
}

static void a_slab_comes_home_once(void **state)
{
    static const struct tri_program slab = {.name = "pool: a slab that two empty",
                                            .set_up = reset_slab,
                                            .threads = {ender, emptier0, emptier1},
                                            .check = one_slab_came_home};
    static const struct tri_program *const programs[] = {&slab, NULL};
    (void)state;
    explore_clean(&slab);
    explore_weakened(programs, NULL);
}

/* ---- The cap ------------------------------------------------------------------ */

static void reset_capped(void)
{
    reset_with(0);
    sys->limit.bytes_max = tri_load(&sys->limit.bytes, TRI_RELAXED) + TRI_POOL_CHUNK;
}
static void take_chunk_of(struct tri_pool *pool)
{
    char *block = tri_pool_get(pool, 1, false);
    if (block) {
        memset(block, 1, 128);
        (void)tri_fetch_add(&handed, 1u, TRI_RELAXED);
    }
}
static void taker0(void)
{
    take_chunk_of(others[0]);
}
static void taker1(void)
{
    take_chunk_of(others[1]);
}
static void within_the_cap(void)
{
    TRI_EXPECT(tri_load(&sys->limit.bytes, TRI_RELAXED) <= sys->limit.bytes_max);
    TRI_EXPECT(tri_load(&handed, TRI_RELAXED) <= 1);
}

static void the_cap_holds(void **state)
{
    const struct tri_program p = {.name = "pool: two want the last chunk",
                                  .set_up = reset_capped,
                                  .threads = {taker0, taker1},
                                  .check = within_the_cap};
    (void)state;
    explore_clean(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_comes_home_once),
        cmocka_unit_test(a_weaker_order_is_found),
        cmocka_unit_test(a_slab_comes_home_once),
        cmocka_unit_test(the_cap_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
