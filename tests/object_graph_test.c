/*
 * The graph of a heap: known shapes have the references, cycles and ways that they should; random
 * ones those that a slow and plain search finds; and looking changes nothing. Leaves out workloads
 * (object_graph_workloads_test.c) and what is printed (graph_command_test.py).
 */
#include "harness/graph_record.h"
#include "harness/object_view.h"
#include "tests/objects_fixture.h"
#include "workloads/objects/references.h"

#include <stdio.h>

static struct object_graph graph;
static struct object_cycles cycles;

static void take(void)
{
    assert_int_equal(object_graph_take(&graph, &runtime), 0);
    assert_int_equal(object_cycles_find(&cycles, &graph), 0);
}

static void forget(void)
{
    object_cycles_free(&cycles);
    object_graph_free(&graph);
}

static uint32_t number_of(const void *object)
{
    for (uint32_t i = 0; i < graph.node_count; i++)
        if (graph.nodes[i].object == object)
            return i;
    return GRAPH_NONE;
}

/* A list of those lists, NULL-terminated; the references to them are given up. */
static struct list *list_with(struct list *const *items)
{
    struct list *list = empty_list();

    for (; *items; items++) {
        append(list, &(*items)->object);
        drop_list(*items);
    }
    return list;
}

static void assert_way(struct object_path *path, const void *const *objects)
{
    uint32_t count = 0;

    while (objects[count])
        count++;
    assert_int_equal(path->count, count);
    for (uint32_t i = 0; i < count; i++)
        assert_ptr_equal(graph.nodes[path->nodes[i]].object, objects[i]);
    object_path_free(path);
}

static void assert_way_from_names(const void *object, const void *const *objects)
{
    struct object_path path;

    assert_int_equal(object_path_from_names(&graph, number_of(object), &path), 0);
    assert_way(&path, objects);
}

static void assert_round(const void *object, const void *const *objects)
{
    struct object_path path;

    assert_int_equal(object_path_round(&graph, &cycles, number_of(object), &path), 0);
    assert_way(&path, objects);
}

/* --- Known shapes. --- */

static void ring_without_a_name_is_kept_by_itself(void **state)
{
    (void)state;
    start(python_3_11);
    struct list *c = empty_list(), *b = list_with((struct list *[]){c, NULL}),
                *a = list_with((struct list *[]){b, NULL});
    append(c, &a->object);
    drop_list(a);
    take();
    assert_int_equal(graph.node_count, 3);
    assert_int_equal(graph_edge_count(&graph), 3);
    assert_int_equal(graph.dead_count, 3);
    assert_int_equal(graph.dead_bytes, graph.bytes);
    assert_int_equal(cycles.cyclic_count, 1);
    assert_int_equal(cycles.dead_cyclic_objects, 3);
    assert_way_from_names(a, (const void *[]){NULL});
    assert_round(b, (const void *[]){b, c, a, NULL});
    forget();
    objects_collect(&runtime, OLDEST);
    finish();
}

static void ring_with_a_name_is_alive(void **state)
{
    (void)state;
    start(python_3_11);
    struct list *b = empty_list(), *a = list_with((struct list *[]){b, NULL});
    append(b, &a->object);
    object_keep(&a->object); /* two names, and b */
    take();
    assert_int_equal(graph.nodes[number_of(a)].outside, 2);
    assert_int_equal(graph.nodes[number_of(b)].outside, 0);
    assert_int_equal(graph.dead_count, 0);
    assert_int_equal(cycles.cyclic_count, 1);
    assert_int_equal(cycles.dead_cyclic_count, 0);
    assert_way_from_names(b, (const void *[]){a, b, NULL});
    forget();
    drop_list(a);
    drop_list(a);
    objects_collect(&runtime, OLDEST);
    finish();
}

