/*
 * The parent's side of one sample: start, answer each park, watch the limits, and say how it ended.
 * Leaves out any pause of a child that works: it stops itself at phase ends (harness/page.h).
 */
#define _GNU_SOURCE
#include "harness/sample.h"

#include "harness/clock.h"
#include "harness/meeting.h"
#include "harness/memory_pressure.h"
#include "harness/pass.h"
#include "harness/process_tree.h"
#include "harness/program_cells.h"
#include "workloads/program_process.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROGRAM_LOOK_MS = 50 };

/* One sample under way. */
struct session {
    const struct sample_settings *settings;
    const struct cell *cell;
    struct sample *sample;
    struct spawned child;
    struct memory_group group; /* of the child; none where the sampler keeps the limit */
    int sampling;
    int timed_out;
    int ended; /* the child had ended by itself before anything was done to it */
    uint64_t ready_rss_bytes;
    uint64_t oom_kills; /* of the kernel, before the child */
    enum memory_kill kernel_kill;
    char stderr_tail[SAMPLE_STDERR_BYTES];
    size_t stderr_used;
    struct program_witness witness; /* of a program */
    struct rlimit descriptors;      /* before the sample */
    uint64_t watch_ns;              /* when it is looked at next */
};

/* The phase in which a child only waits. */
static const char rest_name[] = "idle";

/* Of the sample under way, where it is of a program: the sampler's, and this thread's own. */
static struct process_tree sampled_tree, own_tree;

const char *sample_status_name(enum sample_status status)
{
    static const char *const names[] = {"ok",      "n/a", "exit",       "signal",
                                        "timeout", "oom", "interrupted"};

    return names[status];
}

const char *sample_limiter_name(enum sample_limiter limiter)
{
    return limiter == SAMPLE_LIMITED_BY_CGROUP ? "cgroup" : "sampler";
}

static int is_called(const struct sample_phase *phase, const char *name)
{
    return strcmp(phase->stamps.name, name) == 0;
}

int sample_is_rebuild(const struct sample_phase *phase)
{
    return is_called(phase, "rebuild");
}

int sample_is_own_phase(const struct sample_phase *phase)
{
    return !is_called(phase, rest_name) && !is_called(phase, "purge") &&
           !is_called(phase, "pressure") && !sample_is_rebuild(phase);
}

/*
 * A fresh group for each sample: what earlier ones left charged, pages of files above all, would
 * take from the limit of the next. It costs some 70 us to make and remove, and 8 ms to enter,
 * before anything is measured.
 */
static void make_group(struct session *session)
{
    const struct sample_settings *settings = session->settings;

    session->group = MEMORY_GROUP_NONE;
    if (settings->memory_parent &&
        memory_parent_make(settings->memory_parent, settings->plan->memory_limit_bytes,
                           &session->group) == 0)
        session->sample->limited_by = SAMPLE_LIMITED_BY_CGROUP;
}

/* Returns 1 when the cell needs a group and could have none: then it is not measured. */
static int lacks_group(struct session *session)
{
    const struct memory_parent *parent = session->settings->memory_parent;

    if (session->cell->way.mode != RETURN_PRESSURE || session->group.version != 0)
        return 0;
    session->sample->status = SAMPLE_NOT_AVAILABLE;
    snprintf(session->sample->reason, SAMPLE_REASON_BYTES,
             "pressure needs a memory group of the sample's own: %s",
             parent && parent->reason[0] ? parent->reason : "none can be made");
    return 1;
}

static int is_program(const struct session *session)
{
    return session->cell->workload->is_program;
}

/* A tree takes a descriptor for each process, twice. After the child has started, which is not to
 * inherit it; put back when it has ended. */
static void raise_descriptors(struct session *session)
{
    if (getrlimit(RLIMIT_NOFILE, &session->descriptors) != 0)
        return;
    const struct rlimit raised = {.rlim_cur = session->descriptors.rlim_max,
                                  .rlim_max = session->descriptors.rlim_max};
    setrlimit(RLIMIT_NOFILE, &raised);
}

static void begin_trees(struct session *session)
{
    const char *aside = session->cell->workload->has_driver ? PROGRAM_ASIDE : NULL;

    process_tree_init(&sampled_tree, session->child.pid, aside);
    process_tree_init(&own_tree, session->child.pid, aside);
    raise_descriptors(session);
}

