// What a remote slab's owner (core/layout/remote_slab.c) and its handles (core/layout/remote_handle.c) have in common.
// Who: see each field; the functions may be called by any thread that holds a part.
#ifndef MB_CORE_LAYOUT_REMOTE_SLAB_SHARED_H
#define MB_CORE_LAYOUT_REMOTE_SLAB_SHARED_H

#include "core/layout/chain_front.h"
#include "core/layout/remote_slab.h"

// Lies in a mapping of its own, `home`, which is unmapped when the last part ends.
struct mb_remote_slab_shared {
    struct mb_chain_front front;  // the owner's
    struct mb_span_source source; // the owner's, except for addresses and descriptors
    size_t align;                 // constant
    struct mb_link_key key;       // constant; a copy of the front's key, on a cache line that the owner does not write
    struct mb_region home;        // constant
    struct mb_reports reports;    // any thread
    _Atomic uint32_t parts;       // the number of parts: the owner, if there is one, and the handles; any thread (acq_rel)
    _Atomic uint32_t owned;       // 1 while there is an owner; cleared on leaving (release), set by adoption (CAS, acquire)
    struct mb_chain_news_shared news;
};

MB_INLINE size_t mb_remote_slab_slot_bytes(const struct mb_remote_slab_shared *shared) { return shared->front.shape.block_bytes; }

// A part is the owner or a handle. The thread that ends the last part returns all memory. MB_REFUSED: the system
// refuses that, and the part does not end.
void mb_remote_slab_begin_part(struct mb_remote_slab_shared *shared);
enum mb_error mb_remote_slab_end_part(struct mb_remote_slab_shared *shared);

// Reports a pointer that lies in none of this allocator's slabs.
enum mb_error mb_remote_slab_foreign(struct mb_remote_slab_shared *shared, const void *p);
bool mb_remote_slab_is_live(const struct mb_remote_slab_shared *shared, const void *p);

#endif
