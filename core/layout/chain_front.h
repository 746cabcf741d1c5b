// Blocks of one size for a member of the region family: slabs (core/layout/chain_slab.h) with a front end for one
// owner.
//
//   spare            a block that was freed, on no list: the next one to be handed out
//   head -> allocation list of the current slab
//   current          its other blocks: live, on its local list, or not carved yet
//   listed slabs     not current, with free blocks; first in, first out
//   full slabs       on no list until enough blocks have come back
//
// What: allocates by popping, frees by pushing on the block's own slab; empty slabs go back to the source. Remote frees
// (core/layout/remote_slab.h) come in by `news`. Detects double frees, foreign and interior pointers, broken links and
// tags, and goes on after them.
// Who: the owner thread.
// Invariant: head is the sentinel or a block of `current`; a listed slab has a free block; `spare` has its tag and
// counts as used.
#ifndef MB_CORE_LAYOUT_CHAIN_FRONT_H
#define MB_CORE_LAYOUT_CHAIN_FRONT_H

#include "core/base/report.h"
#include "core/layout/chain_slab.h"
#include "core/layout/chain_list.h"
#include "core/region/span_source.h"

// Slabs to which other threads freed the first block since they were last noticed: a stack of unit numbers + 1.
struct mb_chain_news_shared {
    MB_CACHE_ALIGNED _Atomic uint32_t first; // any thread, CAS (release); the owner takes all at once (acquire)
};

struct mb_chain_front {
    uintptr_t head;
    struct mb_link_key key;      // constant
    struct mb_free_block *spare; // NULL: none
    struct mb_chain_slab *current;
    struct mb_span_source *source;
    struct mb_reports *reports;
    struct mb_chain_news_shared *news; // NULL: nobody else frees
    struct mb_chain_shape shape;
    struct mb_chain_list listed;
    bool tight; // the source was exhausted once: every single block counts
};

void mb_chain_front_init(struct mb_chain_front *front, struct mb_span_source *source, struct mb_reports *reports,
                        struct mb_chain_shape shape);
// Opens the source, which serves this front alone. A small range makes for small slabs; MB_BAD_SIZE: it cannot hold one
// block.
enum mb_error mb_chain_front_open(struct mb_chain_front *front, struct mb_span_source *source, struct mb_reports *reports,
                                  struct mb_chain_shape shape, const struct mb_source_config *config);

// Exported for the inline functions below alone, which programs have through the pool.
MB_PUBLIC_BEGIN
void *mb_chain_front_allocate_slow(struct mb_chain_front *front, enum mb_error *error);
// Frees a pointer that the fast path did not accept, if it is a live block; otherwise reports what is wrong.
enum mb_error mb_chain_front_deallocate_slow(struct mb_chain_front *front, struct mb_chain_unit *unit, void *p);
// Called when as many blocks of a slab were freed as it waited for: lists the slab, or gives it up if it is empty.
void mb_chain_front_look_slow(struct mb_chain_front *front, struct mb_chain_slab *slab);
MB_PUBLIC_END

// Returns a block if that takes only a few instructions, else NULL. Owner thread, as everything below.
MB_INLINE struct mb_free_block *mb_chain_front_take(struct mb_chain_front *front) {
    struct mb_free_block *block = front->spare;
    if (block == NULL) return mb_list_pop_tagged(&front->key, &front->head, &block) ? block : NULL;
    if (MB_UNLIKELY(!mb_tag_present(&front->key, block))) return NULL;
    front->spare = NULL;
    mb_tag_clear(block);
    return block;
}

// A block, or NULL and *error.
MB_INLINE void *mb_chain_front_allocate(struct mb_chain_front *front, enum mb_error *error) {
    struct mb_free_block *block = mb_chain_front_take(front);
    return MB_LIKELY(block != NULL) ? block : mb_chain_front_allocate_slow(front, error);
}

// Frees a live block of a slab of this front, whose code is known.
MB_INLINE void mb_chain_front_put(struct mb_chain_front *front, struct mb_chain_slab *slab, struct mb_free_block *block,
                                  uint64_t own_code) {
    if (front->spare == NULL) {
        mb_tag_store(block, own_code);
        front->spare = block;
        return;
    }
    if (MB_UNLIKELY(mb_chain_slab_put(slab, block, own_code))) mb_chain_front_look_slow(front, slab);
}

// Frees a block of a slab of this front. `unit` is the unit of the source that p lies in: any unit, if it is no slab's
// of another front.
MB_INLINE enum mb_error mb_chain_front_deallocate(struct mb_chain_front *front, struct mb_chain_unit *unit, void *p) {
    uint64_t own_code = mb_link_encode(&front->key, (uintptr_t)p);
    struct mb_free_block *block = (struct mb_free_block *)p;
    if (MB_UNLIKELY(!mb_chain_slab_admits(&unit->slab, p) || MB_PEEK(block->tag) == own_code)) {
        return mb_chain_front_deallocate_slow(front, unit, p);
    }
    mb_chain_front_put(front, &unit->slab, block, own_code);
    return MB_OK;
}

// Forgets all blocks, after the source was reset.
void mb_chain_front_forget(struct mb_chain_front *front);

// Lets the current slab go if no block of it is live: for others of the source to use.
void mb_chain_front_release_idle(struct mb_chain_front *front);

// Puts the allocation list back and gives every empty slab up, the current one too.
void mb_chain_front_settle(struct mb_chain_front *front);

// The front's slabs one by one, from *index 0 on; NULL: no more.
struct mb_chain_slab *mb_chain_front_next(const struct mb_chain_front *front, size_t *index);

// Whether all slabs and lists are as the invariants say; walks them.
bool mb_chain_front_check(const struct mb_chain_front *front);

// Live blocks; walks all slabs. The owner's frees and those remote ones that have arrived count as free.
size_t mb_chain_front_live(const struct mb_chain_front *front);
size_t mb_chain_front_live_in(const struct mb_chain_front *front, const struct mb_chain_slab *slab);

#endif
