# gcc -O2 of a generated C file of 2,000 functions.
# shellcheck shell=sh source=workloads/programs/common.sh
. "${0%/*}/common.sh"
unset CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH LIBRARY_PATH COMPILER_PATH GCC_EXEC_PREFIX GCC_COMPARE_DEBUG DEPENDENCIES_OUTPUT SUNPRO_DEPENDENCIES
awk 'BEGIN {
    print "#include <stddef.h>"
    for (i = 0; i < 2000; i++) {
        printf "static int f%d(const int *a, size_t n, int k)\n{\n    int s = %d;\n", i, i
        printf "    for (size_t i = 0; i < n; i++) {\n        if (a[i] > k) s += a[i] * %d; else s ^= a[i] + %d;\n    }\n", i % 7 + 1, i % 13
        if (i) printf "    return s + (k ? f%d(a, n / 2, k - 1) : %d);\n}\n", i - 1, i
        else printf "    return s;\n}\n"
    }
    print "int entry(const int *a, size_t n) { return f1999(a, n, 3); }"
}' > unit.c
phase run
under gcc -O2 -c unit.c -o unit.o
