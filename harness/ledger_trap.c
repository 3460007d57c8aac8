/*
 * A filter, a handler and a table of sums. Leaves out unwinding: the caller is not looked at. The
 * same filter by address of the instruction as in the kernel's selftests of seccomp.
 */
#define _GNU_SOURCE
#include "harness/ledger_trap.h"

#include "harness/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* --- The one instruction that is let through. --- */

/* ledger_trap_again(number, six arguments) makes the call; ledger_trap_passed is the address behind
 * its instruction, which is what the filter is told. */
#if defined(__x86_64__) && defined(__LP64__)
#define HAVE_TRAP      1
#define OUR_AUDIT_ARCH AUDIT_ARCH_X86_64
__asm__(".pushsection .text\n"
        ".globl ledger_trap_again\n"
        ".hidden ledger_trap_again\n"
        ".type ledger_trap_again, @function\n"
        "ledger_trap_again:\n"
        "    endbr64\n"
        "    movq %rdi, %rax\n"
        "    movq %rsi, %rdi\n"
        "    movq %rdx, %rsi\n"
        "    movq %rcx, %rdx\n"
        "    movq %r8, %r10\n"
        "    movq %r9, %r8\n"
        "    movq 8(%rsp), %r9\n"
        "    syscall\n"
        ".globl ledger_trap_passed\n"
        ".hidden ledger_trap_passed\n"
        "ledger_trap_passed:\n"
        "    ret\n"
        ".size ledger_trap_again, . - ledger_trap_again\n"
        ".popsection\n");

/* Where the kernel looks for an argument, and where it puts the result. */
static const int argument_registers[LEDGER_ARGUMENTS] = {REG_RDI, REG_RSI, REG_RDX,
                                                         REG_R10, REG_R8,  REG_R9};

static uint64_t get_argument(const ucontext_t *context, size_t index)
{
    return (uint64_t)context->uc_mcontext.gregs[argument_registers[index]];
}

static void set_result(ucontext_t *context, int64_t result)
{
    context->uc_mcontext.gregs[REG_RAX] = result;
}
#elif defined(__aarch64__) && defined(__LP64__) && !defined(__AARCH64EB__)
#define HAVE_TRAP      1
#define OUR_AUDIT_ARCH AUDIT_ARCH_AARCH64
__asm__(".pushsection .text\n"
        ".globl ledger_trap_again\n"
        ".hidden ledger_trap_again\n"
        ".type ledger_trap_again, %function\n"
        "ledger_trap_again:\n"
        "    hint #34\n" /* bti c */
        "    mov x8, x0\n"
        "    mov x0, x1\n"
        "    mov x1, x2\n"
        "    mov x2, x3\n"
        "    mov x3, x4\n"
        "    mov x4, x5\n"
        "    mov x5, x6\n"
        "    svc #0\n"
        ".globl ledger_trap_passed\n"
        ".hidden ledger_trap_passed\n"
        "ledger_trap_passed:\n"
        "    ret\n"
        ".size ledger_trap_again, . - ledger_trap_again\n"
        ".popsection\n");

static uint64_t get_argument(const ucontext_t *context, size_t index)
{
    return context->uc_mcontext.regs[index];
}

static void set_result(ucontext_t *context, int64_t result)
{
    context->uc_mcontext.regs[0] = (uint64_t)result;
}
#endif

/* Of the main program or of a library that was there at its start: no access of it allocates. */
static _Thread_local struct ledger_thread this_thread __attribute__((tls_model("initial-exec")));

const struct ledger_thread *ledger_trap_thread(void)
{
    return &this_thread;
}

/* --- A call that does nothing. --- */

enum { MEASURED_CALLS = 101 };

/* Advice on no bytes: the kernel looks at its arguments and returns. */
static uint64_t time_empty_call(void)
{
    const uint64_t begin_ns = clock_monotonic_ns();

    syscall(SYS_madvise, 0, 0, MADV_NORMAL);
    return clock_monotonic_ns() - begin_ns;
}

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

static uint64_t median_of(uint64_t *values)
{
    qsort(values, MEASURED_CALLS, sizeof values[0], compare); /* below 1 KiB it takes no memory */
    return values[MEASURED_CALLS / 2];
}

