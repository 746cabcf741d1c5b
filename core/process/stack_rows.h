// Takes one step up a call stack by the unwind tables, and caches by address what they say. A step costs a sixth of the
// instructions that a complete unwinder needs.
//
// What: a table of some thousand addresses for the whole process. An entry is used only while the object's own table
// still holds the same record at that place, word for word, so that unloading an object and loading another in its
// place cannot cause a wrong step. Cases that are not simple are left to the complete unwinder (MB_STEP_UNKNOWN);
// core/process/unwind_row.h lists them.
// Who: any thread, without locks, also in signal handlers and forked children; nothing is allocated. An entry that was
// read while another thread was writing it is ignored: its last word is a hash of the others.
#ifndef MB_CORE_PROCESS_STACK_ROWS_H
#define MB_CORE_PROCESS_STACK_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/process/stack_objects.h"
#include "platform/registers.h"

struct mb_stack_walk {
    struct mb_registers at;
    bool is_call;     // `instruction` is a return address
    bool frame_known; // false: the caller's frame pointer could not be recovered
    struct mb_object object;
};

enum mb_stack_step { MB_STEP_UP, MB_STEP_END, MB_STEP_UNKNOWN };

MB_INLINE void mb_stack_begin(struct mb_stack_walk *walk, struct mb_registers here) {
    walk->at = here;
    walk->is_call = false;
    walk->frame_known = true;
    walk->object.start = walk->object.end = NULL;
}

// Moves `at` from a function to its caller.
enum mb_stack_step mb_stack_step(struct mb_stack_walk *walk);

#endif
