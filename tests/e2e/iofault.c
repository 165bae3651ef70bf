/*
 * iofault.c - preloaded into a program under test: makes its n-th operation on a database file
 * (positioned write, truncate, sync) the last one, or lets it and all after it fail.
 *
 *   IOFAULT=kill:N    the process dies before the operation
 *   IOFAULT=torn:N    it dies after half of the write
 *   IOFAULT=enospc:N  no space left on the device from then on;  eio:N  I/O errors
 *   IOFAULT_COUNT=F   writes the number of operations into file F when the program ends
 */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static enum { COUNT, KILL, TORN, ENOSPC_, EIO_ } mode;
static long limit;
static atomic_long operations;

static void write_count(void)
{
    FILE *file = fopen(getenv("IOFAULT_COUNT"), "w");
    if (file) {
        fprintf(file, "%ld\n", atomic_load(&operations));
        fclose(file);
    }
}

__attribute__((constructor)) static void start(void)
{
    const char *plan = getenv("IOFAULT");
    static const char *const names[] = {"count:", "kill:", "torn:", "enospc:", "eio:"};
    for (int i = KILL; plan && i <= EIO_; i++)
        if (strncmp(plan, names[i], strlen(names[i])) == 0) {
            mode = i;
            limit = atol(plan + strlen(names[i]));
        }
    if (getenv("IOFAULT_COUNT"))
        atexit(write_count);
}

/* True if the operation has to fail, with errno set. */
static int fails(void)
{
    long number = atomic_fetch_add(&operations, 1) + 1;
    if (mode == COUNT || mode == TORN || number < limit)
        return 0;
    if (mode == KILL)
        kill(getpid(), SIGKILL);
    errno = mode == EIO_ ? EIO : ENOSPC;
    return 1;
}

/* The build hides what is not said to be seen. */
#pragma GCC visibility push(default)

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))

typedef ssize_t (*write_fn)(int, const void *, size_t, off_t);

static ssize_t faulty_write(write_fn next, int fd, const void *data, size_t size, off_t at)
{
    if (fails())
        return -1;
    if (mode == TORN && atomic_load(&operations) >= limit) {
        next(fd, data, size / 2, at);
        kill(getpid(), SIGKILL);
    }
    return next(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at);
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at)
{
    return faulty_write(NEXT(write_fn, "pwrite64"), fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    return faulty_write(NEXT(write_fn, "pwrite"), fd, data, size, at);
}

int fdatasync(int fd)
{
    return fails() ? -1 : NEXT(int (*)(int), "fdatasync")(fd);
}

int fsync(int fd)
{
    return fails() ? -1 : NEXT(int (*)(int), "fsync")(fd);
}

int ftruncate64(int fd, off_t size);
int ftruncate64(int fd, off_t size)
{
    return fails() ? -1 : NEXT(int (*)(int, off_t), "ftruncate64")(fd, size);
}

int ftruncate(int fd, off_t size)
{
    return fails() ? -1 : NEXT(int (*)(int, off_t), "ftruncate")(fd, size);
}

#pragma GCC visibility pop
