#include "core/base/lock.h"

#include "core/base/check.h"
#include "platform/compiler.h"
#include "platform/os.h"

enum { FREE = 0, HELD = 1, WAITED = 2 };

// The ranks that this thread holds, one bit each; kept in check builds only.
static MB_THREAD_LOCAL uint32_t held_ranks;

static void note_taken(const struct mb_lock_shared *lock) {
    if (!MB_CHECKS) return;
    MB_ASSERT(held_ranks >> lock->rank == 0);
    held_ranks |= 1u << lock->rank;
}

static void note_given(const struct mb_lock_shared *lock) {
    if (MB_CHECKS) held_ranks &= ~(1u << lock->rank);
}

void mb_lock(struct mb_lock_shared *lock) {
    uint32_t seen = FREE;
    if (!atomic_compare_exchange_strong_explicit(&lock->word, &seen, HELD, memory_order_acquire, memory_order_relaxed)) {
        while (atomic_exchange_explicit(&lock->word, WAITED, memory_order_acquire) != FREE) {
            mb_os_wait(&lock->word, WAITED, UINT64_MAX);
        }
    }
    note_taken(lock);
}

bool mb_try_lock(struct mb_lock_shared *lock) {
    uint32_t seen = FREE;
    if (!atomic_compare_exchange_strong_explicit(&lock->word, &seen, HELD, memory_order_acquire, memory_order_relaxed)) return false;
    note_taken(lock);
    return true;
}

void mb_unlock(struct mb_lock_shared *lock) {
    note_given(lock);
    if (atomic_exchange_explicit(&lock->word, FREE, memory_order_release) == WAITED) mb_os_wake(&lock->word, 1);
}

void mb_lock_reset(struct mb_lock_shared *lock) {
    atomic_store_explicit(&lock->word, FREE, memory_order_relaxed);
    held_ranks = 0;
}
