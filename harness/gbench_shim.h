/*
 * Google Benchmark for C: register functions, run them, get its console table and its JSON.
 * Leaves out fixtures, templates, complexity, custom reporters and manual time; what is here
 * behaves as in the user guide of Google Benchmark 1.7 (docs/user_guide.md), which the names
 * follow.
 *
 * Order of use, all from one thread: initialise, add_context, register and its settings, run,
 * shutdown. Only a benchmark's function and what takes a `state` may run on several threads. No C++
 * exception leaves any function. A function that returns int gives 0 or a negative errno: -ENOMEM,
 * -EIO with a line on stderr for any other exception, or what its comment says.
 *
 *     static void copy(struct tidemark_gbench_state *state, void *data)
 *     {
 *         size_t bytes = (size_t)tidemark_gbench_argument(state, 0);
 *
 *         while (tidemark_gbench_keep_running(state)) {
 *             memcpy(data, source, bytes);
 *             tidemark_gbench_do_not_optimize(data);
 *         }
 *         tidemark_gbench_set_bytes_processed(state,
 *             tidemark_gbench_iterations(state) * tidemark_gbench_argument(state, 0));
 *     }
 *     ...
 *     tidemark_gbench_add_range(tidemark_gbench_register("copy", copy, target), 8, 4096, 2);
 */
#ifndef TIDEMARK_HARNESS_GBENCH_SHIM_H
#define TIDEMARK_HARNESS_GBENCH_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One call of one benchmark on one thread: the library's, valid until the function returns. */
struct tidemark_gbench_state;

/* A registered benchmark. Owned by the library, valid until tidemark_gbench_shutdown(). */
struct tidemark_gbench_registration;

/*
 * A benchmark. It is called several times with growing iteration counts until the time asked for is
 * reached, then once per repetition: what it sets up it must also undo. It runs the state loop to
 * its end or calls tidemark_gbench_skip_with_error(). `data` is what was registered, shared by all
 * its threads. It must not leave by longjmp or pthread_exit.
 */
typedef void tidemark_gbench_function(struct tidemark_gbench_state *state, void *data);

/* How a counter is combined over the threads and printed. */
enum tidemark_gbench_counter_kind {
    TIDEMARK_GBENCH_VALUE,             /* the sum over threads */
    TIDEMARK_GBENCH_RATE,              /* the sum per second of CPU or real time */
    TIDEMARK_GBENCH_THREAD_AVERAGE,    /* the sum by the number of threads */
    TIDEMARK_GBENCH_ITERATION_AVERAGE, /* the sum by the number of iterations */
};

/* --- The process -------------------------------------------------------------------- */

/*
 * Reads Google Benchmark's own flags (--benchmark_out=FILE, --benchmark_filter=REGEX, ...) from
 * `argv`, a NULL-terminated vector as main() has it, whose strings must live as long as the
 * process; the order of `argv` may change. Variables BENCHMARK_* of the environment set the
 * defaults of flags. Returns -EINVAL with a line on stderr for an argument that is no such flag, a
 * value that a flag does not accept, and --help, which is the caller's to answer (see
 * tidemark_gbench_print_flags).
 */
int tidemark_gbench_initialise(int argc, char **argv);

/* Prints the flags of Google Benchmark on stdout, for a caller's --help. Needs no initialise. */
void tidemark_gbench_print_flags(void);

/* Adds `key`: `value` to the "context" of the JSON and to the console's head. Both are copied. */
int tidemark_gbench_add_context(const char *key, const char *value);

/* Whether --benchmark_filter, or BENCHMARK_FILTER of the environment, selects benchmarks by name.
 * After initialise. */
bool tidemark_gbench_has_filter(void);

/*
 * Runs every registered benchmark that the filter accepts, one after the other, or lists them when
 * the flags say so. Returns how many there were (a benchmark counts once per set of arguments and
 * of threads), 0 with a line on stderr when the filter accepts none, or a negative errno. The
 * library ends the process with status 1 when the file of --benchmark_out cannot be opened.
 */
int tidemark_gbench_run(void);

/* Forgets every registration and the context. Call once, last; no other function may follow. */
void tidemark_gbench_shutdown(void);

/* --- Registration ------------------------------------------------------------------- */

/*
 * Registers `function` under `name` (copied), to be called with `data` (not copied, the caller's;
 * it must live until the run is over). Returns NULL when out of memory.
 */
struct tidemark_gbench_registration *
tidemark_gbench_register(const char *name, tidemark_gbench_function *function, void *data);

