/*
 * limits.c - bench_limits: what the hardware and the allocator take, for scale. Prints
 * one line "NAME ns" each: an uncontended atomic exchange, a malloc and free pair of 64
 * bytes, the step of computation that the workload `parallel` repeats, and the first touch
 * of a page.
 *
 * bench_limits --touch MIB writes to so much memory and gives it back. The hypervisor of a
 * virtual machine may take free memory away; who touches it next waits until it is back, and
 * that is to be nobody who is measured.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define ROUNDS 20000000u
#define BLOCK_SIZE 64u
#define PAGE 4096u
#define PAGES 16384u
#define TOUCH_MIB_MAX 65536u

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double exchange_ns(void)
{
    static _Atomic uint64_t cell;
    double began = now_ns();
    for (uint64_t i = 0; i < ROUNDS; i++)
        atomic_exchange_explicit(&cell, i, memory_order_acq_rel);
    return (now_ns() - began) / ROUNDS;
}

static double malloc_ns(void)
{
    /* Volatile, or the compiler drops the pair. */
    void *volatile block;
    double began = now_ns();
    for (uint64_t i = 0; i < ROUNDS; i++) {
        block = malloc(BLOCK_SIZE);
        free(block);
    }
    return (now_ns() - began) / ROUNDS;
}

static double step_ns(void)
{
    volatile uint64_t start = 1;
    uint64_t value = start;
    double began = now_ns();
    for (uint64_t i = 0; i < ROUNDS; i++)
        value = (value * 1664525u + 1013904223u) & 0xffffffffu;
    start = value;
    return (now_ns() - began) / ROUNDS;
}

/* Writes to every page of fresh memory, and unmaps it; nanoseconds a page, below 0: no memory. */
static double touch_ns(size_t pages, int advice)
{
    char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return -1;
    (void)madvise(p, pages * PAGE, advice);
    double began = now_ns();
    for (size_t i = 0; i < pages; i++)
        ((volatile char *)p)[i * PAGE] = 1;
    double took = now_ns() - began;
    munmap(p, pages * PAGE);
    return took / (double)pages;
}

static int touch(const char *text)
{
    char *end;
    unsigned long mib = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0' || mib == 0 || mib > TOUCH_MIB_MAX) {
        fprintf(stderr, "bench_limits: --touch is \"%s\", want 1 to %u MiB\n", text, TOUCH_MIB_MAX);
        return 2;
    }
    return touch_ns((size_t)mib * 256, MADV_HUGEPAGE) < 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--touch") == 0)
        return touch(argv[2]);
    if (argc != 1) {
        fprintf(stderr, "usage: bench_limits [--touch MIB]\n");
        return 2;
    }
    printf("xchg %.4f\nmalloc %.4f\nstep %.4f\n", exchange_ns(), malloc_ns(), step_ns());
    printf("page %.1f\n", touch_ns(PAGES, MADV_NOHUGEPAGE));
    return 0;
}
