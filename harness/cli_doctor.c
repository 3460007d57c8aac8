/* tidemark doctor: what of the method holds here. Leaves out the checks (harness/doctor.h). */
#include "harness/cli.h"
#include "harness/doctor.h"

#include <stdio.h>
#include <string.h>

static error_t parse(int key, char *argument, struct argp_state *state)
{
    int *json = state->input;

    switch (key) {
    case 'j':
        *json = 1;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "there is nothing to name, as in '%s'", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_table[] = {
    {"json", 'j', NULL, 0,
     "Print an array of objects with name, status, finding and advice, which is empty when the "
     "status is ok",
     0},
    {0},
};

const struct argp cli_doctor_parser = {
    .options = option_table,
    .parser = parse,
    .doc = "Check what of the method holds on this machine: the clock, what /proc tells of a "
           "child, priority and cores, the kernel's memory settings and groups, the malloc "
           "libraries, the interpreters, and how steady the machine is at work. One line for each "
           "check, with what to do beneath it where there is something to do. It leaves "
           "everything as it was and takes some two or three seconds; let the machine rest "
           "meanwhile."
           "\vStatus of a check:\n"
           "  ok    it holds\n"
           "  warn  figures can be had, and are less exact or fewer\n"
           "  fail  figures cannot be had\n"
           "  n/a   this machine has no such thing\n\n"
           "Example:\n"
           "  tidemark doctor\n"
           "  tidemark doctor --json | jq '.[] | select(.status != \"ok\")'\n\n"
           "Exit status: 0 no check fails; 1 one does; 2 usage; 130 interrupted.",
};

static void print_json(const struct doctor *doctor)
{
    json_t *all = json_array();

    for (size_t i = 0; i < doctor->count; i++) {
        const struct doctor_check *check = &doctor->checks[i];
        /* A path or a loader's message need not be UTF-8; JSON has to be. */
        json_t *finding = json_string(check->finding);
        json_array_append_new(all, json_pack("{s:s, s:s, s:o, s:s}", "name", check->name, "status",
                                             doctor_status_name(check->status), "finding",
                                             finding ? finding : json_string("(not UTF-8)"),
                                             "advice", check->advice));
    }
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

/* Breaks `text` at spaces so that lines that begin with `indent` spaces end by column 100. */
static void print_wrapped(const char *text, int indent)
{
    const int room = 100 - indent;

    while (*text) {
        int length = (int)strlen(text);
        if (length > room) {
            length = room;
            while (length > 0 && text[length] != ' ')
                length--;
            if (length == 0)
                length = (int)strcspn(text, " "); /* a word wider than the room */
        }
        printf("%*s%.*s\n", indent, "", length, text);
        text += length;
        text += strspn(text, " ");
    }
}

static void print_text(const struct doctor *doctor)
{
    enum { ADVICE_COLUMN = 8 };
    int widest = 0;

    for (size_t i = 0; i < doctor->count; i++) {
        int width = (int)strlen(doctor->checks[i].name);
        widest = width > widest ? width : widest;
    }
    for (size_t i = 0; i < doctor->count; i++) {
        const struct doctor_check *check = &doctor->checks[i];
        printf("%-4s  %-*s  %s\n", doctor_status_name(check->status), widest, check->name,
               check->finding);
        /* Said once where neighbours have the same, beneath the last of them. */
        int is_repeated = i + 1 < doctor->count && !strcmp(check[1].advice, check->advice);
        if (!is_repeated)
            print_wrapped(check->advice, ADVICE_COLUMN);
    }
    printf("\n%zu ok, %zu warn, %zu fail, %zu n/a\n", doctor_count(doctor, DOCTOR_OK),
           doctor_count(doctor, DOCTOR_WARN), doctor_count(doctor, DOCTOR_FAIL),
           doctor_count(doctor, DOCTOR_NOT_AVAILABLE));
}

int cli_doctor(int argc, char **argv)
{
    static struct doctor doctor;
    int json = 0;

    argp_parse(&cli_doctor_parser, argc, argv, 0, NULL, &json);
    if (doctor_run(&doctor) != 0)
        return CLI_INTERRUPTED;
    if (json)
        print_json(&doctor);
    else
        print_text(&doctor);
    return cli_finish("doctor", doctor_count(&doctor, DOCTOR_FAIL) ? CLI_FAILED : CLI_OK);
}
