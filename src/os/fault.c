#define _GNU_SOURCE /* registers, dladdr(), dl_iterate_phdr() */
#include "os/fault.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/critical.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
#define WHY_OFF "the address sanitizer handles faults itself"
#elif defined(__SANITIZE_THREAD__) || HAS_FEATURE(thread_sanitizer)
#define WHY_OFF "the thread sanitizer does not follow a jump out of a signal handler"
#elif !defined(__x86_64__) && !defined(__aarch64__)
#define WHY_OFF "fault traps are not written for this processor"
#else
#define WHY_OFF NULL
#endif

const char *tri_fault_off(void)
{
    return WHY_OFF;
}

/* ---- What the kernel says ------------------------------------------------ */

static uintptr_t pc_of(const void *context)
{
    const ucontext_t *uc = context;
#if defined(__x86_64__)
    return (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)uc->uc_mcontext.pc;
#else
    (void)uc;
    return 0;
#endif
}

static uintptr_t frame_of(const void *context)
{
    const ucontext_t *uc = context;
#if defined(__x86_64__)
    return (uintptr_t)uc->uc_mcontext.gregs[REG_RBP];
#elif defined(__aarch64__)
    return (uintptr_t)uc->uc_mcontext.regs[29];
#else
    (void)uc;
    return 0;
#endif
}

/* ---- Whose code is it ---------------------------------------------------- */

/* The build gathers the runtime's code in two sections; the linker names their ends. They are
 * missing where the build did not: then there are no traps either. */
#define BOUND(name) extern const char name[] __attribute__((weak, visibility("hidden")))
BOUND(__start_troupe_text);
BOUND(__stop_troupe_text);
BOUND(__start_troupe_cold);
BOUND(__stop_troupe_cold);

static bool within(uintptr_t at, const char *from, const char *to)
{
    return at >= (uintptr_t)from && at < (uintptr_t)to;
}

static bool in_runtime(uintptr_t pc)
{
    return within(pc, __start_troupe_text, __stop_troupe_text) ||
           within(pc, __start_troupe_cold, __stop_troupe_cold);
}

/* Code that may hold a lock which the whole process needs: the C library, the heap, the loader,
 * the kernel's. A handler is not abandoned there, unless it faults there. */
#define RANGES_MAX 16u
static struct {
    uintptr_t from, to;
} shared_code[RANGES_MAX];
static uint32_t shared_count;
static bool shared_known; /* false: nothing can be told apart, as in a static program */

static void add_range(uintptr_t from, uintptr_t to)
{
    if (shared_count < RANGES_MAX) {
        shared_code[shared_count].from = from;
        shared_code[shared_count++].to = to;
    } else {
        shared_known = false;
    }
}

static bool in_shared(uintptr_t pc)
{
    for (uint32_t i = 0; i < shared_count; i++) {
        if (pc >= shared_code[i].from && pc < shared_code[i].to)
            return true;
    }
    return !shared_known;
}

/* Adds the code of an object if it holds one of the functions at data[0…]; NULL ends them. */
static int look_at_object(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    const uintptr_t *marks = data;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t from = (uintptr_t)(info->dlpi_addr + p->p_vaddr);
        uintptr_t to = from + (uintptr_t)p->p_memsz;
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
            continue;
        for (const uintptr_t *m = marks; *m; m++) {
            if (*m >= from && *m < to) {
                add_range(from, to);
                break;
            }
        }
    }
    return 0;
}

static void find_shared_code(void)
{
    void *own = (void *)(uintptr_t)&tri_fault_off;
    uintptr_t marks[] = {(uintptr_t)dlsym(RTLD_DEFAULT, "malloc"),
                         (uintptr_t)dlsym(RTLD_DEFAULT, "abort"),
                         (uintptr_t)dlsym(RTLD_DEFAULT, "pthread_mutex_lock"),
                         (uintptr_t)dlsym(RTLD_DEFAULT, "clock_gettime"),
                         (uintptr_t)dlsym(RTLD_DEFAULT, "__tls_get_addr"),
                         (uintptr_t)dlsym(RTLD_DEFAULT, "sin"),
                         0};
    Dl_info us, heap;
    shared_known = true;
    for (uint32_t i = 0; marks[i]; i++) {
        /* In the same file as we are, and that is no library: nothing can be told apart. */
        if (dladdr(own, &us) && dladdr((void *)marks[i], &heap) && us.dli_fbase == heap.dli_fbase)
            shared_known = false;
    }
    if (!marks[0] || !marks[1])
        shared_known = false;
    for (uint32_t i = 0, kept = 0; i < TRI_ARRAY_COUNT(marks); i++) {
        if (marks[i])
            marks[kept++] = marks[i];
        if (i + 1 == TRI_ARRAY_COUNT(marks))
            marks[kept] = 0;
    }
    (void)dl_iterate_phdr(look_at_object, marks);
    uintptr_t vdso = (uintptr_t)getauxval(AT_SYSINFO_EHDR);
    if (vdso)
        add_range(vdso, vdso + 4 * 4096u);
}

