/*
 * tidemark-child: one sample, in a process of its own. Opens one row, runs one workload, reports
 * through the shared page. Leaves out JSON, stdio in phases, C++ and threads of its own, so that
 * the heap is clean at the baseline. It is started by `tidemark run`; started by hand it says so.
 */
#define _GNU_SOURCE
#include "harness/child_pass.h"
#include "harness/clock.h"
#include "harness/open_row.h"
#include "harness/page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

struct child {
    struct page *page;
    const struct open_row *row;
    const struct child_pass *pass; /* NULL: this child is measured */
    int purges, is_pressed;        /* before and after it rests (harness/return_way.h) */
    uint64_t activity_ns;          /* between the ticks of its rest; 0: it only waits */
    int purge_error;               /* of the allocator, a negative errno */
    int has_baseline;
    int in_phase;
    int is_rebuilding; /* 1: all phases of the workload are one */
    /* Counters at the phase's begin; the page gets differences. */
    struct page_phase start;
    uint64_t frees_at_start;
};

/* Static, so that no stack page is touched for the first time in a phase. */
static struct rusage usage;

static uint64_t time_ns(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * CLOCK_SECOND_NS + (uint64_t)time->tv_usec * 1000;
}

static void take_counters(struct page_phase *counters, const struct workload_context *context)
{
    const int is_program = context->workload->is_program;

    getrusage(is_program ? RUSAGE_CHILDREN : RUSAGE_SELF, &usage);
    counters->minor_faults = (uint64_t)usage.ru_minflt;
    counters->major_faults = (uint64_t)usage.ru_majflt;
    counters->voluntary_switches = (uint64_t)usage.ru_nvcsw;
    counters->involuntary_switches = (uint64_t)usage.ru_nivcsw;
    counters->operations = atomic_load_explicit(&context->gauge->operations, memory_order_relaxed);
    counters->cpu_ns = is_program ? time_ns(&usage.ru_utime) + time_ns(&usage.ru_stime)
                                  : clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* Waits for the parent's answer. One that is gone leaves nothing to report to: the child ends. */
static void ask(enum park_reason reason)
{
    char byte = (char)reason;

    if (write(PARK_FD, &byte, 1) != 1)
        _exit(1);
    ssize_t got;
    do {
        got = read(GO_FD, &byte, 1);
    } while (got < 0 && errno == EINTR);
    if (got != 1)
        _exit(1);
}

static void park(struct page *page, enum park_reason reason)
{
    atomic_store(&page->gauge.parked, 1);
    ask(reason);
    atomic_store(&page->gauge.parked, 0);
}

static void end_phase(struct workload_context *context)
{
    struct child *child = context->harness;
    struct page *page = child->page;
    uint64_t end_ns = clock_monotonic_ns();
    struct page_phase *phase = &page->phases[page->phase_count];
    struct page_phase now;

    if (!child->in_phase)
        return;
    take_counters(&now, context);
    if (context->workload->is_program)
        page->program_peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
    memcpy(phase->name, child->start.name, sizeof phase->name);
    phase->begin_ns = child->start.begin_ns;
    phase->end_ns = end_ns;
    phase->cpu_ns = now.cpu_ns - child->start.cpu_ns;
    phase->operations = now.operations - child->start.operations;
    phase->minor_faults = now.minor_faults - child->start.minor_faults;
    phase->major_faults = now.major_faults - child->start.major_faults;
    phase->voluntary_switches = now.voluntary_switches - child->start.voluntary_switches;
    phase->involuntary_switches = now.involuntary_switches - child->start.involuntary_switches;
    phase->object_bytes = atomic_load(&page->gauge.object_bytes);
    phase->live_bytes = atomic_load(&page->gauge.live_bytes);
    phase->freed = atomic_load(&page->gauge.frees) != child->frees_at_start;
    page->phase_count++;
    child->in_phase = 0;
    if (child->pass) {
        child->pass->phase_ended(context, phase);
        pass_flush();
    }
    park(page, PARK_PHASE);
}

static void begin_phase(struct workload_context *context, const char *name)
{
    struct child *child = context->harness;
    struct page *page = child->page;

    if (child->is_rebuilding && child->in_phase)
        return;
    if (child->is_rebuilding)
        name = "rebuild";
    end_phase(context);
    if (!child->has_baseline) {
        /* What the workload set up before its first phase belongs to the process, not to the
         * experiment. */
        take_counters(&child->start, context); /* touches what later calls touch */
        park(page, PARK_BASELINE);
        child->has_baseline = 1;
    }
    if (page->phase_count == PAGE_PHASES || strlen(name) >= sizeof child->start.name)
        abort(); /* a workload with more phases, or longer names, than workload.h allows is a bug */
    memset(&child->start, 0, sizeof child->start);
    memcpy(child->start.name, name, strlen(name));
    memcpy(page->phases[page->phase_count].name, child->start.name, sizeof child->start.name);
    child->frees_at_start = atomic_load(&page->gauge.frees);
    child->in_phase = 1;
    atomic_store(&page->gauge.phase, page->phase_count + 1);
    if (child->pass && child->pass->phase_begun)
        child->pass->phase_begun(context, name);
    take_counters(&child->start, context);
    child->start.begin_ns = context->workload->is_program && page->phase_count > 0
                                ? page->phases[page->phase_count - 1].end_ns
                                : clock_monotonic_ns();
}

/* That of a workload, whose phases are one while it rebuilds: they end when it rests. */
static void end_phase_of_workload(struct workload_context *context)
{
    const struct child *child = context->harness;

    if (!child->is_rebuilding)
        end_phase(context);
}

static void wait_for(uint64_t duration_ns)
{
    struct timespec left = {.tv_sec = (time_t)(duration_ns / CLOCK_SECOND_NS),
                            .tv_nsec = (long)(duration_ns % CLOCK_SECOND_NS)};

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

/* A block, taken, written and freed. */
static void use_block(const struct allocator_ops *ops, size_t bytes)
{
    volatile char *block = ops->malloc(bytes);

    if (!block)
        return;
    block[0] = 1;
    block[bytes - 1] = 1;
    ops->free((void *)(uintptr_t)block);
}

/*
 * An object and a buffer, as one small request takes them. The object alone would come from a
 * thread's cache and go back there, and an allocator sees nothing of that: jemalloc 5.3, asked for
 * 64 bytes each millisecond, gives nothing back in 30 s, since its caches hold blocks up to 32 KiB.
 */
static void use(const struct allocator_ops *ops)
{
    enum { OBJECT_BYTES = 64, BUFFER_BYTES = 64 << 10 };

    if (!ops->malloc || !ops->free)
        return;
    use_block(ops, OBJECT_BYTES);
    use_block(ops, BUFFER_BYTES);
}

/* Ticks of light activity: an allocator that gives back as its clock moves may only look at the
 * clock when it is used. A tick that comes late is not made up for. */
static void rest_actively(const struct child *child, uint64_t duration_ns)
{
    const uint64_t end_ns = clock_monotonic_ns() + duration_ns;

    for (uint64_t now = clock_monotonic_ns(); now < end_ns; now = clock_monotonic_ns()) {
        wait_for(end_ns - now < child->activity_ns ? end_ns - now : child->activity_ns);
        use(&child->row->object);
        if (child->row->raw.malloc != child->row->object.malloc)
            use(&child->row->raw);
    }
}

static void sleep_for(struct workload_context *context, uint64_t duration_ns)
{
    const struct child *child = context->harness;

    if (child->activity_ns > 0 && child->in_phase)
        rest_actively(child, duration_ns);
    else
        wait_for(duration_ns);
}

/* Returns 0, or the first negative errno of what serves the row. */
static int purge(const struct open_row *row)
{
    int error = row->object.purge ? row->object.purge() : 0;

    if (!error && row->raw.purge && row->raw.purge != row->object.purge)
        error = row->raw.purge();
    return error;
}

/* The workload has freed what it frees. */
static void before_rest(struct workload_context *context)
{
    struct child *child = context->harness;

    end_phase(context);
    if (!child->purges || child->is_rebuilding)
        return;
    begin_phase(context, "purge");
    child->purge_error = purge(child->row);
    end_phase(context);
}

/* What an allocator frees lazily, it may free some time after the program did. */
static void after_rest(struct workload_context *context)
{
    const struct child *child = context->harness;

    if (!child->is_pressed || child->is_rebuilding)
        return;
    begin_phase(context, "pressure");
    ask(PARK_PRESSURE);
    end_phase(context);
}

/* Lets the parent see how far /proc/PID/statm lags behind a step of known size (METHOD: it is
 * batched on some kernels). */
static void step_test(struct page *page)
{
    char *step =
        mmap(NULL, PAGE_STEP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (step == MAP_FAILED)
        return;
    /* A huge page would make one fault of the step: what is asked is whether small ones are counted
     * at once. */
    madvise(step, PAGE_STEP_BYTES, MADV_NOHUGEPAGE);
    park(page, PARK_READY);
    for (size_t at = 0; at < PAGE_STEP_BYTES; at += PAGE_BYTES)
        *(volatile char *)(step + at) = 1;
    park(page, PARK_TOUCHED);
    munmap(step, PAGE_STEP_BYTES);
}

static const char usage_text[] =
    "usage: tidemark-child --object NAME [--raw NAME] --workload NAME [--set NAME=VALUE]...\n"
    "                      [--seed N] [--idle-ns N] [--activity-ns N] [--purge] [--pressure]\n"
    "                      [--rebuild] [--pass NAME]\n"
    "One sample in a fresh process. It is started by `tidemark run`, which gives it the shared "
    "page\n"
    "and two pipes as descriptors 3, 4 and 5 (harness/page.h), and for --pass a file as 6.\n";

struct arguments {
    const char *object, *raw;
    const struct workload *workload;
    uint64_t values[WORKLOAD_PARAMETERS];
    uint64_t seed, idle_ns, activity_ns;
    int purges, is_pressed, rebuilds;
    const struct child_pass *pass;
};

static void usage_error(const char *problem, const char *value)
{
    fprintf(stderr, "tidemark-child: %s: %s\n%s", problem, value, usage_text);
    exit(2);
}

static void set_value(struct arguments *arguments, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    const struct parameter *parameters =
        arguments->workload ? arguments->workload->parameters : NULL;

    for (size_t i = 0; equals && parameters && parameters[i].name; i++) {
        size_t length = (size_t)(equals - assignment);
        if (strlen(parameters[i].name) == length &&
            !strncmp(parameters[i].name, assignment, length) &&
            parameter_parse(&parameters[i], equals + 1, &arguments->values[i]) == 0)
            return;
    }
    usage_error("no such parameter or value", assignment);
}

static uint64_t read_number(const char *text)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);

    if (errno || end == text || *end)
        usage_error("not a number", text);
    return number;
}

static const struct child_pass *find_pass(const char *name)
{
    const struct child_pass *pass = child_pass_find(name);

    if (!pass)
        usage_error("no such pass", name);
    return pass;
}

/* The flags that have no value. Returns 1 when `flag` is one. */
static int read_switch(const char *flag, struct arguments *arguments)
{
    const struct {
        const char *flag;
        int *is_given;
    } switches[] = {
        {"--purge", &arguments->purges},
        {"--pressure", &arguments->is_pressed},
        {"--rebuild", &arguments->rebuilds},
    };

    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        if (strcmp(switches[i].flag, flag) != 0)
            continue;
        *switches[i].is_given = 1;
        return 1;
    }
    return 0;
}

