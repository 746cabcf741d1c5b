#include "core/process/unwind_row.h"

#include "platform/unwind_end.h"

// --- programs --------------------------------------------------------------------------------------------------------

enum rule_kind { RULE_SAME, RULE_UNDEFINED, RULE_AT_CFA, RULE_AT_FRAME, RULE_OTHER };

struct rule {
    enum rule_kind kind;
    int64_t offset;
};

struct state {
    struct rule return_address, frame;
    int64_t cfa_offset;
    uint64_t cfa_register;
    bool cfa_is_stored;
};

enum { REMEMBERED_MOST = 6 };

struct machine {
    struct mb_unwind_reader program;
    const struct mb_unwind_common *common;
    struct state state, initial, remembered[REMEMBERED_MOST];
    unsigned remembered_count;
    uintptr_t at, until; // instructions apply from address `at` on; those for addresses beyond `until` are not executed
};

static void set_rule(struct machine *machine, uint64_t number, enum rule_kind kind, int64_t offset) {
    struct rule rule = {kind, offset};
    if (number == MB_DWARF_RETURN) machine->state.return_address = rule;
    if (number == MB_DWARF_FRAME) machine->state.frame = rule;
    if (number == MB_DWARF_STACK) machine->program.is_bad = true; // without a rule it is the CFA; rules for it are not supported
}

static void restore(struct machine *machine, uint64_t number) {
    if (number == MB_DWARF_RETURN) machine->state.return_address = machine->initial.return_address;
    if (number == MB_DWARF_FRAME) machine->state.frame = machine->initial.frame;
    if (number == MB_DWARF_STACK) machine->program.is_bad = true;
}

static int64_t take_offset(struct machine *machine) { return (int64_t)mb_take_unsigned(&machine->program) * machine->common->data_factor; }
static int64_t take_signed_offset(struct machine *machine) { return mb_take_signed(&machine->program) * machine->common->data_factor; }

static void set_cfa(struct machine *machine, uint64_t number, int64_t offset) {
    machine->state.cfa_register = number;
    machine->state.cfa_offset = offset;
    machine->state.cfa_is_stored = false;
}

enum { OP_DEREF = 0x06, OP_REGISTER = 0x70 };

// Reads the next expression if it is a register plus an offset, followed by a load if one is wanted. Returns the
// register's number; UINT64_MAX for any other expression.
static uint64_t take_place(struct machine *machine, bool with_load, int64_t *offset) {
    uint64_t bytes = mb_take_unsigned(&machine->program);
    struct mb_unwind_reader block = machine->program;
    mb_skip(&machine->program, bytes);
    if (machine->program.is_bad) return UINT64_MAX;
    block.end = machine->program.at;
    uint64_t op = mb_take(&block, 1);
    *offset = mb_take_signed(&block);
    if (with_load && mb_take(&block, 1) != OP_DEREF) return UINT64_MAX;
    return block.is_bad || block.at != block.end || op < OP_REGISTER || op >= OP_REGISTER + 32 ? UINT64_MAX : op - OP_REGISTER;
}

static void take_cfa_place(struct machine *machine) {
    machine->state.cfa_register = take_place(machine, true, &machine->state.cfa_offset);
    machine->state.cfa_is_stored = true;
}

static void take_register_place(struct machine *machine, uint64_t number) {
    int64_t offset = 0;
    uint64_t base = take_place(machine, false, &offset);
    set_rule(machine, number, base == MB_DWARF_FRAME ? RULE_AT_FRAME : RULE_OTHER, offset);
}

static void remember(struct machine *machine) {
    if (machine->remembered_count == REMEMBERED_MOST)
        machine->program.is_bad = true;
    else
        machine->remembered[machine->remembered_count++] = machine->state;
}

static void recall(struct machine *machine) {
    if (machine->remembered_count == 0)
        machine->program.is_bad = true;
    else
        machine->state = machine->remembered[--machine->remembered_count];
}

// The instructions whose first operand is a register.
static void run_of_register(struct machine *machine, uint64_t op) {
    uint64_t number = mb_take_unsigned(&machine->program);
    switch (op) {
    case 0x05: return set_rule(machine, number, RULE_AT_CFA, take_offset(machine));           // offset_extended
    case 0x06: return restore(machine, number);                                               // restore_extended
    case 0x07: return set_rule(machine, number, RULE_UNDEFINED, 0);                           // undefined
    case 0x08: return set_rule(machine, number, RULE_SAME, 0);                                // same_value
    case 0x0c: return set_cfa(machine, number, (int64_t)mb_take_unsigned(&machine->program)); // def_cfa
    case 0x0d: return set_cfa(machine, number, machine->state.cfa_offset);                    // def_cfa_register
    case 0x10: return take_register_place(machine, number);                                   // expression
    case 0x11: return set_rule(machine, number, RULE_AT_CFA, take_signed_offset(machine));    // offset_extended_sf
    case 0x12: return set_cfa(machine, number, take_signed_offset(machine));                  // def_cfa_sf
    default: machine->program.is_bad = true;
    }
}

