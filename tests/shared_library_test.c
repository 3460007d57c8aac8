/* Opening a malloc library: what is missing is said, and no other library's malloc is taken for it.
 */
#include "allocators/shared_library.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char reason[ALLOCATOR_TEXT_BYTES];

static int open_as(const char *soname)
{
    const struct allocator allocator = {.name = "test", .soname = soname, .package = "libtest1"};
    struct allocator_ops ops;
    void *handle;

    return shared_library_open(&allocator, &ops, &handle, reason);
}

static void test_a_missing_library_names_its_package(void **state)
{
    (void)state;
    assert_int_equal(open_as("libnosuch.so.1"), -ENOENT);
    assert_non_null(strstr(reason, "libnosuch.so.1"));
    assert_non_null(strstr(reason, "Debian package libtest1"));
}

static void test_a_library_without_a_malloc_of_its_own_is_refused(void **state)
{
    (void)state;
    /* zlib links libc, so dlsym finds a malloc through it. */
    assert_int_equal(open_as("libz.so.1"), -ENOSYS);
    assert_non_null(strstr(reason, "libz.so.1 has no malloc of its own"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_missing_library_names_its_package),
        cmocka_unit_test(test_a_library_without_a_malloc_of_its_own_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
