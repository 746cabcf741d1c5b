// What the unwind tables say about one code address: where the registers of the caller are.
//
// What: executes the tables' programs for the three registers that a stack walk usually needs: stack pointer, return
// address, frame pointer. Everything else is MB_ROW_UNKNOWN and left to the complete unwinder: expressions (except the
// two that gcc emits for realigned stacks), signal frames, signed return addresses, and forms that
// core/process/unwind_table.h refuses.
// Who: any thread, also in signal handlers.
#ifndef MB_CORE_PROCESS_UNWIND_ROW_H
#define MB_CORE_PROCESS_UNWIND_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/process/unwind_table.h"

enum mb_row_kind { MB_ROW_UNKNOWN, MB_ROW_CALLER, MB_ROW_END };
enum mb_row_frame { MB_FRAME_SAME, MB_FRAME_LOST, MB_FRAME_AT_CFA, MB_FRAME_AT_FRAME };

// The caller's stack pointer (CFA) is the stack or frame pointer plus cfa_offset, or is loaded from that address. The
// return address and the frame pointer are stored at an offset from the CFA (with MB_FRAME_AT_FRAME: from the frame
// pointer).
struct mb_unwind_row {
    int32_t cfa_offset;
    int16_t return_offset, frame_offset;
    uint8_t kind, frame, cfa_is_of_frame, cfa_is_stored;
    uint32_t place; // which entry of the object's table the address belongs to
};
_Static_assert(sizeof(struct mb_unwind_row) == 16, "two words of a cache entry");

// Fills all fields except `place`.
struct mb_unwind_row mb_unwind_row_of(const struct mb_unwind_source *source, uintptr_t address);

#endif
