#include "core/process/thread.h"

#include <pthread.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/sealed.h"
#include "core/heap/heaps.h"
#include "core/heap/perturb.h"
#include "core/large/large_keep.h"
#include "core/process/background.h"
#include "core/process/foreign.h"
#include "core/process/fork.h"
#include "core/process/init.h"
#include "core/region/arena.h"
#include "core/small/own.h"
#include "core/told/options.h"
#include "platform/libc.h"
#include "platform/os_process.h"

enum { TAG_SHIFT = 48, POSTPONED_ROUNDS = 2 };

static struct {
    _Atomic uint64_t heaps; // stack of parked heaps: tag << 48 | address; the tag defeats ABA
} parked_shared;

// In a forked child: the heaps of all threads that it does not have. They are made empty when they are taken, not
// before: each write to one copies its page, and there may be thousands.
static struct {
    _Atomic(struct mb_heap *) next; // and all behind it on the list of heaps; moved on by who takes one
    struct mb_heap *survivor;       // not among them; constant once the child has a second thread
} left_behind_shared;

// --- heaps ----------------------------------------------------------------------------------------------------------

static struct mb_heap *heap_of(uint64_t tagged) { return (struct mb_heap *)(uintptr_t)(tagged << 16 >> 16); }

static void park(struct mb_heap *heap) {
    uint64_t seen = atomic_load_explicit(&parked_shared.heaps, memory_order_relaxed);
    uint64_t next;
    do {
        atomic_store_explicit(&heap->shared.next_parked, heap_of(seen), memory_order_relaxed);
        next = ((seen >> TAG_SHIFT) + 1) << TAG_SHIFT | (uintptr_t)heap;
    } while (!atomic_compare_exchange_weak_explicit(&parked_shared.heaps, &seen, next, memory_order_release,
                                                    memory_order_relaxed));
}

static struct mb_heap *unpark(void) {
    uint64_t seen = atomic_load_explicit(&parked_shared.heaps, memory_order_acquire);
    uint64_t next;
    do {
        struct mb_heap *heap = heap_of(seen);
        if (heap == NULL) return NULL;
        // A heap is never freed, so the read is safe even if another thread has taken it; the tag then refuses the
        // swap.
        uintptr_t below = (uintptr_t)atomic_load_explicit(&heap->shared.next_parked, memory_order_relaxed);
        next = ((seen >> TAG_SHIFT) + 1) << TAG_SHIFT | below;
    } while (!atomic_compare_exchange_weak_explicit(&parked_shared.heaps, &seen, next, memory_order_acquire,
                                                    memory_order_acquire));
    return heap_of(seen);
}

static void release_and_park(struct mb_heap *heap) {
    mb_own_release_all(heap);
    mb_large_flush_heap(heap);
    atomic_store_explicit(&heap->shared.thread, 0, memory_order_relaxed);
    park(heap);
}

static const void *token_of(struct mb_heap *heap) { return mb_perturb_byte() != 0 ? heap : mb_thread_token(heap); }

void mb_thread_change_token(void) {
    struct mb_heap *heap = mb_heap_self;
    if (!mb_heap_is_real(heap)) return;
    mb_own_release_all(heap);
    mb_large_flush_heap(heap);
    heap->token = token_of(heap);
}

// For observers of the process: mbmalloc stat.
static void note_thread(struct mb_heap *heap) {
    int thread = mb_option.monitor != 0 ? mb_os_thread_id() : 0;
    atomic_store_explicit(&heap->shared.thread, thread > 0 ? (uint32_t)thread : 0, memory_order_relaxed);
}

// --- heaps of the parent's threads -----------------------------------------------------------------------------------

// In a forked child. The absent owner may have been changing a ring: start with new ones.
static void empty_fronts(struct mb_heap *heap) {
    for (unsigned c = 0; c < MB_CLASSES; c++) {
        MB_POKE(heap->front.mask[c], 0);
        heap->slabs.current[c] = heap->slabs.fresh[c] = NULL;
    }
    if (heap->queues != NULL) memset(heap->queues, 0, sizeof *heap->queues);
}

// The list of all heaps never changes but at its front, so the next one left is a word that only moves on.
static struct mb_heap *take_left_behind(void) {
    struct mb_heap *seen = atomic_load_explicit(&left_behind_shared.next, memory_order_acquire), *heap;
    do {
        heap = seen;
        if (heap != NULL && heap == left_behind_shared.survivor) heap = mb_heaps_next(heap);
        if (heap == NULL) return NULL;
    } while (!atomic_compare_exchange_weak_explicit(&left_behind_shared.next, &seen, mb_heaps_next(heap), memory_order_acq_rel,
                                                    memory_order_acquire));
    empty_fronts(heap);
    atomic_store_explicit(&heap->shared.thread, 0, memory_order_relaxed);
    mb_large_flush_heap(heap); // its blocks say whose they are, and the heap is to be another thread's
    return heap;
}