static void end_trees(struct session *session)
{
    process_tree_free(&sampled_tree);
    process_tree_free(&own_tree);
    if (session->descriptors.rlim_max > 0)
        setrlimit(RLIMIT_NOFILE, &session->descriptors);
}

/* What has left the group of the child comes back to the child, as long as that is there. */
static void kill_tree(struct session *session)
{
    if (process_tree_kill(&own_tree) != 0)
        session->sample->left_behind = 1;
}

/* Returns 0; 1 when the sample is n/a and no child is needed to say so; or a negative errno. */
static int start(struct session *session)
{
    struct command command;
    int error = command_for_cell(&command, session->settings->paths, session->cell,
                                 session->settings->plan->seed, session->sample->pad_bytes);

    if (!error && session->settings->pass)
        error = command_add(&command, "--pass");
    if (!error && session->settings->pass)
        error = command_add(&command, session->settings->pass->name);
    if (!error)
        error = program_witness_open(&session->witness, session->cell);
    if (!error)
        error = program_witness_environment(&session->witness, session->cell,
                                            session->settings->paths, &command.environment);
    if (error)
        return error;
    make_group(session);
    if (lacks_group(session))
        return 1;
    const struct spawn_extras extras = {
        .group_procs_fd = session->group.procs_fd,
        .thp = session->cell->way.thp,
        .pass_fd = session->settings->pass ? session->settings->pass_fd : -1};
    error = spawn_child(&session->child, command.argv, &command.environment, &extras);
    if (error)
        memory_group_remove(&session->group);
    return error;
}

/* Parks. */

/* Threads that work at once need more than one core: those that a pinned thread starts would
 * inherit its own. */
static void pin(struct session *session)
{
    cpu_set_t set;
    int cpu = session->settings->child_cpu;

    session->sample->cpu = -1;
    if (cpu < 0 || session->cell->is_threaded ||
        (session->cell->workload->object_needs & ALLOCATOR_THREADS))
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(session->child.pid, sizeof set, &set) == 0)
        session->sample->cpu = cpu;
}

/* A CPython cannot say which file serves its malloc: its mappings can. */
static void find_python_providers(struct session *session)
{
    const struct cell *cell = session->cell;
    const struct allocator *raw =
        cell->row.raw.allocator ? cell->row.raw.allocator : cell->row.object.allocator;
    const char *soname = raw->soname ? raw->soname : "libc.so.6";
    struct sample *sample = session->sample;

    if (!procfs_maps_file(session->child.pid, soname, sample->raw_provider,
                          sizeof sample->raw_provider))
        sample->raw_provider[0] = '\0';
    if (cell->row.object.allocator->family == ALLOCATOR_POOL)
        snprintf(sample->object_provider, sizeof sample->object_provider, "%.180s",
                 cell->host.path);
    else
        snprintf(sample->object_provider, sizeof sample->object_provider, "%s",
                 sample->raw_provider);
}

/*
 * In a group the sampler is a second line, for a child that has left it. The kernel must come
 * first: resident memory holds pages of files that others were charged for, some MiB, and statm may
 * lag by as much, so that a child within its group's limit can be seen above it.
 */
static uint64_t sampler_limit_bytes(const struct session *session)
{
    const uint64_t lag_bytes = UINT64_C(32) << 20;
    uint64_t limit_bytes = session->settings->plan->memory_limit_bytes;
    uint64_t beyond_bytes = limit_bytes / 8 + lag_bytes;

    if (session->sample->limited_by == SAMPLE_LIMITED_BY_SAMPLER)
        return limit_bytes;
    return limit_bytes < UINT64_MAX - beyond_bytes ? limit_bytes + beyond_bytes : UINT64_MAX;
}

/* Nothing of the program is there yet. */
static int at_programs_baseline(struct session *session)
{
    const struct sample_settings *settings = session->settings;
    const int error =
        sampler_start(settings->sampler, &session->child, settings->plan->tick_ns,
                      sampler_limit_bytes(session), &sampled_tree, settings->sampler_cpu);
    session->sampling = error == 0;
    session->sample->baseline_ns = settings->sampler->started_ns;
    return error;
}

