// One step up a call stack by the unwind tables, with what they said before kept by address: a sixth of the
// instructions of a whole unwinder.
//
// What: a table of some thousand addresses, for the process. An entry counts only while the object's own table still
// has the same record there, word for word: an object that has been unloaded, and another one in its place, cannot make
// a wrong step. What is not plain is left to the whole unwinder (MB_STEP_UNKNOWN): core/process/unwind_row.h says what.
// Who: any thread, without locks, in signal handlers and forked children too; nothing is allocated. A torn entry is
// none: its last word is a hash of the others.
#ifndef MB_CORE_PROCESS_STACK_ROWS_H
#define MB_CORE_PROCESS_STACK_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/process/stack_objects.h"
#include "platform/registers.h"

struct mb_stack_walk {
    struct mb_registers at;
    bool is_call;     // `instruction` is where a call returns to
    bool frame_known; // false: the frame pointer was lost on the way
    struct mb_object object;
};

enum mb_stack_step { MB_STEP_UP, MB_STEP_END, MB_STEP_UNKNOWN };

MB_INLINE void mb_stack_begin(struct mb_stack_walk *walk, struct mb_registers here) {
    walk->at = here;
    walk->is_call = false;
    walk->frame_known = true;
    walk->object.start = walk->object.end = NULL;
}

// To the caller of the function that `at` is in.
enum mb_stack_step mb_stack_step(struct mb_stack_walk *walk);

#endif
