// Starts the allocator (thread-specific key, arena, options), once, from whichever call comes first.
#ifndef MB_CORE_PROCESS_INIT_H
#define MB_CORE_PROCESS_INIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/compiler.h"

// True when the allocator is ready. The first caller makes it so; others wait. False when another copy of this library
// serves, or when the system refuses even the first pages (the next call tries again).
bool mb_init(void);

// Registers a key and a fork handler with the C library, which otherwise the start would do. Called by the library's
// constructor: if malloc is first called later, the program may have taken the last key by then, and that call may come
// from the C library itself, which may be registering a handler and holding its lock.
void mb_init_register(void);

// What serves the process instead of core/front: another copy of this library, or the hardened front of this one; NULL
// if core/front serves it, at the cost of one load. In the other cases the heaps of this copy stay empty: malloc enters
// its slow path, and free finds no slab of any thread.
struct mb_calls;
struct mb_init_shared {
    _Atomic uint32_t stage;                     // written by the thread that runs the start (release), read by any (acquire)
    _Atomic(const struct mb_calls *) other_copy; // written by the start, before the stage
    _Atomic bool had_threads;                   // likewise, before mb_space.base: others may have been in free meanwhile
};
extern MB_HIDDEN struct mb_init_shared mb_init_shared; // sealed after the start: not even a failing compare-and-swap then

enum mb_init_stage { MB_INIT_UNTOUCHED, MB_INIT_RUNNING, MB_INIT_READY, MB_INIT_FORWARDED };

MB_INLINE const struct mb_calls *mb_other_copy(void) {
    uint32_t stage = atomic_load_explicit(&mb_init_shared.stage, memory_order_acquire);
    if (MB_LIKELY(stage == MB_INIT_READY)) return NULL;
    if (stage != MB_INIT_FORWARDED) mb_init();
    return atomic_load_explicit(&mb_init_shared.other_copy, memory_order_acquire);
}

// The hardened front, which stands above this room and is started from here (core/hardened/hardened.c).
struct mb_instead {
    // The arena is there. NULL: no memory.
    const struct mb_calls *(*start)(uint64_t seed);
    // In a forked child, alone, after the arena.
    void (*recover)(void);
};
extern MB_HIDDEN const struct mb_instead mb_hardened;
bool mb_is_hardened(void);

// Called by mb_init: makes the key of the exit hook.
void mb_thread_init(void);

#endif