static void read_arguments(int argc, char **argv, struct arguments *arguments)
{
    for (int i = 1; i < argc; i += 2) {
        const char *flag = argv[i];
        const char *value = argv[i + 1];

        if (!strcmp(flag, "--help")) {
            fputs(usage_text, stdout);
            exit(0);
        }
        if (read_switch(flag, arguments)) {
            i--;
            continue;
        }
        if (!value)
            usage_error("a flag without its value", flag);
        if (!strcmp(flag, "--object"))
            arguments->object = value;
        else if (!strcmp(flag, "--raw"))
            arguments->raw = value;
        else if (!strcmp(flag, "--workload"))
            arguments->workload = workload_find(value);
        else if (!strcmp(flag, "--set"))
            set_value(arguments, value);
        else if (!strcmp(flag, "--seed"))
            arguments->seed = read_number(value);
        else if (!strcmp(flag, "--idle-ns"))
            arguments->idle_ns = read_number(value);
        else if (!strcmp(flag, "--pass"))
            arguments->pass = find_pass(value);
        else if (!strcmp(flag, "--activity-ns"))
            arguments->activity_ns = read_number(value);
        else
            usage_error("unknown flag", flag);
    }
    if (!arguments->object || !arguments->workload)
        usage_error("needed", "--object and --workload");
}

