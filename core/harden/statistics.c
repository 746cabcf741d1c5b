#include "core/harden/statistics.h"

#include <string.h>

#include "core/base/thread_number.h"

static struct mb_statistics_shared *self_of(const struct mb_allocator *api) {
    return (struct mb_statistics_shared *)mb_layer_of(api);
}

static bool is_shared(const struct mb_statistics_shared *self) {
    return mb_allocator_can(&self->layer.api, MB_TRAIT_SHARED);
}

static struct mb_statistics_shard_shared *shard_of(struct mb_statistics_shared *self) {
    return &self->shards[is_shared(self) ? mb_thread_number() % MB_STATISTICS_SHARDS : 0];
}

// --- counting --------------------------------------------------------------------------------------------------------

// With one owner thread a plain load and store will do.
static void count(const struct mb_statistics_shared *self, _Atomic uint64_t *word) {
    if (is_shared(self)) atomic_fetch_add_explicit(word, 1, memory_order_relaxed);
    else atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + 1, memory_order_relaxed);
}

static int64_t move(const struct mb_statistics_shared *self, _Atomic int64_t *word, int64_t by) {
    if (is_shared(self)) return atomic_fetch_add_explicit(word, by, memory_order_relaxed) + by;
    int64_t now = atomic_load_explicit(word, memory_order_relaxed) + by;
    atomic_store_explicit(word, now, memory_order_relaxed);
    return now;
}

static void raise_peak(struct mb_statistics_shared *self, int64_t live) {
    int64_t peak = atomic_load_explicit(&self->peak, memory_order_relaxed);
    while (live > peak && !atomic_compare_exchange_weak_explicit(&self->peak, &peak, live, memory_order_relaxed,
                                                                 memory_order_relaxed)) {}
}

static void account(struct mb_statistics_shared *self, struct mb_statistics_shard_shared *shard, int64_t bytes) {
    if (self->grain != 0) {
        int64_t pending = move(self, &shard->pending, bytes);
        if (pending < self->grain && -pending < self->grain) return;
        bytes = atomic_exchange_explicit(&shard->pending, 0, memory_order_relaxed);
    }
    raise_peak(self, move(self, &self->live, bytes));
}

// --- operations ------------------------------------------------------------------------------------------------------

static void *note_block(struct mb_statistics_shared *self, void *p, size_t bytes) {
    struct mb_statistics_shard_shared *shard = shard_of(self);
    count(self, p != NULL ? &shard->allocations : &shard->failures);
    if (p != NULL) account(self, shard, (int64_t)bytes);
    return mb_layer_passed_block(&self->layer, p);
}

static void *allocate(struct mb_allocator *api, size_t bytes, size_t align) {
    struct mb_statistics_shared *self = self_of(api);
    return note_block(self, mb_allocator_allocate(self->layer.base, bytes, align), bytes);
}

static void *allocate_zeroed(struct mb_allocator *api, size_t bytes, size_t align) {
    struct mb_statistics_shared *self = self_of(api);
    return note_block(self, mb_allocator_allocate_zeroed(self->layer.base, bytes, align), bytes);
}

static enum mb_error deallocate(struct mb_allocator *api, void *p, size_t bytes) {
    struct mb_statistics_shared *self = self_of(api);
    enum mb_error error = mb_allocator_deallocate(self->layer.base, p, bytes);
    struct mb_statistics_shard_shared *shard = shard_of(self);
    count(self, error == MB_OK ? &shard->frees : &shard->failures);
    if (error == MB_OK && mb_allocator_can(api, MB_TRAIT_FREES)) account(self, shard, -(int64_t)bytes);
    return mb_layer_passed(&self->layer, error);
}

static void *note_resize(struct mb_statistics_shared *self, void *p, size_t old_bytes, size_t new_bytes) {
    struct mb_statistics_shard_shared *shard = shard_of(self);
    if (p != NULL) account(self, shard, (int64_t)new_bytes - (int64_t)old_bytes);
    else count(self, &shard->failures);
    return mb_layer_passed_block(&self->layer, p);
}

static void *grow(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_statistics_shared *self = self_of(api);
    return note_resize(self, mb_allocator_grow(self->layer.base, p, old_bytes, new_bytes, align), old_bytes, new_bytes);
}

static void *shrink(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_statistics_shared *self = self_of(api);
    return note_resize(self, mb_allocator_shrink(self->layer.base, p, old_bytes, new_bytes, align), old_bytes, new_bytes);
}

static enum mb_error reset(struct mb_allocator *api) {
    struct mb_statistics_shared *self = self_of(api);
    enum mb_error error = mb_allocator_reset(self->layer.base);
    if (error != MB_OK) {
        count(self, &shard_of(self)->failures);
        return mb_layer_fail(&self->layer, error);
    }
    for (int i = 0; i < MB_STATISTICS_SHARDS; i++)
        atomic_store_explicit(&self->shards[i].pending, 0, memory_order_relaxed);
    atomic_store_explicit(&self->live, 0, memory_order_relaxed);
    return MB_OK;
}

// --- making and reading ----------------------------------------------------------------------------------------------

static const struct mb_allocator_table CHANGED = {
    .traits = ~UINT32_C(0),
    .allocate = allocate,
    .allocate_zeroed = allocate_zeroed,
    .deallocate = deallocate,
    .grow = grow,
    .shrink = shrink,
    .reset = reset,
};

enum mb_error mb_statistics_init(struct mb_statistics_shared *self, const struct mb_statistics_config *given,
                                 struct mb_allocator *base) {
    struct mb_statistics_config config;
    if (!mb_config_read(given, &config, sizeof config, sizeof config)) return MB_BAD_CONFIG;
    if (config.peak_grain_bytes > PTRDIFF_MAX) return MB_BAD_CONFIG;
    memset(self, 0, sizeof *self);
    mb_layer_init(&self->layer, &CHANGED, base, MB_POLICY_COUNT);
    self->grain = (int64_t)config.peak_grain_bytes;
    return MB_OK;
}

static uint64_t not_negative(int64_t x) { return x > 0 ? (uint64_t)x : 0; } // halves of a move may be seen alone

struct mb_statistics_numbers mb_statistics_read(const struct mb_statistics_shared *self) {
    struct mb_statistics_numbers sum = {0};
    int64_t live = atomic_load_explicit(&self->live, memory_order_relaxed);
    for (int i = 0; i < MB_STATISTICS_SHARDS; i++) {
        const struct mb_statistics_shard_shared *shard = &self->shards[i];
        sum.allocations += atomic_load_explicit(&shard->allocations, memory_order_relaxed);
        sum.frees += atomic_load_explicit(&shard->frees, memory_order_relaxed);
        sum.failures += atomic_load_explicit(&shard->failures, memory_order_relaxed);
        live += atomic_load_explicit(&shard->pending, memory_order_relaxed);
    }
    int64_t peak = atomic_load_explicit(&self->peak, memory_order_relaxed);
    sum.live_bytes = not_negative(live);
    sum.peak_bytes = not_negative(live > peak ? live : peak);
    sum.corruption = mb_allocator_corruption_events(&self->layer.api);
    return sum;
}
