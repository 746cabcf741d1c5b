#include "core/process/background.h"
#include "core/heap/heaps.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/base/lock.h"
#include "core/large/large_keep.h"
#include "core/process/foreign.h"
#include "core/process/fork.h"
#include "core/process/relief.h"
#include "core/process/thread.h"
#include "core/region/arena.h"
#include "core/region/limit.h"
#include "core/region/margin.h"
#include "core/region/pieces.h"
#include "core/small/commons.h"
#include "core/small/idle.h"
#include "core/small/own.h"
#include "core/told/options.h"
#include "platform/libc.h"
#include "platform/os.h"

enum {
    HELPER_STACK_BYTES = 64 << 10,
    TICKS_PER_DELAY = 2,
    HELPER_WAIT_NS_MIN = 10000000, // with a delay of 0, too
    HELPER_STEP_UNITS = 128,       // purged between two looks at the wake-up word
    TICK_UNITS_MIN = 256,          // what one tick without a helper gives back at least, if it is old
    SMALL_HEAP_UNITS = 32,         // a heap of 2 MiB without free spans has nothing to give
    LOOKS_PER_TICK = 1024,         // slabs that one tick without a helper looks at: 0.3 ms when no descriptor is in the cache
    HELPER_LOOKS_PER_TICK = 32768, // that the helper looks at, in a fiftieth of the time
    SETTLE_SHARE = 32,             // of the time goes into settling, when threads come and go
    FAULT_NS = 500,                // what a page that was given back costs when it is used again, about
};

static struct {
    struct mb_lock_shared lock; // guards the fields up to the next comment
    bool running;
    pthread_t thread;
    _Atomic bool starting;           // whoever holds the lock starts a helper, and looks again after that; see start_helper
    _Atomic bool given_up;           // no helper (any more): refused, or it has ended; relaxed, written under the lock
    _Atomic uint32_t stop;           // 1: the helper shall end; written by who stops it, read by the helper; futex word
    _Atomic uint32_t present;        // 1 while a helper runs; written by it and by who stops it; futex word of its start
    _Atomic uint64_t next_tick;      // ns; who moves it forward by compare-and-swap does the tick
    _Atomic uint64_t next_settle;    // likewise
    _Atomic(void (*)(void)) visitor; // set once, before there are threads; see core/insight/monitor.c
} background_shared = {.lock = {.rank = MB_RANK_BACKGROUND}};

static uint64_t tick_ns(void) { return mb_option.purge_delay_ms * UINT64_C(1000000) / TICKS_PER_DELAY; }

// --- the purge clock ------------------------------------------------------------------------------------------------

// The first call only starts the clock: a program that is soon over has nothing that is old.
static bool my_tick(uint64_t now) {
    uint64_t due = atomic_load_explicit(&background_shared.next_tick, memory_order_relaxed);
    bool first = due == 0;
    return now >= due &&
           atomic_compare_exchange_strong_explicit(&background_shared.next_tick, &due, now + tick_ns(), memory_order_relaxed,
                                                   memory_order_relaxed) &&
           !first;
}

static bool helper_present(void) { return atomic_load_explicit(&background_shared.present, memory_order_relaxed) != 0; }

void mb_background_set_visitor(void (*visitor)(void)) { atomic_store_explicit(&background_shared.visitor, visitor, memory_order_release); }

static void call_visitor(void) {
    void (*visitor)(void) = atomic_load_explicit(&background_shared.visitor, memory_order_acquire);
    if (MB_UNLIKELY(visitor != NULL)) visitor();
}

size_t mb_background_warm_units(void) { return mb_arena_warm_free_units() + mb_pieces_warm_units(); }

// The program has asked that what is free stay (M_TRIM_THRESHOLD): it takes and frees without a page fault, and without
// a system call.
static bool shall_stay(void) {
    size_t asked = mb_margin_asked_units();
    return MB_UNLIKELY(asked != 0) && mb_background_warm_units() + mb_large_kept_at_hand() <= asked;
}

