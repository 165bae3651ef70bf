/*
 * What the runtime stands on, for the explorer: memory that is the same in every execution,
 * threads that are only noted down, and locks and a clock of the model's.
 */
#include "world.h"

#include "base/alloc.h"
#include "os/clock.h"
#include "os/fault.h"
#include "os/memory.h"
#include "os/random.h"
#include "os/thread.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA_SIZE ((size_t)64 << 20)

static char *arena;
static size_t arena_used;

void world_reset(void)
{
    if (!arena) {
        arena = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (arena == MAP_FAILED)
            abort();
    }
    arena_used = 0;
}

static void *take(size_t size, size_t align)
{
    uintptr_t p = ((uintptr_t)arena + arena_used + align - 1) & ~(uintptr_t)(align - 1);
    arena_used = p + size - (uintptr_t)arena;
    if (arena_used > ARENA_SIZE)
        abort();
    return (void *)p;
}

void *tri_malloc(size_t size)
{
    return take(size, 16);
}

void *tri_calloc(size_t count, size_t size)
{
    return memset(take(count * size, 16), 0, count * size);
}

void *tri_realloc(void *p, size_t size)
{
    void *larger = tri_malloc(size);
    if (p)
        memcpy(larger, p, size); /* Reads past its end, within the arena. */
    return larger;
}

void tri_free(void *p)
{
    (void)p;
}

char *tri_strdup(const char *text)
{
    return strcpy(tri_malloc(strlen(text) + 1), text);
}

/* ---- Pages --------------------------------------------------------------- */

size_t tri_mem_page_size(void)
{
    return 4096;
}

void *tri_mem_map(size_t size, size_t align, bool populate)
{
    (void)populate;
    char *p = take(size, align > 64 ? align : 64);
    /* Large mappings are chunks of blocks, and those begin with what their user writes. */
    memset(p, 0, size > 65536 ? 65536 : size);
    return p;
}

void *tri_mem_reserve(size_t size, size_t align)
{
    return tri_mem_map(size, align, false);
}

bool tri_mem_commit(void *p, size_t size)
{
    (void)p;
    (void)size;
    return true;
}

void tri_mem_populate(void *p, size_t size)
{
    (void)p;
    (void)size;
}

void tri_mem_prefer_huge(void *p, size_t size)
{
    (void)p;
    (void)size;
}

void tri_mem_discard(void *p, size_t size)
{
    memset(p, 0, size);
}

void tri_mem_unmap(void *p, size_t size)
{
    (void)p;
    (void)size;
}

/* ---- Threads ------------------------------------------------------------- */

bool tri_thread_create(struct tri_thread *thread, const char *name, void (*fn)(void *), void *arg)
{
    (void)name;
    thread->fn = fn;
    thread->arg = arg;
    return true;
}

void tri_thread_join(struct tri_thread *thread)
{
    (void)thread;
}

tri_thread_id tri_thread_self(void)
{
    return pthread_self();
}

bool tri_thread_same(tri_thread_id a, tri_thread_id b)
{
    return pthread_equal(a, b) != 0;
}

void tri_thread_yield(void)
{
}

unsigned tri_cpu_count(void)
{
    return 1;
}

void tri_mutex_init(tri_mutex *mutex)
{
    memset(mutex, 0, sizeof *mutex);
}

void tri_mutex_lock(tri_mutex *mutex)
{
    tri_model_lock(mutex);
}

void tri_mutex_unlock(tri_mutex *mutex)
{
    tri_store((TRI_ATOMIC(uint32_t) *)(void *)mutex, 0u, TRI_RELEASE);
}

void tri_mutex_fini(tri_mutex *mutex)
{
    (void)mutex;
}

void tri_cond_init(tri_cond *cond)
{
    (void)cond;
}

void tri_cond_wait(tri_cond *cond, tri_mutex *mutex)
{
    (void)cond;
    (void)mutex;
    abort(); /* Nothing that is explored waits on a condition. */
}

bool tri_cond_wait_for(tri_cond *cond, tri_mutex *mutex, int64_t timeout_ns)
{
    (void)cond;
    (void)mutex;
    (void)timeout_ns;
    abort();
}

void tri_cond_signal(tri_cond *cond)
{
    (void)cond;
}

void tri_cond_broadcast(tri_cond *cond)
{
    (void)cond;
}

void tri_cond_fini(tri_cond *cond)
{
    (void)cond;
}

/* ---- Clock and chance ---------------------------------------------------- */

uint64_t tri_clock_mono_ns(void)
{
    return 1000000000u + tri_model_clock_ns();
}

int64_t tri_clock_wall_us(void)
{
    return 0;
}

uint64_t tri_cycles_per_us(void)
{
    return 1;
}

uint64_t tri_random_u64(void)
{
    return 1;
}

void tri_random_bytes(void *p, size_t size)
{
    memset(p, 1, size);
}

/* ---- A system ------------------------------------------------------------ */

tr_system *world_system(unsigned workers)
{
    tr_system *sys;
    const struct tr_config config = {
        .workers = workers, .actors_max = WORLD_SLOTS, .log = tr_log_none, .offload_threads = 1};
    world_reset();
    if (tr_system_create(&sys, &config))
        abort();
    for (uint32_t i = 0; i < WORLD_SLOTS; i++) {
        struct tri_cell *cell = &sys->slots.cells[i];
        tri_model_word(&cell->pid_bits);
        tri_race_allow(&cell->slot, sizeof cell->slot); /* Constant; written with its value. */
    }
    world_drain(sys);
    return sys;
}

void world_drain(tr_system *sys)
{
    bool again;
    do {
        again = false;
        for (uint32_t i = 0; i < sys->worker_count; i++) {
            while (tri_worker_step(sys->workers[i], 64) != UINT64_MAX)
                again = true;
        }
    } while (again);
}

/* ---- Faults are not trapped: there are no signals in the model ----------- */

const char *tri_fault_off(void)
{
    return "the explorer runs the threads";
}

bool tri_fault_prepare(void)
{
    return false;
}

bool tri_fault_run(void (*fn)(void *arg), void *arg, struct tri_fault *ret_fault)
{
    (void)ret_fault;
    fn(arg);
    return true;
}

void tri_fault_describe(const struct tri_fault *fault, char *text, size_t size)
{
    (void)fault;
    if (size)
        text[0] = '\0';
}

void tri_fault_place(uintptr_t pc, char *text, size_t size)
{
    (void)pc;
    if (size)
        text[0] = '\0';
}

struct tri_fault_thread *tri_fault_thread(tri_poke_fn fn, void *user)
{
    (void)fn;
    (void)user;
    return NULL;
}

bool tri_fault_poke(struct tri_fault_thread *thread)
{
    (void)thread;
    return false;
}

uint64_t tri_fault_cpu_ns(const struct tri_fault_thread *thread)
{
    (void)thread;
    return 0;
}
