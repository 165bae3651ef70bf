/* fuzz_source.c - files of any bytes, as .xz or plain: the reader ends, with an error or not, and
 * what is no archive comes out as it went in. */
#define _GNU_SOURCE
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#define OUT_MAX (8u << 20) /* a small archive may unpack to very much */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char buffer[65536];
    char path[64];
    struct ord_error error = {.text = ""};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    HOLDS(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct ord_source *source = ord_source_open(path, &error);
    HOLDS(source || error.text[0] != '\0');
    bool plain = size < 6 || memcmp(data,
                                    "\xFD"
                                    "7zXZ",
                                    6) != 0;
    HOLDS(source || !plain);
    size_t given = 0;
    long n = source ? 1 : 0;
    while (n > 0 && given < OUT_MAX) {
        n = source->read(source, buffer, sizeof(buffer), &error);
        HOLDS(n <= (long)sizeof(buffer));
        if (n > 0 && plain)
            HOLDS(given + (size_t)n <= size && memcmp(data + given, buffer, (size_t)n) == 0);
        given += n > 0 ? (size_t)n : 0;
    }
    HOLDS(n >= 0 || error.text[0] != '\0');
    HOLDS(!plain || given == size);
    ord_source_close(source);
    close(fd);
    return 0;
}
