// free when the fast path has found something rare: NULL, another thread's slab, a slab of several units, a large
// block, a slab that has become empty, or a mistake.
#include <errno.h>

#include "core/base/check.h"
#include "core/front/fast.h"
#include "core/front/fault.h"
#include "core/front/large.h"
#include "core/front/lookup.h"
#include "core/front/malloc.h"
#include "core/front/realloc.h"
#include "core/front/sample.h"
#include "core/guarded/guarded.h"
#include "core/heap/perturb.h"
#include "core/large/large_keep.h"
#include "core/large/large_quick.h"
#include "core/large/outside.h"
#include "core/layout/pool.h"
#include "core/process/background.h"
#include "core/process/foreign.h"
#include "core/process/fork.h"
#include "core/process/init.h"
#include "core/region/arena.h"
#include "core/small/commons.h"
#include "core/small/own.h"
#include "platform/cpu.h"

// --- our own slab ---------------------------------------------------------------------------------------------------

// The word is read before the owner is compared: a thread that claims the slab in between changes the word.
MB_NOINLINE void mb_slab_look_slow(struct mb_slab *slab) {
    struct mb_unit *unit = mb_slab_unit(slab);
    uint64_t word = mb_remote_load(unit);
    if (mb_slab_if_owned(unit, mb_heap_self->token) == NULL) return;
    struct mb_unit *empty = unit;
    if (mb_own_may_keep_empty(unit, word)) empty = mb_own_keep_empty(mb_heap_self, unit, word);
    if (empty != NULL && mb_own_claim_if_free(empty)) {
        mb_background_span_freed(1);
    } else if (empty != unit) {
        return;
    } else if (mb_remote_state(word) == MB_SLAB_QUEUED) {
        mb_own_waiting_to_ready(mb_heap_self, unit, word);
    } else if (mb_remote_state(word) == MB_SLAB_CURRENT) {
        mb_slab_set_heartbeat(slab);
        mb_background_tick();
    }
}

MB_COLD static void report_again(const struct mb_unit *unit, uint32_t index) {
    mb_report_block(MB_OP_FREE, mb_fault_of_free_block(unit, index), mb_slab_block(unit, index));
}

static void free_owned(struct mb_slab *slab, uint32_t index) {
    uint64_t bits = MB_PEEK(slab->free_bits[index / 64]);
    if (mb_bit_test_set(&bits, index)) return report_again(mb_slab_unit(slab), index);
    if (mb_slab_put(slab, &slab->free_bits[index / 64], bits)) mb_slab_look_slow(slab);
}

// --- slabs of other threads, and slabs without owner -----------------------------------------------------------------

// Blocks of one word that others must have freed until it is worth a hint to those who look for free blocks: an eighth
// of the slab. A power of two.
static unsigned blocks_worth_hint(const struct mb_unit *unit) {
    uint32_t capacity = MB_PEEK(unit->slab.capacity);
    return capacity >= 64 ? 8 : capacity >= 32 ? 4 : capacity >= 16 ? 2 : 1;
}

// The slab may be gone already, its last block freed by yet another thread: then nothing fits any more.
MB_NOINLINE static void look_after_remote_free(struct mb_unit *unit, uint32_t word, uint64_t state) {
    struct mb_slab_bits bits = mb_slab_bits(unit);
    if (word >= bits.words) return;
    uint64_t remote = mb_remote_bits(&bits, word);
    uint64_t full = mb_slab_full_word(MB_PEEK(unit->slab.carved), word);
    if ((remote | mb_free_bits(&bits, word)) == full && mb_own_claim_if_free(unit)) {
        mb_background_span_freed(1);
    } else if ((mb_count_bits(remote) & (blocks_worth_hint(unit) - 1)) == 0) {
        mb_pool_put(MB_PEEK(unit->slab.class_index), (struct mb_slab_hint){(uint32_t)mb_unit_index(unit), mb_remote_generation(state)});
    }
}

// An owner looks himself.
MB_INLINE void after_remote_free(struct mb_unit *unit, uint32_t index) {
    uint64_t word = mb_remote_load(unit);
    enum mb_slab_state state = mb_remote_state(word);
    if (state == MB_SLAB_UNOWNED || state == MB_SLAB_QUEUED) look_after_remote_free(unit, index / 64, word);
}

MB_INLINE void free_remote(struct mb_unit *unit, uint32_t index) {
    struct mb_slab_bits bits = mb_slab_bits(unit);
    if (MB_UNLIKELY((mb_free_bits(&bits, index / 64) >> (index % 64) & 1) != 0)) return report_again(unit, index);
    if (MB_UNLIKELY(mb_remote_free(&bits, index))) return report_again(unit, index);
    after_remote_free(unit, index);
}

// The empty and the departed heap have never had a slab.
static bool is_home(const struct mb_unit *unit) { return atomic_load_explicit(&unit->shared.home, memory_order_relaxed) == mb_heap_self; }

