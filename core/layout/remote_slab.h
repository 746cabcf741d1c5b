// A pool whose slots any thread may give back: one owner allocates, remote handles free.
//
//   owner  ---- allocates, frees --------------> slabs            (core/layout/chain_front.h)
//   handle ---- frees: one compare-and-swap ---> the slab's shared word   (core/layout/chain_remote.h)
//          ---- the first since the last look -> news: the owner finds the slab there
//
// What: remote frees are lock-free, unbounded, and allocate nothing: the list goes through the slots themselves. The
// state lives in a mapping of its own until the owner and all handles are gone, so each may go first. What comes back
// after the owner's death stays with its slab; a handle's thread can adopt it all and become the owner; nothing is
// lost.
// Who: struct mb_remote_slab: one owner thread at a time, watched in check builds. struct mb_remote_handle_shared: any
// number of threads, but for making and dropping it.
// Invariant: a slab with a remote list is among the news, or noticed by the owner, or about to be put among the news by
// the thread that pushed the list's first block.
// Ideas: message queues of snmalloc, thread-delayed frees of mimalloc, as in core/layout/chain_remote.h.
#ifndef MB_CORE_LAYOUT_REMOTE_SLAB_H
#define MB_CORE_LAYOUT_REMOTE_SLAB_H

#include "core/base/allocator.h"
#include "core/base/owner.h"
#include "core/region/source_config.h"

struct mb_remote_slab_shared; // what owner and handles have in common

// The owner's part.
struct mb_remote_slab {
    struct mb_allocator allocator;
    struct mb_remote_slab_shared *shared;
    struct mb_owner owner;
    enum mb_error error; // of the last call that failed
};

// A right to free.
struct mb_remote_handle_shared {
    struct mb_allocator allocator;
    struct mb_remote_slab_shared *shared; // constant
    enum mb_error error; // of the last call that failed; relaxed (__atomic)
};

MB_PUBLIC_BEGIN

// Slots of slot_bytes at multiples of align, as mb_slab_pool_new_with. A base that is taken over must outlive owner and
// handles.
enum mb_error mb_remote_slab_new_with(struct mb_remote_slab *slab, size_t slot_bytes, size_t align,
                                      const struct mb_source_config *config);
enum mb_error mb_remote_slab_new(struct mb_remote_slab *slab, size_t slot_bytes, size_t align, size_t max_bytes);

// Gives the ownership up. Live slots stay valid while there are handles; with the last of all, everything is returned.
// Owner thread, as everything that takes a struct mb_remote_slab. MB_REFUSED: as mb_slab_pool_drop.
enum mb_error mb_remote_slab_drop(struct mb_remote_slab *slab);
MB_INLINE void mb_remote_slab_hand_over(struct mb_remote_slab *slab) { mb_owner_hand_over(&slab->owner); }

// A slot, or NULL and slab->error. Frees of a slot, not NULL.
void *mb_remote_slab_take(struct mb_remote_slab *slab);
enum mb_error mb_remote_slab_give(struct mb_remote_slab *slab, void *p);
// Slots in use, but for those whose free is on its way; walks the slabs.
size_t mb_remote_slab_live(const struct mb_remote_slab *slab);
// Gives the pages of everything that is free back to the system. Bytes given back.
size_t mb_remote_slab_trim(struct mb_remote_slab *slab);

// Makes a handle, for the owner to hand out. / Makes another one from a handle; called by the thread that holds that
// handle.
void mb_remote_slab_handle(struct mb_remote_slab *slab, struct mb_remote_handle_shared *handle);
void mb_remote_handle_copy(struct mb_remote_handle_shared *handle, struct mb_remote_handle_shared *copy);
// No other thread uses the handle any more. Any thread. MB_REFUSED: as mb_slab_pool_drop.
enum mb_error mb_remote_handle_drop(struct mb_remote_handle_shared *handle);

// Frees a slot, not NULL. MB_DOUBLE_FREE, MB_BAD_POINTER: where the policy does not end the process. Any thread,
// lock-free.
enum mb_error mb_remote_handle_give(struct mb_remote_handle_shared *handle, void *p);

// Becomes the owner where there is none; the handle stays. MB_BAD_CONFIG: there is one. Any thread.
enum mb_error mb_remote_handle_adopt(struct mb_remote_handle_shared *handle, struct mb_remote_slab *slab);

MB_PUBLIC_END

#endif
