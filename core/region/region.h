// An owned range of private, anonymous memory from the system, carved by a bump cursor.
//
//   base            dirty         allocated      committed            base + capacity
//   |-- handed out once, or now --|              |                    | guard |
//   |== may be touched ==========================|-- reserved only ---| none  |
//
// What: reserves, commits (all at once, or lazily in chunks of 64 KiB that rise to 8 MiB), binds, populates, carves,
// gives back. Single blocks cannot be freed. Every wish about the mapping is either honoured or reported.
// Who: one owner thread at a time; may be handed over whole, never shared (check builds: core/base/owner.h). Any
// thread: mb_region_supported, mb_region_corruption_events.
// Invariant: a call that fails has changed nothing but the last error. Bytes at and behind `dirty` that are not handed
// out are zero, provided that all writing goes to handed out blocks.
#ifndef MB_CORE_REGION_REGION_H
#define MB_CORE_REGION_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/bump.h"
#include "core/base/error.h"
#include "core/base/owner.h"
#include "core/region/lazy.h"
#include "platform/access.h"

// Wishes about a mapping, and what became of them.
enum mb_region_flag {
    MB_REGION_LAZY = 1,         // reserve only; commit as blocks are carved
    MB_REGION_POPULATE = 2,     // resident as soon as committed
    MB_REGION_HUGE_PAGES = 4,   // base and capacity aligned to huge pages, and these asked for (transparent ones)
    MB_REGION_HUGETLB = 8,      // huge pages that the administrator has set aside; else transparent ones are asked for
    MB_REGION_NUMA = 16,        // only memory of the given nodes
    MB_REGION_GUARD_AT_END = 32, // an inaccessible page behind the capacity
    MB_REGION_FLAGS = 63,       // all of them
};

// Initialise with MB_REGION_CONFIG(bytes), then set what is wanted. May grow at its end.
struct mb_region_config {
    size_t size;           // bytes of this struct as the caller knows it
    size_t bytes;          // at least so much capacity
    uint32_t prefer;       // set of enum mb_region_flag: honoured where possible
    uint32_t require;      //   ... honoured or MB_UNSUPPORTED
    const uint64_t *nodes; // for MB_REGION_NUMA: bit n is node n,
    size_t node_words;     //   in so many words of 64 bits
};
#define MB_REGION_CONFIG(wanted_bytes) {sizeof(struct mb_region_config), (wanted_bytes), 0, 0, 0, 0}

// All sizes in bytes. Read through the functions below.
struct mb_region {
    struct mb_owner owner;       // of the cursor; who commits, releases or protects from elsewhere is the caller's business
    struct mb_bump bump;         // base, cursor, end of the capacity
    uintptr_t newest;            // the newest block, 0: unknown
    struct mb_lazy_shared lazy;  // how far the region is committed
    size_t dirty;                // blocks have been handed out below this offset and given up again
    size_t populated;            // resident up to here, while MB_REGION_POPULATE is honoured
    size_t mapped;               // from base: what is returned to the system, the guard included
    size_t commit_step;          // commits end at multiples of this
    size_t release_step;         // release_pages and protect act on multiples of this: the page
    uint32_t honoured, require;  // sets of enum mb_region_flag
    enum mb_error error;         // of the last call that failed
    int os_error;                // why the system last refused: a negative errno value, 0 if it never did
    uint64_t corruptions;        // calls that found this struct damaged; written by the owner, read by any thread (relaxed)
};

MB_PUBLIC_BEGIN

// --- mapping --------------------------------------------------------------------------------------------------------

// Which of the flags would be honoured on this system, found out by trying on a page. Any thread.
uint32_t mb_region_supported(uint32_t flags);

// Maps a region. On failure *region holds the error, os_error and what was honoured, and nothing else.
enum mb_error mb_region_new_with(struct mb_region *region, const struct mb_region_config *config);
// At least `bytes`, committed at once / lazily / lazily and with huge pages if possible.
enum mb_error mb_region_new(struct mb_region *region, size_t bytes);
enum mb_error mb_region_new_lazy(struct mb_region *region, size_t bytes);
enum mb_error mb_region_new_huge(struct mb_region *region, size_t bytes);

