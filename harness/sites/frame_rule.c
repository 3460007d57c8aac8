/*
 * The tables of exceptions, as far as ordinary functions need them: see frame_rule.h. Names of
 * encodings and instructions are those of the Linux Standard Base (Core, 10.5 and 10.6) and of
 * DWARF 5. Leaves out other processors than x86-64, where every address is FRAME_OTHER.
 */
#define _GNU_SOURCE
#include "harness/sites/frame_rule.h"

#include <link.h>
#include <string.h>

/* --- Reading: past the end there are zeros, and it is said. --- */

struct reader {
    const uint8_t *at, *end;
    int has_failed;
};

static int64_t fail(struct reader *reader)
{
    reader->has_failed = 1;
    reader->at = reader->end;
    return 0;
}

static uint64_t read_unsigned(struct reader *reader, size_t bytes)
{
    uint64_t value = 0;

    if (bytes > (size_t)(reader->end - reader->at))
        return (uint64_t)fail(reader);
    memcpy(&value, reader->at, bytes); /* little-endian */
    reader->at += bytes;
    return value;
}

static int64_t read_signed(struct reader *reader, size_t bytes)
{
    const unsigned unused_bits = 64 - 8 * (unsigned)bytes;

    return (int64_t)(read_unsigned(reader, bytes) << unused_bits) >> unused_bits;
}

static uint64_t read_leb128(struct reader *reader, int is_signed)
{
    enum { PAYLOAD_BITS = 7, MORE = 0x80, SIGN = 0x40 };
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += PAYLOAD_BITS) {
        const uint64_t byte = read_unsigned(reader, 1);
        value |= (byte & (MORE - 1)) << shift;
        if (!(byte & MORE)) {
            if (is_signed && byte & SIGN && shift + PAYLOAD_BITS < 64)
                value |= UINT64_MAX << (shift + PAYLOAD_BITS);
            return value;
        }
    }
    return (uint64_t)fail(reader);
}

static uint64_t read_uleb128(struct reader *reader)
{
    return read_leb128(reader, 0);
}

static int64_t read_sleb128(struct reader *reader)
{
    return (int64_t)read_leb128(reader, 1);
}

static void skip(struct reader *reader, uint64_t bytes)
{
    if (bytes > (uint64_t)(reader->end - reader->at))
        fail(reader);
    else
        reader->at += bytes;
}

/* The next `bytes` as a reader of their own. */
static struct reader take(struct reader *reader, uint64_t bytes)
{
    struct reader taken = *reader;

    skip(reader, bytes);
    taken.end = reader->at;
    taken.has_failed = reader->has_failed;
    return taken;
}

enum {
    PE_ABSOLUTE = 0x00,
    PE_ULEB128 = 0x01,
    PE_UDATA2 = 0x02,
    PE_UDATA4 = 0x03,
    PE_UDATA8 = 0x04,
    PE_SLEB128 = 0x09,
    PE_SDATA2 = 0x0a,
    PE_SDATA4 = 0x0b,
    PE_SDATA8 = 0x0c,
    PE_FORMAT = 0x0f,
    PE_PC_RELATIVE = 0x10,
    PE_DATA_RELATIVE = 0x30,
    PE_BASE = 0x70,
    PE_INDIRECT = 0x80,
};

static uint64_t read_format(struct reader *reader, unsigned encoding)
{
    switch (encoding & PE_FORMAT) {
    case PE_ABSOLUTE:
    case PE_UDATA8:
    case PE_SDATA8:
        return read_unsigned(reader, 8);
    case PE_UDATA4:
        return read_unsigned(reader, 4);
    case PE_SDATA4:
        return (uint64_t)read_signed(reader, 4);
    case PE_UDATA2:
        return read_unsigned(reader, 2);
    case PE_SDATA2:
        return (uint64_t)read_signed(reader, 2);
    case PE_ULEB128:
        return read_uleb128(reader);
    case PE_SLEB128:
        return (uint64_t)read_sleb128(reader);
    default:
        return (uint64_t)fail(reader);
    }
}

/* An address. Those relative to other sections, and those behind a pointer, are none of code. */
static uintptr_t read_address(struct reader *reader, unsigned encoding)
{
    const uintptr_t here = (uintptr_t)reader->at;
    const uint64_t value = read_format(reader, encoding);

    if (encoding & PE_INDIRECT)
        return (uintptr_t)fail(reader);
    if ((encoding & PE_BASE) == PE_PC_RELATIVE)
        return here + (uintptr_t)value;
    return (encoding & PE_BASE) == PE_ABSOLUTE ? (uintptr_t)value : (uintptr_t)fail(reader);
}

