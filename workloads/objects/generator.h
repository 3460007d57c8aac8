/*
 * Generators: a function that goes on where it stopped, in an object that is as large as its frame.
 * Leaves out byte code, which is a C function here, and throwing into one: try blocks around a
 * yield. After CPython Objects/genobject.c, 2.7 and 3.8 (with Objects/frameobject.c), 3.11 and
 * 3.13.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_GENERATOR_H
#define TIDEMARK_WORKLOADS_OBJECTS_GENERATOR_H

#include "workloads/objects/free_list.h"
#include "workloads/objects/object.h"

/*
 * Runs to the next yield: returns a new reference, or NULL at the end, or when memory ran out.
 * `locals` hold references or NULL; `step` is 0 at first and then what the function left there.
 */
typedef struct object *generator_resume(struct runtime *runtime, struct object **locals,
                                        uint64_t *step);

/* What a code object says. Of the caller's, who writes the first three; outlives the generators. */
struct generator_code {
    generator_resume *resume;
    size_t locals; /* co_nlocals, its cells and free variables included */
    size_t stack;  /* co_stacksize */
    /* To 3.8: co_zombieframe, the frame that the code keeps for its next call; NULL at first. */
    struct object *zombie;
};

/* Where a version has the frame. */
struct generator_layout {
    struct object *(*new)(struct runtime *runtime, struct generator_code *code);
    struct object **(*locals)(const struct object *object);
    struct object *(*next)(struct runtime *runtime, struct object *object);
};

extern const struct generator_layout generator_with_frame; /* 2.7, to 3.10: an object of its own */
extern const struct generator_layout generator_inline_frame; /* 3.11 and 3.13: within */

/* A call of a generator function. Returns a reference, its locals NULL; or NULL without memory. */
struct object *generator_new(struct runtime *runtime, struct generator_code *code);

/*
 * Its locals: where the caller stores the arguments, references of their own, before the first
 * item is asked for. NULL when it has ended.
 */
struct object **generator_locals(const struct runtime *runtime, const struct object *object);

/* next(object): a reference, or NULL when the generator has ended, and its locals with it. */
struct object *generator_next(struct runtime *runtime, struct object *object);

/* To 3.8: gives back the frame that the code keeps. No generator of it is left. */
void generator_code_finish(struct runtime *runtime, struct generator_code *code);

/* To 3.8: frees the dead frames that wait to be used again. */
void frames_clear_free_list(struct runtime *runtime);

#endif
