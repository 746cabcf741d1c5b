#include "core/process/fork.h"

#include <stddef.h>

#include "core/base/sealed.h"
#include "core/large/large_keep.h"
#include "core/process/background.h"
#include "core/process/init.h"
#include "core/process/thread.h"
#include "core/region/arena.h"
#include "core/small/commons.h"
#include "core/small/own.h"
#include "platform/libc.h"
#include "platform/os.h"

enum { NOT_LOOKED = 0, KNOWN = 1, LOOKING = 2 };

struct mb_fork_watch_shared mb_fork_watch_shared;

// Where the kernel cannot wipe (before Linux 4.14) the handler does it, for fork(3) alone.
static struct {
    _Atomic uint32_t word;
} plain_shared = {KNOWN};

static void recover(void);

// If the page was not made, there was one heap, and it belonged to the thread that returned memory to the system: if
// that is not the thread that survived, its heap is left behind.
static void in_child(void) {
    bool ready = atomic_load_explicit(&mb_init_shared.stage, memory_order_acquire) == MB_INIT_READY;
    if (!ready && !mb_is_hardened()) return; // there is nothing yet
    atomic_store_explicit(&plain_shared.word, NOT_LOOKED, memory_order_relaxed);
    bool watched = atomic_load_explicit(&mb_fork_watch_shared.page, memory_order_acquire) != NULL;
    if (watched) mb_fork_check();
    else if (mb_is_hardened() || !mb_heap_is_real(mb_heap_self)) recover();
}

void mb_fork_init(void) { mb_libc_at_fork(in_child); }

static _Atomic uint32_t *make_page(void) {
    size_t bytes = mb_os_page_size();
    void *page;
    if (mb_os_reserve(NULL, bytes, &page) != 0) return NULL;
    if (mb_os_commit(page, bytes) == 0 && mb_os_wipe_on_fork(page, bytes) == 0) return page;
    mb_os_unmap(page, bytes);
    return NULL;
}

MB_COLD void mb_fork_watch(void) {
    if (atomic_load_explicit(&mb_fork_watch_shared.page, memory_order_relaxed) != NULL) return;
    _Atomic uint32_t *page = make_page();
    bool wiped = page != NULL;
    if (!wiped) page = &plain_shared.word;
    atomic_store_explicit(page, KNOWN, memory_order_relaxed);
    _Atomic uint32_t *none = NULL;
    if (!atomic_compare_exchange_strong(&mb_fork_watch_shared.page, &none, page) && wiped) {
        mb_os_unmap((void *)page, mb_os_page_size());
    }
}

// --- the child ------------------------------------------------------------------------------------------------------

// A slab in the hands of an absent thread: owned, or on its way in or out of ownership.
static void note_orphan(struct mb_unit *unit) {
    uint64_t word = mb_remote_load(unit);
    if ((word & MB_REMOTE_BUSY) != 0) mb_remote_end_busy(unit, word & ~(uint64_t)MB_REMOTE_BUSY);
    enum mb_slab_state state = mb_remote_state(word & ~(uint64_t)MB_REMOTE_BUSY);
    if (state != MB_SLAB_CURRENT && state != MB_SLAB_QUEUED) return;
    bool mine = mb_heap_is_real(mb_heap_self) && unit->slab.owner == mb_heap_self->token;
    if (mine || unit->slab.owner == mb_orphan_owner()) return;
    unit->slab.owner = mb_orphan_owner();
    atomic_store_explicit(&mb_orphans_shared.any, true, memory_order_relaxed);
}

static void note_orphans(void) {
    for (size_t i = mb_arena_next_slab(0); i != MB_NO_UNIT; i = mb_arena_next_slab(i + 1)) {
        struct mb_unit *unit = mb_unit_at(i);
        bool is_slab = mb_unit_kind(unit) == MB_UNIT_SLAB;
        if (is_slab && mb_remote_state(mb_remote_load(unit)) != MB_SLAB_NONE) note_orphan(unit);
        else if (is_slab) mb_slab_takedown(unit); // the absent thread had claimed it
        else mb_arena_forget_slab(i);             // it was about to become one, or had been one
    }
}

static void recover(void) {
    if (!mb_is_hardened()) { // whose units have no slab's and no large block's record
        note_orphans();
        mb_pool_note_all_lost();
        mb_large_recover();
    }
    mb_arena_recover();
    mb_sealed_recover();
    mb_thread_recover();
    mb_commons_recover();
    mb_background_recover();
    if (mb_is_hardened()) mb_hardened.recover();
}

MB_COLD void mb_fork_recover_slow(_Atomic uint32_t *page) {
    uint32_t seen = NOT_LOOKED;
    if (atomic_compare_exchange_strong(page, &seen, LOOKING)) {
        recover();
        atomic_store_explicit(page, KNOWN, memory_order_release);
        mb_os_wake(page, INT32_MAX);
        return;
    }
    while (atomic_load_explicit(page, memory_order_acquire) == LOOKING) mb_os_wait(page, LOOKING, UINT64_MAX);
}