static struct page *map_page(void)
{
    struct page *page =
        mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, PAGE_FD, 0);

    if (page == MAP_FAILED || page->layout != PAGE_LAYOUT) {
        fputs("tidemark-child: descriptor 3 is not a page of this version: start it by `tidemark "
              "run`\n",
              stderr);
        exit(2);
    }
    return page;
}

/* What a negative errno of a workload means: -EBADMSG is ours (workload.h). */
static const char *meaning(int error)
{
    if (error == -EBADMSG)
        return "a block was not aligned, not zeroed or not as it had been written";
    if (error == -ECANCELED)
        return "the program's driver failed (workloads/programs)";
    if (error == -EPROTO)
        return "it did other operations when it ran once more";
    return strerror(-error);
}

/* Returns 0, or -1 with the reason on the page. */
static int begin_pass(struct workload_context *context, const struct child_pass *pass,
                      const struct open_row *row)
{
    struct child *child = context->harness;

    pass_writer_begin(PASS_FD);
    if (pass->begin && pass->begin(context, row, child->page->reason) != 0)
        return -1;
    child->pass = pass;
    return 0;
}

/*
 * Runs the workload once more, as one phase: what it costs to take the memory again. The figures of
 * the gauge stay those of the first time, of which the second is to be a copy.
 */