static int at_baseline(struct session *session)
{
    struct sample *sample = session->sample;
    const struct sample_settings *settings = session->settings;

    if (is_program(session))
        return at_programs_baseline(session);
    if (!host_is_objects(&session->cell->host)) {
        find_python_providers(session);
        if (!sample->raw_provider[0])
            return -ELIBACC;
    }
    pin(session);
    meeting_wait(settings->attendance);
    int error = procfs_read_rollup(session->child.pid, &sample->baseline);
    if (!error)
        error = procfs_reset_peak(session->child.pid);
    if (!error)
        error = sampler_start(settings->sampler, &session->child, settings->plan->tick_ns,
                              sampler_limit_bytes(session), NULL, settings->sampler_cpu);
    if (error)
        return error;
    session->sampling = 1;
    sample->baseline_ns = settings->sampler->started_ns;
    return 0;
}

static void note_moment(struct sample *sample, const struct sample_phase *phase)
{
    const struct page_phase *stamps = &phase->stamps;
    const struct moment now = {.at_ns = stamps->end_ns,
                               .rollup = phase->rollup,
                               .page_table_bytes = phase->status.page_table_bytes,
                               .charge_bytes = phase->charge_bytes};

    if (sample_is_own_phase(phase))
        moments_phase_ended(&sample->moments, stamps->end_ns, stamps->freed != 0, &now);
    else if (is_called(phase, rest_name))
        moments_rest_ended(&sample->moments, stamps->end_ns, &now);
    else
        moments_pass(&sample->moments, stamps->end_ns);
}

/*
 * A program is not parked: what it held as it told the next phase is what the last tick has, and
 * the end of a program is the end of its last phase. Where forks may share pages the tick can be
 * older than what is found now.
 */
static int read_tree_memory(const struct session *session, struct sample_phase *phase)
{
    struct sampler *sampler = session->settings->sampler;
    const uint64_t held_bytes = sampler_last_held(sampler);
    struct tree_memory memory;
    const int error = process_tree_scan(&own_tree);

    process_tree_rollup(&own_tree, &phase->rollup);
    process_tree_read(&own_tree, &memory);
    if (!process_tree_is_in_doubt(&memory))
        phase->rollup.rss_bytes = held_bytes;
    phase->status = (struct memory_status){.peak_bytes = sampler_take_peak(sampler)};
    if (phase->rollup.rss_bytes > phase->status.peak_bytes)
        phase->status.peak_bytes = phase->rollup.rss_bytes;
    return error == -ESRCH || error == -ENOENT ? error : 0;
}

/* What the phase's end costs to read. Returns 0 or a negative errno. */
static int read_memory(const struct session *session, struct sample_phase *phase)
{
    const pid_t pid = session->child.pid;
    int error;

    if (is_program(session))
        return read_tree_memory(session, phase);
    error = procfs_read_status(pid, &phase->status);
    if (!error)
        error = procfs_read_rollup(pid, &phase->rollup);
    return error ? error : procfs_reset_peak(pid);
}

static int at_phase_end(struct session *session)
{
    struct sample *sample = session->sample;

    if (sample->phase_count == PAGE_PHASES ||
        session->child.page->phase_count != sample->phase_count + 1)
        return -EPROTO;
    struct sample_phase *phase = &sample->phases[sample->phase_count];
    phase->stamps = session->child.page->phases[sample->phase_count];
    phase->stamps.name[sizeof phase->stamps.name - 1] = '\0';
    phase->charge_bytes = SAMPLE_NO_CHARGE;
    memory_group_charge(&session->group, &phase->charge_bytes);
    const int error = read_memory(session, phase);
    phase->park_ns = clock_monotonic_ns() - phase->stamps.end_ns;
    if (!error && !is_program(session))
        note_moment(sample, phase);
    sample->phase_count += error == 0;
    return error;
}

static int at_end(struct session *session)
{
    if (!is_program(session))
        return -EPROTO;
    kill_tree(session);
    return 0;
}

static int at_park(struct session *session, char reason)
{
    uint64_t rss_bytes;
    int error;

    switch (reason) {
    case PARK_READY:
        return procfs_read_statm(session->child.statm_fd, &session->ready_rss_bytes);
    case PARK_TOUCHED:
        error = procfs_read_statm(session->child.statm_fd, &rss_bytes);
        if (!error)
            session->sample->statm_error_bytes =
                (int64_t)(rss_bytes - session->ready_rss_bytes) - PAGE_STEP_BYTES;
        return error;
    case PARK_BASELINE:
        return session->sampling ? -EPROTO : at_baseline(session);
    case PARK_PHASE:
        return session->sampling ? at_phase_end(session) : -EPROTO;
    case PARK_END:
        return at_end(session);
    case PARK_PRESSURE:
        return session->cell->way.mode == RETURN_PRESSURE ? memory_pressure(&session->group)
                                                          : -EPROTO;
    default:
        return -EPROTO;
    }
}

