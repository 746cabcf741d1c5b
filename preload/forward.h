// Which malloc serves the process, where it is not (only) this copy of the library.
//
// What: three cases. (1) Another copy of this library was loaded before us: the core forwards every call to it
// (mb_forward_get). (2) The program, or a library before us, defines malloc and free with a heap of its own: those of
// our functions that it does not define work on its heap, so that its free can take their blocks. (3) The same, but its
// malloc wraps ours: then aligned blocks may be ours. A function that is not the process's own definition is reached by
// dlsym (RTLD_NEXT) only, and serves the call itself. How it is told: the loader has bound every name before our first
// instruction. Our GOT holds its choice, a hidden alias our own definition; comparing the two costs four instructions.
// That both malloc and free are ours is remembered. (A program linked with -no-pie that takes malloc's address seems to
// define it, with a jump to us; it is treated as case 3, which is correct.)
// Who: any thread, from the first instruction on.
#ifndef MB_PRELOAD_FORWARD_H
#define MB_PRELOAD_FORWARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/compiler.h"

// The definitions that the process uses.
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

// Whether two function addresses are equal. Compilers assume that different symbols have different addresses and would
// answer at build time, so one of them is hidden from the optimiser.
MB_INLINE bool mb_forward_same(uintptr_t winner, uintptr_t ours) {
    __asm__("" : "+r"(winner));
    return MB_LIKELY(winner == ours);
}

MB_INLINE bool mb_forward_malloc_is_ours(void) { return mb_forward_same((uintptr_t)malloc, (uintptr_t)mb_self_malloc); }
MB_INLINE bool mb_forward_free_is_ours(void) { return mb_forward_same((uintptr_t)free, (uintptr_t)mb_self_free); }

// Whether a function of ours has to work on another malloc's heap: the process uses our definition of it (`winner` ==
// `ours`), but another one of malloc or free.
bool mb_forward_wanted(uintptr_t winner, uintptr_t ours);

// True: mb_forward_wanted has found that malloc and free are both ours. False: it has not been called yet, or they are
// not.
extern MB_HIDDEN _Atomic bool mb_forward_alone_shared;
MB_INLINE bool mb_forward_alone(void) {
    return MB_LIKELY(atomic_load_explicit(&mb_forward_alone_shared, memory_order_relaxed));
}

// On the other malloc's heap. Contracts as in core/front/malloc.h.
void *mb_forward_memalign(size_t align, size_t bytes);
void mb_forward_free(void *p);
size_t mb_forward_usable_size(void *p);

#endif
