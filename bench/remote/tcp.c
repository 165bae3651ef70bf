/*
 * tcp.c - raw TCP, for the benchmark between nodes: what the machine takes.
 *   bench_remote_tcp serve ADDRESS
 *   bench_remote_tcp run ADDRESS     then lines on standard input:
 *       stream SIZE PAIRS COUNT    COUNT messages of SIZE bytes in writes of 64 KiB
 *       ask SIZE PAIRS COUNT       COUNT round trips of SIZE bytes, a thread at each end
 *       relay SIZE PAIRS COUNT     the same by way of a second thread at each end, as between an
 *                                  I/O thread and a worker
 * Prints "end SECONDS COUNT". SIZE 0 counts as 1; PAIRS is not used.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/futex.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (64u << 10)

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- Whole reads and writes ------------------------------------------------------------------ */

static bool read_all(int fd, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = read(fd, (char *)data + done, size - done);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static void write_all(int fd, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, (const char *)data + done, size - done);
        if (n <= 0)
            die("write");
        done += (size_t)n;
    }
}

/* ---- From thread to thread ------------------------------------------------------------------- */

/* One value is under way: whoever waits sleeps in the kernel, as an idle worker does. */
struct baton {
    _Atomic uint32_t turn;
};

static void baton_wait(struct baton *baton, uint32_t turn)
{
    uint32_t now;
    while ((now = atomic_load(&baton->turn)) != turn)
        syscall(SYS_futex, &baton->turn, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
}

static void baton_pass(struct baton *baton, uint32_t turn)
{
    atomic_store(&baton->turn, turn);
    syscall(SYS_futex, &baton->turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

enum { IO = 1, WORKER = 2, STOP = 3 };

/* The worker of the server: hands back whatever it gets. */
static void *answer(void *arg)
{
    struct baton *baton = arg;
    for (;;) {
        uint32_t turn;
        while ((turn = atomic_load(&baton->turn)) == IO)
            syscall(SYS_futex, &baton->turn, FUTEX_WAIT_PRIVATE, IO, NULL, NULL, 0);
        if (turn == STOP)
            return NULL;
        baton_pass(baton, IO);
    }
}

/* The I/O thread of the client: sends when told, reads, tells. */
struct line {
    struct baton baton;
    int fd;
    char *data;
    uint64_t size;
};

static void *carry(void *arg)
{
    struct line *line = arg;
    for (;;) {
        uint32_t turn;
        while ((turn = atomic_load(&line->baton.turn)) == WORKER)
            syscall(SYS_futex, &line->baton.turn, FUTEX_WAIT_PRIVATE, WORKER, NULL, NULL, 0);
        if (turn == STOP)
            return NULL;
        write_all(line->fd, line->data, line->size);
        if (!read_all(line->fd, line->data, line->size))
            die("read");
        baton_pass(&line->baton, WORKER);
    }
}

/* ---- Server ------------------------------------------------------------------------------------ */

struct head {
    char what; /* of the workload */
    uint64_t size, count;
};

static void serve_one(int fd)
{
    static char data[CHUNK];
    struct head head;
    while (read_all(fd, &head, sizeof head)) {
        if (head.what == 's') {
            for (uint64_t left = head.size * head.count; left > 0;) {
                ssize_t n = read(fd, data, left < CHUNK ? left : CHUNK);
                if (n <= 0)
                    return;
                left -= (uint64_t)n;
            }
            write_all(fd, "done", 4);
            continue;
        }
        struct baton baton = {IO};
        pthread_t worker;
        bool relay = head.what == 'r';
        if (relay && pthread_create(&worker, NULL, answer, &baton))
            die("pthread_create");
        for (uint64_t i = 0; i < head.count; i++) {
            if (!read_all(fd, data, head.size))
                return;
            if (relay) {
                baton_pass(&baton, WORKER);
                baton_wait(&baton, IO);
            }
            write_all(fd, data, head.size);
        }
        if (relay) {
            baton_pass(&baton, STOP);
            pthread_join(worker, NULL);
        }
    }
}

static struct sockaddr_in address_of(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64];
    const char *colon = strrchr(text, ':');
    snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - text) : 0, text);
    if (!colon || inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        fprintf(stderr, "bench_remote_tcp: '%s' is no address\n", text);
        exit(2);
    }
    address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    return address;
}

static void no_delay(int fd)
{
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)))
        die("TCP_NODELAY");
}

static void serve(const char *text)
{
    struct sockaddr_in address = address_of(text);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) ||
        bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 8))
        die(text);
    printf("ready %s\n", text);
    fflush(stdout);
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        die("accept");
    no_delay(fd);
    serve_one(fd);
}

/* ---- Client ------------------------------------------------------------------------------------ */

static void stream(int fd, const struct head *head, const char *data)
{
    char done[4];
    for (uint64_t left = head->size * head->count; left > 0;) {
        uint64_t n = left < CHUNK ? left : CHUNK;
        write_all(fd, data, n);
        left -= n;
    }
    if (!read_all(fd, done, sizeof done))
        die("read");
}

static void trips(int fd, const struct head *head, char *data)
{
    struct line line = {{WORKER}, fd, data, head->size};
    pthread_t io;
    if (head->what == 'r' && pthread_create(&io, NULL, carry, &line))
        die("pthread_create");
    for (uint64_t i = 0; i < head->count; i++) {
        if (head->what == 'r') {
            baton_pass(&line.baton, IO);
            baton_wait(&line.baton, WORKER);
            continue;
        }
        write_all(fd, data, head->size);
        if (!read_all(fd, data, head->size))
            die("read");
    }
    if (head->what == 'r') {
        baton_pass(&line.baton, STOP);
        pthread_join(io, NULL);
    }
}

static void run(const char *text)
{
    static char data[CHUNK];
    struct sockaddr_in address = address_of(text);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char line[200], workload[32];
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        die(text);
    no_delay(fd);
    printf("ready -\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        struct head head;
        unsigned long size, count;
        memset(&head, 0, sizeof head);
        if (sscanf(line, "%31s %lu %*u %lu", workload, &size, &count) != 3 || size > CHUNK) {
            fprintf(stderr, "bench_remote_tcp: cannot make sense of %s", line);
            exit(2);
        }
        head.what = workload[0];
        head.size = size ? size : 1;
        head.count = count;
        double began = seconds();
        write_all(fd, &head, sizeof head);
        if (head.what == 's')
            stream(fd, &head, data);
        else
            trips(fd, &head, data);
        printf("end %.9f %lu\n", seconds() - began, count);
        fflush(stdout);
    }
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "serve") == 0) {
        serve(argv[2]);
    } else if (argc == 3 && strcmp(argv[1], "run") == 0) {
        run(argv[2]);
    } else {
        fputs("usage: bench_remote_tcp serve ADDRESS | run ADDRESS\n", stderr);
        return 2;
    }
    return 0;
}