/* Answers one park. Returns 0 while the child goes on, 1 when it has closed its end, or a negative
 * errno. */
static int answer_park(struct session *session)
{
    char byte;
    ssize_t got = read(session->child.park_fd, &byte, 1);

    if (got < 0 && errno == EINTR)
        return 0;
    if (got <= 0)
        return 1;
    int error = at_park(session, byte);
    if (error)
        return error;
    return write(session->child.go_fd, &byte, 1) == 1 ? 0 : 1;
}

/* Keeps the last SAMPLE_STDERR_BYTES - 1; a flood costs reading, not memory. Returns 1 at end of
 * file. */
static int drain_stderr(struct session *session)
{
    char chunk[1024];
    const size_t room = sizeof session->stderr_tail - 1;

    for (int reads = 0; reads < 64; reads++) {
        ssize_t got = read(session->child.stderr_fd, chunk, sizeof chunk);
        if (got <= 0)
            return got == 0;
        size_t fresh = (size_t)got;
        if (session->stderr_used + fresh > room) {
            size_t dropped = session->stderr_used + fresh - room;
            memmove(session->stderr_tail, session->stderr_tail + dropped,
                    session->stderr_used - dropped);
            session->stderr_used -= dropped;
        }
        memcpy(session->stderr_tail + session->stderr_used, chunk, fresh);
        session->stderr_used += fresh;
    }
    return 0;
}

/* The name of the phase that the child is in, NULL between two. */
static const char *running_phase(const struct session *session)
{
    const struct page *page = session->child.page;
    const uint32_t phase = atomic_load(&page->gauge.phase);

    return phase == page->phase_count + 1 && phase <= PAGE_PHASES ? page->phases[phase - 1].name
                                                                  : NULL;
}

/* Between phases the child is parked, or about to be, or to go on: what is due then is for the end
 * of the one or within the other. */
static void take_moments(struct session *session, uint64_t now_ns)
{
    struct moments *moments = &session->sample->moments;
    const char *phase;

    while (moments_due_ns(moments) <= now_ns && (phase = running_phase(session)) != NULL)
        moments_take(moments, session->child.pid, strcmp(phase, rest_name) == 0, &session->group);
}

static void let_watch(struct session *session, uint64_t now_ns)
{
    struct sample_watcher *watcher = session->settings->watcher;

    if (!watcher || now_ns < session->watch_ns)
        return;
    watcher->look(watcher, session->sampling ? session->settings->sampler : NULL);
    session->watch_ns = clock_monotonic_ns() + watcher->every_ns;
}

/* What is due, while the child runs. */
static void look_at(struct session *session, uint64_t now_ns)
{
    let_watch(session, now_ns);
    take_moments(session, now_ns);
    if (session->witness.page && session->sampling)
        program_witness_look(&session->witness, &own_tree);
}

/* Until something is due. */
static int wait_ms(const struct session *session, uint64_t now_ns, uint64_t deadline_ns)
{
    const uint64_t due_ns = moments_due_ns(&session->sample->moments);
    uint64_t next_ns = due_ns < deadline_ns ? due_ns : deadline_ns;

    if (session->settings->watcher && session->watch_ns < next_ns)
        next_ns = session->watch_ns;
    const uint64_t most_ms = session->witness.page ? PROGRAM_LOOK_MS : 1000;
    const uint64_t left_ms = next_ns > now_ns ? (next_ns - now_ns) / 1000000u + 1 : 1;

    return (int)(left_ms < most_ms ? left_ms : most_ms);
}

/* Serves the child until it ends, is out of time, or breaks the protocol. Returns 0 or a negative
 * errno. */