MB_COLD static void watch_freed(const struct mb_unit *unit, uint32_t index) {
    mb_sample_freed(unit, mb_slab_block(unit, index));
    if (mb_perturb_byte() != 0 && !mb_slab_is_free(unit, index))
        mb_perturb_freed(mb_slab_block(unit, index), MB_PEEK(unit->slab.block_bytes));
}

MB_NOINLINE static void free_in_slab(struct mb_unit *unit, uint32_t index) {
    mb_fork_check();
    if (MB_UNLIKELY(!mb_perturb_quick_refills())) watch_freed(unit, index);
    struct mb_slab *slab = mb_slab_if_owned(unit, mb_owner_token());
    if (slab == NULL && is_home(unit)) slab = mb_own_unowned_to_queued(mb_heap_self, unit);
    if (slab != NULL) {
        free_owned(slab, index);
    } else {
        free_remote(unit, index);
    }
}

// The same for a slab that was ours before and is not any more, where nothing is perturbed.
MB_NOINLINE static void free_at_home(struct mb_unit *unit, uint32_t index) {
    struct mb_slab *slab = mb_own_unowned_to_queued(mb_heap_self, unit);
    if (MB_UNLIKELY(slab == NULL)) return free_remote(unit, index);
    free_owned(slab, index);
}

static void free_block(struct mb_block block, void *p) {
    switch (block.kind) {
    case MB_BLOCK_NONE: break;
    case MB_BLOCK_SLAB: free_in_slab(block.unit, mb_slab_index(block.unit, p)); break;
    case MB_BLOCK_LARGE: mb_large_free(p); break;
    case MB_BLOCK_GUARDED: mb_guarded_free(p); break;
    case MB_BLOCK_OUTSIDE: mb_outside_free(p); break;
    case MB_BLOCK_LIBC: mb_foreign_free(p); break;
    }
}

MB_NOINLINE static void free_any_own(void *p) {
    mb_fork_check();
    free_block(mb_lookup(MB_OP_FREE, p), p);
}

// Both calls are tail calls: with profile=hardened every free comes here.
MB_NOINLINE static void free_any(void *p) {
    const struct mb_calls *other = mb_other_copy();
    if (MB_UNLIKELY(other != NULL)) {
        other->free(p);
    } else {
        free_any_own(p);
    }
}

// --- what the fast path calls ----------------------------------------------------------------------------------------
//
// Every call in here is a tail call, so that no register needs saving. Where the arena has memory it is this copy that
// serves.

static void *address_in(const struct mb_unit *unit, uint32_t offset) { return (void *)(mb_unit_address(mb_unit_index(unit)) + offset); }

// The base that the offset was taken from is the one there is, but for a thread that looked before another one ran the
// start.
static void *address_outside(uintptr_t from_base) {
    uintptr_t base = __atomic_load_n(&mb_space.base, __ATOMIC_ACQUIRE);
    uintptr_t early = from_base + MB_SPACE_NOWHERE;
    bool was_early = early < MB_SPACE_PROGRAM_END && atomic_load_explicit(&mb_init_shared.had_threads, memory_order_relaxed);
    return (void *)(was_early ? early : from_base + base);
}

MB_NOINLINE void mb_free_outside_slow(uintptr_t from_base) {
    void *p = address_outside(from_base);
    if (p != NULL) free_any(p);
}

// Keeps a large block of the calling thread's for reuse, if that is possible.
static bool keep_large(struct mb_unit *unit, uint32_t offset) {
    struct mb_slab *large = mb_changed_any() ? NULL : mb_large_at(unit, offset);
    return large != NULL && mb_large_keep_own(mb_heap_self, large);
}

MB_NOINLINE static void free_large(struct mb_unit *unit, uint32_t offset) {
    if (!keep_large(unit, offset)) free_any(address_in(unit, offset));
}

static void free_no_block(struct mb_unit *unit, uint32_t offset) {
    if (MB_PEEK(unit->slab.kind) < MB_UNIT_HARD_SLAB) return free_large(unit, offset);
    free_any(address_in(unit, offset)); // the hardened front's
}

// Made short for the most frequent case: a block in a slab of another thread, or of none, that this thread did not own
// before.
MB_NOINLINE void mb_free_unowned_slow(struct mb_unit *unit, uint32_t offset) {
    struct mb_halves product = mb_slab_product(&unit->slab, offset);
    if (MB_UNLIKELY(product.low >= MB_PEEK(unit->slab.bound))) return free_no_block(unit, offset);
    bool quick = !mb_fork_is_due() && mb_perturb_quick_refills();
    if (MB_UNLIKELY(!quick)) return free_in_slab(unit, (uint32_t)product.high);
    if (MB_UNLIKELY(is_home(unit))) return free_at_home(unit, (uint32_t)product.high);
    free_remote(unit, (uint32_t)product.high);
}

MB_NOINLINE static void free_inside(struct mb_slab *slab, struct mb_halves product) {
    uint64_t whole = product.high << 32 | product.low;
    free_large(mb_slab_unit(slab), whole == 0 ? 0 : (uint32_t)(whole / slab->multiplier));
}