uint64_t ledger_trap_measure_plain(void)
{
    static uint64_t plain[MEASURED_CALLS];

    for (size_t i = 0; i < MEASURED_CALLS; i++)
        plain[i] = time_empty_call();
    return median_of(plain);
}

#ifdef HAVE_TRAP
int64_t ledger_trap_again(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                          uint64_t f);
extern const char ledger_trap_passed[];

/* --- The sums. --- */

struct slot {
    _Atomic uint64_t key; /* 0: free; written once */
    _Atomic uint64_t count, failed, bytes, old_bytes, net_bytes, time_ns, longest_ns;
};

static struct {
    uint64_t page_bytes;
    _Atomic uint64_t break_address;
    struct slot slots[LEDGER_LINES];
} ledger;

static uint64_t key_of(enum ledger_call call, uint32_t kind)
{
    return ((uint64_t)call + 1) << 32 | kind;
}

/* The slot of a kind, which is taken at its first call. Looks at LEDGER_KINDS at most. */
static struct slot *find_slot(enum ledger_call call, uint32_t kind)
{
    const uint64_t key = key_of(call, kind);
    const uint64_t golden = 0x9e3779b97f4a7c15; /* 2^64 over the golden ratio */
    size_t at = (key * golden) >> 32;

    for (size_t tried = 0; tried < LEDGER_KINDS; tried++, at++) {
        struct slot *slot = &ledger.slots[at % LEDGER_KINDS];
        uint64_t found = atomic_load_explicit(&slot->key, memory_order_relaxed);
        if (found == 0 && atomic_compare_exchange_strong(&slot->key, &found, key))
            return slot;
        if (found == key)
            return slot;
    }
    struct slot *rest = &ledger.slots[LEDGER_KINDS + call];
    atomic_store(&rest->key, key_of(call, LEDGER_OTHER_KIND));
    return rest;
}

static void add(_Atomic uint64_t *sum, uint64_t amount)
{
    atomic_fetch_add_explicit(sum, amount, memory_order_relaxed);
}

static void enter(const struct ledger_event *event, uint64_t time_ns)
{
    struct slot *slot = find_slot(event->call, event->kind);
    uint64_t longest_ns = atomic_load_explicit(&slot->longest_ns, memory_order_relaxed);

    add(&slot->count, 1);
    add(&slot->failed, (uint64_t)event->failed);
    add(&slot->bytes, event->bytes);
    add(&slot->old_bytes, event->old_bytes);
    add(&slot->net_bytes, (uint64_t)event->net_bytes);
    add(&slot->time_ns, time_ns);
    while (longest_ns < time_ns &&
           !atomic_compare_exchange_weak(&slot->longest_ns, &longest_ns, time_ns))
        continue;
}

void ledger_trap_read(struct ledger_line *lines)
{
    for (size_t i = 0; i < LEDGER_LINES; i++) {
        struct slot *slot = &ledger.slots[i];
        const uint64_t key = atomic_load(&slot->key);

        memset(&lines[i], 0, sizeof lines[i]);
        if (key == 0)
            continue;
        lines[i] = (struct ledger_line){
            .call = (enum ledger_call)((key >> 32) - 1),
            .kind = (uint32_t)key,
            .totals =
                {
                    .count = atomic_load(&slot->count),
                    .failed = atomic_load(&slot->failed),
                    .bytes = atomic_load(&slot->bytes),
                    .old_bytes = atomic_load(&slot->old_bytes),
                    .net_bytes = atomic_load(&slot->net_bytes),
                    .time_ns = atomic_load(&slot->time_ns),
                    .longest_ns = atomic_exchange(&slot->longest_ns, 0),
                },
        };
    }
}

/* --- The handler. --- */

static int64_t make_again(long number, const uint64_t *arguments)
{
    return ledger_trap_again(number, arguments[0], arguments[1], arguments[2], arguments[3],
                             arguments[4], arguments[5]);
}

