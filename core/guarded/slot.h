// The state of each slot of guarded samples, and which thread may use it: one word, which threads, signal handlers and
// forked children see.
//
//   FREE --take--> TAKEN --hand out--> LIVE --claim--> GOING --give--> FREE
//
// What: who has taken or claimed a slot writes its record alone; what others read of it meanwhile may be half written,
// and is only told. A slot that was TAKEN or GOING in another thread when a process forked stays so in the child, and
// is lost.
// Who: any thread; take and claim succeed in one of several that try.
#ifndef MB_CORE_GUARDED_SLOT_H
#define MB_CORE_GUARDED_SLOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform/compiler.h"

enum mb_guarded_state { MB_GUARDED_FREE, MB_GUARDED_TAKEN, MB_GUARDED_LIVE, MB_GUARDED_GOING };

struct mb_guarded_word_shared {
    _Atomic uint32_t state; // enum mb_guarded_state
};

MB_INLINE enum mb_guarded_state mb_guarded_state(struct mb_guarded_word_shared *word) {
    return (enum mb_guarded_state)atomic_load_explicit(&word->state, memory_order_acquire);
}

MB_INLINE bool mb_guarded_change(struct mb_guarded_word_shared *word, enum mb_guarded_state from, enum mb_guarded_state to) {
    uint32_t seen = from;
    return atomic_compare_exchange_strong_explicit(&word->state, &seen, to, memory_order_acq_rel, memory_order_relaxed);
}

MB_INLINE bool mb_guarded_take(struct mb_guarded_word_shared *word) { return mb_guarded_change(word, MB_GUARDED_FREE, MB_GUARDED_TAKEN); }
MB_INLINE bool mb_guarded_claim(struct mb_guarded_word_shared *word) { return mb_guarded_change(word, MB_GUARDED_LIVE, MB_GUARDED_GOING); }

// All that was written to the slot and its record comes before.
MB_INLINE void mb_guarded_hand_out(struct mb_guarded_word_shared *word) {
    atomic_store_explicit(&word->state, MB_GUARDED_LIVE, memory_order_release);
}
MB_INLINE void mb_guarded_give(struct mb_guarded_word_shared *word) {
    atomic_store_explicit(&word->state, MB_GUARDED_FREE, memory_order_release);
}

#endif
