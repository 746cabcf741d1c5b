// Who serves this process, when it is not (only) this copy of the library.
//
// What: three strangers. (1) Another copy of this library that comes first: the core forwards everything to it, told by
// mb_forward_get. (2) A program, or a library before us, with a malloc of its own: those of our names that it leaves to us
// work on its heap, so that its free takes what they return. (3) The same, but its malloc only wraps ours: aligned blocks may
// then be ours. A name that somebody else defines can reach us by dlsym only (RTLD_NEXT), and is served here.
// The loader has settled who owns a name before our first instruction: its choice stands in our GOT, and a hidden alias is
// our own definition. Comparing the two costs four instructions and no call; that both malloc and free are ours is noted when it is
// first found. (A program linked at a fixed address that uses the address of malloc owns the name in appearance, with a jump to us: it is treated as the third stranger, which is correct.)
// Who: any thread, from the first instruction on.
#ifndef MB_PRELOAD_FORWARD_H
#define MB_PRELOAD_FORWARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/compiler.h"

// The names as the process sees them.
void *malloc(size_t bytes);
void free(void *p);
void *realloc(void *p, size_t bytes);
int posix_memalign(void **out, size_t align, size_t bytes);
void *memalign(size_t align, size_t bytes);
void *aligned_alloc(size_t align, size_t bytes);

// Our own definitions of them.
MB_HIDDEN void *mb_self_malloc(size_t bytes);
MB_HIDDEN void mb_self_free(void *p);
MB_HIDDEN int mb_self_posix_memalign(void **out, size_t align, size_t bytes);
MB_HIDDEN void *mb_self_memalign(size_t align, size_t bytes);
MB_HIDDEN void *mb_self_aligned_alloc(size_t align, size_t bytes);

// The compilers hold that two symbols have two addresses and answer at build time: hide where one of them comes from.
MB_INLINE bool mb_forward_same(uintptr_t winner, uintptr_t ours) {
    __asm__("" : "+r"(winner));
    return MB_LIKELY(winner == ours);
}

MB_INLINE bool mb_forward_malloc_is_ours(void) { return mb_forward_same((uintptr_t)malloc, (uintptr_t)mb_self_malloc); }
MB_INLINE bool mb_forward_free_is_ours(void) { return mb_forward_same((uintptr_t)free, (uintptr_t)mb_self_free); }

// Whether the call of a name must work on somebody else's heap: malloc or free is theirs, and the name itself is ours.
bool mb_forward_wanted(uintptr_t winner, uintptr_t ours);

// That malloc and free are both ours, as mb_forward_wanted has found before. False: not asked yet, or not so.
extern MB_HIDDEN _Atomic bool mb_forward_alone_shared;
MB_INLINE bool mb_forward_alone(void) {
    return MB_LIKELY(atomic_load_explicit(&mb_forward_alone_shared, memory_order_relaxed));
}

// On the heap of whoever owns malloc and free. Contracts as in core/front/malloc.h.
void *mb_forward_memalign(size_t align, size_t bytes);
void mb_forward_free(void *p);
size_t mb_forward_usable_size(void *p);

#endif