static int64_t count_call(enum ledger_call call, long number, const uint64_t *arguments)
{
    struct ledger_event event;
    uint64_t break_before = 0;
    const uint64_t begin_ns = clock_monotonic_ns();
    const int64_t result = make_again(number, arguments);
    const uint64_t time_ns = clock_monotonic_ns() - begin_ns;

    if (call == LEDGER_BRK)
        break_before = atomic_exchange(&ledger.break_address, (uint64_t)result);
    ledger_classify(&event, call, arguments, result, break_before, ledger.page_bytes);
    enter(&event, time_ns);
    this_thread.all++;
    this_thread.by_call[call]++;
    return result;
}

enum {
    FROM_SECCOMP = 1, /* SYS_SECCOMP of the kernel's siginfo.h */
    KERNEL_MASK_BYTES = 8
};

static const uint64_t sigsys_bit = (uint64_t)1 << (SIGSYS - 1);

/*
 * The caller's mask without SIGSYS. The handler has the thread's own mask while it runs
 * (SA_NODEFER), so that the call takes effect here; but its return restores the one of before,
 * which therefore has to change as well.
 */
static int64_t change_mask(uint64_t *arguments, ucontext_t *context)
{
    uint64_t wanted = 0;
    uint64_t *now = (uint64_t *)&context->uc_sigmask;
    const uint64_t ask[LEDGER_ARGUMENTS] = {SIG_BLOCK, 0, (uintptr_t)now, KERNEL_MASK_BYTES};

    if (arguments[1] != 0 && arguments[3] == KERNEL_MASK_BYTES) {
        memcpy(&wanted, (const void *)(uintptr_t)arguments[1], sizeof wanted);
        if ((int)arguments[0] != SIG_UNBLOCK)
            wanted &= ~sigsys_bit;
        arguments[1] = (uintptr_t)&wanted;
    }
    const int64_t result = make_again(SYS_rt_sigprocmask, arguments);
    make_again(SYS_rt_sigprocmask, ask);
    return result;
}

/* As the kernel has it, on both machines; uapi/asm/signal.h clashes with <signal.h>. */
struct kernel_sigaction {
    uintptr_t handler;
    unsigned long flags;
    uintptr_t restorer;
    uint64_t mask;
};

/* Ours stays, and no other handler blocks SIGSYS while it runs. */
static int64_t change_action(uint64_t *arguments)
{
    struct kernel_sigaction action;

    if (arguments[1] != 0 && (int)arguments[0] == SIGSYS) {
        arguments[1] = 0;
    } else if (arguments[1] != 0 && arguments[3] == KERNEL_MASK_BYTES) {
        memcpy(&action, (const void *)(uintptr_t)arguments[1], sizeof action);
        action.mask &= ~sigsys_bit;
        arguments[1] = (uintptr_t)&action;
    }
    return make_again(SYS_rt_sigaction, arguments);
}

static void on_trap(int signal, siginfo_t *info, void *saved)
{
    const int errno_before = errno;
    ucontext_t *context = saved;
    uint64_t arguments[LEDGER_ARGUMENTS];
    int64_t result;

    (void)signal;
    if (info->si_code != FROM_SECCOMP)
        return; /* somebody sent it */
    const int call = ledger_call_of(info->si_syscall);
    for (size_t i = 0; i < LEDGER_ARGUMENTS; i++)
        arguments[i] = get_argument(context, i);
    if (call >= 0)
        result = count_call((enum ledger_call)call, info->si_syscall, arguments);
    else if (info->si_syscall == SYS_rt_sigprocmask)
        result = change_mask(arguments, context);
    else
        result = change_action(arguments);
    set_result(context, result);
    errno = errno_before;
}

/* --- The filter. --- */

