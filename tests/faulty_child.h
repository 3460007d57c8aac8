/* The faults that tests/faulty_child.c knows. */
#ifndef TIDEMARK_TESTS_FAULTY_CHILD_H
#define TIDEMARK_TESTS_FAULTY_CHILD_H

enum fault {
    FAULT_NONE = 1, /* behaves */
    FAULT_CRASH_AT_ONCE,
    FAULT_HANG_BEFORE_BASELINE,
    FAULT_CRASH_IN_PHASE,
    FAULT_CRASH_AT_THE_END,
    FAULT_EXIT,
    FAULT_EXIT_ZERO_UNFINISHED,
    FAULT_HANG,
    FAULT_EAT_MEMORY,
    FAULT_FLOOD, /* then crashes */
    FAULT_BAD_PARK,
    FAULT_CLOSE_DESCRIPTORS,
    FAULT_ORPHAN,
    FAULT_NOT_AVAILABLE,
    FAULT_NEVER_PARKS, /* and says that it is done */
};

#endif