/* ---- Threads ------------------------------------------------------------- */

struct tri_fault_thread {
    sigjmp_buf *volatile turn; /* where to go; NULL: nowhere, this thread's faults are its own */
    struct tri_fault fault;
    char *stack; /* the alternate one, with a guard page in front; NULL: not prepared */
    size_t stack_size;
    uintptr_t low, high; /* the ordinary stack */
    pthread_t handle;
    TRI_ATOMIC(uint32_t) poked;
    tri_poke_fn fn;
    void *user;
};

static _Thread_local struct tri_fault_thread self __attribute__((tls_model("initial-exec")));

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool ready;

static const int traps[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static struct sigaction before[NSIG];

/* ---- Handlers ------------------------------------------------------------ */

static void by_default(int sig, const siginfo_t *info)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    (void)sigaction(sig, &plain, NULL);
    /* A fault happens again as soon as we return, in its own place. */
    if (info->si_code <= 0)
        (void)raise(sig);
}

/* To whoever was there before us. */
static void chain(int sig, siginfo_t *info, void *context)
{
    const struct sigaction *b = &before[sig];
    if (b->sa_flags & SA_SIGINFO) {
        b->sa_sigaction(sig, info, context);
    } else if (b->sa_handler == SIG_DFL) {
        by_default(sig, info);
    } else if (b->sa_handler == SIG_IGN) {
        if (info->si_code > 0)
            by_default(sig, info); /* As the kernel does with a fault that is ignored. */
    } else {
        b->sa_handler(sig);
    }
}

/* A fault of this thread, not a signal that somebody sent to the process. */
static bool own_fault(const siginfo_t *info)
{
    return info->si_code > 0 || (info->si_code == SI_TKILL && info->si_pid == getpid());
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
    struct tri_fault_thread *t = &self;
    uintptr_t pc = pc_of(context);
    if (!t->turn || tri_critical != 0 || in_runtime(pc) || !own_fault(info)) {
        chain(sig, info, context);
        return;
    }
    sigjmp_buf *turn = t->turn;
    t->turn = NULL; /* First: a fault from here on is ours. */
    uintptr_t address = info->si_code > 0 ? (uintptr_t)info->si_addr : 0;
    /* A frame may have skipped a bit of the guard below the stack. */
    bool stack = sig == SIGSEGV && address < t->low + 4096u && address + 262144u > t->low;
    t->fault = (struct tri_fault){.sig = sig, .stack = stack, .address = address, .pc = pc};
    siglongjmp(*turn, 1);
}

/* Return addresses along the frame pointers, as far as they stay in the stack and go up. */
static void walk(const struct tri_fault_thread *t, uintptr_t frame, struct tri_poke *poke)
{
    uintptr_t below = 0;
    while (poke->count < TRI_POKE_FRAMES && frame > below && frame % sizeof frame == 0 &&
           frame >= t->low && frame < t->high && t->high - frame > 2 * sizeof frame) {
        uintptr_t pair[2];
        memcpy(pair, (const void *)frame, sizeof pair);
        if (pair[1] < 4096u)
            return;
        poke->frames[poke->count++] = pair[1];
        below = frame;
        frame = pair[0];
    }
}

static void on_poke(int sig, siginfo_t *info, void *context)
{
    struct tri_fault_thread *t = &self;
    uintptr_t pc = pc_of(context);
    /* Relaxed: the kernel's delivery orders it after the store of who sent the signal. */
    if (!tri_load(&t->poked, TRI_RELAXED)) {
        /* Not ours; or ours, but sent while the one before was being handled, which took the
         * word for both. By default this signal does nothing, so the default is nothing to fall
         * back to: that would take the signal from us, for good and on every thread. */
        if ((before[sig].sa_flags & SA_SIGINFO) ||
            (before[sig].sa_handler != SIG_DFL && before[sig].sa_handler != SIG_IGN))
            chain(sig, info, context);
        return;
    }
    tri_store(&t->poked, 0u, TRI_RELAXED);
    if (tri_critical != 0 || in_runtime(pc))
        return;
    struct tri_poke poke = {.frames = {pc}, .count = 1, .may_end = t->turn && !in_shared(pc)};
    walk(t, frame_of(context), &poke);
    if (!t->fn(t->user, &poke) || !poke.may_end)
        return;
    sigjmp_buf *turn = t->turn;
    t->turn = NULL;
    t->fault = (struct tri_fault){.pc = pc};
    /* Unlike the traps this signal is held back while it is handled; or a burst of them would
     * always find the handler of the one before. */
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGURG);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    siglongjmp(*turn, 1);
}

static bool take(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | flags};
    action.sa_sigaction = fn;
    (void)sigemptyset(&action.sa_mask);
    return sigaction(sig, NULL, &before[sig]) == 0 && sigaction(sig, &action, NULL) == 0;
}

