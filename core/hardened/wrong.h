// What the hardened front says about a fault, in one line (core/told/report.h for those that the default front knows,
// too). It ends the process, or comes back (option on_error): the caller then does nothing with the pointer.
//
// Who: any thread, also with a class's lock in its hands: from then on locks are not taken, so that a handler of
// SIGABRT may allocate.
#ifndef MB_CORE_HARDENED_WRONG_H
#define MB_CORE_HARDENED_WRONG_H

#include <stdbool.h>
#include <stddef.h>

#include "core/hardened/slab.h"
#include "core/told/report.h"

// The block at p, or what was taken for one, is wrong as said.
void mb_hard_wrong(enum mb_operation operation, enum mb_hard_fault fault, const void *p);
// p lies in no unit of the hardened front's, nor does anybody else know it.
void mb_hard_wrong_outside(enum mb_operation operation, const void *p);
// A free slot was written to.
void mb_hard_wrong_written(const void *slot);

// The handler for mb_os_on_fault, if stacks are recorded: reports an access to a guard or to memory in quarantine.
void mb_hard_on_fault(const void *address);

bool mb_hard_is_ending(void);

#endif
