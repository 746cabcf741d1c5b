// The hardened front's blocks as its calls see them: what hardened.c and realloc.c share.
//
// Who: any thread.
#ifndef MB_CORE_HARDENED_BLOCKS_H
#define MB_CORE_HARDENED_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/told/report.h"

enum mb_hard_place { MB_HARD_NOWHERE, MB_HARD_IN_SLAB, MB_HARD_IN_LARGE, MB_HARD_OUTSIDE, MB_HARD_OF_LIBC };

// Where p is a block. A pointer that is none is reported (MB_HARD_NOWHERE).
enum mb_hard_place mb_hard_place_of(enum mb_operation operation, const void *p);

// The length of a live, intact block; false: it is none, which has been reported.
bool mb_hard_length_of(enum mb_operation operation, const void *p, enum mb_hard_place place, size_t *bytes);

void *mb_hard_alloc(size_t align, size_t bytes);
void mb_hard_free(void *p);
void *mb_hard_realloc(void *p, size_t bytes);

// Sets errno to ENOMEM and returns NULL.
void *mb_hard_no_memory(void);

#endif
