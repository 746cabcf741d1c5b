#include "core/front/realloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "core/front/large.h"
#include "core/front/lookup.h"
#include "core/front/malloc.h"
#include "core/front/sample.h"
#include "core/front/slow.h"
#include "core/heap/perturb.h"
#include "core/heap/sampler.h"
#include "core/large/large_keep.h"
#include "core/process/foreign.h"
#include "core/process/init.h"
#include "core/process/thread.h"
#include "core/profile/profile.h"
#include "platform/bits.h"

static struct {
    _Atomic bool shrink_refused; // set once by any thread, relaxed
} realloc_shared;

bool mb_shrink_was_refused(void) { return atomic_load_explicit(&realloc_shared.shrink_refused, memory_order_relaxed); }

static void *copy_to_new(void *p, size_t usable, size_t bytes) {
    void *fresh = mb_malloc(bytes);
    if (fresh == NULL) return NULL;
    memcpy(fresh, p, mb_min(usable, bytes));
    mb_free(p);
    return fresh;
}

// --- what a block has been through -----------------------------------------------------------------------------------

// Of the last blocks that it moved each thread remembers how, in a table of one-byte names without collision handling:
// forgetting costs a copy, a false memory some room.
enum history {
    NOTHING,
    GREW,   // it will grow again
    SHRANK, // it had more room than it needed
    SWINGS, // both, in turn: moving it at each step does not pay
    HISTORY_MASK = 3,
};

static uint8_t *slot_of(struct mb_heap *heap, const void *p, uint8_t *name) {
    uint32_t hash = (uint32_t)((uintptr_t)p / MB_GRANULE) * UINT32_C(2654435769);
    *name = (uint8_t)(hash >> 17 & ~(uint32_t)HISTORY_MASK);
    return &heap->moved[hash >> 25];
}
_Static_assert(MB_MOVED_BLOCKS == 1 << (32 - 25), "the hash has as many values");

static enum history history_of(const void *p) {
    uint8_t name;
    if (!mb_heap_is_real(mb_heap_self)) return NOTHING;
    uint8_t seen = *slot_of(mb_heap_self, p, &name);
    return (seen & ~HISTORY_MASK) == name ? (enum history)(seen & HISTORY_MASK) : NOTHING;
}

static void remember(const void *p, enum history history) {
    uint8_t name;
    if (!mb_heap_is_real(mb_heap_self)) return;
    uint8_t *slot = slot_of(mb_heap_self, p, &name);
    *slot = (uint8_t)(name | history);
}

// --- growing in steps ------------------------------------------------------------------------------------------------

// A block that has to move a second time will grow again: it gets room for a quarter more, so that a string to which
// bits are appended is copied three times in a doubling instead of eight. (tcmalloc gives the room at the first move
// already.)
static void *copy_with_room(void *p, size_t usable, size_t bytes) {
    int error = errno; // of a refusal of the room nobody shall hear
    size_t room = usable + usable / 4;
    void *fresh = room > bytes && room <= MB_MEDIUM_MAX ? copy_to_new(p, usable, room) : NULL;
    if (fresh != NULL) return mb_sample_was_asked(fresh, bytes);
    errno = error;
    return copy_to_new(p, usable, bytes);
}

static void *grow_small(void *p, size_t usable, size_t bytes) {
    enum history history = history_of(p);
    bool again = history == GREW || history == SWINGS;
    void *fresh = again ? copy_with_room(p, usable, bytes) : copy_to_new(p, usable, bytes);
    if (fresh != NULL) remember(fresh, history == SHRANK || history == SWINGS ? SWINGS : GREW);
    return fresh;
}

// --- shrinking -------------------------------------------------------------------------------------------------------

// The longer block is kept; a sized free with the new size must not report it.
static void *keep_too_long(void *p, size_t bytes) {
    atomic_store_explicit(&realloc_shared.shrink_refused, true, memory_order_relaxed);
    return mb_sample_stays(p, bytes);
}

// Whether a block of the least class is worth a copy: it is at most three quarters as long, which is where programs
// that give back what they did not fill come out between 1.0 and 1.15 times the memory that they need; and it saves
// what the libc's malloc would split off. A block that grows and shrinks in turn moves only where it would be less than
// half full.
enum { LEAST_GAIN_BYTES = 32 };

static bool smaller_block_pays(const void *p, size_t usable, size_t bytes) {
    size_t needed = mb_class_bytes(mb_class_of(bytes));
    if (needed > usable - usable / 4) return false;
    if (bytes < usable / 2) return true;
    return usable - needed >= LEAST_GAIN_BYTES && history_of(p) != SWINGS;
}

// A shrink that finds no smaller block keeps the one it has: it must not fail.
static void *shrink_small(void *p, size_t bytes) {
    int error = errno;
    void *fresh = mb_malloc(bytes);
    if (fresh == NULL) {
        errno = error;
        return keep_too_long(p, bytes);
    }
    memcpy(fresh, p, bytes);
    mb_free(p);
    remember(fresh, SHRANK);
    return fresh;
}

static void *realloc_small(void *p, size_t usable, size_t bytes) {
    if (bytes > usable) return grow_small(p, usable, bytes);
    return smaller_block_pays(p, usable, bytes) ? shrink_small(p, bytes) : mb_sample_stays(p, bytes);
}

// For the heap profile a large block that grows is another one: its chance to be sampled follows its length.
MB_COLD static void watch_grown(void *p, size_t bytes) {
    struct mb_heap *heap = mb_thread_enter();
    if (heap == NULL) return;
    mb_profile_remove(p);
    mb_sample_large(heap, p, bytes);
    mb_thread_leave(heap);
}

