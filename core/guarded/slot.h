// The state of each slot for guarded samples, which decides who may use the slot. It is one word, so that threads,
// signal handlers and forked children agree on it.
//
//   FREE --take--> TAKEN --hand out--> LIVE --claim--> GOING --give--> FREE
//
// What: only the thread that has taken or claimed a slot writes its record. Others may read the record meanwhile and
// see it half written; they use it only for reports. A slot that another thread held (TAKEN or GOING) when the process
// forked stays in that state in the child and is lost there.
// Who: any thread; of several threads that try to take or claim a slot, one succeeds.
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

// Everything written to the slot and its record before happens before what its next user does.
MB_INLINE void mb_guarded_hand_out(struct mb_guarded_word_shared *word) {
    atomic_store_explicit(&word->state, MB_GUARDED_LIVE, memory_order_release);
}
MB_INLINE void mb_guarded_give(struct mb_guarded_word_shared *word) {
    atomic_store_explicit(&word->state, MB_GUARDED_FREE, memory_order_release);
}

#endif
