#include "core/harden/poison.h"

#include <string.h>

static struct mb_hold *hold_of(const struct mb_allocator *api) { return (struct mb_hold *)mb_layer_of(api); }

static void *allocate(struct mb_allocator *api, size_t bytes, size_t align) {
    struct mb_hold *hold = hold_of(api);
    void *p = mb_hold_reuse(hold, bytes, align);
    if (p != NULL) return p;
    p = mb_allocator_allocate(hold->layer.base, bytes, align);
    if (p == NULL && mb_hold_flush(hold)) p = mb_allocator_allocate(hold->layer.base, bytes, align);
    return mb_layer_passed_block(&hold->layer, p);
}

static void *allocate_zeroed(struct mb_allocator *api, size_t bytes, size_t align) {
    struct mb_hold *hold = hold_of(api);
    void *p = mb_hold_reuse(hold, bytes, align);
    if (p != NULL) return memset(p, 0, bytes);
    p = mb_allocator_allocate_zeroed(hold->layer.base, bytes, align);
    if (p == NULL && mb_hold_flush(hold)) p = mb_allocator_allocate_zeroed(hold->layer.base, bytes, align);
    return mb_layer_passed_block(&hold->layer, p);
}

static enum mb_error deallocate(struct mb_allocator *api, void *p, size_t bytes) {
    return mb_hold_add(hold_of(api), p, bytes);
}

static void *grow(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    if (mb_hold_judge(hold_of(api), p, old_bytes) != MB_OK) return NULL;
    return mb_layer_move(mb_layer_of(api), p, old_bytes, new_bytes, align);
}

static void *shrink(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_hold *hold = hold_of(api);
    if (mb_hold_judge(hold, p, old_bytes) != MB_OK) return NULL;
    return mb_layer_passed_block(&hold->layer, mb_allocator_shrink(hold->layer.base, p, old_bytes, new_bytes, align));
}

static const struct mb_allocator_table CHANGED = {
    .traits = ~UINT32_C(0),
    .allocate = allocate,
    .allocate_zeroed = allocate_zeroed,
    .deallocate = deallocate,
    .grow = grow,
    .shrink = shrink,
    .usable_size = mb_hold_usable_size,
    .reset = mb_hold_reset,
    .drop = mb_hold_drop,
};

enum mb_error mb_poison_init(struct mb_poison *self, const struct mb_poison_config *given, enum mb_policy policy,
                             struct mb_allocator *base) {
    struct mb_poison_config config;
    if (!mb_config_read(given, &config, sizeof config, sizeof config)) return MB_BAD_CONFIG;
    memset(self, 0, sizeof *self);
    return mb_hold_init(&self->hold, &CHANGED, base, policy, config.budget_bytes, true);
}
