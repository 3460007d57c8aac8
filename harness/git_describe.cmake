# Writes git_describe.h anew when the revision that is built has changed. Run at each build, so that a run names what was measured.
# safe.directory: a build as root in somebody else's checkout is still of that revision.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git -c safe.directory=* -C "${SOURCE_DIR}" describe --always --dirty
                OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
file(CONFIGURE OUTPUT "${HEADER}" CONTENT "/* Generated at each build. Empty: not built from a git checkout. */
#define TIDEMARK_GIT \"@described@\"
" @ONLY)
