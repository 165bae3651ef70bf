/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format on */

#include "base/alloc.h"
#include "os/memory.h"

#include <string.h>

#include <cmocka.h>

#define MIB ((size_t)1 << 20)

static bool all_zero(const char *p, size_t size)
{
    return p[0] == 0 && memcmp(p, p + 1, size - 1) == 0;
}

static void maps_aligned_zeroed_memory(void **state)
{
    (void)state;
    size_t page = tri_mem_page_size();
    assert_true(page >= 4096 && (page & (page - 1)) == 0);
    for (size_t align = 1; align <= 8 * MIB; align *= 2) {
        for (int populate = 0; populate < 2; populate++) {
            size_t size = align % 2 ? 100 : 3 * page + 1;
            char *p = tri_mem_map(size, align, populate);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % align, 0);
            assert_true(all_zero(p, size));
            memset(p, 0xab, size);
            tri_mem_unmap(p, size);
        }
    }
    tri_mem_unmap(NULL, 1);
}

static void refuses_the_impossible(void **state)
{
    (void)state;
    size_t page = tri_mem_page_size();
    assert_null(tri_mem_map(0, page, false));
    assert_null(tri_mem_map(SIZE_MAX, page, false));
    assert_null(tri_mem_map(SIZE_MAX - 2 * page, 2 * MIB, false));
    assert_null(tri_mem_map(SIZE_MAX / 2, page, false));
}

static void counts_as_an_allocation(void **state)
{
    (void)state;
    tri_alloc_fail_after(0);
    assert_null(tri_mem_map(1, 1, false));
    void *p = tri_mem_map(1, 1, false);
    assert_non_null(p);
    tri_mem_unmap(p, 1);
}

static void unmapped_addresses_can_be_mapped_again(void **state)
{
    (void)state;
    /* 4 GiB of addresses per round, and as much cut off: leaking either would use up the 128 TiB
     * that there are. */
    for (int i = 0; i < 40000; i++) {
        void *p = tri_mem_map((size_t)4 << 30, (size_t)4 << 30, false);
        assert_non_null(p);
        tri_mem_unmap(p, (size_t)4 << 30);
    }
}

static void resident_size_follows_use(void **state)
{
    (void)state;
    size_t size = 64 * MIB;
    char *p = tri_mem_map(size, tri_mem_page_size(), false);
    assert_non_null(p);
    uint64_t before = tri_mem_rss_bytes();
    assert_true(before > 0);
    memset(p, 1, size);
    uint64_t used = tri_mem_rss_bytes();
    assert_true(used >= before + 60 * MIB);
    tri_mem_discard(p, size);
    assert_true(tri_mem_rss_bytes() + 60 * MIB <= used);
    assert_true(all_zero(p, MIB));
    tri_mem_unmap(p, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_aligned_zeroed_memory),
        cmocka_unit_test(refuses_the_impossible),
        cmocka_unit_test(counts_as_an_allocation),
        cmocka_unit_test(unmapped_addresses_can_be_mapped_again),
        cmocka_unit_test(resident_size_follows_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
