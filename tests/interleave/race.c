/*
 * Data races, found by vector clocks. The compiler calls these hooks before every plain access
 * (it thinks that it builds for the thread sanitizer, whose library is not linked).
 */
#include "internal.h"

#include <string.h>

#define WORDS 8192u /* a power of two */

/* When each thread last did what to a byte; 0: never. */
struct byte {
    uint32_t written[TRI_THREADS_MAX], read[TRI_THREADS_MAX];
    uint32_t stored[TRI_THREADS_MAX], loaded[TRI_THREADS_MAX]; /* atomically */
};

struct word {
    uintptr_t address; /* >> 3 */
    uint32_t round;    /* of another execution: empty */
    struct byte bytes[8];
};

static struct word words[WORDS];
static uint32_t round_now, used;

#define ALLOWED_MAX 16u
static struct {
    uintptr_t from, to;
} allowed[ALLOWED_MAX];
static uint32_t allowed_count;

void tri_race_allow(const volatile void *p, size_t size)
{
    if (allowed_count == ALLOWED_MAX)
        tri_step_fail("more than %u ranges allowed to race", ALLOWED_MAX);
    allowed[allowed_count].from = (uintptr_t)p;
    allowed[allowed_count++].to = (uintptr_t)p + size;
}

static bool is_allowed(uintptr_t a)
{
    for (uint32_t i = 0; i < allowed_count; i++) {
        if (a >= allowed[i].from && a < allowed[i].to)
            return true;
    }
    return false;
}

void tri_race_reset(void)
{
    allowed_count = 0;
    round_now++;
    used = 0;
}

static struct word *word_of(uintptr_t address)
{
    uint32_t i = (uint32_t)(address * 2654435761u >> 8) & (WORDS - 1);
    while (words[i].round == round_now && words[i].address != address)
        i = (i + 1) & (WORDS - 1);
    struct word *w = &words[i];
    if (w->round != round_now) {
        if (++used > WORDS / 2)
            tri_step_fail("more than %u words of memory", WORDS / 2);
        memset(w, 0, sizeof *w);
        w->round = round_now;
        w->address = address;
    }
    return w;
}

static bool before(const uint32_t *then, const struct clock *now, uint32_t self)
{
    for (uint32_t t = 0; t < TRI_THREADS_MAX; t++) {
        if (t != self && then[t] > now->of[t])
            return false;
    }
    return true;
}

void tri_race_access(uintptr_t p, size_t size, bool write, bool atomic)
{
    uint32_t self = tri_thread_index();
    const struct clock *now = tri_memory_clock(self);
    for (uintptr_t a = p; a < p + size; a++) {
        if (is_allowed(a))
            continue;
        struct byte *b = &word_of(a >> 3)->bytes[a & 7];
        bool fine = before(b->written, now, self);
        if (write)
            fine = fine && before(b->read, now, self) && (atomic || before(b->loaded, now, self));
        if (!atomic)
            fine = fine && before(b->stored, now, self);
        if (!fine)
            tri_step_fail("data race: %s %s of %zu bytes at %#lx by thread %u",
                          atomic ? "atomic" : "plain", write ? "write" : "read", size,
                          (unsigned long)p, self);
        uint32_t *mark = atomic ? (write ? b->stored : b->loaded) : (write ? b->written : b->read);
        mark[self] = now->of[self];
    }
}

static void plain(void *p, size_t size, bool write)
{
    if (!tri_running())
        return;
    tri_race_access((uintptr_t)p, size, write, false);
    if (write)
        tri_memory_forget((uintptr_t)p, size);
}

/* ---- What the compiler calls --------------------------------------------- */

void __tsan_init(void);
void __tsan_atomic_signal_fence(int);
void __tsan_func_entry(void *);
void __tsan_func_exit(void);
void __tsan_read_range(void *, size_t);
void __tsan_write_range(void *, size_t);
/* Orders nothing between threads. */
void __tsan_atomic_signal_fence(int order)
{
    (void)order;
}

void __tsan_init(void)
{
}
void __tsan_func_entry(void *caller)
{
    (void)caller;
}
void __tsan_func_exit(void)
{
}
void __tsan_read_range(void *p, size_t size)
{
    plain(p, size, false);
}
void __tsan_write_range(void *p, size_t size)
{
    plain(p, size, true);
}

#define HOOKS(size)                            \
    void __tsan_read##size(void *);            \
    void __tsan_write##size(void *);           \
    void __tsan_unaligned_read##size(void *);  \
    void __tsan_unaligned_write##size(void *); \
    void __tsan_read##size(void *p)            \
    {                                          \
        plain(p, size, false);                 \
    }                                          \
    void __tsan_write##size(void *p)           \
    {                                          \
        plain(p, size, true);                  \
    }                                          \
    void __tsan_unaligned_read##size(void *p)  \
    {                                          \
        plain(p, size, false);                 \
    }                                          \
    void __tsan_unaligned_write##size(void *p) \
    {                                          \
        plain(p, size, true);                  \
    }
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)

/* ---- What hooks.h puts in the place of the C library's --------------------- */

void *tri_model_memcpy(void *to, const void *from, size_t size);
void *tri_model_memmove(void *to, const void *from, size_t size);
void *tri_model_memset(void *p, int byte, size_t size);

void *tri_model_memmove(void *to, const void *from, size_t size)
{
    plain((void *)(uintptr_t)from, size, false);
    plain(to, size, true);
    return memmove(to, from, size);
}
void *tri_model_memcpy(void *to, const void *from, size_t size)
{
    return tri_model_memmove(to, from, size);
}
void *tri_model_memset(void *p, int byte, size_t size)
{
    plain(p, size, true);
    return memset(p, byte, size);
}