/* ---- Preparing ----------------------------------------------------------- */

static void free_stack(void *arg)
{
    struct tri_fault_thread *t = arg;
    stack_t none = {.ss_flags = SS_DISABLE};
    (void)sigaltstack(&none, NULL);
    (void)munmap(t->stack, t->stack_size);
    t->stack = NULL;
}

static void prepare_process(void)
{
    if (!__start_troupe_text || pthread_key_create(&key, free_stack) != 0)
        return;
    find_shared_code();
    bool ok = take(SIGURG, on_poke, SA_RESTART);
    for (size_t i = 0; i < TRI_ARRAY_COUNT(traps); i++)
        ok = take(traps[i], on_fault, SA_NODEFER) && ok;
    ready = ok;
}

static void find_stack(struct tri_fault_thread *t)
{
    pthread_attr_t attributes;
    void *low;
    size_t size;
    if (t->high || pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    if (pthread_attr_getstack(&attributes, &low, &size) == 0) {
        t->low = (uintptr_t)low;
        t->high = t->low + size;
    }
    (void)pthread_attr_destroy(&attributes);
}

bool tri_fault_prepare(void)
{
    struct tri_fault_thread *t = &self;
    if (t->stack)
        return true;
    if (WHY_OFF || pthread_once(&once, prepare_process) != 0 || !ready)
        return false;
    find_stack(t);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    long least = sysconf(_SC_MINSIGSTKSZ); /* It grows with the processor's registers. */
    size_t size = 16 * page + (((size_t)(least > 0 ? least : 0) + page - 1) & ~(page - 1));
    char *memory = mmap(NULL, page + size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    stack_t stack = {.ss_sp = memory + page, .ss_size = size};
    t->stack = memory;
    t->stack_size = page + size;
    if (mprotect(memory, page, PROT_NONE) != 0 || pthread_setspecific(key, t) != 0 ||
        sigaltstack(&stack, NULL) != 0) {
        (void)munmap(memory, page + size);
        t->stack = NULL;
        return false;
    }
    return true;
}

bool tri_fault_run(void (*fn)(void *arg), void *arg, struct tri_fault *ret_fault)
{
    struct tri_fault_thread *t = &self;
    if (!t->stack) {
        fn(arg);
        return true;
    }
    TRI_ASSERT(t->turn == NULL);
    sigjmp_buf turn;
    if (sigsetjmp(turn, 0) != 0) {
        *ret_fault = self.fault;
        return false;
    }
    t->turn = &turn;
    fn(arg);
    self.turn = NULL;
    return true;
}

/* ---- Looking at a thread ------------------------------------------------- */

struct tri_fault_thread *tri_fault_thread(tri_poke_fn fn, void *user)
{
    if (WHY_OFF)
        return NULL;
    find_stack(&self);
    self.handle = pthread_self();
    self.fn = fn;
    self.user = user;
    return &self;
}

bool tri_fault_poke(struct tri_fault_thread *thread)
{
    if (!thread || WHY_OFF || pthread_once(&once, prepare_process) != 0 || !ready)
        return false;
    tri_store(&thread->poked, 1u, TRI_RELAXED);
    return pthread_kill(thread->handle, SIGURG) == 0;
}

uint64_t tri_fault_cpu_ns(const struct tri_fault_thread *thread)
{
    clockid_t clock;
    struct timespec used;
    if (!thread || pthread_getcpuclockid(thread->handle, &clock) != 0 ||
        clock_gettime(clock, &used) != 0)
        return 0;
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/* ---- Texts --------------------------------------------------------------- */

static const char *signal_name(int sig)
{
    switch (sig) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGFPE:
        return "SIGFPE";
    case SIGILL:
        return "SIGILL";
    default:
        return "SIGABRT";
    }
}

void tri_fault_place(uintptr_t pc, char *text, size_t size)
{
    Dl_info info;
    if (pc == 0 || !dladdr((void *)pc, &info) || !info.dli_fname) {
        (void)snprintf(text, size, "0x%zx", (size_t)pc);
        return;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    (void)snprintf(text, size, "%s+0x%zx%s%s%s", slash ? slash + 1 : info.dli_fname,
                   (size_t)(pc - (uintptr_t)info.dli_fbase), info.dli_sname ? " (" : "",
                   info.dli_sname ? info.dli_sname : "", info.dli_sname ? ")" : "");
}

void tri_fault_describe(const struct tri_fault *f, char *text, size_t size)
{
    char place[128];
    tri_fault_place(f->pc, place, sizeof place);
    if (f->sig == 0)
        (void)snprintf(text, size, "endless loop, ended at %s", place);
    else if (f->sig == SIGABRT)
        (void)snprintf(text, size, "SIGABRT: failed assertion or abort()");
    else
        (void)snprintf(text, size, "%s%s at address 0x%zx, code at %s", signal_name(f->sig),
                       f->stack ? " (stack overflow)" : "", (size_t)f->address, place);
}