/*
 * Has the benchmark run once more, with `count` arguments, copied, which become part of its name
 * ("pair/64"). Every set of arguments of one benchmark must have the same count.
 */
int tidemark_gbench_add_arguments(struct tidemark_gbench_registration *registration,
                                  const int64_t *arguments, size_t count);

/*
 * Names the arguments, in their order ("pair/size:64"); `names` are copied. Call it before the run;
 * `count` is that of every set of arguments.
 */
int tidemark_gbench_name_arguments(struct tidemark_gbench_registration *registration,
                                   const char *const *names, size_t count);

/*
 * Has the benchmark run with one argument: `low`, every power of `multiplier` between, and `high`.
 * Returns -EINVAL unless 0 <= low <= high and multiplier >= 2.
 */
int tidemark_gbench_add_range(struct tidemark_gbench_registration *registration, int64_t low,
                              int64_t high, int multiplier);

/*
 * Has `count` threads call the function at once, each with a state of its own and the same
 * iteration count; the state loop starts and ends with a barrier. Called again, it adds another
 * variant. The name gets "/threads:N". Returns -EINVAL unless count >= 1.
 */
int tidemark_gbench_threads(struct tidemark_gbench_registration *registration, int count);

/*
 * Has rates and the number of iterations rest on the time by the clock on the wall, not on CPU
 * time: for threads, of which one may wait for another. The name gets "/real_time".
 */
int tidemark_gbench_use_real_time(struct tidemark_gbench_registration *registration);

/* --- Inside a benchmark: the loop --------------------------------------------------- */

/*
 * True once per iteration; the clock starts at the first call and stops when it gives false. Costs
 * one call into this library per iteration, about 2 ns: for bodies of some 100 ns and more.
 */
bool tidemark_gbench_keep_running(struct tidemark_gbench_state *state);

/*
 * The same for short bodies: gives all iterations of this call at once (at least 1) and starts the
 * clock, then gives 0 and stops it, so that the measured loop has no call into the library at all:
 *
 *     for (int64_t left; (left = tidemark_gbench_keep_running_batch(state)) > 0;)
 *         for (; left > 0; left--)
 *             body();
 *
 * All that were given must be run. Do not mix it with tidemark_gbench_keep_running.
 */
int64_t tidemark_gbench_keep_running_batch(struct tidemark_gbench_state *state);

/* Iterations that this thread has run; complete once the loop has ended. */
int64_t tidemark_gbench_iterations(const struct tidemark_gbench_state *state);

/* Stop and restart the clock within an iteration. A pair costs 1 to 3 µs, in part measured. */
void tidemark_gbench_pause_timing(struct tidemark_gbench_state *state);
void tidemark_gbench_resume_timing(struct tidemark_gbench_state *state);

/*
 * Makes the compiler believe that the memory at `pointer` is read and written here, so that stores
 * to it stay. Costs no instruction but what gets `pointer` into a register.
 */
static inline void tidemark_gbench_do_not_optimize(const void *pointer)
{
    __asm__ __volatile__("" : : "r"(pointer) : "memory");
}

/* --- Inside a benchmark: what it was given and what it reports ---------------------- */

/* Argument `index`, which must be smaller than the count that was registered. */
int64_t tidemark_gbench_argument(const struct tidemark_gbench_state *state, size_t index);

/* This thread, from 0 to threads - 1. */
int tidemark_gbench_thread_index(const struct tidemark_gbench_state *state);

/*
 * What this thread's whole loop processed, iterations times the work of one. Reported as
 * items_per_second and bytes_per_second, the sum over the threads per second of CPU time, or of
 * real time where that was asked for.
 */
int tidemark_gbench_set_items_processed(struct tidemark_gbench_state *state, int64_t items);
int tidemark_gbench_set_bytes_processed(struct tidemark_gbench_state *state, int64_t bytes);

/* Sets counter `name` (copied) of this thread. Returns -EINVAL for an unknown kind. */
int tidemark_gbench_counter(struct tidemark_gbench_state *state, const char *name, double value,
                            enum tidemark_gbench_counter_kind kind);

/* Text beside the result, copied. With several threads one of them should call it. */
int tidemark_gbench_set_label(struct tidemark_gbench_state *state, const char *text);

/*
 * Ends this benchmark as failed: the JSON has "error_occurred" and `reason` (copied) in place of
 * times, and the run goes on with the next. Return from the function right after it.
 */
int tidemark_gbench_skip_with_error(struct tidemark_gbench_state *state, const char *reason);

#ifdef __cplusplus
}
#endif

#endif
