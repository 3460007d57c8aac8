/*
 * The process of a check: its sentence, its calls, its marks. Leaves out stdio but for numbers into
 * a buffer of the stack: a buffer from malloc would be the row's own, or pin the heap of glibc.
 */
#define _GNU_SOURCE
#include "harness/check_run.h"

#include "workloads/random.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int result_fd = STDOUT_FILENO;
static unsigned timeout_seconds;
static const char *process_name = ""; /* of which process a signal is told */
static char passed[CHECK_SENTENCE_BYTES];

/* --- The end. --- */

/* One write: lines of two threads that fail at once do not mix. */
static void write_line(const char *status, const char *sentence)
{
    char line[CHECK_SENTENCE_BYTES + 16];
    int length = snprintf(line, sizeof line, "%s\t%s\n", status, sentence);

    if (write(result_fd, line, (size_t)length) != length)
        _exit(EXIT_FAILURE);
}

_Noreturn void check_fail(const char *format, ...)
{
    char sentence[CHECK_SENTENCE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    write_line("FAIL", sentence);
    _exit(EXIT_FAILURE);
}

void check_fail_amid(const char *format, ...)
{
    char sentence[CHECK_SENTENCE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    write_line("amid", sentence);
}

_Noreturn void check_not_available(const char *format, ...)
{
    char sentence[CHECK_SENTENCE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    write_line("n/a", sentence);
    _exit(EXIT_SUCCESS);
}

void check_pass(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(passed, sizeof passed, format, arguments);
    va_end(arguments);
}

void check_end(void)
{
    write_line("ok", passed);
}

/* --- The last call, and signals. --- */

/* Of each thread: a crash is handled by the thread that crashes. */
static _Thread_local struct {
    const char *before, *between, *after; /* the text around two numbers, or NULL */
    size_t first, second;
    int is_inside;
} call;

static void enter_pair(const char *before, size_t first, const char *between, size_t second,
                       const char *after)
{
    call.before = before;
    call.first = first;
    call.between = between;
    call.second = second;
    call.after = after;
    call.is_inside = 1;
}

static void enter(const char *before, size_t number, const char *after)
{
    enter_pair(before, number, NULL, 0, after);
}

static void leave(void)
{
    call.is_inside = 0;
}

void check_note(const char *what)
{
    enter(what, 0, NULL);
}

/* Only what a signal handler may call (signal-safety(7)). */
struct line {
    char text[CHECK_SENTENCE_BYTES];
    size_t used;
};

static void add_text(struct line *line, const char *text)
{
    size_t length = strlen(text);

    if (length > sizeof line->text - line->used)
        return;
    memcpy(line->text + line->used, text, length);
    line->used += length;
}

static void add_number(struct line *line, size_t number)
{
    char digits[24];
    size_t at = sizeof digits - 1;

    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    add_text(line, digits + at);
}

static void add_call(struct line *line)
{
    if (!call.before)
        return;
    add_text(line, call.is_inside ? ", in " : ", after ");
    add_text(line, call.before);
    if (!call.after)
        return;
    add_number(line, call.first);
    if (call.between) {
        add_text(line, call.between);
        add_number(line, call.second);
    }
    add_text(line, call.after);
}

static const char *signal_name(int number)
{
    return number == SIGSEGV   ? "SIGSEGV"
           : number == SIGBUS  ? "SIGBUS"
           : number == SIGABRT ? "SIGABRT"
           : number == SIGFPE  ? "SIGFPE"
                               : "SIGILL";
}

static void say_signal(int number)
{
    struct line line = {.used = 0};

    add_text(&line, "FAIL\t");
    if (number == SIGALRM) {
        add_text(&line, "it has not ended after ");
        add_number(&line, timeout_seconds);
        add_text(&line, " s");
    } else {
        add_text(&line, "it ends with signal ");
        add_number(&line, (size_t)number);
        add_text(&line, ", ");
        add_text(&line, signal_name(number));
    }
    add_text(&line, process_name);
    add_call(&line);
    add_text(&line, "\n");
    if (write(result_fd, line.text, line.used) < 0)
        _exit(EXIT_FAILURE + 1);
    _exit(EXIT_FAILURE);
}

void check_begin(int fd, unsigned seconds)
{
    enum { SIGNAL_STACK_BYTES = 1 << 16 };
    static char signal_stack[SIGNAL_STACK_BYTES];
    const stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
    const struct sigaction action = {.sa_handler = say_signal, .sa_flags = SA_ONSTACK};

    result_fd = fd;
    timeout_seconds = seconds;
    sigaltstack(&stack, NULL); /* a stack that overflows has no room for its own report */
    sigaction(SIGALRM, &action, NULL);
#ifndef TIDEMARK_SANITIZED /* a sanitizer's own report of these says more */
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaction(signals[i], &action, NULL);
#endif
    alarm(seconds);
}

void check_begin_forked(unsigned seconds, const char *where)
{
    process_name = where;
    timeout_seconds = seconds;
    alarm(seconds);
}

/* --- Memory that goes from thread to thread inside of a library, seen by ThreadSanitizer. --- */

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>

/*
 * How a library that was built without it hands a freed block to another thread, ThreadSanitizer
 * does not see: it is told that there is an order. What is compiled here it sees, and gets no help.
 */
static char unseen;

static int is_unseen(const struct check_run *run)
{
    return run->row->raw_allocator->soname || strchr(run->object_name, '/') ||
           (run->raw_name && strchr(run->raw_name, '/'));
}

static void order_before_free(const struct check_run *run)
{
    if (is_unseen(run))
        __tsan_release(&unseen);
}

static void order_after_malloc(const struct check_run *run)
{
    if (is_unseen(run))
        __tsan_acquire(&unseen);
}
#else
static void order_before_free(const struct check_run *run)
{
    (void)run;
}

static void order_after_malloc(const struct check_run *run)
{
    (void)run;
}
#endif

/* --- Calls. --- */

void *check_try_malloc(const struct check_run *run, size_t size)
{
    enter("malloc(", size, ")");
    void *block = run->ops->malloc(size);
    order_after_malloc(run);
    leave();
    return block;
}

void *check_try_realloc(const struct check_run *run, void *block, size_t old_size, size_t size)
{
    enter_pair("realloc of a block of ", old_size, " bytes to ", size, "");
    order_before_free(run);
    void *moved = run->ops->realloc(block, size);
    order_after_malloc(run);
    leave();
    return moved;
}

void *check_call_malloc(const struct check_run *run, size_t size)
{
    void *block = check_try_malloc(run, size);

    if (!block)
        check_fail("malloc(%zu) gives NULL", size);
    return block;
}

void *check_call_calloc(const struct check_run *run, size_t count, size_t size)
{
    enter_pair("calloc(", count, ", ", size, ")");
    void *block = run->ops->calloc(count, size);
    order_after_malloc(run);
    leave();
    if (!block)
        check_fail("calloc(%zu, %zu) gives NULL", count, size);
    return block;
}

void *check_call_realloc(const struct check_run *run, void *block, size_t old_size, size_t size)
{
    void *moved = check_try_realloc(run, block, old_size, size);

    if (!moved)
        check_fail("realloc of a block of %zu bytes to %zu gives NULL", old_size, size);
    return moved;
}

void *check_call_aligned_alloc(const struct check_run *run, size_t alignment, size_t size)
{
    enter_pair("aligned_alloc(", alignment, ", ", size, ")");
    void *block = run->ops->aligned_alloc(alignment, size);
    order_after_malloc(run);
    leave();
    if (!block)
        check_fail("aligned_alloc(%zu, %zu) gives NULL", alignment, size);
    return block;
}

void check_call_free(const struct check_run *run, void *block)
{
    enter("free", 0, NULL);
    order_before_free(run);
    run->ops->free(block);
    leave();
}

int check_has(const struct check_run *run, unsigned capabilities)
{
    return (run->capabilities & capabilities) == capabilities;
}

/* --- Content. --- */

enum { STAMP_BYTES = 16 };

/* Eight bytes at a time, of which none is 0: that is what a wrong one tends to be. */
static uint64_t word_at(size_t place, uint64_t mark)
{
    const uint64_t word = (mark + 1) * 0x9e3779b97f4a7c15u ^ (place / 8 + 1) * 0xbf58476d1ce4e5b9u;

    return htole64(word | 0x0101010101010101u);
}

static unsigned char byte_at(size_t place, uint64_t mark)
{
    return (unsigned char)(le64toh(word_at(place, mark)) >> (place % 8 * 8));
}

static void fill_range(unsigned char *block, size_t begin, size_t end, uint64_t mark)
{
    for (size_t i = begin; i < end;) {
        if (i % 8 == 0 && end - i >= 8) {
            const uint64_t word = word_at(i, mark);
            memcpy(block + i, &word, sizeof word);
            i += 8;
        } else {
            block[i] = byte_at(i, mark);
            i++;
        }
    }
}

/* The first place from `begin` on where it may differ: that of a byte or of a word. */
static size_t skip_equal(const unsigned char *block, size_t begin, size_t end, uint64_t mark)
{
    size_t i = begin;

    for (; i % 8 == 0 && i + 8 <= end; i += 8) {
        uint64_t word;
        memcpy(&word, block + i, sizeof word);
        if (word != word_at(i, mark))
            break;
    }
    return i;
}

static void compare_range(const unsigned char *block, size_t begin, size_t end, uint64_t mark,
                          size_t bytes, const char *what)
{
    for (size_t i = skip_equal(block, begin, end, mark); i < end;
         i = skip_equal(block, i + 1, end, mark)) {
        if (block[i] != byte_at(i, mark))
            check_fail("%s: byte %zu of a block of %zu is 0x%02x and was written as 0x%02x", what,
                       i, bytes, block[i], byte_at(i, mark));
    }
}

void check_fill(void *block, size_t bytes, uint64_t mark)
{
    fill_range(block, 0, bytes, mark);
}

void check_filled(const void *block, size_t bytes, uint64_t mark, const char *what)
{
    compare_range(block, 0, bytes, mark, bytes, what);
}

/* Where the three stamps of a block begin; they may overlap in a small one. */
struct stamps {
    size_t begin[3], end[3];
};

static struct stamps stamps_of(size_t bytes)
{
    size_t length = bytes < STAMP_BYTES ? bytes : STAMP_BYTES;
    size_t middle = bytes / 2 - length / 2;

    return (struct stamps){.begin = {0, middle, bytes - length},
                           .end = {length, middle + length, bytes}};
}

void check_stamp(void *block, size_t bytes, uint64_t mark)
{
    struct stamps stamps = stamps_of(bytes);

    for (size_t i = 0; i < 3; i++)
        fill_range(block, stamps.begin[i], stamps.end[i], mark);
}

void check_stamped_start(const void *block, size_t bytes, size_t kept, uint64_t mark,
                         const char *what)
{
    struct stamps stamps = stamps_of(bytes);

    for (size_t i = 0; i < 3; i++) {
        size_t end = stamps.end[i] < kept ? stamps.end[i] : kept;
        compare_range(block, stamps.begin[i], end, mark, bytes, what);
    }
}

void check_stamped(const void *block, size_t bytes, uint64_t mark, const char *what)
{
    check_stamped_start(block, bytes, bytes, mark, what);
}

/* --- Numbers and memory. --- */

size_t check_random_below(uint64_t *state, size_t bound)
{
    return (size_t)(random_next(state) % bound);
}

size_t check_random_size(uint64_t *state)
{
    size_t kind = check_random_below(state, 1000);

    if (kind < 900)
        return 1 + check_random_below(state, 600);
    return 1 + check_random_below(state, kind < 996 ? 8192 : 1 << 18);
}

void *check_table_memory(size_t bytes)
{
    static _Alignas(64) unsigned char memory[8 << 20];
    static size_t used_bytes;
    unsigned char *table = memory + used_bytes;

    if (bytes > sizeof memory - used_bytes)
        check_not_available("no memory for the check's own table of %zu bytes", bytes);
    used_bytes += (bytes + 63) & ~(size_t)63;
    return table;
}

/* The first or second number of /proc/self/statm, in bytes. */
static size_t statm_bytes(int want_resident)
{
    char text[128] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (fd >= 0)
        close(fd);
    if (got <= 0)
        check_not_available("/proc/self/statm cannot be read: %s", strerror(errno));
    char *end;
    unsigned long long pages = strtoull(text, &end, 10);
    if (want_resident)
        pages = strtoull(end, NULL, 10);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

size_t check_resident_bytes(void)
{
    return statm_bytes(1);
}

size_t check_virtual_bytes(void)
{
    return statm_bytes(0);
}

void check_resident_below(size_t before_bytes, size_t bound_bytes, const char *what)
{
    size_t now_bytes = check_resident_bytes();
    size_t growth_bytes = now_bytes > before_bytes ? now_bytes - before_bytes : 0;

    if (growth_bytes > bound_bytes)
        check_fail("%s: %zu KiB more are resident than before; at most %zu KiB were due", what,
                   growth_bytes >> 10, bound_bytes >> 10);
}