/* --- The index: a head, then pairs of 4 bytes, of where a function begins and of its entry, both
 * from where the index begins. --- */

enum { INDEX_VERSION = 1, PAIR_BYTES = 8 };

static int64_t offset_at(const uint8_t *at)
{
    int32_t offset;

    memcpy(&offset, at, sizeof offset);
    return offset;
}

/* Of `count` pairs the last whose function begins at `pc` or below, or NULL. */
static const uint8_t *last_below(const uint8_t *pairs, uint64_t count, int64_t pc)
{
    uint64_t first = 0, behind = count;

    while (first < behind) {
        const uint64_t middle = first + (behind - first) / 2;
        if (offset_at(pairs + middle * PAIR_BYTES) <= pc)
            first = middle + 1;
        else
            behind = middle;
    }
    return first > 0 ? pairs + (first - 1) * PAIR_BYTES : NULL;
}

uintptr_t frame_entry_find(const uint8_t *index, const uint8_t *index_end, uintptr_t pc)
{
    struct reader reader = {index, index_end, 0};
    const uint64_t version = read_unsigned(&reader, 1);
    const unsigned tables = (unsigned)read_unsigned(&reader, 1);
    const unsigned counts = (unsigned)read_unsigned(&reader, 1);
    const unsigned pairs = (unsigned)read_unsigned(&reader, 1);

    if (version != INDEX_VERSION || pairs != (PE_DATA_RELATIVE | PE_SDATA4))
        return 0; /* not a sorted table */
    (void)read_format(&reader, tables);
    const uint64_t count = counts == PE_UDATA4 ? read_format(&reader, counts) : 0;
    if (reader.has_failed || count > (uint64_t)(reader.end - reader.at) / PAIR_BYTES)
        return 0;
    const uint8_t *found = last_below(reader.at, count, (int64_t)(pc - (uintptr_t)index));
    return found ? (uintptr_t)index + (uintptr_t)offset_at(found + PAIR_BYTES / 2) : 0;
}

/* --- Entries: what several functions have in common (CIE), and what one has (FDE). --- */

enum { REGISTER_BP = 6, REGISTER_SP = 7, REGISTER_RETURN = 16, LENGTH_IS_64 = -1 };

struct common {
    uint64_t code_factor;
    int64_t data_factor;
    unsigned encoding; /* of addresses of code */
    int has_augmentation;
    int is_simple;
    struct reader program;
};

/* What stands behind the length at `at`, as far as it lies in [begin, end). */
static struct reader open_entry(const uint8_t *begin, const uint8_t *end, uintptr_t at)
{
    struct reader reader = {begin, end, 0};

    if (at < (uintptr_t)begin || at >= (uintptr_t)end) {
        fail(&reader);
        return reader;
    }
    reader.at += at - (uintptr_t)begin;
    const int64_t length = read_signed(&reader, 4);
    if (length <= 0) { /* an end, or LENGTH_IS_64, which no compiler emits */
        fail(&reader);
        return reader;
    }
    return take(&reader, (uint64_t)length);
}

/* The letters behind 'z'. An unknown one makes all behind it unknown. */
static void read_augmentation(struct common *common, const char *letters, struct reader *reader)
{
    for (; *letters && common->is_simple; letters++) {
        if (*letters == 'R')
            common->encoding = (unsigned)read_unsigned(reader, 1);
        else if (*letters == 'L')
            (void)read_unsigned(reader, 1);
        else if (*letters == 'P')
            (void)read_format(reader, (unsigned)read_unsigned(reader, 1));
        else
            common->is_simple = 0; /* 'S': a signal frame */
    }
    common->is_simple = common->is_simple && !reader->has_failed;
}

static struct common read_common(const uint8_t *begin, const uint8_t *end, uintptr_t at)
{
    struct common common = {.is_simple = 1};
    struct reader reader = open_entry(begin, end, at);
    const uint64_t id = read_unsigned(&reader, 4), version = read_unsigned(&reader, 1);
    const char *letters = (const char *)reader.at;

