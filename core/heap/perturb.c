#include "core/heap/perturb.h"

#include <string.h>

#include "platform/bits.h"
#include "platform/cpu.h"

struct mb_perturb_shared mb_perturb_shared;

static bool may_be_quick(void) {
    bool guarded = atomic_load(&mb_perturb_shared.guarded), watched = atomic_load(&mb_perturb_shared.watched);
    return !guarded && !watched && mb_perturb_byte() == 0 && mb_cpu_counts_bits;
}

// Of several threads that change something at once the last one to store sees what the others have changed.
static void look_again(void) {
    bool quick;
    do {
        quick = may_be_quick();
        atomic_store(&mb_perturb_shared.quick_refills, quick);
    } while (quick != may_be_quick());
}

bool mb_perturb_only_watched(void) {
    bool watched = atomic_load_explicit(&mb_perturb_shared.watched, memory_order_relaxed);
    return watched && !atomic_load_explicit(&mb_perturb_shared.guarded, memory_order_relaxed) && mb_perturb_byte() == 0 &&
           mb_cpu_counts_bits;
}

void mb_perturb_set(uint32_t byte) {
    atomic_store_explicit(&mb_perturb_shared.byte, byte, memory_order_relaxed);
    look_again();
}

void mb_perturb_set_guarded(bool guarded) {
    atomic_store(&mb_perturb_shared.guarded, guarded);
    look_again();
}

bool mb_perturb_take_guarded(void) {
    bool was = atomic_load_explicit(&mb_perturb_shared.guarded, memory_order_relaxed) && atomic_exchange(&mb_perturb_shared.guarded, false);
    if (was) look_again();
    return was;
}

void mb_perturb_watch(bool watched) {
    atomic_store(&mb_perturb_shared.watched, watched);
    look_again();
}

MB_COLD void mb_perturb_handed_out(void *p, size_t bytes) { memset(p, (int)(mb_perturb_byte() ^ 0xff), bytes); }

MB_COLD void mb_perturb_freed(void *p, size_t bytes) { memset(p, (int)mb_perturb_byte(), bytes); }

MB_COLD void mb_perturb_mask(uintptr_t base, size_t block_bytes, uint64_t mask) {
    for (; mask != 0; mask &= mask - 1) mb_perturb_handed_out((void *)(base + mb_ctz64(mask) * block_bytes), block_bytes);
}