static int rebuild(struct child *child, struct workload_context *context)
{
    struct workload_gauge *gauge = context->gauge;
    const uint64_t operations = atomic_load(&gauge->operations);
    const uint64_t checksum = atomic_load(&gauge->checksum);

    child->is_rebuilding = 1;
    context->idle_ns = 0;
    atomic_store(&gauge->checksum, 0);
    int error = context->workload->run(context);
    if (!error && atomic_load(&gauge->checksum) != checksum)
        error = -EPROTO;
    atomic_store(&gauge->operations, operations);
    atomic_store(&gauge->checksum, checksum);
    return error;
}

static int run(const struct arguments *arguments, struct child *child,
               struct workload_context *context)
{
    int error = context->workload->run(context);

    end_phase(context);
    if (!error && !child->purge_error && arguments->rebuilds)
        error = rebuild(child, context);
    return error;
}

static int fail(struct page *page, const char *what, const char *why)
{
    snprintf(page->reason, sizeof page->reason, "%s ended with: %s", what, why);
    page->status = PAGE_FAILED;
    return 1;
}

int main(int argc, char **argv)
{
    static struct open_row row;
    static struct child child;
    static struct arguments arguments;

    read_arguments(argc, argv, &arguments);
    struct page *page = map_page();
    child.page = page;
    child.row = &row;
    child.purges = arguments.purges;
    child.is_pressed = arguments.is_pressed;
    child.activity_ns = arguments.activity_ns;
    if (arguments.pass && arguments.pass->prepare && arguments.pass->prepare(page->reason) != 0) {
        page->status = PAGE_NOT_AVAILABLE;
        return 0;
    }
    if (open_row(&row, arguments.object, arguments.raw, page->reason) != 0) {
        page->status = PAGE_NOT_AVAILABLE;
        return 0;
    }
    memcpy(page->version, row.version, sizeof page->version);
    memcpy(page->object_provider, row.object_provider, sizeof page->object_provider);
    memcpy(page->raw_provider, row.raw_provider, sizeof page->raw_provider);

    struct workload_context context = {
        .object = &row.object,
        .raw = &row.raw,
        .gauge = &page->gauge,
        .workload = arguments.workload,
        .seed = arguments.seed,
        .idle_ns = arguments.idle_ns,
        .begin_phase = begin_phase,
        .end_phase = end_phase_of_workload,
        .sleep = sleep_for,
        .before_rest = before_rest,
        .after_rest = after_rest,
        .harness = &child,
    };
    memcpy(context.values, arguments.values, sizeof context.values);

    if (arguments.pass && begin_pass(&context, arguments.pass, &row) != 0) {
        page->status = PAGE_NOT_AVAILABLE;
        return 0;
    }
    if (!arguments.pass) /* whose own calls it would be */
        step_test(page);
    const int error = run(&arguments, &child, &context);
    if (arguments.workload->is_program)
        ask(PARK_END);
    if (error)
        return fail(page, "the workload", meaning(error));
    if (child.purge_error)
        return fail(page, "the allocator's purge", strerror(-child.purge_error));
    page->status = PAGE_DONE;
    return 0;
}
