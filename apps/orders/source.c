/* source.c - files, plain or .xz. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_SIZE (128u * 1024u)
/* Most memory the .xz decoder may take: level 9 needs 65 MiB. */
#define XZ_MEMORY_MAX (UINT64_C(256) << 20)

struct file_source {
    struct ord_source base;
    int fd;
    char *path;
    bool xz;
    bool xz_over;
    lzma_stream lzma;
    size_t kept; /* of block: read, but not given out yet (plain files) */
    size_t kept_at;
    unsigned char block[BLOCK_SIZE];
};

static long read_block(struct file_source *file, void *buffer, size_t size, struct ord_error *error)
{
    for (;;) {
        ssize_t n = read(file->fd, buffer, size);
        if (n >= 0) {
            file->base.done += (uint64_t)n;
            return (long)n;
        }
        if (errno != EINTR) {
            ord_fail(error, "'%s' cannot be read: %s", file->path, strerror(errno));
            return -1;
        }
    }
}

static long plain_read(struct ord_source *source, char *buffer, size_t size,
                       struct ord_error *error)
{
    struct file_source *file = (struct file_source *)source;
    if (file->kept == 0)
        return read_block(file, buffer, size, error);
    size_t n = size < file->kept ? size : file->kept;
    memcpy(buffer, file->block + file->kept_at, n);
    file->kept -= n;
    file->kept_at += n;
    return (long)n;
}

static long xz_broken(struct file_source *file, lzma_ret ret, struct ord_error *error)
{
    const char *why = ret == LZMA_DATA_ERROR       ? "its data is corrupt"
                      : ret == LZMA_BUF_ERROR      ? "it is cut off"
                      : ret == LZMA_FORMAT_ERROR   ? "bytes that are no .xz follow"
                      : ret == LZMA_OPTIONS_ERROR  ? "it uses options this decoder does not know"
                      : ret == LZMA_MEMLIMIT_ERROR ? "decoding it takes more than 256 MiB"
                      : ret == LZMA_MEM_ERROR      ? "memory is short"
                                                   : "decoding failed";
    ord_fail(error, "'%s' is a damaged .xz file: %s", file->path, why);
    return -1;
}

static long xz_read(struct ord_source *source, char *buffer, size_t size, struct ord_error *error)
{
    struct file_source *file = (struct file_source *)source;
    file->lzma.next_out = (uint8_t *)buffer;
    file->lzma.avail_out = size;
    while (file->lzma.avail_out == size && !file->xz_over) {
        lzma_action action = LZMA_RUN;
        if (file->lzma.avail_in == 0) {
            long n = read_block(file, file->block, BLOCK_SIZE, error);
            if (n < 0)
                return -1;
            file->lzma.next_in = file->block;
            file->lzma.avail_in = (size_t)n;
            if (n == 0)
                action = LZMA_FINISH;
        }
        lzma_ret ret = lzma_code(&file->lzma, action);
        if (ret == LZMA_STREAM_END)
            file->xz_over = true;
        else if (ret != LZMA_OK && file->lzma.avail_out == size)
            return xz_broken(file, ret, error);
        else if (ret != LZMA_OK)
            break; /* Give out what was good; the next call meets the error again. */
    }
    return (long)(size - file->lzma.avail_out);
}

static void file_close(struct ord_source *source)
{
    struct file_source *file = (struct file_source *)source;
    if (file->xz)
        lzma_end(&file->lzma);
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    free(file);
}

static bool open_checked(struct file_source *file, struct ord_error *error)
{
    struct stat st;
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &st) != 0)
        return ord_fail(error, "'%s' cannot be opened: %s", file->path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return ord_fail(error, "'%s' is a directory, want a CSV file", file->path);
    file->base.total = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;

    static const unsigned char magic[6] = {0xFD, '7', 'z', 'X', 'Z', 0};
    while (file->kept < sizeof(magic)) { /* A pipe may give less than six bytes at once. */
        long n = read_block(file, file->block + file->kept, BLOCK_SIZE - file->kept, error);
        if (n < 0)
            return false;
        if (n == 0)
            break;
        file->kept += (size_t)n;
    }
    if (file->kept < sizeof(magic) || memcmp(file->block, magic, sizeof(magic)) != 0)
        return true;
    file->lzma = (lzma_stream)LZMA_STREAM_INIT;
    if (lzma_stream_decoder(&file->lzma, XZ_MEMORY_MAX, LZMA_CONCATENATED) != LZMA_OK)
        return ord_fail(error, "'%s' cannot be decoded: memory is short", file->path);
    file->xz = true;
    file->lzma.next_in = file->block;
    file->lzma.avail_in = file->kept;
    file->base.read = xz_read;
    return true;
}

struct ord_source *ord_source_open(const char *path, struct ord_error *error)
{
    struct file_source *file = calloc(1, sizeof(*file));
    if (file)
        file->path = strdup(path);
    if (!file || !file->path) {
        free(file);
        ord_fail(error, "memory is short opening '%s'", path);
        return NULL;
    }
    file->fd = -1;
    file->base.read = plain_read;
    file->base.close = file_close;
    if (!open_checked(file, error)) {
        file_close(&file->base);
        return NULL;
    }
    return &file->base;
}

void ord_source_close(struct ord_source *source)
{
    if (source)
        source->close(source);
}
