// The one interface of the region family: what every member answers to, so that members and layers compose.
//
// What: a member embeds `struct mb_allocator` as its first field and fills its table. Callers use the functions below,
// which answer the edge cases that are the same for all (size 0, bad alignment, overflow) before the member is asked.
// Who: as the member's header says: the owner thread, or any thread where MB_TRAIT_SHARED is set.
// Invariant: a call that fails has changed nothing but the last error.
// Idea: composable allocators after Berger, Zorn, McKinley, "Composing high-performance memory allocators" (PLDI 2001).
#ifndef MB_CORE_BASE_ALLOCATOR_H
#define MB_CORE_BASE_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "platform/bits.h"
#include "platform/compiler.h"

struct mb_allocator;

// What a member can do. A layer checks this before it wraps the member, and fails (MB_BAD_CONFIG) if it could not work.
enum mb_trait {
    MB_TRAIT_FREES = 1,   // deallocate really takes a single block back
    MB_TRAIT_RESETS = 2,  // reset forgets all blocks at once
    MB_TRAIT_SHARED = 4,  // any thread may call at any time; else one owner thread, may be handed over
    MB_TRAIT_SIZES = 8,   // usable_size is exact for every live block
    MB_TRAIT_OWNS = 16,   // owns is exact; foreign pointers are detected
    MB_TRAIT_RANGE = 32,  // all blocks lie in one range: `range` is set
    MB_TRAIT_ORDERED = 64, // with MB_TRAIT_FREES: only the newest block can be freed
};

// The range of addresses a member carves from.
struct mb_range_table {
    void *(*base)(const struct mb_allocator *);
    size_t (*size)(const struct mb_allocator *);                                     // bytes
    enum mb_error (*commit)(struct mb_allocator *, size_t offset, size_t bytes);     // idempotent, monotone
    enum mb_error (*release_pages)(struct mb_allocator *, void *p, size_t bytes);    // next read is zero; NULL: cannot
    enum mb_error (*protect)(struct mb_allocator *, void *p, size_t bytes, unsigned access); // NULL: cannot
    // From now on only the caller carves the range (and makes sure that one thread at a time commits); until hand_back
    // the member allocates nothing itself. MB_BAD_CONFIG while blocks are live or if the range was taken over already.
    // Bytes at and after offset *dirty_bytes are zero once committed.
    enum mb_error (*take_over)(struct mb_allocator *, size_t *dirty_bytes);
    void (*hand_back)(struct mb_allocator *, size_t dirty_bytes);
};

// bytes is never 0 and never above PTRDIFF_MAX, align a power of two, old_bytes what the block was asked with last.
struct mb_allocator_table {
    uint32_t traits; // set of enum mb_trait
    void *(*allocate)(struct mb_allocator *, size_t bytes, size_t align);
    void *(*allocate_zeroed)(struct mb_allocator *, size_t bytes, size_t align);
    enum mb_error (*deallocate)(struct mb_allocator *, void *p, size_t bytes);
    void *(*grow)(struct mb_allocator *, void *p, size_t old_bytes, size_t new_bytes, size_t align);
    void *(*shrink)(struct mb_allocator *, void *p, size_t old_bytes, size_t new_bytes, size_t align);
    enum mb_error (*reset)(struct mb_allocator *);
    size_t (*usable_size)(const struct mb_allocator *, const void *p); // 0: not a live block, or unknown
    size_t (*capacity)(const struct mb_allocator *);                   // bytes; SIZE_MAX: bounded by the system alone
    bool (*owns)(const struct mb_allocator *, const void *p);          // p lies in memory that it serves; false: cannot say, dropped
    uint64_t (*corruption_events)(const struct mb_allocator *);        // monotone; any thread
    enum mb_error (*last_error)(const struct mb_allocator *);          // of the last call that failed
    enum mb_error (*drop)(struct mb_allocator *);                      // gives everything back; MB_REFUSED: to be repeated
    const struct mb_range_table *range;                                // NULL without MB_TRAIT_RANGE
};

struct mb_allocator {
    const struct mb_allocator_table *table;
    // Why a wrapper below refused the last request; MB_OK: the member was called. Owner thread; relaxed where shared.
    enum mb_error refused;
};

MB_INLINE enum mb_error mb_allocator_judge(size_t bytes, size_t align) {
    if (bytes == 0 || bytes > PTRDIFF_MAX) return MB_BAD_SIZE;
    return mb_is_pow2(align) ? MB_OK : MB_BAD_ALIGN;
}

// Written when it differs only: threads that share a member share the line, and it is MB_OK nearly always.
MB_INLINE void mb_allocator_note(struct mb_allocator *a, enum mb_error refused) {
    if (MB_UNLIKELY(__atomic_load_n(&a->refused, __ATOMIC_RELAXED) != refused)) __atomic_store_n(&a->refused, refused, __ATOMIC_RELAXED);
}