    while (read_unsigned(&reader, 1) != 0)
        continue; /* past the end there are zeros */
    common.code_factor = read_uleb128(&reader);
    common.data_factor = read_sleb128(&reader);
    const uint64_t column = version == 1 ? read_unsigned(&reader, 1) : read_uleb128(&reader);
    if (reader.has_failed || id != 0 || (version != 1 && version != 3) ||
        column != REGISTER_RETURN || (*letters && *letters != 'z'))
        return (struct common){.is_simple = 0};
    if (*letters == 'z') {
        common.has_augmentation = 1;
        struct reader own = take(&reader, read_uleb128(&reader));
        read_augmentation(&common, letters + 1, &own);
    }
    common.program = reader;
    common.is_simple = common.is_simple && !reader.has_failed;
    return common;
}

/* --- Programs: the row of a table that stands at one address. --- */

/* Where the caller's register is. */
struct place {
    enum { UNCHANGED, SAVED, UNDEFINED, ELSEWHERE } kind;
    int64_t offset; /* from the frame's end */
};

struct row {
    int64_t base_offset;
    uint64_t base; /* the register that the frame's end is known from */
    int is_plain;  /* its end is the two; else an expression */
    struct place bp, sp, return_address;
};

enum { MOST_REMEMBERED = 8 };

struct machine {
    struct row row, first; /* now, and as common to all addresses */
    struct row remembered[MOST_REMEMBERED];
    unsigned remembered_count;
    uintptr_t at, pc;
    const struct common *common;
};

enum {
    CFA_ADVANCE_LOC = 0x40, /* with a number in the lower six bits, as the next two */
    CFA_OFFSET = 0x80,
    CFA_RESTORE = 0xc0,
    CFA_OPERATION = 0xc0,
    CFA_NOP = 0x00,
    CFA_ADVANCE_LOC1 = 0x02,
    CFA_ADVANCE_LOC2 = 0x03,
    CFA_ADVANCE_LOC4 = 0x04,
    CFA_OFFSET_EXTENDED = 0x05,
    CFA_RESTORE_EXTENDED = 0x06,
    CFA_UNDEFINED = 0x07,
    CFA_SAME_VALUE = 0x08,
    CFA_REGISTER = 0x09,
    CFA_REMEMBER_STATE = 0x0a,
    CFA_RESTORE_STATE = 0x0b,
    CFA_DEF_CFA = 0x0c,
    CFA_DEF_CFA_REGISTER = 0x0d,
    CFA_DEF_CFA_OFFSET = 0x0e,
    CFA_DEF_CFA_EXPRESSION = 0x0f,
    CFA_EXPRESSION = 0x10,
    CFA_OFFSET_EXTENDED_SF = 0x11,
    CFA_DEF_CFA_SF = 0x12,
    CFA_DEF_CFA_OFFSET_SF = 0x13,
    CFA_VAL_OFFSET = 0x14,
    CFA_VAL_OFFSET_SF = 0x15,
    CFA_VAL_EXPRESSION = 0x16,
    CFA_GNU_ARGS_SIZE = 0x2e,
};

/* NULL for the registers that no rule here needs. */
static struct place *place_of(struct row *row, uint64_t number)
{
    return number == REGISTER_BP       ? &row->bp
           : number == REGISTER_SP     ? &row->sp
           : number == REGISTER_RETURN ? &row->return_address
                                       : NULL;
}

static void set_place(struct machine *machine, uint64_t number, struct place value)
{
    struct place *place = place_of(&machine->row, number);

    if (place)
        *place = value;
}

static void restore_place(struct machine *machine, uint64_t number)
{
    const struct place *first = place_of(&machine->first, number);

    if (first)
        set_place(machine, number, *first);
}

/* Wraps where a table is wrong: such an offset is refused later. */
static int64_t scaled(const struct machine *machine, uint64_t value)
{
    return (int64_t)(value * (uint64_t)machine->common->data_factor);
}

static void advance(struct machine *machine, uint64_t delta)
{
    machine->at += (uintptr_t)(delta * machine->common->code_factor);
}

static void set_base(struct machine *machine, uint64_t base, int64_t offset)
{
    machine->row.base = base;
    machine->row.base_offset = offset;
    machine->row.is_plain = 1;
}

static void remember(struct machine *machine, struct reader *program)
{
    if (machine->remembered_count == MOST_REMEMBERED)
        fail(program);
    else
        machine->remembered[machine->remembered_count++] = machine->row;
}

static void restore_remembered(struct machine *machine, struct reader *program)
{
    if (machine->remembered_count == 0)
        fail(program);
    else
        machine->row = machine->remembered[--machine->remembered_count];
}