static void tree_has_no_cycle(void **state)
{
    (void)state;
    start(python_2_7);
    struct list *leaf = empty_list(), *other = empty_list(),
                *branch = list_with((struct list *[]){leaf, NULL}),
                *root = list_with((struct list *[]){other, branch, NULL});
    append_number(leaf, 1000);
    take();
    assert_int_equal(graph.node_count, 5);
    assert_int_equal(graph.tracked_count, 4);
    assert_int_equal(graph_edge_count(&graph), 4);
    assert_int_equal(cycles.cyclic_count, 0);
    assert_int_equal(object_cycles_largest(&cycles, &graph), GRAPH_NONE);
    assert_int_equal(graph.bytes, gauge.object_bytes);
    assert_way_from_names(leaf, (const void *[]){root, branch, leaf, NULL});
    assert_round(root, (const void *[]){NULL});
    forget();
    drop_list(root);
    finish();
}

static void diamond_has_two_ways_and_the_shorter_is_told(void **state)
{
    (void)state;
    start(python_3_13);
    struct list *end = empty_list(), *middle = empty_list(), *side = empty_list();
    append(middle, &end->object);
    append(side, &end->object);
    struct list *detour = list_with((struct list *[]){middle, NULL}),
                *root = list_with((struct list *[]){detour, side, NULL});
    drop_list(end);
    take();
    uint32_t number = number_of(end);
    assert_int_equal(graph.first_source[number + 1] - graph.first_source[number], 2);
    assert_int_equal(graph.nodes[number].outside, 0);
    assert_int_equal(cycles.cyclic_count, 0);
    assert_way_from_names(end, (const void *[]){root, side, end, NULL});
    forget();
    drop_list(root);
    finish();
}

static void object_that_holds_itself_is_a_cycle(void **state)
{
    (void)state;
    start(python_3_11);
    struct list *list = empty_list();
    append(list, &list->object);
    append(list, &list->object);
    drop_list(list);
    take();
    assert_int_equal(cycles.cyclic_count, 1);
    assert_int_equal(cycles.cyclic_objects, 1);
    assert_int_equal(graph.nodes[0].outside, 0);
    assert_round(list, (const void *[]){list, NULL});
    forget();
    objects_collect(&runtime, OLDEST);
    finish();
}

static void larger_and_dead_cycles_come_first(void **state)
{
    struct cycle_size sizes[2];

    (void)state;
    start(python_3_11);
    struct list *alive = empty_list(), *other = list_with((struct list *[]){alive, NULL});
    append(alive, &other->object);
    struct list *dead = empty_list();
    append(dead, &dead->object);
    drop_list(dead);
    take();
    assert_int_equal(object_cycles_largest(&cycles, &graph), cycles.component_of[number_of(dead)]);
    assert_int_equal(object_cycles_sizes(&cycles, &graph, sizes, 2), 2);
    assert_int_equal(sizes[0].objects, 2);
    assert_int_equal(sizes[0].dead_count, 0);
    assert_int_equal(sizes[1].objects, 1);
    assert_int_equal(sizes[1].dead_count, 1);
    assert_int_equal(object_cycles_sizes(&cycles, &graph, sizes, 1), 2);
    forget();
    drop_list(other);
    objects_collect(&runtime, OLDEST);
    finish();
}

static void weak_reference_is_no_reference(void **state)
{
    struct object_view view;
    uint32_t chosen;

    (void)state;
    start(python_3_11);
    struct object *target = set_new(&runtime), *weakref = weakref_new(&runtime, target, NULL);
    struct list *list = empty_list();
    append(list, weakref);
    object_drop(&runtime, weakref);
    take();
    assert_int_equal(graph_edge_count(&graph), 1);
    assert_int_equal(graph.nodes[number_of(target)].outside, 1);
    chosen = number_of(weakref);
    const struct view_request request = {&chosen, 1, VIEW_TARGETS, 1, 5, 10};
    assert_int_equal(object_view_make(&view, &graph, &cycles, &request), 0);
    assert_int_equal(view.node_count, 2);
    assert_int_equal(view.edge_count, 1);
    assert_int_equal(view.edges[0].part, VIEW_WEAK);
    assert_ptr_equal(graph.nodes[view.nodes[view.edges[0].to].object].object, target);
    object_view_free(&view);
    forget();
    object_drop(&runtime, target);
    drop_list(list);
    finish();
}