static int serve(struct session *session)
{
    enum { PARK, ERRORS, END, WATCHED };
    struct pollfd watched[WATCHED] = {
        [PARK] = {.fd = session->child.park_fd, .events = POLLIN},
        [ERRORS] = {.fd = session->child.stderr_fd, .events = POLLIN},
        [END] = {.fd = session->child.pid_fd, .events = POLLIN},
    };
    const unsigned sharers = session->settings->sharers > 1 ? session->settings->sharers : 1;
    const uint64_t deadline_ns = session->child.started_ns +
                                 session->settings->plan->timeout_ns * sharers +
                                 session->cell->idle_ns;

    for (;;) {
        uint64_t now = clock_monotonic_ns();
        if (*session->settings->interrupted)
            return -EINTR;
        if (now >= deadline_ns) {
            session->timed_out = 1;
            return -ETIMEDOUT;
        }
        look_at(session, now);
        if (poll(watched, WATCHED, wait_ms(session, now, deadline_ns)) < 0 && errno != EINTR)
            return -errno;
        if (watched[ERRORS].revents && drain_stderr(session))
            watched[ERRORS].fd = -1;
        if (watched[PARK].revents) {
            int answer = answer_park(session);
            if (answer < 0)
                return answer;
            if (answer > 0)
                watched[PARK].fd = -1;
        }
        if (watched[END].revents) {
            session->ended = 1;
            return 0;
        }
    }
}

/* Endings. */

/*
 * The last line that the child wrote to stderr, or an empty string. What is not printable ASCII
 * becomes '?': it goes to a terminal and into JSON.
 */
static const char *last_line(struct session *session)
{
    char *text = session->stderr_tail;
    size_t used = session->stderr_used;

    for (size_t i = 0; i < used; i++) {
        if (text[i] != '\n' && (text[i] < ' ' || text[i] > '~'))
            text[i] = '?';
    }
    while (used > 0 && text[used - 1] == '\n')
        used--;
    text[used] = '\0';
    char *newline = strrchr(text, '\n');
    return newline ? newline + 1 : text;
}

static void decide(struct session *session, enum sample_status status, const char *what)
{
    struct sample *sample = session->sample;
    const struct page *page = session->child.page;
    uint32_t phase = atomic_load(&page->gauge.phase);
    const char *line = last_line(session);
    char where[64] = " before its first phase";

    if (phase > 0 && phase <= PAGE_PHASES)
        snprintf(where, sizeof where, " %s phase %.23s",
                 phase > sample->phase_count ? "in" : "after", page->phases[phase - 1].name);
    sample->status = status;
    snprintf(sample->reason, sizeof sample->reason, "%s%s%s%.400s", what, where,
             line[0] ? ": " : "", line);
}

static void decide_by_wait_status(struct session *session, int wait_status)
{
    const struct page *page = session->child.page;
    struct sample *sample = session->sample;
    char what[256];

    if (WIFSIGNALED(wait_status)) {
        int number = WTERMSIG(wait_status);
        snprintf(what, sizeof what, "killed by signal %d (%s)", number, strsignal(number));
        decide(session, SAMPLE_SIGNAL, what);
    } else if (page->status == PAGE_NOT_AVAILABLE) {
        sample->status = SAMPLE_NOT_AVAILABLE;
        snprintf(sample->reason, sizeof sample->reason, "%.*s", (int)sizeof page->reason,
                 page->reason);
    } else if (page->status == PAGE_DONE && WEXITSTATUS(wait_status) == 0) {
        /* A child that says it is done and never parked has measured nothing. */
        if (sample->phase_count > 0 && sample->phase_count == page->phase_count)
            sample->status = SAMPLE_OK;
        else
            decide(session, SAMPLE_EXIT, "finished without parking at its phases' ends");
    } else {
        snprintf(what, sizeof what, "ended with exit status %d%s%.*s", WEXITSTATUS(wait_status),
                 page->reason[0] ? ", " : "", (int)sizeof page->reason - 1, page->reason);
        decide(session, SAMPLE_EXIT, what);
    }
}

/* The interpreter runs, but not on the row's allocator: it must not be measured under its name. */
static void decide_not_loaded(struct session *session)
{
    const struct row *row = &session->cell->row;
    const struct allocator *raw = row->raw.allocator ? row->raw.allocator : row->object.allocator;

    session->sample->status = SAMPLE_NOT_AVAILABLE;
    snprintf(session->sample->reason, SAMPLE_REASON_BYTES,
             "%s was not loaded into the interpreter%s%s%s", raw->soname,
             raw->package ? " (Debian package " : "", raw->package ? raw->package : "",
             raw->package ? ")" : "");
}

/* 1 when the child was killed, and not by this thread. */
static int was_killed(const struct session *session, int wait_status)
{
    return session->ended && WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL;
}

/* The kernel may also have chosen a process that the child had started: then this is no sample of
 * the whole workload, however the child has ended. */
