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
#define MAGIC_SIZE 6u /* of an .xz file */
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

static const char *xz_reason(lzma_ret ret)
{
    return ret == LZMA_DATA_ERROR       ? "its data is corrupt"
           : ret == LZMA_BUF_ERROR      ? "it is cut off"
           : ret == LZMA_FORMAT_ERROR   ? "bytes that are no .xz follow"
           : ret == LZMA_OPTIONS_ERROR  ? "it uses options this decoder does not know"
           : ret == LZMA_MEMLIMIT_ERROR ? "decoding it takes more than 256 MiB"
           : ret == LZMA_MEM_ERROR      ? "memory is short"
                                        : "decoding failed";
}

static long xz_broken(struct file_source *file, lzma_ret ret, struct ord_error *error)
{
    ord_fail(error, "'%s' is a damaged .xz file: %s", file->path, xz_reason(ret));
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

static bool xz_start(struct file_source *file, struct ord_error *error)
{
    file->lzma = (lzma_stream)LZMA_STREAM_INIT;
    if (lzma_stream_decoder(&file->lzma, XZ_MEMORY_MAX, LZMA_CONCATENATED) != LZMA_OK)
        return ord_fail(error, "'%s' cannot be decoded: memory is short", file->path);
    file->xz = true;
    file->lzma.next_in = file->block;
    file->lzma.avail_in = file->kept;
    return true;
}

static uint64_t count_lines(const unsigned char *text, size_t size)
{
    uint64_t lines = 0;
    const unsigned char *end = text + size;
    for (;; lines++, text++) {
        text = memchr(text, '\n', (size_t)(end - text));
        if (!text)
            break;
    }
    return lines;
}

/*
 * Decodes the whole archive once before anything of it is given out. A flipped bit shows only in
 * the checksum at a block's end, and the one block of a usual archive is all of it: without this,
 * orders could be entered that nobody has placed. What is only cut off was good up to there.
 * A pipe cannot be read twice: its damage is found when it is met.
 */
static bool xz_check(struct file_source *file, struct ord_error *error)
{
    unsigned char *scratch = malloc(BLOCK_SIZE);
    uint64_t lines = 0;
    lzma_ret ret = LZMA_OK;
    if (!scratch)
        return ord_fail(error, "memory is short opening '%s'", file->path);
    bool good = xz_start(file, error);
    while (good && ret == LZMA_OK) {
        file->lzma.next_out = scratch;
        file->lzma.avail_out = BLOCK_SIZE;
        long n = 1;
        if (file->lzma.avail_in == 0) {
            n = read_block(file, file->block, BLOCK_SIZE, error);
            good = n >= 0;
            file->lzma.next_in = file->block;
            file->lzma.avail_in = good ? (size_t)n : 0;
        }
        if (good)
            ret = lzma_code(&file->lzma, n > 0 ? LZMA_RUN : LZMA_FINISH);
        lines += count_lines(scratch, BLOCK_SIZE - file->lzma.avail_out);
    }
    if (good && ret != LZMA_STREAM_END && ret != LZMA_BUF_ERROR && ret != LZMA_FORMAT_ERROR)
        good = ord_fail(error,
                        "'%.200s' is a damaged .xz file: %s, found by line %llu; nothing of it "
                        "was entered",
                        file->path, xz_reason(ret), (unsigned long long)lines + 1);
    lzma_end(&file->lzma);
    file->xz = false;
    free(scratch);
    return good;
}

static bool read_start(struct file_source *file, struct ord_error *error)
{
    while (file->kept < MAGIC_SIZE) { /* A pipe may give less than six bytes at once. */
        long n = read_block(file, file->block + file->kept, BLOCK_SIZE - file->kept, error);
        if (n < 0)
            return false;
        if (n == 0)
            break;
        file->kept += (size_t)n;
    }
    return true;
}

static bool xz_open(struct file_source *file, bool regular, struct ord_error *error)
{
    if (regular) {
        if (!xz_check(file, error))
            return false;
        file->kept = 0;
        file->base.done = 0;
        if (lseek(file->fd, 0, SEEK_SET) != 0)
            return ord_fail(error, "'%s' cannot be read twice: %s", file->path, strerror(errno));
        if (!read_start(file, error))
            return false;
    }
    file->base.read = xz_read;
    return xz_start(file, error);
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

    static const unsigned char magic[MAGIC_SIZE] = {0xFD, '7', 'z', 'X', 'Z', 0};
    if (!read_start(file, error))
        return false;
    if (file->kept < MAGIC_SIZE || memcmp(file->block, magic, MAGIC_SIZE) != 0)
        return true;
    return xz_open(file, S_ISREG(st.st_mode), error);
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