/* A chain of lists, then closed to a ring. */
static void no_depth_needs_the_stack(void **state)
{
    struct object_path path;

    (void)state;
    start(python_3_11);
    struct list *deepest = empty_list(), *list = deepest;
    for (int i = 1; i < DEEP; i++)
        list = list_with((struct list *[]){list, NULL});
    take();
    assert_int_equal(cycles.cyclic_count, 0);
    assert_int_equal(object_path_from_names(&graph, number_of(deepest), &path), 0);
    assert_int_equal(path.count, DEEP);
    object_path_free(&path);
    forget();
    append(deepest, &list->object);
    take();
    assert_int_equal(cycles.cyclic_count, 1);
    assert_int_equal(cycles.cyclic_objects, DEEP);
    assert_int_equal(object_path_round(&graph, &cycles, 0, &path), 0);
    assert_int_equal(path.count, DEEP);
    object_path_free(&path);
    forget();
    drop_list(list);
    objects_collect(&runtime, OLDEST);
    finish();
}

static void empty_heap_has_an_empty_graph(void **state)
{
    (void)state;
    start(python_3_11);
    take();
    assert_int_equal(graph.node_count, 0);
    assert_int_equal(graph_edge_count(&graph), 0);
    assert_int_equal(cycles.component_count, 0);
    forget();
    finish();
}

static void shared_objects_are_the_interpreters_own(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct list *list = empty_list();
        append_number(list, 7);
        append_number(list, 257);
        struct object *letter = str_of(&runtime, "x"), *word = str_of(&runtime, "xy");
        append(list, letter);
        append(list, word);
        append(list, word);
        take();
        assert_true(graph.nodes[number_of(list->items[0])].is_shared);
        assert_false(graph.nodes[number_of(list->items[1])].is_shared);
        assert_true(graph.nodes[number_of(letter)].is_shared);
        assert_int_equal(graph.nodes[number_of(letter)].outside, 1);
        assert_int_equal(graph.nodes[number_of(list->items[0])].outside, 0);
        assert_int_equal(graph.types[object_graph_type(&graph, "int")].count, 1);
        assert_int_equal(graph.types[object_graph_type(&graph, "str")].count, 1);
        assert_int_equal(graph.bytes, gauge.object_bytes);
        forget();
        object_drop(&runtime, letter);
        object_drop(&runtime, word);
        drop_list(list);
        finish();
    }
}

/* --- Names. --- */

struct names {
    char text[512];
};

static void add_name(struct object *child, const struct reference *reference, void *argument)
{
    struct names *names = argument;
    char name[REFERENCE_TEXT_BYTES], value[REFERENCE_TEXT_BYTES];
    size_t used = strlen(names->text);

    snprintf(names->text + used, sizeof names->text - used, "%s=%s ",
             reference_format(reference, name), object_format_value(&runtime, child, value));
}

static void assert_names(struct object *object, const char *expected)
{
    struct names names = {""};

    references_visit(&runtime, object, add_name, &names);
    assert_string_equal(names.text, expected);
}

static void put(struct object *dict, struct object *key, struct object *value)
{
    assert_int_equal(dict_set(&runtime, dict, key, value), 0);
    object_drop(&runtime, key);
    object_drop(&runtime, value);
}