static void decide_kernel_kill(struct session *session, int wait_status)
{
    char what[256];
    const char *who = was_killed(session, wait_status) ? "" : "a process that it had started was ";

    if (session->kernel_kill == MEMORY_KILL_LIMIT)
        snprintf(what, sizeof what,
                 "%skilled by the kernel in its memory group above the limit of %" PRIu64 " MiB",
                 who, session->settings->plan->memory_limit_bytes >> 20);
    else
        snprintf(what, sizeof what,
                 "%skilled by the kernel, as the machine or a memory group around it had no memory "
                 "left,",
                 who);
    decide(session, SAMPLE_OOM, what);
}

/* A program that ran on another malloc than its row's is no sample of it. */
static void check_witness(struct session *session)
{
    struct sample *sample = session->sample;
    char file[WITNESS_PATH_BYTES];

    if (sample->status != SAMPLE_OK || !session->witness.page)
        return;
    if (program_witness_check(&session->witness, session->cell, file, sample->reason) != 0)
        sample->status = SAMPLE_EXIT;
    else
        snprintf(sample->object_provider, sizeof sample->object_provider, "%.190s", file);
}

/*
 * The kernel keeps the most that one process had (page.h): what was too short to be seen had that,
 * and what was seen at least that. A fork of the child counts as well, until it is the program: it
 * has less than a program with the same library.
 */
static void bound_peak(struct session *session)
{
    struct sample *sample = session->sample;
    const uint64_t bound_bytes =
        session->cell->workload->has_driver ? 0 : session->child.page->program_peak_bytes;
    struct sample_phase *last = &sample->phases[sample->phase_count - 1];

    sample->peak_floor_bytes = bound_bytes;
    for (size_t i = 0; i < sample->phase_count; i++)
        if (sample->phases[i].status.peak_bytes > 0)
            return;
    last->status.peak_bytes = bound_bytes;
    last->rollup.rss_bytes = bound_bytes;
    if (bound_bytes == 0)
        decide(session, SAMPLE_EXIT, "nothing of the program was seen: it ended too soon,");
}

/* Figures of a part of the program are none. */
static void check_program(struct session *session)
{
    const int error = session->sampling ? sampler_tree_error(session->settings->sampler) : 0;
    char what[256];

    if (session->sample->status != SAMPLE_OK)
        return;
    bound_peak(session);
    if (error == -ENOBUFS)
        snprintf(what, sizeof what, "it had more than %d processes at once, which cannot be seen",
                 PROCESS_TREE_MOST);
    else
        snprintf(what, sizeof what, "its processes could not all be seen (%s)", strerror(-error));
    if (error)
        decide(session, SAMPLE_EXIT, what);
}

static void finish(struct session *session, int served, int wait_status)
{
    const struct sampler *sampler = session->settings->sampler;
    const int is_over = session->sampling && atomic_load(&sampler->over_limit);
    char what[256];

    if (served == -EINTR) {
        session->sample->status = SAMPLE_INTERRUPTED;
    } else if (session->kernel_kill == MEMORY_KILL_LIMIT ||
               (session->kernel_kill != MEMORY_KILL_NONE && !is_over)) {
        decide_kernel_kill(session, wait_status);
    } else if (is_over) {
        snprintf(what, sizeof what,
                 "killed by the sampler above the memory limit of %" PRIu64 " MiB",
                 session->settings->plan->memory_limit_bytes >> 20);
        decide(session, SAMPLE_OOM, what);
    } else if (session->timed_out) {
        snprintf(what, sizeof what, "stopped after the time limit of %.3g s",
                 (double)session->settings->plan->timeout_ns / 1e9);
        decide(session, SAMPLE_TIMEOUT, what);
    } else if (served == -ELIBACC) {
        decide_not_loaded(session);
    } else if (served < 0 && !session->ended) {
        snprintf(what, sizeof what, "stopped by the harness (%s)", strerror(-served));
        decide(session, SAMPLE_EXIT, what);
    } else {
        decide_by_wait_status(session, wait_status);
    }
}

/* What memory does after the last phase, while the process tidies up and ends, belongs to no
 * figure. */
static size_t count_measured_ticks(const struct sample *sample, const struct sampler *sampler)
{
    size_t count = sampler->count;

    if (sample->phase_count == 0)
        return count;
    const struct sample_phase *last = &sample->phases[sample->phase_count - 1];
    uint64_t end_ns = last->stamps.end_ns + last->park_ns - sample->baseline_ns;
    while (count > 0 && sampler->ticks[count - 1].t_ns > end_ns)
        count--;
    return count;
}

