#include "core/base/sealed.h"

#include <stdatomic.h>
#include <stdint.h>

#include "core/base/lock.h"
#include "platform/libc.h"
#include "platform/os.h"

// The linker places sections with unknown names one after the other in the order in which it meets them, and meets this
// file first (CMakeLists.txt).
MB_SEALED_ORDER;

static char edge __attribute__((section("mb_sealed_edge"), aligned(MB_SEALED_PAGE_BYTES)));
static char among MB_SEALED __attribute__((used));
static char other_edge __attribute__((section("mb_sealed_other_edge"), aligned(MB_SEALED_PAGE_BYTES)));
extern MB_HIDDEN char __start_mb_sealed[], __stop_mb_sealed[];

static struct {
    _Atomic unsigned writers; // bits of enum mb_sealed_writer: those that have finished; relaxed
    _Atomic bool sealed;      // written under the lock
    _Atomic bool open;        // written under the lock: a thread is between open and close
    struct mb_lock_shared lock;
    bool quiet; // the holder of the lock has blocked all signals; `signals` is the mask from before
    uint64_t signals;
} sealed_shared = {.lock = {.rank = MB_RANK_FRONT}};

static bool protect(unsigned access) { return mb_os_protect(&edge, (uintptr_t)&other_edge - (uintptr_t)&edge, access) == 0; }

// A linker may use another order. The pages then hold other variables too, so they must stay writable.
static bool is_in_order(void) {
    bool together = (uintptr_t)&edge < (uintptr_t)__start_mb_sealed && (uintptr_t)__stop_mb_sealed <= (uintptr_t)&other_edge;
    return together && mb_os_page_size() <= MB_SEALED_PAGE_BYTES;
}

static void seal(void) {
    if (!is_in_order()) return;
    mb_lock(&sealed_shared.lock);
    atomic_store_explicit(&sealed_shared.sealed, protect(MB_OS_READ), memory_order_relaxed);
    mb_unlock(&sealed_shared.lock);
}

void mb_sealed_done(enum mb_sealed_writer writer) {
    unsigned before = atomic_fetch_or_explicit(&sealed_shared.writers, writer, memory_order_acq_rel);
    if (before != MB_SEALED_ALL && (before | writer) == MB_SEALED_ALL) seal();
}

static bool is_sealed(void) { return atomic_load_explicit(&sealed_shared.sealed, memory_order_relaxed); }

static void leave(void) {
    bool quiet = sealed_shared.quiet;
    uint64_t signals = sealed_shared.signals;
    atomic_store_explicit(&sealed_shared.open, false, memory_order_relaxed);
    mb_unlock(&sealed_shared.lock);
    if (quiet) mb_libc_restore_signals(signals);
}

// Signals are blocked, since a handler that also wants to write would wait for the thread that it has interrupted. No
// system call is made before the pages are sealed.
bool mb_sealed_open(void) {
    bool quiet = is_sealed();
    uint64_t signals = quiet ? mb_libc_block_signals() : 0;
    mb_lock(&sealed_shared.lock);
    sealed_shared.quiet = quiet;
    sealed_shared.signals = signals;
    atomic_store_explicit(&sealed_shared.open, true, memory_order_relaxed);
    if (!is_sealed() || protect(MB_OS_READ | MB_OS_WRITE)) return true;
    leave();
    return false;
}

void mb_sealed_close(void) {
    if (is_sealed()) protect(MB_OS_READ);
    leave();
}

void mb_sealed_recover(void) {
    bool open = atomic_load_explicit(&sealed_shared.open, memory_order_relaxed);
    mb_lock_reset(&sealed_shared.lock);
    if (open && is_sealed()) protect(MB_OS_READ);
    atomic_store_explicit(&sealed_shared.open, false, memory_order_relaxed);
}