static void references_have_the_names_of_a_program(void **state)
{
    struct instance_class node, pair;

    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct object *dict = dict_new(&runtime), *next = str_of(&runtime, "next"),
                      *other = str_of(&runtime, "other");
        put(dict, str_of(&runtime, "it's"), float_new(&runtime, 0.1));
        put(dict, number(3), float_new(&runtime, 2));
        if (profiles[i].major > 2) /* the table's own order is its hash's */
            assert_names(dict, "key='it\\x27s' ['it\\x27s']=0.1 key=3 [3]=2.0 ");
        assert_int_equal(class_init(&runtime, &node, "list", INSTANCE_USUAL, 0, NULL), 0);
        assert_int_equal(class_init(&runtime, &pair, "Pair", 0, 3, NULL), 0);
        struct object *instance = instance_new(&runtime, &node),
                      *slots = instance_new(&runtime, &pair);
        assert_int_equal(instance_set(&runtime, instance, next, dict), 0);
        assert_int_equal(instance_set(&runtime, instance, other, slots), 0);
        instance_set_slot(&runtime, slots, 2, dict);
        assert_names(slots, ".slot2=2 items ");
        int has_dict =
            profiles[i].instance == INSTANCE_DICT || profiles[i].instance == INSTANCE_SPLIT_DICT;
        assert_names(instance, has_dict ? ".__dict__=2 items " : ".next=2 items .other= ");
        struct object *deque = deque_new(&runtime, DEQUE_UNBOUNDED), *set = set_new(&runtime);
        assert_int_equal(deque_append(&runtime, deque, slots), 0);
        assert_int_equal(deque_append(&runtime, deque, next), 0);
        assert_names(deque, "[0]= [1]='next' ");
        assert_int_equal(set_add(&runtime, set, other), 0);
        assert_names(set, "member='other' ");
        struct object *const items[] = {set, deque};
        struct tuple *tuple = tuple_of(&runtime, items, 2);
        assert_names(&tuple->object, "[0]=1 item [1]=2 items ");
        struct object *const all[] = {&tuple->object, set,  deque, slots,
                                      instance,       dict, next,  other};
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++)
            object_drop(&runtime, all[j]);
        class_finish(&runtime, &node);
        class_finish(&runtime, &pair);
        finish();
    }
}

static void long_values_are_cut(void **state)
{
    char text[REFERENCE_TEXT_BYTES];
    const uint16_t wide[] = {0x20ac, 'a'};

    (void)state;
    start(python_3_11);
    struct object *text_object =
        str_of(&runtime, "a text that is longer than any picture would show it");
    struct object *euro = str_new(&runtime, STR_UCS2, wide, 2),
                  *bytes = bytes_new(&runtime, "\0b", 2);
    assert_string_equal(object_format_value(&runtime, text_object, text),
                        "'a text that is longer than any picture w...'");
    assert_string_equal(object_format_value(&runtime, euro, text), "'\\u20aca'");
    assert_string_equal(object_format_value(&runtime, bytes, text), "b'\\x00b'");
    object_drop(&runtime, text_object);
    object_drop(&runtime, euro);
    object_drop(&runtime, bytes);
    finish();
}

/* --- What is drawn. --- */

static void picture_is_bounded_and_says_what_is_cut(void **state)
{
    enum { ITEMS = 100 };
    struct object_view view;

    (void)state;
    start(python_3_11);
    struct list *list = empty_list();
    for (int i = 0; i < ITEMS; i++)
        append_number(list, 1000 + i);
    take();
    uint32_t chosen = 0;
    struct view_request request = {&chosen, 1, VIEW_BOTH, 1, 6, 60};
    assert_int_equal(object_view_make(&view, &graph, &cycles, &request), 0);
    assert_int_equal(view.node_count, 7);
    assert_int_equal(view.nodes[0].more_targets, ITEMS - 6);
    assert_int_equal(view.edge_count, 6);
    assert_string_equal(view.edges[5].names[0], "[5]");
    object_view_free(&view);
    request.fan = ITEMS;
    request.most = 10;
    assert_int_equal(object_view_make(&view, &graph, &cycles, &request), 0);
    assert_int_equal(view.node_count, 10);
    assert_int_equal(view.nodes[0].more_targets, ITEMS - 9);
    object_view_free(&view);
    request.depth = 0;
    assert_int_equal(object_view_make(&view, &graph, &cycles, &request), 0);
    assert_int_equal(view.node_count, 1);
    object_view_free(&view);
    forget();
    drop_list(list);
    finish();
}

