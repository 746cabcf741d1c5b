#include "core/harden/fault.h"

#include <string.h>

#include "core/base/rng.h"
#include "core/base/thread_number.h"

enum { MILLION = 1000000 };

// --- plans -----------------------------------------------------------------------------------------------------------

static bool config_is_valid(const struct mb_fault_config *config) {
    if (config->mode >= MB_FAULT_MODES || config->scope >= MB_FAULT_SCOPES) return false;
    if (config->mode == MB_FAULT_EVERY && config->n == 0) return false;
    return config->mode != MB_FAULT_CHANCE || config->n <= MILLION;
}

enum mb_error mb_fault_arm(struct mb_fault_plan_shared *plan, const struct mb_fault_config *given) {
    struct mb_fault_config config;
    if (!mb_config_read(given, &config, sizeof config, sizeof config) || !config_is_valid(&config)) return MB_BAD_CONFIG;
    atomic_store_explicit(&plan->mode, MB_FAULT_NEVER, memory_order_relaxed);
    for (int i = 0; i <= MB_FAULT_THREADS; i++) {
        atomic_store_explicit(&plan->counts[i].thread, 0, memory_order_relaxed);
        atomic_store_explicit(&plan->counts[i].calls, 0, memory_order_relaxed);
    }
    atomic_store_explicit(&plan->struck, 0, memory_order_relaxed);
    atomic_store_explicit(&plan->scope, config.scope, memory_order_relaxed);
    atomic_store_explicit(&plan->thread, mb_thread_number(), memory_order_relaxed);
    atomic_store_explicit(&plan->n, config.n, memory_order_relaxed);
    atomic_store_explicit(&plan->seed, config.seed, memory_order_relaxed);
    atomic_store_explicit(&plan->mode, config.mode, memory_order_release);
    return MB_OK;
}

static bool claims(struct mb_fault_count_shared *count, uint32_t thread) {
    uint32_t seen = atomic_load_explicit(&count->thread, memory_order_relaxed);
    if (seen == 0)
        atomic_compare_exchange_strong_explicit(&count->thread, &seen, thread, memory_order_relaxed, memory_order_relaxed);
    return atomic_load_explicit(&count->thread, memory_order_relaxed) == thread;
}

static struct mb_fault_count_shared *count_of(struct mb_fault_plan_shared *plan, uint32_t scope) {
    if (scope != MB_FAULT_EACH_THREAD) return &plan->counts[MB_FAULT_THREADS];
    uint32_t thread = mb_thread_number();
    for (uint32_t i = 0; i < MB_FAULT_THREADS; i++) {
        struct mb_fault_count_shared *count = &plan->counts[(thread + i) % MB_FAULT_THREADS];
        if (claims(count, thread)) return count;
    }
    return &plan->counts[MB_FAULT_THREADS];
}

// The fate of the k-th call (from 1 on) for `bytes` bytes.
static bool decide(const struct mb_fault_plan_shared *plan, uint32_t mode, uint64_t k, size_t bytes) {
    uint64_t n = atomic_load_explicit(&plan->n, memory_order_relaxed);
    uint64_t seed = atomic_load_explicit(&plan->seed, memory_order_relaxed);
    switch (mode) {
    case MB_FAULT_ALWAYS: return true;
    case MB_FAULT_AFTER: return k > n;
    case MB_FAULT_EVERY: return n != 0 && k % n == 0;
    case MB_FAULT_SIZE_FROM: return bytes >= n;
    case MB_FAULT_CHANCE: return mb_mix64(mb_mix64(seed) + k * MB_RNG_STEP) % MILLION < n;
    default: return false;
    }
}

bool mb_fault_strikes(struct mb_fault_plan_shared *plan, size_t bytes) {
    uint32_t mode = atomic_load_explicit(&plan->mode, memory_order_acquire);
    if (MB_LIKELY(mode == MB_FAULT_NEVER)) return false;
    uint32_t scope = atomic_load_explicit(&plan->scope, memory_order_relaxed);
    if (scope == MB_FAULT_THIS_THREAD &&
        atomic_load_explicit(&plan->thread, memory_order_relaxed) != mb_thread_number()) return false;
    uint64_t k = atomic_fetch_add_explicit(&count_of(plan, scope)->calls, 1, memory_order_relaxed) + 1;
    if (!decide(plan, mode, k, bytes)) return false;
    atomic_fetch_add_explicit(&plan->struck, 1, memory_order_relaxed);
    return true;
}

// --- the layer -------------------------------------------------------------------------------------------------------

static bool strikes(struct mb_allocator *api, size_t bytes) {
    struct mb_fault *self = (struct mb_fault *)mb_layer_of(api);
    if (MB_LIKELY(!mb_fault_strikes(&self->plan, bytes))) return false;
    mb_layer_fail(&self->layer, MB_INJECTED);
    return true;
}

static void *allocate(struct mb_allocator *api, size_t bytes, size_t align) {
    struct mb_layer *layer = mb_layer_of(api);
    if (strikes(api, bytes)) return NULL;
    return mb_layer_passed_block(layer, mb_allocator_allocate(layer->base, bytes, align));
}

static void *allocate_zeroed(struct mb_allocator *api, size_t bytes, size_t align) {
    struct mb_layer *layer = mb_layer_of(api);
    if (strikes(api, bytes)) return NULL;
    return mb_layer_passed_block(layer, mb_allocator_allocate_zeroed(layer->base, bytes, align));
}

static void *grow(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_layer *layer = mb_layer_of(api);
    if (strikes(api, new_bytes)) return NULL;
    return mb_layer_passed_block(layer, mb_allocator_grow(layer->base, p, old_bytes, new_bytes, align));
}

static const struct mb_allocator_table CHANGED = {
    .traits = ~UINT32_C(0),
    .allocate = allocate,
    .allocate_zeroed = allocate_zeroed,
    .grow = grow,
};

enum mb_error mb_fault_init(struct mb_fault *self, const struct mb_fault_config *config, struct mb_allocator *base) {
    memset(self, 0, sizeof *self);
    enum mb_error error = mb_fault_arm(&self->plan, config);
    if (error == MB_OK) mb_layer_init(&self->layer, &CHANGED, base, MB_POLICY_COUNT);
    return error;
}