void mb_background_tick(void) {
    if (mb_limit_is_soft_reached()) mb_relief_slow();
    call_visitor();
    if (helper_present()) return;
    if (mb_arena_units() < SMALL_HEAP_UNITS && mb_arena_warm_free_units() == 0 && !mb_pool_ever_used()) return;
    if (shall_stay() || !my_tick(mb_os_now_ns())) return;
    mb_fork_before_giving();
    mb_large_age();
    mb_pieces_age_at_tick();
    mb_idle_look(LOOKS_PER_TICK);
    size_t budget = mb_arena_warm_free_units() / 2;
    if (budget < TICK_UNITS_MIN) budget = TICK_UNITS_MIN;
    if (!mb_arena_purge_step(budget).ends_pass) { // more is due: soon again
        atomic_fetch_sub_explicit(&background_shared.next_tick, tick_ns() * 3 / 4, memory_order_relaxed);
    }
}

size_t mb_background_margin(void) { return helper_present() ? SIZE_MAX : mb_margin_units(); }

// At most twice as much as has come free, so that no single free waits long, and a peak is gone when its last block is.
static void give_excess(size_t units, size_t margin) {
    mb_fork_before_giving();
    size_t kept = mb_large_kept_at_hand(), warm = mb_arena_warm_free_units();
    size_t excess = warm - mb_min(warm, mb_margin_of_warm(margin));
    if (kept + warm > margin) {
        if (kept != 0) mb_large_flush_at_hand();
        excess = mb_max(excess, kept + warm - margin);
        units += kept;
    }
    size_t most = mb_max(2 * units, MB_PURGE_CALL_UNITS);
    mb_margin_owe(mb_arena_purge_any(mb_min(mb_max(excess, MB_PURGE_CALL_UNITS), most)));
}

void mb_background_span_freed(size_t units) {
    if (helper_present()) return;
    mb_background_tick();
    if (mb_pieces_are_many_free() && !shall_stay()) {
        mb_fork_before_giving();
        mb_pieces_age_some();
    }
    size_t margin = mb_margin_units(), warm = mb_arena_warm_free_units();
    bool fits = warm <= mb_margin_of_warm(margin) && warm + mb_large_kept_at_hand() <= margin;
    if (!fits && !mb_margin_is_refused()) give_excess(units, margin);
}

void mb_background_claim_all(void) {
    for (size_t i = mb_arena_next_slab(0); i != MB_NO_UNIT; i = mb_arena_next_slab(i + 1)) {
        struct mb_unit *unit = mb_unit_at(i);
        if (mb_unit_kind(unit) != MB_UNIT_SLAB) continue;
        mb_own_adopt_orphan(unit);
        mb_own_claim_if_free(unit);
    }
}

// --- the helper -----------------------------------------------------------------------------------------------------

static bool stopping(void) { return atomic_load_explicit(&background_shared.stop, memory_order_acquire) != 0; }

static void *helper_main(void *unused) {
    mb_thread_depart(); // what started the thread may have allocated in it already
    atomic_store_explicit(&background_shared.present, 1, memory_order_release);
    mb_os_wake(&background_shared.present, 1);
    while (!stopping()) {
        mb_os_wait(&background_shared.stop, 0, tick_ns() > HELPER_WAIT_NS_MIN ? tick_ns() : HELPER_WAIT_NS_MIN);
        if (stopping()) break;
        if (shall_stay()) continue;
        mb_large_age();
        mb_pieces_age();
        mb_idle_look(HELPER_LOOKS_PER_TICK);
        while (!mb_arena_purge_step(HELPER_STEP_UNITS).ends_pass && !stopping()) continue;
    }
    return unused;
}

// The C library's own functions are called, since a wrapper of pthread_create (a leak checker's, a profiler's) may hold
// a lock of its own while it allocates, which is where we are called from. But sanitizers that we are built with must
// see each thread.
static void *thread_call(enum mb_own own, void *visible) {
    void *libcs = MB_TSAN || MB_ASAN ? NULL : mb_foreign_own(own);
    return libcs != NULL ? libcs : visible;
}

static bool create_helper(void) {
    return mb_libc_create_quiet((mb_libc_create *)thread_call(MB_OWN_pthread_create, (void *)pthread_create), &background_shared.thread,
                                HELPER_STACK_BYTES, helper_main);
}

