/*
 * Ways in which a call stack comes about, for stack_walk_test.c: stack_shapes.c is compiled once
 * for each kind of code that compilers make of it.
 */
#ifndef TIDEMARK_TESTS_STACK_SHAPES_H
#define TIDEMARK_TESTS_STACK_SHAPES_H

#ifdef __cplusplus
extern "C" {
#endif

typedef void look_function(void);

struct stack_shape {
    const char *name; /* NULL: the end */
    void (*run)(look_function *look);
};

extern const struct stack_shape stack_shapes_unoptimised[], stack_shapes_optimised[],
    stack_shapes_framed[], stack_shapes_small[];

/* stack_shapes.cc: exceptions that are thrown through frames. */
void stack_shape_exceptions(look_function *look);

#ifdef __cplusplus
}
#endif

#endif