/* Those that say where a register is. Returns 0 for any other. */
static int run_on_register(struct machine *machine, uint64_t operation, struct reader *program)
{
    const struct place elsewhere = {ELSEWHERE, 0};
    uint64_t number;

    switch (operation) {
    case CFA_OFFSET_EXTENDED:
        number = read_uleb128(program);
        set_place(machine, number, (struct place){SAVED, scaled(machine, read_uleb128(program))});
        return 1;
    case CFA_OFFSET_EXTENDED_SF:
        number = read_uleb128(program);
        set_place(machine, number,
                  (struct place){SAVED, scaled(machine, (uint64_t)read_sleb128(program))});
        return 1;
    case CFA_RESTORE_EXTENDED:
        restore_place(machine, read_uleb128(program));
        return 1;
    case CFA_UNDEFINED:
        set_place(machine, read_uleb128(program), (struct place){UNDEFINED, 0});
        return 1;
    case CFA_SAME_VALUE:
        set_place(machine, read_uleb128(program), (struct place){UNCHANGED, 0});
        return 1;
    case CFA_REGISTER:
    case CFA_VAL_OFFSET:
    case CFA_VAL_OFFSET_SF:
        set_place(machine, read_uleb128(program), elsewhere);
        (void)read_uleb128(program);
        return 1;
    case CFA_EXPRESSION:
    case CFA_VAL_EXPRESSION:
        set_place(machine, read_uleb128(program), elsewhere);
        skip(program, read_uleb128(program));
        return 1;
    default:
        return 0;
    }
}

/* Those that say where the frame ends. Returns 0 for any other. */
static int run_on_base(struct machine *machine, uint64_t operation, struct reader *program)
{
    uint64_t number;

    switch (operation) {
    case CFA_DEF_CFA:
        number = read_uleb128(program);
        set_base(machine, number, (int64_t)read_uleb128(program));
        return 1;
    case CFA_DEF_CFA_SF:
        number = read_uleb128(program);
        set_base(machine, number, scaled(machine, (uint64_t)read_sleb128(program)));
        return 1;
    case CFA_DEF_CFA_REGISTER:
        machine->row.base = read_uleb128(program);
        return 1;
    case CFA_DEF_CFA_OFFSET:
        machine->row.base_offset = (int64_t)read_uleb128(program);
        return 1;
    case CFA_DEF_CFA_OFFSET_SF:
        machine->row.base_offset = scaled(machine, (uint64_t)read_sleb128(program));
        return 1;
    case CFA_DEF_CFA_EXPRESSION:
        machine->row.is_plain = 0;
        skip(program, read_uleb128(program));
        return 1;
    default:
        return 0;
    }
}

static void run_extended(struct machine *machine, uint64_t operation, struct reader *program)
{
    switch (operation) {
    case CFA_NOP:
        break;
    case CFA_ADVANCE_LOC1:
        advance(machine, read_unsigned(program, 1));
        break;
    case CFA_ADVANCE_LOC2:
        advance(machine, read_unsigned(program, 2));
        break;
    case CFA_ADVANCE_LOC4:
        advance(machine, read_unsigned(program, 4));
        break;
    case CFA_REMEMBER_STATE:
        remember(machine, program);
        break;
    case CFA_RESTORE_STATE:
        restore_remembered(machine, program);
        break;
    case CFA_GNU_ARGS_SIZE:
        (void)read_uleb128(program);
        break;
    default:
        if (!run_on_register(machine, operation, program) &&
            !run_on_base(machine, operation, program))
            fail(program);
    }
}

/* As far as it is about addresses up to `pc`. Returns 0 when something in it is not known. */
static int run_program(struct machine *machine, struct reader program)
{
    while (program.at < program.end && machine->at <= machine->pc) {
        const uint64_t instruction = read_unsigned(&program, 1);
        const uint64_t operand = instruction & ~(uint64_t)CFA_OPERATION;
        switch (instruction & CFA_OPERATION) {
        case CFA_ADVANCE_LOC:
            advance(machine, operand);
            break;
        case CFA_OFFSET:
            set_place(machine, operand,
                      (struct place){SAVED, scaled(machine, read_uleb128(&program))});
            break;
        case CFA_RESTORE:
            restore_place(machine, operand);
            break;
        default:
            run_extended(machine, instruction, &program);
        }
    }
    return !program.has_failed;
}

/* --- Rules. --- */

static const struct frame_rule other = {.kind = FRAME_OTHER};

static struct frame_rule rule_of(const struct row *row)
{
    const int64_t word = (int64_t)sizeof(uintptr_t);
    struct frame_rule rule = {.end_offset = row->base_offset};