static void many_references_to_one_object_are_one_line(void **state)
{
    struct object_view view;

    (void)state;
    start(python_3_11);
    struct list *item = empty_list(), *list = empty_list();
    for (int i = 0; i < 5; i++)
        append(list, &item->object);
    drop_list(item);
    take();
    uint32_t chosen = number_of(item);
    const struct view_request request = {&chosen, 1, VIEW_SOURCES, 1, 6, 60};
    assert_int_equal(object_view_make(&view, &graph, &cycles, &request), 0);
    assert_int_equal(view.node_count, 2);
    assert_int_equal(view.edge_count, 1);
    assert_int_equal(view.edges[0].count, 5);
    assert_string_equal(view.edges[0].names[2], "[2]");
    assert_int_equal(view.edges[0].part, VIEW_WAY);
    object_view_free(&view);
    forget();
    drop_list(list);
    finish();
}

/* --- What is written of it. --- */

static void finalize(struct runtime *of, struct object *object)
{
    (void)of;
    (void)object;
}

/* 2.7 keeps what has a finalizer in a cycle: no name of the program leads there. */
static void gc_garbage_is_told_by_name(void **state)
{
    struct instance_class class;
    struct object_view view;

    (void)state;
    start(python_2_7);
    struct object *next = str_of(&runtime, "next");
    assert_int_equal(class_init(&runtime, &class, "Node", INSTANCE_USUAL, 0, finalize), 0);
    struct object *node = instance_new(&runtime, &class);
    assert_int_equal(instance_set(&runtime, node, next, node), 0);
    object_drop(&runtime, node);
    objects_collect(&runtime, OLDEST);
    take();
    uint32_t chosen = number_of(node);
    const struct view_request request = {&chosen, 1, VIEW_BOTH, 1, 6, 60};
    assert_int_equal(object_view_make(&view, &graph, &cycles, &request), 0);
    json_t *picture = graph_record_picture("collect", "here", &graph, &cycles, &view);
    const json_t *way = json_object_get(json_object_get(picture, "way"), "steps");
    assert_int_equal(json_array_size(way), 2);
    assert_true(json_is_true(json_object_get(json_array_get(way, 0), "garbage")));
    assert_false(json_is_true(json_object_get(json_array_get(way, 1), "garbage")));
    json_decref(picture);
    object_view_free(&view);
    forget();
    object_keep(node);
    assert_int_equal(instance_set(&runtime, node, next, next), 0);
    object_assign(&runtime, &runtime.collector.garbage, NULL);
    object_drop(&runtime, node);
    object_drop(&runtime, next);
    class_finish(&runtime, &class);
    finish();
}

/* A long way is told by its ends. */
static void long_ways_are_cut_in_the_middle(void **state)
{
    enum { DEPTH = 100 };
    struct object_view view;

    (void)state;
    start(python_3_11);
    struct list *list = empty_list();
    struct list *deepest = list;
    for (int i = 1; i < DEPTH; i++)
        list = list_with((struct list *[]){list, NULL});
    take();
    uint32_t chosen = number_of(deepest);
    const struct view_request request = {&chosen, 1, VIEW_BOTH, 0, 6, 20};
    assert_int_equal(object_view_make(&view, &graph, &cycles, &request), 0);
    assert_int_equal(view.node_count, 10); /* half of the room: next to the object, and the begin */
    json_t *picture = graph_record_picture("build", "here", &graph, &cycles, &view);
    const json_t *way = json_object_get(picture, "way");
    assert_int_equal(json_integer_value(json_object_get(way, "length")), DEPTH);
    assert_int_equal(json_integer_value(json_object_get(way, "left_out")), DEPTH - 16);
    assert_int_equal(json_array_size(json_object_get(way, "steps")), 16);
    json_decref(picture);
    object_view_free(&view);
    forget();
    drop_list(list);
    finish();
}

/* --- Random graphs, against a slow search. --- */

enum { LISTS = 24 };

static uint64_t random_state;

