/*
 * The C side of Google Benchmark (gbench_shim.h), and the one C++ file here: each function forwards
 * to one call of the library. Leaves out every decision: what to measure is the caller's. Written
 * against benchmark.h and the command line reader (src/benchmark.cc) of Google Benchmark 1.7.1.
 */
#include "harness/gbench_shim.h"

#include <benchmark/benchmark.h>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

namespace
{

using Registered = benchmark::internal::Benchmark;

/* The opaque C structs are never defined: they are other names of the library's own objects. */
benchmark::State &state_of(tidemark_gbench_state *state)
{
    return *reinterpret_cast<benchmark::State *>(state);
}

const benchmark::State &state_of(const tidemark_gbench_state *state)
{
    return *reinterpret_cast<const benchmark::State *>(state);
}

Registered &registered_of(tidemark_gbench_registration *registration)
{
    return *reinterpret_cast<Registered *>(registration);
}

/* Runs `body`; whatever it throws ends here, as an errno. */
template <typename Body> int guarded(Body body) noexcept
{
    try {
        body();
        return 0;
    } catch (const std::bad_alloc &) {
        return -ENOMEM;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "google benchmark: %s\n", error.what());
    } catch (...) {
        std::fputs("google benchmark: unknown exception\n", stderr);
    }
    return -EIO;
}

struct flags_refused {
};

/* The library calls this and then exit(0), also for a wrong value: throwing keeps that from us. */
[[noreturn]] void refuse_flags()
{
    throw flags_refused();
}

} // namespace

int tidemark_gbench_initialise(int argc, char **argv)
{
    bool refused = false;
    int error = guarded([&] {
        try {
            benchmark::Initialize(&argc, argv, refuse_flags);
            refused = benchmark::ReportUnrecognizedArguments(argc, argv);
        } catch (const flags_refused &) {
            std::fputs("google benchmark: --help is not taken here, and --benchmark_format and "
                       "--benchmark_out_format take console, json or csv, --benchmark_color "
                       "auto, true or false\n",
                       stderr);
            refused = true;
        }
    });

    if (error == 0 && refused)
        return -EINVAL;
    return error;
}

void tidemark_gbench_print_flags(void)
{
    guarded([] { benchmark::PrintDefaultHelp(); });
}

int tidemark_gbench_add_context(const char *key, const char *value)
{
    return guarded([=] { benchmark::AddCustomContext(key, value); });
}

bool tidemark_gbench_has_filter(void)
{
    std::string filter;

    guarded([&] { filter = benchmark::GetBenchmarkFilter(); });
    /* The library takes these for "all" itself. */
    return !filter.empty() && filter != "all" && filter != ".";
}

int tidemark_gbench_run(void)
{
    size_t count = 0;
    int error = guarded([&] { count = benchmark::RunSpecifiedBenchmarks(); });

    return error != 0 ? error : static_cast<int>(count);
}

void tidemark_gbench_shutdown(void)
{
    guarded([] {
        benchmark::ClearRegisteredBenchmarks();
        benchmark::Shutdown();
    });
}

tidemark_gbench_registration *
tidemark_gbench_register(const char *name, tidemark_gbench_function *function, void *data)
{
    Registered *registered = nullptr;

    guarded([&] {
        registered = benchmark::RegisterBenchmark(name, [=](benchmark::State &state) {
            function(reinterpret_cast<tidemark_gbench_state *>(&state), data);
        });
    });
    return reinterpret_cast<tidemark_gbench_registration *>(registered);
}

int tidemark_gbench_add_arguments(tidemark_gbench_registration *registration,
                                  const int64_t *arguments, size_t count)
{
    return guarded([=] {
        registered_of(registration).Args(std::vector<int64_t>(arguments, arguments + count));
    });
}

int tidemark_gbench_name_arguments(tidemark_gbench_registration *registration,
                                   const char *const *names, size_t count)
{
    return guarded([=] {
        registered_of(registration).ArgNames(std::vector<std::string>(names, names + count));
    });
}

int tidemark_gbench_add_range(tidemark_gbench_registration *registration, int64_t low, int64_t high,
                              int multiplier)
{
    /* Unchecked in the library's release build, where a multiplier of 1 never ends; else it aborts.
     */
    if (low < 0 || low > high || multiplier < 2)
        return -EINVAL;
    return guarded(
        [=] { registered_of(registration).RangeMultiplier(multiplier)->Range(low, high); });
}

int tidemark_gbench_threads(tidemark_gbench_registration *registration, int count)
{
    if (count < 1)
        return -EINVAL;
    return guarded([=] { registered_of(registration).Threads(count); });
}

int tidemark_gbench_use_real_time(tidemark_gbench_registration *registration)
{
    return guarded([=] { registered_of(registration).UseRealTime(); });
}

bool tidemark_gbench_keep_running(tidemark_gbench_state *state)
{
    return state_of(state).KeepRunning();
}

int64_t tidemark_gbench_keep_running_batch(tidemark_gbench_state *state)
{
    benchmark::State &all = state_of(state);

    /* One batch as large as the whole: true the first time, false and the clock stopped the second.
     */
    return all.KeepRunningBatch(all.max_iterations) ? all.max_iterations : 0;
}

int64_t tidemark_gbench_iterations(const tidemark_gbench_state *state)
{
    return state_of(state).iterations();
}

void tidemark_gbench_pause_timing(tidemark_gbench_state *state)
{
    state_of(state).PauseTiming();
}

void tidemark_gbench_resume_timing(tidemark_gbench_state *state)
{
    state_of(state).ResumeTiming();
}

int64_t tidemark_gbench_argument(const tidemark_gbench_state *state, size_t index)
{
    return state_of(state).range(index);
}

int tidemark_gbench_thread_index(const tidemark_gbench_state *state)
{
    return state_of(state).thread_index();
}

int tidemark_gbench_set_items_processed(tidemark_gbench_state *state, int64_t items)
{
    return guarded([=] { state_of(state).SetItemsProcessed(items); });
}

int tidemark_gbench_set_bytes_processed(tidemark_gbench_state *state, int64_t bytes)
{
    return guarded([=] { state_of(state).SetBytesProcessed(bytes); });
}

int tidemark_gbench_counter(tidemark_gbench_state *state, const char *name, double value,
                            enum tidemark_gbench_counter_kind kind)
{
    benchmark::Counter::Flags flags;

    switch (kind) {
    case TIDEMARK_GBENCH_VALUE:
        flags = benchmark::Counter::kDefaults;
        break;
    case TIDEMARK_GBENCH_RATE:
        flags = benchmark::Counter::kIsRate;
        break;
    case TIDEMARK_GBENCH_THREAD_AVERAGE:
        flags = benchmark::Counter::kAvgThreads;
        break;
    case TIDEMARK_GBENCH_ITERATION_AVERAGE:
        flags = benchmark::Counter::kAvgIterations;
        break;
    default:
        return -EINVAL;
    }
    return guarded([=] { state_of(state).counters[name] = benchmark::Counter(value, flags); });
}

int tidemark_gbench_set_label(tidemark_gbench_state *state, const char *text)
{
    return guarded([=] { state_of(state).SetLabel(text); });
}

int tidemark_gbench_skip_with_error(tidemark_gbench_state *state, const char *reason)
{
    return guarded([=] { state_of(state).SkipWithError(reason); });
}
