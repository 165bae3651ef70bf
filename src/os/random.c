#include "os/random.h"

#include "base/assert.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/types.h>

void tri_random_bytes(void *buffer, size_t size)
{
    char *at = buffer;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0) {
            /* Weak numbers would be worse than none: there is no way on but EINTR. */
            TRI_ASSERT(errno == EINTR);
            continue;
        }
        at += got;
        size -= (size_t)got;
    }
}

uint64_t tri_random_u64(void)
{
    uint64_t x;
    tri_random_bytes(&x, sizeof x);
    return x;
}
