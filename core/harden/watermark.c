#include "core/harden/watermark.h"

#include <string.h>

static struct mb_watermark_shared *self_of(const struct mb_allocator *api) {
    return (struct mb_watermark_shared *)mb_layer_of(api);
}

size_t mb_watermark_used(const struct mb_watermark_shared *self) {
    return atomic_load_explicit(&self->used, memory_order_relaxed);
}

// --- telling ---------------------------------------------------------------------------------------------------------

static void tell(struct mb_watermark_shared *self, enum mb_watermark_kind kind, unsigned percent) {
    struct mb_watermark_event event = {kind, percent, mb_watermark_used(self), self->config.budget_bytes};
    self->config.callback(self->config.context, &event);
}

// True for the one thread that changes the flag.
static bool turns(_Atomic bool *flag, bool to) {
    if (atomic_load_explicit(flag, memory_order_relaxed) == to) return false;
    return atomic_exchange_explicit(flag, to, memory_order_relaxed) != to;
}

// Compares the present amount with what each level last reported, so that a crossing which a race with another thread
// has missed is reported by the next call. A callback may change `used`, which is therefore read for each level.
static void look(struct mb_watermark_shared *self) {
    for (size_t i = 0; i < self->level_count; i++) {
        const struct mb_watermark_level *level = &self->levels[i];
        size_t used = mb_watermark_used(self);
        if (used >= level->high && turns(&self->crossed[i], true)) tell(self, MB_WATERMARK_RISING, level->percent);
        if (used < level->low && turns(&self->crossed[i], false)) tell(self, MB_WATERMARK_FALLING, level->percent);
    }
}

static void *note_failure(struct mb_watermark_shared *self) {
    enum mb_error error = mb_allocator_last_error(self->layer.base);
    if (turns(&self->failing, true)) tell(self, MB_WATERMARK_FAILURE, 0);
    mb_layer_fail(&self->layer, error); // what the callback did meanwhile is not what the caller asks about
    return NULL;
}

static void *note_block(struct mb_watermark_shared *self, void *p, size_t more) {
    if (MB_UNLIKELY(p == NULL)) return note_failure(self);
    atomic_fetch_add_explicit(&self->used, more, memory_order_relaxed);
    if (MB_UNLIKELY(atomic_load_explicit(&self->failing, memory_order_relaxed))) turns(&self->failing, false);
    look(self);
    return p;
}

static void note_less(struct mb_watermark_shared *self, size_t less) {
    if (!mb_allocator_can(&self->layer.api, MB_TRAIT_FREES)) return;
    atomic_fetch_sub_explicit(&self->used, less, memory_order_relaxed);
    look(self);
}

// --- operations ------------------------------------------------------------------------------------------------------

static void *allocate(struct mb_allocator *api, size_t bytes, size_t align) {
    struct mb_watermark_shared *self = self_of(api);
    return note_block(self, mb_allocator_allocate(self->layer.base, bytes, align), bytes);
}

static void *allocate_zeroed(struct mb_allocator *api, size_t bytes, size_t align) {
    struct mb_watermark_shared *self = self_of(api);
    return note_block(self, mb_allocator_allocate_zeroed(self->layer.base, bytes, align), bytes);
}

static void *grow(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_watermark_shared *self = self_of(api);
    void *grown = mb_allocator_grow(self->layer.base, p, old_bytes, new_bytes, align);
    return note_block(self, grown, new_bytes - old_bytes);
}

static void *shrink(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_watermark_shared *self = self_of(api);
    void *shrunk = mb_allocator_shrink(self->layer.base, p, old_bytes, new_bytes, align);
    if (shrunk != NULL) note_less(self, old_bytes - new_bytes);
    return mb_layer_passed_block(&self->layer, shrunk);
}

static enum mb_error deallocate(struct mb_allocator *api, void *p, size_t bytes) {
    struct mb_watermark_shared *self = self_of(api);
    enum mb_error error = mb_allocator_deallocate(self->layer.base, p, bytes);
    if (error == MB_OK) note_less(self, bytes);
    return mb_layer_passed(&self->layer, error);
}

static enum mb_error reset(struct mb_allocator *api) {
    struct mb_watermark_shared *self = self_of(api);
    enum mb_error error = mb_allocator_reset(self->layer.base);
    if (error != MB_OK) return mb_layer_fail(&self->layer, error);
    atomic_store_explicit(&self->used, 0, memory_order_relaxed);
    look(self);
    return MB_OK;
}

// --- making ----------------------------------------------------------------------------------------------------------

static const struct mb_allocator_table CHANGED = {
    .traits = ~UINT32_C(0),
    .allocate = allocate,
    .allocate_zeroed = allocate_zeroed,
    .deallocate = deallocate,
    .grow = grow,
    .shrink = shrink,
    .reset = reset,
};

// percent <= 100, so nothing overflows and nothing is rounded away that matters.
static size_t percent_of(size_t bytes, unsigned percent) { return bytes / 100 * percent + bytes % 100 * percent / 100; }

static bool levels_are_valid(const struct mb_watermark_config *config) {
    unsigned before = config->hysteresis_percent;
    bool ended = config->percent[0] == 0;
    if (ended || before > 100) return false;
    for (int i = 0; i < MB_WATERMARK_LEVELS; i++) {
        unsigned percent = config->percent[i];
        if (percent == 0) ended = true;
        else if (ended || percent <= before || percent > 100) return false;
        else before = percent;
    }
    return true;
}

static void set_levels(struct mb_watermark_shared *self) {
    size_t budget = self->config.budget_bytes;
    while (self->level_count < MB_WATERMARK_LEVELS && self->config.percent[self->level_count] != 0) {
        unsigned percent = self->config.percent[self->level_count];
        struct mb_watermark_level *level = &self->levels[self->level_count++];
        level->percent = percent;
        level->high = mb_max(percent_of(budget, percent), 1);
        level->low = mb_max(percent_of(budget, percent - self->config.hysteresis_percent), 1);
    }
}

enum mb_error mb_watermark_init(struct mb_watermark_shared *self, const struct mb_watermark_config *given,
                                struct mb_allocator *base) {
    struct mb_watermark_config config;
    if (!mb_config_read(given, &config, sizeof config, sizeof config)) return MB_BAD_CONFIG;
    if (config.budget_bytes == 0) config.budget_bytes = mb_allocator_capacity(base);
    if (config.callback == NULL || config.budget_bytes == 0 || config.budget_bytes == SIZE_MAX) return MB_BAD_CONFIG;
    if (!levels_are_valid(&config)) return MB_BAD_CONFIG;
    memset(self, 0, sizeof *self);
    mb_layer_init(&self->layer, &CHANGED, base, MB_POLICY_COUNT);
    self->config = config;
    set_levels(self);
    return MB_OK;
}
