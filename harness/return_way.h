/*
 * In which way a cell gives memory back after its last free: an attribute of a cell as its
 * parameters are. Leaves out doing it, which is the child's (harness/child.c), and for pressure the
 * parent's (harness/memory_pressure.h). The five modes are those of docs/return.md.
 */
#ifndef TIDEMARK_HARNESS_RETURN_WAY_H
#define TIDEMARK_HARNESS_RETURN_WAY_H

#include <stdint.h>

enum return_mode {
    RETURN_STOCK,    /* as the allocator comes */
    RETURN_IDLE,     /* the same, with a long rest */
    RETURN_EAGER,    /* with the tunables that give back soonest (`eager` of struct allocator) */
    RETURN_PURGE,    /* asked to give back all it can, in a phase `purge` */
    RETURN_PRESSURE, /* the kernel takes what it can get, in a phase `pressure` */
};

/* Transparent huge pages for the child. */
enum return_thp { RETURN_THP_SYSTEM, RETURN_THP_ON, RETURN_THP_OFF };

enum {
    RETURN_MODES = RETURN_PRESSURE + 1,
    RETURN_THPS = RETURN_THP_OFF + 1,
    RETURN_WAY_TEXT_BYTES = 96,
    RETURN_REASON_BYTES = 256,
};

/* All zero is as every cell was before there were ways. */
struct return_way {
    enum return_mode mode;
    enum return_thp thp;
    uint64_t activity_ns; /* between two ticks of light activity in the rest; 0: it only waits */
    int rebuilds; /* 1: after giving back, the workload runs once more in a phase `rebuild` */
};

/* "stock", "idle", "eager", "purge" or "pressure"; "system", "on" or "off". Thread-safe. */
const char *return_mode_name(enum return_mode mode);
const char *return_thp_name(enum return_thp thp);

/* Each returns 0, or -EINVAL with the output untouched. Thread-safe. */
int return_mode_parse(const char *text, enum return_mode *mode);
int return_thp_parse(const char *text, enum return_thp *thp);

/* 1 when they are equal in all. Thread-safe. */
int return_way_is_same(const struct return_way *a, const struct return_way *b);

/* "idle, active each 100 ms, THP off", into `text` (RETURN_WAY_TEXT_BYTES); returned. Whether it
 * rebuilds is left out, as it changes nothing before it. Thread-safe. */
const char *return_way_text(const struct return_way *way, char *text);

/*
 * 1 when a child can have transparent huge pages in this way; else 0 with a sentence in `reason`
 * (RETURN_REASON_BYTES). Off can be had wherever there are any, on only where the system's setting,
 * the line of `enabled` in /sys/kernel/mm/transparent_hugepage, is `always`. Thread-safe.
 */
int return_thp_is_available(enum return_thp thp, const char *enabled, char *reason);

/* That line of this machine, empty where there is none, into `enabled` (RETURN_REASON_BYTES);
 * returned. */
const char *return_thp_read(char *enabled);

#endif
