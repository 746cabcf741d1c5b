// Reports a mistake with a pointer (core/base/mistake.h): finds out what the address is and prints the line. Any
// thread; reads descriptors only, not the blocks.
//
// The option on_error decides whether a report ends the process or returns; if it returns, the caller leaves the
// pointer alone.
#ifndef MB_CORE_TOLD_REPORT_H
#define MB_CORE_TOLD_REPORT_H

#include <stddef.h>

#include "core/region/unit.h"

// The function that the program has called. Messages name operator delete as free, and its sized forms as free_sized
// and free_aligned_sized.
enum mb_operation { MB_OP_FREE, MB_OP_FREE_SIZED, MB_OP_FREE_ALIGNED_SIZED, MB_OP_REALLOC, MB_OP_USABLE_SIZE, MB_OP_CHECK, MB_OP_EXIT };

// What is known of an address that is not the start of a live block.
enum mb_fault {
    MB_FAULT_INTERIOR, // inside a block
    MB_FAULT_FOREIGN,  // in no memory that this allocator or the libc's heap serves
    MB_FAULT_CROOKED,  // not aligned as blocks are, and in no block
    MB_FAULT_UNUSED,   // never handed out
    MB_FAULT_FREED,    // a block that has been freed
    MB_FAULT_UNCLEAR,  // freed, or never handed out
};

// The words of a line: the fault, and the function that was called.
const char *mb_fault_text(enum mb_operation operation, enum mb_fault fault);
const char *mb_operation_name(enum mb_operation operation);

// p lies inside the arena's front but is not the start of a live block: which fault, by the descriptors.
void mb_report_inside(enum mb_operation operation, const void *p);

// p lies outside of the front. `start` and `bytes`: the block that it lies in, if any.
void mb_report_outside(enum mb_operation operation, const void *p, const void *start, size_t bytes);

// p is the start of a block with that fault.
void mb_report_block(enum mb_operation operation, enum mb_fault fault, const void *p);
void mb_report_freed(enum mb_operation operation, const void *p);

// Two threads free the large block at the same moment, and its span is in both's hands. Ends the process, whatever the
// policy.
_Noreturn void mb_report_freed_at_once(const void *p);

// The size or alignment passed to a sized free is not the block's. The option `sized` decides whether the first such
// call is reported, none is, or the process ends.
struct mb_claim {
    size_t bytes;
    size_t align; // 0: none is named
};
void mb_report_claim(const void *p, size_t block_bytes, struct mb_claim claim);

// The same for a question (malloc_usable_size) about what is no live block. `of_block`: the fault of the block that
// starts there, if one does.
void mb_report_question(const void *p, enum mb_fault of_block);

#endif