void mb_thread_recover(void) {
    bool mine = mb_heap_is_real(mb_heap_self);
    atomic_store_explicit(&parked_shared.heaps, 0, memory_order_relaxed);
    left_behind_shared.survivor = mine ? mb_heap_self : NULL;
    atomic_store_explicit(&left_behind_shared.next, mb_heaps_first(), memory_order_relaxed);
    if (mine) note_thread(mb_heap_self);
    mb_heaps_recover(mine);
}

static struct mb_heap *acquire(void) {
    struct mb_heap *heap = unpark();
    if (heap == NULL) heap = take_left_behind();
    if (heap == NULL) heap = mb_heap_new();
    if (heap == NULL) return NULL;
    heap->exit_rounds = 0;
    heap->token = token_of(heap);
    note_thread(heap);
    memset(heap->borrowed, 0, sizeof heap->borrowed);
    heap->own_bytes = heap->own_part = 0;
    return heap;
}

// --- thread exit ----------------------------------------------------------------------------------------------------

static struct {
    struct mb_libc_keys libc; // written with the key, before `made`
    pthread_key_t key;
    _Atomic bool made; // any thread reads it with acquire
} exit_key_shared MB_SEALED;

static struct {
    _Atomic bool sought; // somebody looks for the functions late, or has
} late_key_shared;

static bool set_exit_key(const struct mb_heap *heap) {
    return atomic_load_explicit(&exit_key_shared.made, memory_order_acquire) && exit_key_shared.libc.set(exit_key_shared.key, heap) == 0;
}

// Other key destructors may still allocate: let them have the heap for a while, within the rounds that POSIX promises.
static void thread_exits(void *argument) {
    struct mb_heap *heap = argument;
    if (heap != mb_heap_self) return;
    if (heap->exit_rounds < POSTPONED_ROUNDS) {
        heap->exit_rounds++;
        if (set_exit_key(heap)) return;
    }
    mb_thread_depart();
    mb_background_heaps_changed();
}

void mb_thread_depart(void) {
    struct mb_heap *heap = mb_heap_self;
    mb_heap_self = (struct mb_heap *)(uintptr_t)&mb_heap_departed;
    if (!mb_heap_is_real(heap)) return;
    set_exit_key(NULL);
    release_and_park(heap);
    mb_heaps_left();
}

// Making the key may have allocated: then this thread has its heap already.
static void make_exit_key(struct mb_libc_keys libc) {
    pthread_key_t key;
    if (libc.create == NULL || libc.set == NULL || libc.create(&key, thread_exits) != 0 || !mb_sealed_open()) return;
    exit_key_shared.libc = libc;
    exit_key_shared.key = key;
    atomic_store_explicit(&exit_key_shared.made, true, memory_order_release);
    mb_sealed_close();
    if (mb_heap_is_real(mb_heap_self)) set_exit_key(mb_heap_self);
}

// The libc's own where it can be had: a wrapper may allocate.
void mb_thread_init(void) {
    struct mb_libc_keys libc = {pthread_key_create, pthread_setspecific};
    int (*own)(pthread_key_t *, void (*)(void *)) = (int (*)(pthread_key_t *, void (*)(void *)))mb_foreign_own(MB_OWN_pthread_key_create);
    if (own != NULL) libc.create = own;
    make_exit_key(libc);
}

// Before glibc 2.34 these functions are in libpthread, which a plugin may load after us. They are looked up again once
// there is a second thread, which shows that libpthread is loaded.
static void init_late(void) {
    if (atomic_load_explicit(&exit_key_shared.made, memory_order_relaxed)) return;
    if (atomic_exchange_explicit(&late_key_shared.sought, true, memory_order_relaxed)) return;
    make_exit_key((struct mb_libc_keys){
        (int (*)(pthread_key_t *, void (*)(void *)))mb_foreign_symbol(mb_libc_files, "pthread_key_create", NULL),
        (int (*)(pthread_key_t, const void *))mb_foreign_symbol(mb_libc_files, "pthread_setspecific", NULL),
    });
}

// The heap is in place before pthread_setspecific, which may allocate.
static void settle_in(struct mb_heap *heap) {
    mb_heap_self = heap;
    set_exit_key(heap);
    if (mb_heaps_joined() < 2) return;
    init_late();
    mb_fork_watch();
    mb_background_heaps_changed();
}

MB_COLD static struct mb_heap *enter_first(void) {
    if (!mb_init()) return NULL;
    struct mb_heap *heap = acquire();
    if (heap != NULL && mb_heap_self == &mb_heap_empty) settle_in(heap);
    return heap;
}

struct mb_heap *mb_thread_enter(void) {
    mb_fork_check();
    struct mb_heap *heap = mb_heap_self;
    return MB_LIKELY(mb_heap_is_real(heap)) ? heap : enter_first();
}

void mb_thread_leave(struct mb_heap *heap) {
    if (MB_LIKELY(mb_heap_self == heap)) return;
    release_and_park(heap);
}