static void *large_stays(void *p, size_t usable, size_t bytes) {
    if (MB_LIKELY(mb_perturb_quick_refills()) || bytes <= usable || mb_sampling_session() == 0) return mb_sample_stays(p, bytes);
    watch_grown(p, bytes);
    return p;
}

static void *realloc_large(void *p, size_t usable, size_t bytes) {
    if (bytes <= MB_MEDIUM_MAX && smaller_block_pays(p, usable, bytes)) return shrink_small(p, bytes);
    if (mb_large_resize(p, bytes)) return large_stays(p, usable, bytes);
    if (bytes <= usable) return keep_too_long(p, bytes); // the kernel refuses to move the guard page
    struct mb_heap *heap = mb_thread_enter();
    void *fresh = heap == NULL ? NULL : mb_large_move(heap, p, bytes);
    if (MB_UNLIKELY(!mb_perturb_quick_refills()) && fresh != NULL) mb_sample_large(heap, fresh, bytes);
    if (heap != NULL) mb_thread_leave(heap);
    return fresh != NULL ? fresh : copy_to_new(p, usable, bytes);
}

// The contents of a block of the libc's move to one of ours.
static void *realloc_of_libc(void *p, size_t usable, size_t bytes) {
    void *moved = mb_malloc(bytes);
    if (moved == NULL) return NULL;
    memcpy(moved, p, mb_min(bytes, usable));
    mb_foreign_free(p);
    return moved;
}

static void *realloc_block(void *p, size_t bytes) {
    struct mb_block block = mb_lookup_live(MB_OP_REALLOC, p);
    switch (block.kind) {
    case MB_BLOCK_NONE: return mb_calloc(1, bytes); // what goes on gets a block
    case MB_BLOCK_SLAB: return realloc_small(p, block.bytes, bytes);
    case MB_BLOCK_LARGE: return realloc_large(p, block.bytes, bytes);
    case MB_BLOCK_LIBC: return realloc_of_libc(p, block.bytes, bytes);
    case MB_BLOCK_GUARDED: return bytes == block.bytes ? p : copy_to_new(p, block.bytes, bytes);
    case MB_BLOCK_OUTSIDE: break;
    }
    return bytes <= block.bytes && bytes >= block.bytes / 2 ? p : copy_to_new(p, block.bytes, bytes);
}

// A kept block that was handed out for a request of the length before its own.
MB_NOINLINE static bool is_next_longer(const struct mb_slab *large, size_t needed) {
    size_t pieces = MB_PEEK(large->large_bytes) >> MB_PIECE_SHIFT;
    return needed <= pieces && pieces <= mb_min(mb_large_longest_for(needed), MB_LARGE_SHORT_MAX);
}

// Whether p is a large block whose length already fits that many bytes, as malloc would hand one out for them, and
// nothing observes it: a buffer that grows by a few bytes at a time.
static bool has_the_pages(const void *p, size_t bytes) {
    if (!mb_space_contains(p) || !mb_perturb_quick_refills()) return false;
    const struct mb_slab *large = mb_large_at(mb_unit_of(p), mb_unit_offset(p));
    if (large == NULL || mb_large_is_kept(large)) return false;
    size_t more = (bytes - 1) >> MB_PIECE_SHIFT;
    return MB_PEEK(large->large_bytes) == mb_large_length(more) << MB_PIECE_SHIFT || is_next_longer(large, more + 1);
}

// `small`: the usable bytes of a live block of a slab; 0: anything else.
MB_NOINLINE static void *realloc_rest(void *p, size_t bytes, size_t small) {
    if (p == NULL) return mb_malloc(bytes);
    const struct mb_calls *other = mb_other_copy();
    if (MB_UNLIKELY(other != NULL)) return other->realloc(p, bytes);
    if (bytes - 1 < PTRDIFF_MAX && small != 0) return realloc_small(p, small, bytes);
    if (bytes == 0) {
        if (mb_lookup_live(MB_OP_REALLOC, p).kind != MB_BLOCK_NONE) mb_free(p);
        return NULL;
    }
    if (bytes > PTRDIFF_MAX) {
        mb_lookup_live(MB_OP_REALLOC, p);
        return mb_no_memory();
    }
    return realloc_block(p, bytes);
}

MB_NOINLINE static void *realloc_other(void *p, size_t bytes) { return has_the_pages(p, bytes) ? p : realloc_rest(p, bytes, 0); }

MB_NOINLINE static void *stays_watched(void *p, size_t bytes) { return mb_sample_stays(p, bytes); }

// Every call in here is a tail call, so that no register needs saving.
void *mb_realloc(void *p, size_t bytes) {
    size_t small = mb_lookup_small(p);
    bool stays = bytes - 1 < small && bytes > small - small / 4;
    if (stays) return MB_LIKELY(mb_perturb_quick_refills()) ? p : stays_watched(p, bytes);
    return small == 0 ? realloc_other(p, bytes) : realloc_rest(p, bytes, small);
}

size_t mb_usable_size(const void *p) {
    size_t small = mb_lookup_small(p);
    if (MB_LIKELY(small != 0) || p == NULL) return small;
    const struct mb_calls *other = mb_other_copy();
    if (MB_UNLIKELY(other != NULL)) return other->usable_size(p);
    struct mb_block block;
    bool starts = mb_lookup_any(p, &block);
    if (starts && !mb_block_is_freed(&block, p)) return block.bytes;
    mb_report_question(p, starts ? mb_block_fault(&block, p) : MB_FAULT_FREED);
    return 0;
}
