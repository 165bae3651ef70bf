#include "base/alloc.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/critical.h"

#include <stdlib.h>
#include <string.h>

/* How many allocations may still succeed; negative: no limit. */
static TRI_ATOMIC(int64_t) fail_after = -1;

void tri_alloc_fail_after(int64_t n)
{
    tri_store(&fail_after, n < 0 ? -1 : n, TRI_SEQ_CST);
}

bool tri_alloc_fail_pending(void)
{
    return tri_load(&fail_after, TRI_SEQ_CST) >= 0;
}

bool tri_alloc_allowed(void)
{
    int64_t left = tri_load(&fail_after, TRI_RELAXED);
    while (TRI_UNLIKELY(left >= 0)) {
        /* At 0 the count goes to -1: this one fails and the switch is off again. */
        if (tri_cas_weak(&fail_after, &left, left - 1, TRI_RELAXED, TRI_RELAXED))
            return left != 0;
    }
    return true;
}

void *tri_malloc(size_t size)
{
    if (!tri_alloc_allowed())
        return NULL;
    tri_critical_enter();
    void *p = malloc(size ? size : 1);
    tri_critical_leave();
    return p;
}

void *tri_calloc(size_t count, size_t size)
{
    if (!tri_alloc_allowed())
        return NULL;
    tri_critical_enter();
    void *p = count && size ? calloc(count, size) : calloc(1, 1);
    tri_critical_leave();
    return p;
}

void *tri_realloc(void *p, size_t size)
{
    if (!tri_alloc_allowed())
        return NULL;
    tri_critical_enter();
    void *grown = realloc(p, size ? size : 1);
    tri_critical_leave();
    return grown;
}

void tri_free(void *p)
{
    tri_critical_enter();
    free(p);
    tri_critical_leave();
}

char *tri_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = tri_malloc(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}
