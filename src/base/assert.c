#include "base/assert.h"

#include "base/critical.h"

#include <stdio.h>
#include <stdlib.h>

void tri_assert_fail(const char *what, const char *file, int line, const char *func)
{
    (void)fprintf(stderr, "%s:%d: %s: assertion failed: %s\n", file, line, func, what);
    (void)fflush(stderr);
    tri_critical_enter(); /* The runtime itself is broken: that ends the process, always. */
    abort();
}
