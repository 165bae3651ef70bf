/*
 * limits.c - bench_limits: what the hardware and the allocator take, for scale. Prints
 * one line "NAME ns" each: an uncontended atomic exchange, a malloc and free pair of 64
 * bytes, and the step of computation that the workload `parallel` repeats.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 20000000u
#define BLOCK_SIZE 64u

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

int main(void)
{
    printf("xchg %.4f\nmalloc %.4f\nstep %.4f\n", exchange_ns(), malloc_ns(), step_ns());
    return 0;
}