static void keep_figures(struct session *session)
{
    struct sample *sample = session->sample;
    const struct page *page = session->child.page;
    const struct sampler *sampler = session->settings->sampler;

    snprintf(sample->version, sizeof sample->version, "%.*s", (int)sizeof page->version - 1,
             page->version);
    if (host_is_objects(&session->cell->host)) {
        snprintf(sample->object_provider, sizeof sample->object_provider, "%.*s",
                 (int)sizeof page->object_provider - 1, page->object_provider);
        snprintf(sample->raw_provider, sizeof sample->raw_provider, "%.*s",
                 (int)sizeof page->raw_provider - 1, page->raw_provider);
    }
    sample->counts_operations = host_is_objects(&session->cell->host);
    if (is_program(session))
        sample->usage =
            session->cell->workload->has_driver ? SAMPLE_USAGE_OF_NONE : SAMPLE_USAGE_OF_ALL;
    sample->operations = atomic_load(&page->gauge.operations);
    sample->checksum = atomic_load(&page->gauge.checksum);
    sample->has_exit_status =
        session->cell->workload->is_program && (sample->checksum & PROGRAM_HAS_RUN) != 0;
    sample->exit_status = sample->has_exit_status ? program_status_of(sample->checksum) : 0;
    if (session->sampling) {
        sample->ticks = sampler->ticks;
        sample->tick_count =
            page->status == PAGE_DONE ? count_measured_ticks(sample, sampler) : sampler->count;
        sample->late_ticks = sampler->late;
        sample->tick_ns = sampler->tick_ns;
    }
}

/* 1 when the child has ended but for being waited for. */
static int has_ended(const struct spawned *child)
{
    struct pollfd end = {.fd = child->pid_fd, .events = POLLIN};

    return poll(&end, 1, 0) == 1;
}

/*
 * Asks whom the kernel has killed, and ends what has left the child's process group, a daemon. The
 * group counts its own; without one there is the count of the whole machine alone, which says
 * something only beside a child that was killed.
 */
static void end_group(struct session *session, int wait_status)
{
    int kill = memory_group_kill_of(&session->group);

    session->kernel_kill = kill > 0 ? (enum memory_kill)kill : MEMORY_KILL_NONE;
    if (session->sample->limited_by == SAMPLE_LIMITED_BY_SAMPLER &&
        was_killed(session, wait_status) && procfs_oom_kills() != session->oom_kills)
        session->kernel_kill = MEMORY_KILL_ELSEWHERE;
    session->sample->left_behind |= memory_group_remove(&session->group) != 0;
}

int sample_run(const struct sample_settings *settings, const struct cell *cell, uint64_t seed,
               struct sample *sample)
{
    enum { MOST_PAD_BYTES = 4096 };
    struct session session = {.settings = settings,
                              .cell = cell,
                              .sample = sample,
                              .oom_kills = procfs_oom_kills(),
                              .witness = {.fd = -1}};

    memset(sample, 0, sizeof *sample);
    sample->cpu = -1;
    sample->statm_error_bytes = INT64_MIN;
    sample->pad_bytes = (unsigned)(seed % MOST_PAD_BYTES);
    int started = start(&session);
    if (started) {
        program_witness_close(&session.witness);
        return started < 0 ? started : 0;
    }
    if (is_program(&session))
        begin_trees(&session);
    int served = serve(&session);
    if (served < 0)
        session.ended = has_ended(&session.child);
    /* The sampler may kill too, so it stops first. Until its leader is reaped a group keeps its
     * number, with all that the workload forked: it ends here, whether the child has ended or not.
     */
    if (session.sampling)
        sampler_stop(settings->sampler);
    if (is_program(&session)) {
        kill(session.child.pid, SIGSTOP); /* its program's end is not to be one of its own */
        kill_tree(&session);
    }
    spawn_kill(&session.child);
    int wait_status = spawn_reap(&session.child);
    end_group(&session, wait_status);
    drain_stderr(&session);
    keep_figures(&session);
    finish(&session, served, wait_status);
    check_witness(&session);
    if (is_program(&session)) {
        check_program(&session);
        end_trees(&session);
    }
    spawn_release(&session.child);
    program_witness_close(&session.witness);
    return 0;
}
