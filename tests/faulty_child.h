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
    FAULT_HOLD_MEMORY, /* a little below the limit, and behaves */
    FAULT_LEAVE_PAGES, /* of a file in memory, FAULT_FILE with its pid; and behaves */
    FAULT_DAEMON,      /* leaves one that has a session of its own, and behaves */
    FAULT_GRANDCHILD_EATS,
    FAULT_EAT_UNKILLED, /* having told the kernel not to kill in its group */
    FAULT_EAT_OUTSIDE,  /* having left its group */
    FAULT_PRESSURE,     /* asks for it, and behaves */
};

#define FAULT_FILE "/dev/shm/tidemark-left-%d"

enum { FAULT_HELD_BYTES = 40 << 20 };

#endif