static void give_up(void) { atomic_store_explicit(&background_shared.given_up, true, memory_order_relaxed); }

// Waits until the helper has passed the C library's code that starts a thread: its system calls must not meet a seccomp
// filter that the caller installs right after this allocation. If pthread_create is wrapped (by a leak checker, a
// profiler), the new thread may allocate before it becomes the helper, and must not wait for the thread that waits for
// it. So a thread that changes the number of heaps meanwhile leaves the decision to us: it sees `starting`, or we see
// its number (both are sequentially consistent).
static void start_helper(void) {
    atomic_store(&background_shared.starting, true);
    background_shared.running = create_helper();
    if (!background_shared.running) give_up();
    while (background_shared.running && !helper_present()) mb_os_wait(&background_shared.present, 0, UINT64_MAX);
    atomic_store(&background_shared.starting, false);
}

// All that the helper would have given back in time: one thread is left, which may call malloc too rarely to drive the
// purge clock.
void mb_background_settle(void) {
    mb_commons_release();
    mb_background_claim_all();
    mb_large_flush();
    mb_idle_purge_all();
    mb_arena_purge_any(SIZE_MAX);
}

// The same when no helper was there: a program whose threads come and go spends a few hundredths of its time on it at
// most, page faults included.
static void settle_in_turn(void) {
    if (shall_stay()) return;
    mb_fork_before_giving();
    uint64_t begin = mb_os_now_ns();
    uint64_t due = atomic_load_explicit(&background_shared.next_settle, memory_order_relaxed);
    if (begin < due || !atomic_compare_exchange_strong_explicit(&background_shared.next_settle, &due, UINT64_MAX, memory_order_relaxed,
                                                                memory_order_relaxed)) {
        return;
    }
    uint64_t purged = mb_arena_purged_bytes();
    mb_background_settle();
    uint64_t pages = (mb_arena_purged_bytes() - purged) / mb_os_page_size();
    uint64_t end = mb_os_now_ns();
    atomic_store_explicit(&background_shared.next_settle, end + SETTLE_SHARE * (end - begin + pages * FAULT_NS), memory_order_relaxed);
}

// The last but one thread with a heap waits for the end, so that the process is single-threaded when it can know it.
static void stop_helper(void) {
    atomic_store_explicit(&background_shared.present, 0, memory_order_relaxed);
    atomic_store_explicit(&background_shared.stop, 1, memory_order_release);
    mb_os_wake(&background_shared.stop, 1);
    ((mb_libc_join *)thread_call(MB_OWN_pthread_join, (void *)pthread_join))(background_shared.thread, NULL);
    background_shared.running = false;
    if (!shall_stay()) mb_background_settle();
    give_up(); // a second start might meet a sandbox that was set up since; and threads that come and go would pay for it
}

void mb_background_heaps_changed(void) {
    if (!mb_option.background || atomic_load_explicit(&background_shared.given_up, memory_order_relaxed)) {
        if (mb_heaps_in_use() < 2) settle_in_turn();
        return;
    }
    if (atomic_load(&background_shared.starting)) return;
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE,
                           &cancel); // waiting for a thread's end is a cancellation point, and would leave the lock taken
    mb_lock(&background_shared.lock);
    bool given_up = atomic_load_explicit(&background_shared.given_up, memory_order_relaxed);
    if (mb_heaps_in_use() >= 2 && !background_shared.running && !given_up) start_helper();
    if (mb_heaps_in_use() < 2 && background_shared.running) stop_helper();
    mb_unlock(&background_shared.lock);
    pthread_setcancelstate(cancel, NULL);
}

void mb_background_recover(void) {
    mb_lock_reset(&background_shared.lock);
    background_shared.running = false;
    atomic_store_explicit(&background_shared.starting, false, memory_order_relaxed);
    atomic_store_explicit(&background_shared.given_up, false, memory_order_relaxed);
    atomic_store_explicit(&background_shared.next_settle, 0, memory_order_relaxed);
    atomic_store_explicit(&background_shared.stop, 0, memory_order_relaxed);
    atomic_store_explicit(&background_shared.present, 0, memory_order_relaxed);
}
