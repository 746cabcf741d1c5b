#include "core/process/init.h"

#include "core/base/mistake.h"
#include "core/base/sealed.h"
#include "core/heap/perturb.h"
#include "core/process/foreign.h"
#include "core/process/fork.h"
#include "core/process/relief.h"
#include "core/process/tunables.h"
#include "core/region/arena.h"
#include "core/region/huge.h"
#include "core/told/options.h"
#include "platform/cpu.h"
#include "platform/os.h"
#include "platform/thread.h"

struct mb_init_shared mb_init_shared MB_SEALED;

static struct {
    _Atomic bool key, fork; // made and registered, or will be in a moment; relaxed
} registered_shared;

enum { RANDOM_WORDS = 3 };

// With a seed: Vigna's splitmix64.
static void draw(uint64_t out[RANDOM_WORDS]) {
    uint64_t state = mb_option.seed;
    if (state == 0) {
        mb_os_random(out, RANDOM_WORDS * sizeof *out);
        return;
    }
    for (unsigned i = 0; i < RANDOM_WORDS; i++) {
        uint64_t word = state += UINT64_C(0x9e3779b97f4a7c15);
        word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
        out[i] = word ^ word >> 31;
    }
}

static void make_key(void) {
    if (!atomic_exchange_explicit(&registered_shared.key, true, memory_order_relaxed)) mb_thread_init();
}

void mb_init_register(void) {
    make_key();
    if (!atomic_exchange_explicit(&registered_shared.fork, true, memory_order_relaxed)) mb_fork_init();
}

// NULL: we do.
static const struct mb_calls *who_serves_instead(void) {
    const struct mb_calls *other = mb_forward_get != NULL ? mb_forward_get() : NULL;
    if (other == NULL) other = mb_foreign_sanitizer_serves();
    if (other != NULL || mb_options_init()) return other;
    other = mb_foreign_libc_serves();
    if (other == NULL) mb_options_say_unskipped();
    return other;
}

static void say_active(void) {
    const char *file = mb_foreign_file_of(&mb_init_shared);
    mb_options_say_active(file != NULL && file[0] != '\0' ? file : "the program itself");
}

static struct {
    _Atomic bool hardened; // written by the start, before the stage
} instead_shared MB_SEALED;

bool mb_is_hardened(void) { return atomic_load_explicit(&instead_shared.hardened, memory_order_relaxed); }

// If this fails the arena stays mapped, and the next call tries again with a new one.
static bool start_hardened(uint64_t seed) {
    const struct mb_calls *calls = mb_hardened.start(seed);
    if (calls == NULL) return false;
    atomic_store_explicit(&instead_shared.hardened, true, memory_order_relaxed);
    atomic_store_explicit(&mb_init_shared.other_copy, calls, memory_order_relaxed);
    return true;
}

static bool start(void) {
    mb_foreign_note_libc();
    const struct mb_calls *other = who_serves_instead();
    atomic_store_explicit(&mb_init_shared.other_copy, other, memory_order_relaxed);
    if (other != NULL) return false;
    mb_mistake_policy = (enum mb_on_error)mb_option.on_error;
    if (mb_option.verbose != 0) say_active();
    if (mb_option.names != 0) mb_arena_name();
    mb_relief_init();
    uint64_t random[RANDOM_WORDS];
    draw(random);
    mb_cpu_look();
    mb_perturb_set(0);
    mb_huge_init((enum mb_huge_mode)mb_option.huge_pages);
    atomic_store_explicit(&mb_init_shared.had_threads, !mb_thread_is_only(), memory_order_relaxed);
    mb_tunables_init();
    mb_perturb_set_guarded(mb_option.guard_rate - 1 < MB_GUARD_RATE_EXACT_MAX);
    if (!mb_arena_init(random)) return false;
    if (mb_foreign_own(MB_OWN_pthread_key_create) != NULL) make_key(); // which allocates nothing
    return mb_option.hardened == 0 || start_hardened(random[2]);
}

MB_COLD static bool start_once(void) {
    uint32_t seen = atomic_load_explicit(&mb_init_shared.stage, memory_order_acquire);
    if (seen == MB_INIT_UNTOUCHED && atomic_compare_exchange_strong(&mb_init_shared.stage, &seen, MB_INIT_RUNNING)) {
        bool ready = start();
        bool other = atomic_load_explicit(&mb_init_shared.other_copy, memory_order_relaxed) != NULL;
        uint32_t stage = other ? MB_INIT_FORWARDED : ready ? MB_INIT_READY : MB_INIT_UNTOUCHED;
        atomic_store_explicit(&mb_init_shared.stage, stage, memory_order_release);
        mb_os_wake(&mb_init_shared.stage, INT32_MAX);
        if (ready) mb_init_register(); // which may allocate, as a wrapper of what it calls may
        if (stage != MB_INIT_UNTOUCHED) mb_sealed_done(MB_SEALED_START);
        return ready && !other;
    }
    if (seen == MB_INIT_FORWARDED) return false;
    while ((seen = atomic_load_explicit(&mb_init_shared.stage, memory_order_acquire)) == MB_INIT_RUNNING) {
        mb_os_wait(&mb_init_shared.stage, MB_INIT_RUNNING, UINT64_MAX);
    }
    return seen == MB_INIT_READY;
}

bool mb_init(void) {
    return MB_LIKELY(atomic_load_explicit(&mb_init_shared.stage, memory_order_acquire) == MB_INIT_READY) || start_once();
}