MB_INLINE bool mb_allocator_admits(struct mb_allocator *a, size_t bytes, size_t align) {
    enum mb_error refused = mb_allocator_judge(bytes, align);
    mb_allocator_note(a, refused);
    return MB_LIKELY(refused == MB_OK);
}

MB_INLINE bool mb_allocator_can(const struct mb_allocator *a, uint32_t traits) {
    return (a->table->traits & traits) == traits;
}

// Uninitialised / zero bytes at a multiple of align (a power of two). NULL: mb_allocator_last_error says why.
MB_INLINE void *mb_allocator_allocate(struct mb_allocator *a, size_t bytes, size_t align) {
    return mb_allocator_admits(a, bytes, align) ? a->table->allocate(a, bytes, align) : NULL;
}
MB_INLINE void *mb_allocator_allocate_zeroed(struct mb_allocator *a, size_t bytes, size_t align) {
    return mb_allocator_admits(a, bytes, align) ? a->table->allocate_zeroed(a, bytes, align) : NULL;
}

// `bytes` as the block was asked with last. NULL p is fine. No effect (MB_OK) for a member without MB_TRAIT_FREES.
MB_INLINE enum mb_error mb_allocator_deallocate(struct mb_allocator *a, void *p, size_t bytes) {
    mb_allocator_note(a, MB_OK);
    return p == NULL ? MB_OK : a->table->deallocate(a, p, bytes);
}

// new_bytes >= old_bytes / new_bytes <= old_bytes. The block may move (contents kept), or NULL and nothing has changed.
MB_INLINE void *mb_allocator_grow(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    if (!mb_allocator_admits(a, new_bytes < old_bytes ? 0 : new_bytes, align)) return NULL;
    return a->table->grow(a, p, old_bytes, new_bytes, align);
}
MB_INLINE void *mb_allocator_shrink(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    if (!mb_allocator_admits(a, new_bytes > old_bytes ? 0 : new_bytes, align)) return NULL;
    return a->table->shrink(a, p, old_bytes, new_bytes, align);
}

// Forgets all blocks; MB_UNSUPPORTED without MB_TRAIT_RESETS.
MB_INLINE enum mb_error mb_allocator_reset(struct mb_allocator *a) { return mb_allocator_note(a, MB_OK), a->table->reset(a); }
MB_INLINE size_t mb_allocator_usable_size(const struct mb_allocator *a, const void *p) {
    return p == NULL ? 0 : a->table->usable_size(a, p);
}
MB_INLINE size_t mb_allocator_capacity(const struct mb_allocator *a) { return a->table->capacity(a); }
MB_INLINE bool mb_allocator_owns(const struct mb_allocator *a, const void *p) { return a->table->owns(a, p); }
MB_INLINE uint64_t mb_allocator_corruption_events(const struct mb_allocator *a) { return a->table->corruption_events(a); }
MB_INLINE enum mb_error mb_allocator_last_error(const struct mb_allocator *a) {
    enum mb_error refused = __atomic_load_n(&a->refused, __ATOMIC_RELAXED);
    return refused != MB_OK ? refused : a->table->last_error(a);
}
MB_INLINE enum mb_error mb_allocator_drop(struct mb_allocator *a) { return a->table->drop(a); }

// The range of a member with MB_TRAIT_RANGE.
MB_INLINE void *mb_allocator_base(const struct mb_allocator *a) { return a->table->range->base(a); }
MB_INLINE size_t mb_allocator_range_bytes(const struct mb_allocator *a) { return a->table->range->size(a); }
MB_INLINE enum mb_error mb_allocator_commit(struct mb_allocator *a, size_t offset, size_t bytes) {
    return a->table->range->commit(a, offset, bytes);
}
// MB_UNSUPPORTED where the range cannot.
MB_INLINE enum mb_error mb_allocator_release_pages(struct mb_allocator *a, void *p, size_t bytes) {
    return a->table->range->release_pages == NULL ? MB_UNSUPPORTED : a->table->range->release_pages(a, p, bytes);
}
MB_INLINE enum mb_error mb_allocator_protect(struct mb_allocator *a, void *p, size_t bytes, unsigned access) {
    return a->table->range->protect == NULL ? MB_UNSUPPORTED : a->table->range->protect(a, p, bytes, access);
}
MB_INLINE enum mb_error mb_allocator_take_over(struct mb_allocator *a, size_t *dirty_bytes) {
    bool can = mb_allocator_can(a, MB_TRAIT_RANGE) && a->table->range->take_over != NULL;
    return can ? a->table->range->take_over(a, dirty_bytes) : MB_BAD_CONFIG;
}
MB_INLINE void mb_allocator_hand_back(struct mb_allocator *a, size_t dirty_bytes) {
    a->table->range->hand_back(a, dirty_bytes);
}

#endif