// Also short for a large block of the calling thread, in whose unit another block of the thread begins. The multiplier
// of a large block's record is 1, so that the product is the offset.
MB_NOINLINE void mb_free_inside_slow(struct mb_slab *slab, struct mb_halves product) {
    if (MB_UNLIKELY(slab->multiplier != 1 || mb_changed_any())) return free_inside(slab, product);
    struct mb_heap *heap = mb_heap_self;
    struct mb_slab *large = mb_large_slot(mb_slab_unit(slab), product.low);
    bool begins = mb_large_is_record(large) && mb_large_begins_at(large, product.low);
    if (MB_UNLIKELY(!begins || !mb_large_suits_own(heap, large) || !mb_large_keep_quick(heap, large))) free_inside(slab, product);
}

MB_NOINLINE void mb_free_again_slow(struct mb_slab *slab, uint64_t index) { free_any(mb_slab_block(mb_slab_unit(slab), (uint32_t)index)); }

void mb_free(void *p) { mb_free_fast(p); }

// --- frees that know a size -----------------------------------------------------------------------------------------

// A block that was shrunk in place may be half empty, and one of the commons is rounded up to pairs of cache lines;
// less than that no call of ours has left behind.
static bool explains(size_t usable, size_t bytes) {
    return bytes <= usable &&
           (usable <= MB_GRANULE || bytes >= usable / 2 || mb_max(bytes, 1) + MB_LINE_PAIR > usable || mb_shrink_was_refused());
}

static bool size_fits(struct mb_block block, size_t bytes) {
    switch (block.kind) {
    case MB_BLOCK_SLAB: return explains(block.bytes, bytes);
    case MB_BLOCK_LARGE: return bytes <= block.bytes && (bytes + MB_UNIT_BYTES > block.bytes || mb_shrink_was_refused());
    case MB_BLOCK_NONE:
    case MB_BLOCK_GUARDED:
    case MB_BLOCK_OUTSIDE:
    case MB_BLOCK_LIBC: break;
    }
    return bytes <= block.bytes;
}

MB_NOINLINE static void free_sized_slow(void *p, size_t bytes) {
    if (p == NULL) return;
    const struct mb_calls *other = mb_other_copy();
    if (MB_UNLIKELY(other != NULL)) {
        other->free_sized(p, bytes);
        return;
    }
    struct mb_block block = mb_lookup_live(MB_OP_FREE_SIZED, p);
    if (block.kind == MB_BLOCK_NONE) return;
    if (!size_fits(block, bytes)) mb_report_claim(p, block.bytes, (struct mb_claim){bytes, 0});
    mb_free_fast(p);
}

// Our own small block, not less than half full, needs no more than free.
void mb_free_sized(void *p, size_t bytes) {
    struct mb_slab *slab = mb_own_slab_of(p);
    bool right = slab != NULL && bytes <= slab->block_bytes && bytes >= slab->block_bytes / 2;
    if (MB_UNLIKELY(!right)) return free_sized_slow(p, bytes);
    struct mb_halves product = mb_slab_product(slab, mb_unit_offset(p));
    if (MB_UNLIKELY(product.low >= slab->bound)) return free_sized_slow(p, bytes);
    uint64_t *word = &slab->free_bits[product.high / 64];
    uint64_t bits = MB_PEEK(*word);
    if (MB_UNLIKELY(mb_bit_test_set(&bits, product.high))) return free_sized_slow(p, bytes);
    if (MB_UNLIKELY(mb_slab_put(slab, word, bits))) mb_slab_look_slow(slab);
}

// Rounding to the alignment, and then to what the commons hands out, may have led to a larger class.
static bool aligned_size_fits(struct mb_block block, const void *p, size_t align, size_t bytes) {
    if (!mb_is_pow2(align) || !mb_is_aligned((uintptr_t)p, align)) return false;
    if (size_fits(block, bytes)) return true;
    size_t rounded = mb_bytes_to_align(align, bytes);
    if (block.kind != MB_BLOCK_SLAB || rounded > MB_MEDIUM_MAX) return false;
    unsigned class_index = mb_class_of(rounded);
    return class_index == block.unit->slab.class_index || mb_commons_class_of(class_index) == block.unit->slab.class_index;
}

void mb_free_aligned_sized(void *p, size_t align, size_t bytes) {
    if (p == NULL) return;
    const struct mb_calls *other = mb_other_copy();
    if (MB_UNLIKELY(other != NULL)) {
        other->free_aligned_sized(p, align, bytes);
        return;
    }
    struct mb_block block = mb_lookup_live(MB_OP_FREE_ALIGNED_SIZED, p);
    if (block.kind == MB_BLOCK_NONE) return;
    if (!aligned_size_fits(block, p, align, bytes)) mb_report_claim(p, block.bytes, (struct mb_claim){bytes, align});
    mb_free_fast(p);
}
