#include "alloc.h"

#include <sqlite3.h>

static long left = -1, sqlite_left = -1;
static sqlite3_mem_methods usual;

/* Fails once. */
static bool allowed(long *count)
{
    if (*count < 0)
        return true;
    return (*count)-- > 0;
}

void *sim_malloc(size_t size)
{
    return allowed(&left) ? malloc(size) : NULL;
}

void *sim_calloc(size_t count, size_t size)
{
    return allowed(&left) ? calloc(count, size) : NULL;
}

void *sim_realloc(void *memory, size_t size)
{
    return allowed(&left) ? realloc(memory, size) : NULL;
}

char *sim_strdup(const char *text)
{
    return allowed(&left) ? strdup(text) : NULL;
}

void sim_alloc_fail(long n)
{
    left = n;
}

void sim_sqlite_alloc_fail(long n)
{
    sqlite_left = n;
}

bool sim_alloc_pending(void)
{
    return left >= 0 || sqlite_left >= 0;
}

static void *sqlite_malloc(int size)
{
    return allowed(&sqlite_left) ? usual.xMalloc(size) : NULL;
}

static void *sqlite_realloc(void *memory, int size)
{
    return allowed(&sqlite_left) ? usual.xRealloc(memory, size) : NULL;
}

void sim_alloc_install(void)
{
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &usual);
    sqlite3_mem_methods ours = usual;
    ours.xMalloc = sqlite_malloc;
    ours.xRealloc = sqlite_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
}
