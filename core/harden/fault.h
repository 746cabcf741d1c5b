// Fault injection: a plan of which calls fail, and a layer that makes allocations fail by it.
//
// What: allocate, allocate_zeroed and grow ask the plan first. A call that the plan selects returns NULL and
// MB_INJECTED and does not reach the layers below. Freeing and shrinking never fail. core/harden/fault_os.h uses the
// same kind of plan for system calls.
// Who: any thread may ask a plan; arming while other threads ask leaves them with the old plan or the new one, or none.
// Invariant: the k-th call that a count sees has the same fate in every run (chance too: it is a function of seed and
// k).
// Idea: every N-th allocation failing in turn, from SQLite's fault.c and its test harness.
#ifndef MB_CORE_HARDEN_FAULT_H
#define MB_CORE_HARDEN_FAULT_H

#include <stdatomic.h>

#include "core/harden/configs.h"
#include "core/harden/layer.h"

enum { MB_FAULT_THREADS = 64 };

struct mb_fault_count_shared {
    _Atomic uint32_t thread; // whose count this is, 0: nobody's yet; claimed by CAS, for good
    _Atomic uint64_t calls;
};

// Relaxed throughout: whether a call fails guards nothing.
struct mb_fault_plan_shared {
    _Atomic uint32_t mode, scope; // enum mb_fault_mode, enum mb_fault_scope; mode is stored last (release), read first (acquire)
    _Atomic uint32_t thread;      // who armed it
    _Atomic uint64_t n, seed;
    _Atomic uint64_t struck;      // how many calls it made fail since it was armed
    struct mb_fault_count_shared counts[MB_FAULT_THREADS + 1]; // the last one is for all who have none
};

// All counts begin anew. MB_BAD_CONFIG for what makes no sense; the plan is then as it was.
enum mb_error mb_fault_arm(struct mb_fault_plan_shared *plan, const struct mb_fault_config *config);

// Whether this call is to fail. Any thread.
bool mb_fault_strikes(struct mb_fault_plan_shared *plan, size_t bytes);

MB_INLINE uint64_t mb_fault_struck(const struct mb_fault_plan_shared *plan) {
    return atomic_load_explicit(&plan->struck, memory_order_relaxed);
}

struct mb_fault {
    struct mb_layer layer;
    struct mb_fault_plan_shared plan; // arm it anew at any time
};

// Acts over every base.
enum mb_error mb_fault_init(struct mb_fault *fault, const struct mb_fault_config *config, struct mb_allocator *base);

#endif