// Returns the mapping; live blocks go with it. Owner thread, as everything below.
enum mb_error mb_region_drop(struct mb_region *region);

// The owner lets go: the next thread that calls is the owner.
MB_INLINE void mb_region_hand_over(struct mb_region *region) { mb_owner_hand_over(&region->owner); }

// --- looking --------------------------------------------------------------------------------------------------------

MB_INLINE void *mb_region_base(const struct mb_region *region) { return (void *)region->bump.base; }
MB_INLINE size_t mb_region_capacity(const struct mb_region *region) { return mb_bump_capacity(&region->bump); }
MB_INLINE size_t mb_region_allocated(const struct mb_region *region) { return mb_bump_used(&region->bump); }
MB_INLINE size_t mb_region_remaining(const struct mb_region *region) { return mb_bump_left(&region->bump); }
MB_INLINE size_t mb_region_committed(const struct mb_region *region) { return mb_lazy_committed(&region->lazy); }
MB_INLINE uint32_t mb_region_honoured(const struct mb_region *region) { return region->honoured; }
MB_INLINE enum mb_error mb_region_last_error(const struct mb_region *region) { return region->error; }
MB_INLINE int mb_region_os_error(const struct mb_region *region) { return region->os_error; }
MB_INLINE bool mb_region_contains(const struct mb_region *region, const void *p) {
    return mb_bump_contains(&region->bump, p);
}
// The bytes of the newest block as it was asked for last; 0 for any other (the cursor remembers no sizes).
size_t mb_region_usable_size(const struct mb_region *region, const void *p);
// How often a call found the region's own numbers damaged and failed with MB_CORRUPT. Only rises. Any thread.
uint64_t mb_region_corruption_events(const struct mb_region *region);
// How many bytes the system really holds in huge pages now: honoured only says that they were asked for. 0 also where
// it does not tell.
size_t mb_region_huge_bytes(const struct mb_region *region);
bool mb_region_check(const struct mb_region *region);

// --- carving --------------------------------------------------------------------------------------------------------

// `bytes` bytes at an address that is a multiple of `align` (any power of two, also beyond the page), uninitialised /
// zero. NULL on error. Memory that the system has zeroed is not cleared again.
void *mb_region_allocate(struct mb_region *region, size_t bytes, size_t align);
void *mb_region_allocate_zeroed(struct mb_region *region, size_t bytes, size_t align);

// Changes the size of a block: in place when it is the last one, and always when it shrinks (then p is returned). A
// block in the middle that grows is copied, and its old place is lost until the region is rewound. NULL on error, the
// block as it was: MB_BAD_POINTER for what cannot be a block of old_bytes here.
void *mb_region_grow(struct mb_region *region, void *p, size_t old_bytes, size_t new_bytes, size_t align);
void *mb_region_shrink(struct mb_region *region, void *p, size_t old_bytes, size_t new_bytes);

// No effect on a pointer of the region (a bump cursor cannot free it), MB_BAD_POINTER for any other.
enum mb_error mb_region_deallocate(struct mb_region *region, const void *p);

// Forgets all blocks; those since the mark (MB_BAD_RANGE when the mark itself was rewound over). No system call.
enum mb_error mb_region_reset(struct mb_region *region);
size_t mb_region_mark(const struct mb_region *region);
enum mb_error mb_region_rewind(struct mb_region *region, size_t mark);

// --- pages ----------------------------------------------------------------------------------------------------------

// Makes [base, base + offset + bytes) usable without carving it. Idempotent; the committed part only grows.
enum mb_error mb_region_commit(struct mb_region *region, size_t offset, size_t bytes);
// Gives the contents of whole pages back: the next read is zero.
enum mb_error mb_region_release_pages(struct mb_region *region, void *p, size_t bytes);
// Access rights (a set of enum mb_os_access, else MB_BAD_CONFIG) of whole, committed pages. Blocks carved there later
// have them too.
enum mb_error mb_region_protect(struct mb_region *region, void *p, size_t bytes, unsigned access);

MB_PUBLIC_END

#endif
