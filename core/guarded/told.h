// Reports about guarded samples. Used only by the files of this folder.
//
// Who: any thread, also in a signal handler. They may read a record while another thread is writing it.
#ifndef MB_CORE_GUARDED_TOLD_H
#define MB_CORE_GUARDED_TOLD_H

#include <stddef.h>
#include <stdint.h>

#include "core/guarded/guarded.h"
#include "core/guarded/slot.h"

struct mb_guarded_slot {
    struct mb_guarded_word_shared word;
    int made_by, freed_by; // thread ids; made_by is 0 if the slot was never used, freed_by is 0 if the block is live
    unsigned made_depth, freed_depth;
    size_t bytes; // as requested
    char *start;
    uint64_t salt;
    uint64_t freed_ns;
    uintptr_t made[MB_GUARDED_DEPTH], freed[MB_GUARDED_DEPTH];
} MB_PAIR_ALIGNED;

struct mb_guarded_slot *mb_guarded_slot_at(size_t index);

// Reports that the memory around the block was overwritten.
void mb_guarded_tell_damage(const struct mb_guarded_slot *slot, const char *what);

// The handler for mb_os_on_fault.
void mb_guarded_on_fault(const void *address);

#endif