static void run_other(struct machine *machine, uint64_t op) {
    uint64_t factor = machine->common->code_factor;
    switch (op) {
    case 0x00: return;                                                                           // nop
    case 0x02: machine->at += mb_take(&machine->program, 1) * factor; return;                    // advance_loc1
    case 0x03: machine->at += mb_take(&machine->program, 2) * factor; return;                    // advance_loc2
    case 0x04: machine->at += mb_take(&machine->program, 4) * factor; return;                    // advance_loc4
    case 0x0a: return remember(machine);                                                         // remember_state
    case 0x0b: return recall(machine);                                                           // restore_state
    case 0x0e: machine->state.cfa_offset = (int64_t)mb_take_unsigned(&machine->program); return; // def_cfa_offset
    case 0x0f: return take_cfa_place(machine);                                                   // def_cfa_expression
    case 0x13: machine->state.cfa_offset = take_signed_offset(machine); return;                  // def_cfa_offset_sf
    case 0x2e: mb_take_unsigned(&machine->program); return;                                      // GNU_args_size
    default: run_of_register(machine, op);
    }
}

static void run(struct machine *machine) {
    while (machine->program.at < machine->program.end && machine->at <= machine->until) {
        uint64_t op = mb_take(&machine->program, 1), low = op & 0x3f;
        switch (op >> 6) {
        case 1: machine->at += low * machine->common->code_factor; break;
        case 2: set_rule(machine, low, RULE_AT_CFA, take_offset(machine)); break;
        case 3: restore(machine, low); break;
        default: run_other(machine, op);
        }
    }
}

// --- rows ------------------------------------------------------------------------------------------------------------

static bool fits(int64_t offset, int64_t limit) { return -limit <= offset && offset < limit; }

static struct mb_unwind_row row_of(const struct state *state) {
    static const uint8_t FRAME[] = {[RULE_SAME] = MB_FRAME_SAME,
                                    [RULE_UNDEFINED] = MB_FRAME_LOST,
                                    [RULE_AT_CFA] = MB_FRAME_AT_CFA,
                                    [RULE_AT_FRAME] = MB_FRAME_AT_FRAME,
                                    [RULE_OTHER] = MB_FRAME_LOST};
    const struct mb_unwind_row unknown = {.kind = MB_ROW_UNKNOWN}, end = {.kind = MB_ROW_END};
    if (state->return_address.kind == RULE_UNDEFINED) return end;
    if (state->return_address.kind != RULE_AT_CFA) return unknown;
    if (state->cfa_register != MB_DWARF_STACK && state->cfa_register != MB_DWARF_FRAME) return unknown;
    if (!fits(state->return_address.offset, 1 << 15) || !fits(state->frame.offset, 1 << 15) || !fits(state->cfa_offset, 1 << 30))
        return unknown;
    return (struct mb_unwind_row){
        .cfa_offset = (int32_t)state->cfa_offset,
        .return_offset = (int16_t)state->return_address.offset,
        .frame_offset = (int16_t)state->frame.offset,
        .kind = MB_ROW_CALLER,
        .frame = FRAME[state->frame.kind],
        .cfa_is_of_frame = state->cfa_register == MB_DWARF_FRAME,
        .cfa_is_stored = state->cfa_is_stored,
    };
}

struct mb_unwind_row mb_unwind_row_of(const struct mb_unwind_source *source, uintptr_t address) {
    const struct mb_unwind_row unknown = {.kind = MB_ROW_UNKNOWN};
    struct mb_unwind_common common;
    struct machine machine = {.common = &common, .until = UINTPTR_MAX};
    if (!mb_unwind_read_cie(source, &common)) return unknown;
    machine.program = common.program;
    run(&machine);
    if (machine.program.is_bad) return unknown;
    machine.initial = machine.state;
    machine.at = mb_unwind_read_fde(source, address, &machine.program);
    machine.until = address;
    if (machine.at == 0) return unknown;
    run(&machine);
    return machine.program.is_bad ? unknown : row_of(&machine.state);
}
