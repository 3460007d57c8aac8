/*
 * tidemark-check: one check of the allocator contract on one row, in a process of its own, so that
 * a broken allocator harms nothing else. Leaves out any second check: what one leaves behind would
 * be found by the next.
 */
#define _GNU_SOURCE
#include "harness/check.h"

#include "harness/check_run.h"
#include "harness/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_NOT_AVAILABLE = 3, MOST_SECONDS = 3600 };

static const char usage_text[] =
    "usage: tidemark-check --check CHECK --object NAME [--raw NAME] [--seed N] [--timeout "
    "SECONDS]\n"
    "Opens a row and puts it to one check of the allocator contract, which\n"
    "`tidemark check --list` names. NAME is a name of `tidemark list allocators` or the path of a\n"
    "library. Prints one line: ok, FAIL or n/a, a tab and a sentence; before it, such a line with\n"
    "`amid` for each broken promise after which the check went on. What the allocator prints\n"
    "goes to stderr. It is started by `tidemark check`, to which one `amid` is a failure.\n"
    "Exit status: 0 ok or n/a; 1 FAIL; 2 usage; 3 the row cannot be opened, and stderr says why.\n";

struct arguments {
    const char *check, *object, *raw, *seed, *timeout;
};

#ifdef TIDEMARK_SANITIZED
/*
 * Read before main. A size that cannot be served is NULL, as the contract has it; and what a
 * library that was built without a sanitizer does inside is not ThreadSanitizer's to judge.
 */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__lsan_default_suppressions(void);

const char *__asan_default_options(void) /* NOLINT(bugprone-reserved-identifier) */
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void) /* NOLINT(bugprone-reserved-identifier) */
{
    return "allocator_may_return_null=1:ignore_noninstrumented_modules=1";
}

/* tcmalloc keeps 8 bytes of libc's for ever: a leak of another's, and the measured fact. */
const char *__lsan_default_suppressions(void) /* NOLINT(bugprone-reserved-identifier) */
{
    return "leak:libtcmalloc_minimal\n";
}
#endif

static int usage_error(const char *problem, const char *value)
{
    fprintf(stderr, "tidemark-check: %s%s\n%s", problem, value, usage_text);
    return EXIT_USAGE;
}

static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    const struct {
        const char *flag;
        const char **value;
    } flags[] = {
        {"--check", &arguments->check},     {"--object", &arguments->object},
        {"--raw", &arguments->raw},         {"--seed", &arguments->seed},
        {"--timeout", &arguments->timeout},
    };

    for (int i = 1; i < argc; i += 2) {
        size_t at = 0;
        while (at < sizeof flags / sizeof flags[0] && strcmp(flags[at].flag, argv[i]) != 0)
            at++;
        if (at == sizeof flags / sizeof flags[0])
            return usage_error("unknown flag ", argv[i]);
        if (!argv[i + 1])
            return usage_error("a value is missing after ", argv[i]);
        *flags[at].value = argv[i + 1];
    }
    if (!arguments->check || !arguments->object)
        return usage_error("--check CHECK and --object NAME are both needed", "");
    return 0;
}

/* Keeps stdout for the result, and sends what anybody prints there to stderr. */
static int keep_stdout(void)
{
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);

    if (fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return -errno;
    return fd;
}

static void run_check(const struct check *check, const struct check_run *run)
{
    char obstacle[CHECK_OBSTACLE_BYTES];

    if (check_has_obstacle(check, run->capabilities, obstacle))
        check_not_available("%s", obstacle);
    check->run(run);
    check_end();
}

static int check_row(const struct arguments *arguments, const struct check *check, uint64_t seed,
                     uint64_t seconds)
{
    static struct open_row row;
    char reason[ALLOCATOR_TEXT_BYTES] = "";
    int result_fd = keep_stdout();

    if (result_fd < 0) {
        fprintf(stderr, "tidemark-check: stdout cannot be kept: %s\n", strerror(-result_fd));
        return EXIT_FAILURE;
    }
    check_begin(result_fd, (unsigned)seconds);
    check_note("opening the row");
    int error = open_row(&row, arguments->object, arguments->raw, reason);
    if (error) {
        fprintf(stderr, "tidemark-check: %s\n", reason);
        return error == -EINVAL ? EXIT_USAGE : EXIT_NOT_AVAILABLE;
    }
    struct check_run run = {
        .row = &row,
        .ops = &row.object,
        .capabilities = row.object_allocator->capabilities,
        .object_name = arguments->object,
        .raw_name = arguments->raw,
        .seed = seed,
    };
    check_note("the check itself");
    run_check(check, &run);
    check_note("the end of the process");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.seed = "1", .timeout = "60"};
    uint64_t seed, seconds;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage_text, stdout);
        return fflush(stdout) == 0 ? 0 : 1;
    }
    int status = read_arguments(argc, argv, &arguments);
    if (status)
        return status;
    const struct check *check = check_find(arguments.check);
    if (!check)
        return usage_error("no check is called ", arguments.check);
    if (text_parse_number(arguments.seed, 0, INT64_MAX, &seed) != 0)
        return usage_error("--seed: no number: ", arguments.seed);
    if (text_parse_number(arguments.timeout, 1, MOST_SECONDS, &seconds) != 0)
        return usage_error("--timeout: no number of seconds from 1 to 3600: ", arguments.timeout);
    return check_row(&arguments, check, seed, seconds);
}
