#include "core/heap/perturb.h"

#include <string.h>

#include "platform/bits.h"
#include "platform/cpu.h"

struct mb_perturb_shared mb_perturb_shared;

static bool is_all_but_watched(void) { return !atomic_load(&mb_perturb_shared.guarded) && mb_perturb_byte() == 0 && mb_cpu_counts_bits; }

// If several threads change something at once, the one that stores last sees the changes of the others.
static void look_again(void) {
    bool quick, watched;
    do {
        quick = is_all_but_watched();
        watched = atomic_load(&mb_perturb_shared.watched);
        atomic_store(&mb_perturb_shared.quick_refills, quick && !watched);
        atomic_store(&mb_perturb_shared.only_watched, quick && watched);
    } while (quick != is_all_but_watched() || watched != atomic_load(&mb_perturb_shared.watched));
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
