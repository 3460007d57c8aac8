# g++ -O1 of a generated C++ file: 18 instantiations of standard containers.
# shellcheck shell=sh source=workloads/programs/common.sh
. "${0%/*}/common.sh"
unset CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH LIBRARY_PATH COMPILER_PATH GCC_EXEC_PREFIX GCC_COMPARE_DEBUG DEPENDENCIES_OUTPUT SUNPRO_DEPENDENCIES
awk 'BEGIN {
    print "#include <map>\n#include <string>\n#include <vector>\n#include <algorithm>\ntemplate <int N> struct key { int v; bool operator<(const key &o) const { return v < o.v; } };"
    for (i = 0; i < 18; i++)
        printf "int f%d(int n) { std::map<key<%d>, std::vector<std::string>> m; for (int i = 0; i < n; i++) m[key<%d>{i %% 7}].push_back(std::to_string(i)); int s = 0; for (auto &e : m) { std::sort(e.second.begin(), e.second.end()); s += (int)e.second.size(); } return s; }\n", i, i, i
}' > unit.cc
phase run
under g++ -O1 -c unit.cc -o unit.o