static uint64_t chance(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

/* Steps from one to the other, 0 for none: Floyd and Warshall. */
static void find_steps(unsigned steps[LISTS][LISTS])
{
    for (uint32_t i = 0; i < LISTS; i++)
        for (uint64_t edge = graph.first_target[i]; edge < graph.first_target[i + 1]; edge++)
            steps[i][graph_end(graph.targets[edge])] = 1;
    for (size_t k = 0; k < LISTS; k++)
        for (size_t i = 0; i < LISTS; i++)
            for (size_t j = 0; j < LISTS; j++) {
                unsigned through = steps[i][k] && steps[k][j] ? steps[i][k] + steps[k][j] : 0;
                if (through && (!steps[i][j] || through < steps[i][j]))
                    steps[i][j] = through;
            }
}

static void check_components(unsigned steps[LISTS][LISTS])
{
    struct object_path path;

    for (uint32_t i = 0; i < LISTS; i++) {
        for (uint32_t j = 0; j < LISTS; j++)
            assert_int_equal(cycles.component_of[i] == cycles.component_of[j],
                             i == j || (steps[i][j] && steps[j][i]));
        assert_int_equal(cycles.is_cyclic[cycles.component_of[i]], steps[i][i] != 0);
        assert_int_equal(object_path_round(&graph, &cycles, i, &path), 0);
        assert_int_equal(path.count, steps[i][i]);
        object_path_free(&path);
    }
}

static void check_ways(unsigned steps[LISTS][LISTS])
{
    struct object_path path;

    for (uint32_t i = 0; i < LISTS; i++) {
        unsigned shortest = 0; /* in objects */
        for (uint32_t j = 0; j < LISTS; j++) {
            unsigned objects = i == j ? 1 : steps[j][i] ? steps[j][i] + 1 : 0;
            if (graph.nodes[j].outside && objects && (!shortest || objects < shortest))
                shortest = objects;
        }
        assert_int_equal(graph.nodes[i].is_alive, shortest > 0);
        assert_int_equal(object_path_from_names(&graph, i, &path), 0);
        assert_int_equal(path.count, shortest);
        object_path_free(&path);
    }
}

static void random_graphs_are_as_a_slow_search_finds_them(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        unsigned steps[LISTS][LISTS] = {{0}};
        struct list *lists[LISTS];
        random_state = seed * UINT64_C(0x9E3779B97F4A7C15);
        start(python_3_11);
        for (size_t i = 0; i < LISTS; i++)
            lists[i] = empty_list();
        for (uint64_t i = chance(2 * (uint64_t)LISTS); i > 0; i--)
            append(lists[chance(LISTS)], &lists[chance(LISTS)]->object);
        int is_held[LISTS] = {0};
        for (size_t i = 0; i < LISTS; i++) {
            /* One that nothing else holds would go, and what it holds with it. */
            is_held[i] = lists[i]->object.references == 1 || chance(LISTS / 2) == 0;
            if (!is_held[i])
                drop_list(lists[i]);
        }
        take();
        assert_int_equal(graph.node_count, LISTS);
        find_steps(steps);
        check_components(steps);
        check_ways(steps);
        forget();
        for (size_t i = 0; i < LISTS; i++)
            if (is_held[i])
                drop_list(lists[i]);
        objects_collect(&runtime, OLDEST);
        finish();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_without_a_name_is_kept_by_itself),
        cmocka_unit_test(ring_with_a_name_is_alive),
        cmocka_unit_test(tree_has_no_cycle),
        cmocka_unit_test(diamond_has_two_ways_and_the_shorter_is_told),
        cmocka_unit_test(object_that_holds_itself_is_a_cycle),
        cmocka_unit_test(larger_and_dead_cycles_come_first),
        cmocka_unit_test(weak_reference_is_no_reference),
        cmocka_unit_test(no_depth_needs_the_stack),
        cmocka_unit_test(empty_heap_has_an_empty_graph),
        cmocka_unit_test(shared_objects_are_the_interpreters_own),
        cmocka_unit_test(references_have_the_names_of_a_program),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(picture_is_bounded_and_says_what_is_cut),
        cmocka_unit_test(many_references_to_one_object_are_one_line),
        cmocka_unit_test(gc_garbage_is_told_by_name),
        cmocka_unit_test(long_ways_are_cut_in_the_middle),
        cmocka_unit_test(random_graphs_are_as_a_slow_search_finds_them),
    };

    return cmocka_run_group_tests_name("object_graph", tests, NULL, NULL);
}
