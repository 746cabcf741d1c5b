// What the unwind tables say of one address of code: where its caller's registers are.
//
// What: runs the tables' programs for the three registers that a stack walk needs as a rule: stack pointer, return
// address, frame pointer. All else (expressions but the two that gcc makes for realigned stacks, frames of signals,
// signed return addresses, forms that core/process/unwind_table.h refuses) is MB_ROW_UNKNOWN: a case for the whole
// unwinder.
// Who: any thread, in signal handlers too.
#ifndef MB_CORE_PROCESS_UNWIND_ROW_H
#define MB_CORE_PROCESS_UNWIND_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/process/unwind_table.h"

enum mb_row_kind { MB_ROW_UNKNOWN, MB_ROW_CALLER, MB_ROW_END };
enum mb_row_frame { MB_FRAME_SAME, MB_FRAME_LOST, MB_FRAME_AT_CFA, MB_FRAME_AT_FRAME };

// The caller's stack pointer (CFA) is stack or frame pointer + cfa_offset, or what is stored there; the others are
// stored at an offset from it (the frame pointer with MB_FRAME_AT_FRAME: from the frame pointer).
struct mb_unwind_row {
    int32_t cfa_offset;
    int16_t return_offset, frame_offset;
    uint8_t kind, frame, cfa_is_of_frame, cfa_is_stored;
    uint32_t place; // which entry of the object's table the address belongs to
};
_Static_assert(sizeof(struct mb_unwind_row) == 16, "two words of a cache entry");

// Everything but the place.
struct mb_unwind_row mb_unwind_row_of(const struct mb_unwind_source *source, uintptr_t address);

#endif
