// What is wrong with a pointer, said in one line.
#ifndef MB_CORE_TOLD_REPORT_H
#define MB_CORE_TOLD_REPORT_H

#include "core/region/unit.h"

enum mb_operation { MB_OP_FREE, MB_OP_REALLOC, MB_OP_USABLE_SIZE };

// p lies inside the arena's front but is not the start of a live block: ends the process.
_Noreturn void mb_report_inside(enum mb_operation operation, const void *p);

// p lies outside of everything that this allocator or the libc's heap serves: ends the process.
_Noreturn void mb_report_outside(enum mb_operation operation, const void *p);

// p is a block that has been freed: ends the process.
_Noreturn void mb_report_freed(enum mb_operation operation, const void *p);

#endif
