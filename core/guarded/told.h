// Reports about guarded samples. Used only by the files of this folder.
//
// Who: any thread, in a signal handler too. It may read a record that another thread is writing at that moment.
#ifndef MB_CORE_GUARDED_TOLD_H
#define MB_CORE_GUARDED_TOLD_H

#include <stddef.h>
#include <stdint.h>

#include "core/guarded/guarded.h"
#include "core/guarded/slot.h"

struct mb_guarded_slot {
    struct mb_guarded_word_shared word;
    int made_by, freed_by; // threads; 0: it was never handed out / it lives
    unsigned made_depth, freed_depth;
    size_t bytes; // asked for
    char *start;
    uint64_t salt;
    uint64_t freed_ns;
    uintptr_t made[MB_GUARDED_DEPTH], freed[MB_GUARDED_DEPTH];
} MB_PAIR_ALIGNED;

struct mb_guarded_slot *mb_guarded_slot_at(size_t index);

// The block's surroundings were written.
void mb_guarded_tell_damage(const struct mb_guarded_slot *slot, const char *what);

// For mb_os_on_fault.
void mb_guarded_on_fault(const void *address);

#endif