    if (row->return_address.kind == UNDEFINED)
        return (struct frame_rule){.kind = FRAME_OUTERMOST};
    if (!row->is_plain || row->base_offset <= 0 || row->base_offset % word != 0 ||
        row->sp.kind != UNCHANGED || row->return_address.kind != SAVED ||
        row->return_address.offset != -word)
        return other;
    if (row->bp.kind == SAVED)
        rule.bp_saved_offset = row->bp.offset;
    if (row->bp.kind == UNDEFINED || row->bp.kind == ELSEWHERE ||
        rule.bp_saved_offset % word != 0 ||
        (row->bp.kind == SAVED && rule.bp_saved_offset > -2 * word))
        return other;
    rule.kind = row->base == REGISTER_SP   ? FRAME_FROM_SP
                : row->base == REGISTER_BP ? FRAME_FROM_BP
                                           : FRAME_OTHER;
    return rule;
}

struct frame_rule frame_entry_read(const uint8_t *begin, const uint8_t *end, uintptr_t entry,
                                   uintptr_t pc)
{
    struct reader reader = open_entry(begin, end, entry);
    const uintptr_t here = (uintptr_t)reader.at;
    const uint64_t back = read_unsigned(&reader, 4);

    if (reader.has_failed || back == 0)
        return other;
    const struct common common = read_common(begin, end, here - (uintptr_t)back);
    if (!common.is_simple)
        return other;
    const uintptr_t function = read_address(&reader, common.encoding);
    const uint64_t bytes = read_format(&reader, common.encoding);
    if (common.has_augmentation)
        skip(&reader, read_uleb128(&reader));
    if (reader.has_failed || pc < function || pc - function >= bytes)
        return other;
    struct machine machine = {.at = function, .pc = pc, .common = &common};
    /* What is common is before any address. */
    if (!run_program(&machine, common.program) || machine.at != function)
        return other;
    machine.first = machine.row;
    return run_program(&machine, reader) ? rule_of(&machine.row) : other;
}

#if defined(__x86_64__)

/* What is asked of the loader, and its answer. */
struct question {
    uintptr_t pc;
    struct frame_rule rule;
};

static int holds(const struct dl_phdr_info *info, const ElfW(Phdr) * segment, uintptr_t address)
{
    return address - (info->dlpi_addr + segment->p_vaddr) < segment->p_memsz;
}

static const ElfW(Phdr) *
    find_segment(const struct dl_phdr_info *info, ElfW(Word) flags, uintptr_t address)
{
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && segment->p_flags & flags && holds(info, segment, address))
            return segment;
    }
    return NULL;
}

static const uint8_t *begin_of(const struct dl_phdr_info *info, const ElfW(Phdr) * segment)
{
    return (const uint8_t *)(info->dlpi_addr + segment->p_vaddr);
}

static struct frame_rule ask_file(const struct dl_phdr_info *info, uintptr_t pc)
{
    const ElfW(Phdr) *index = NULL;

    for (size_t i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME)
            index = &info->dlpi_phdr[i];
    if (!index)
        return other;
    const uint8_t *begin = begin_of(info, index);
    const ElfW(Phdr) *around = find_segment(info, PF_R, (uintptr_t)begin);
    if (!around || !holds(info, around, (uintptr_t)begin + index->p_memsz - 1))
        return other;
    const uintptr_t entry = frame_entry_find(begin, begin + index->p_memsz, pc);
    const ElfW(Phdr) *tables = find_segment(info, PF_R, entry);
    if (!entry || !tables)
        return other;
    const uint8_t *first = begin_of(info, tables);
    return frame_entry_read(first, first + tables->p_memsz, entry, pc);
}

/* Returns 1 with the one that holds the address, which ends the search. */
static int look_at_file(struct dl_phdr_info *info, size_t bytes, void *argument)
{
    struct question *question = argument;

    (void)bytes;
    if (!find_segment(info, PF_X, question->pc))
        return 0;
    question->rule = ask_file(info, question->pc);
    return 1;
}

struct frame_rule frame_rule_find(uintptr_t return_address)
{
    /* The call stands before it, and may be the last instruction of its function. */
    struct question question = {.pc = return_address - 1, .rule = other};

    (void)dl_iterate_phdr(look_at_file, &question);
    return question.rule;
}

#else

struct frame_rule frame_rule_find(uintptr_t return_address)
{
    (void)return_address;
    return other;
}

#endif