/* One compare per call, then the address in two halves: a 32-bit machine. */
static int install_filter(void)
{
    enum { TRAPPED = LEDGER_CALLS + 2, HEAD = 3, TAIL = 6, LENGTH = HEAD + TRAPPED + TAIL + 1 };
    static const unsigned nr = offsetof(struct seccomp_data, nr),
                          arch = offsetof(struct seccomp_data, arch),
                          address = offsetof(struct seccomp_data, instruction_pointer);
    static const long numbers[TRAPPED] = {
        SYS_mmap,    SYS_munmap,          SYS_mremap,         SYS_brk,          SYS_mprotect,
        SYS_madvise, SYS_process_madvise, SYS_rt_sigprocmask, SYS_rt_sigaction,
    };
    const uint64_t passed = (uintptr_t)ledger_trap_passed;
    struct sock_filter code[LENGTH] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_AUDIT_ARCH, 0, TRAPPED + 1),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, nr),
    };
    const struct sock_filter tail[TAIL + 1] = {
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, address),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)passed, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, address + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(passed >> 32), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    const struct sock_fprog program = {.len = LENGTH, .filter = code};

    for (unsigned i = 0; i < TRAPPED; i++)
        code[HEAD + i] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)numbers[i], (uint8_t)(TRAPPED - i), 0);
    memcpy(code + HEAD + TRAPPED, tail, sizeof tail);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    /* It keeps nobody out: the guard against speculation that a sandbox gets would slow all else.
     */
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                   &program) == 0
               ? 0
               : -errno;
}

static int install_handler(void)
{
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigset_t own;

    sigemptyset(&action.sa_mask);
    sigemptyset(&own);
    sigaddset(&own, SIGSYS);
    if (sigaction(SIGSYS, &action, NULL) != 0 || sigprocmask(SIG_UNBLOCK, &own, NULL) != 0)
        return -errno;
    return 0;
}

/* Of /proc/self/status; 0 where it cannot be read. */
static unsigned long count_threads(void)
{
    static char text[8192];
    const int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    const char *line = got > 0 ? strstr(text, "\nThreads:") : NULL;

    if (fd >= 0)
        close(fd);
    return line ? strtoul(line + strlen("\nThreads:"), NULL, 10) : 0;
}

static int fail(char *reason, int number, const char *what)
{
    snprintf(reason, LEDGER_REASON_BYTES, "%s: %s", what, strerror(-number));
    return number;
}

int ledger_trap_install(char *reason)
{
    const unsigned long threads = count_threads();

    if (threads != 1) {
        snprintf(reason, LEDGER_REASON_BYTES,
                 "system calls are not watched: the process has %lu threads already", threads);
        return -EBUSY;
    }
    ledger.page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    int failed = install_handler();
    if (failed)
        return fail(reason, failed, "no handler of SIGSYS");
    atomic_store(&ledger.break_address, (uint64_t)make_again(SYS_brk, (uint64_t[6]){0}));
    failed = install_filter();
    return failed ? fail(reason, failed, "the kernel takes no seccomp filter") : 0;
}

/* --- What it costs. --- */

/* As time_empty_call has it. */
static const uint64_t empty_advice[LEDGER_ARGUMENTS] = {0, 0, MADV_NORMAL};

void ledger_trap_measure(struct ledger_cost *cost)
{
    static uint64_t clock[MEASURED_CALLS], empty[MEASURED_CALLS], trapped[MEASURED_CALLS];

    for (size_t i = 0; i < MEASURED_CALLS; i++) {
        uint64_t begin_ns = clock_monotonic_ns();
        clock[i] = clock_monotonic_ns() - begin_ns;
        begin_ns = clock_monotonic_ns();
        make_again(SYS_madvise, empty_advice);
        empty[i] = clock_monotonic_ns() - begin_ns;
        trapped[i] = time_empty_call();
    }
    cost->clock_ns = median_of(clock);
    cost->empty_call_ns = median_of(empty);
    cost->trapped_call_ns = median_of(trapped);
    memset(ledger.slots, 0, sizeof ledger.slots);
    this_thread = (struct ledger_thread){0};
}

#else /* another machine */

int ledger_trap_install(char *reason)
{
    snprintf(reason, LEDGER_REASON_BYTES,
             "system calls are watched on x86-64 and aarch64 alone: this machine is neither");
    return -ENOSYS;
}

void ledger_trap_measure(struct ledger_cost *cost)
{
    memset(cost, 0, sizeof *cost);
}

void ledger_trap_read(struct ledger_line *lines)
{
    memset(lines, 0, sizeof(struct ledger_line) * LEDGER_LINES);
}

#endif
