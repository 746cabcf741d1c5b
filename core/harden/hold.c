#include "core/harden/hold.h"

#include <string.h>

#include "core/harden/poison_fill.h"
#include "platform/os.h"

// --- leaving ---------------------------------------------------------------------------------------------------------

// Whether the poison in a held block is unchanged.
static bool is_intact(struct mb_hold *hold, const struct mb_known_block *block) {
    void *p = (void *)block->at;
    if (MB_LIKELY(mb_poison_intact(p, block->bytes))) return true;
    mb_layer_report(&hold->layer, MB_CORRUPT, "write after free", mb_poison_first_wrong(p, block->bytes));
    return false;
}

// A damaged block is leaked on purpose. An error from the base for an intact one can only be reported: the call that
// freed it has returned long ago.
static void release(struct mb_hold *hold, const struct mb_known_block *block) {
    if (!is_intact(hold, block)) return;
    enum mb_error error = mb_allocator_deallocate(hold->layer.base, (void *)block->at, block->bytes);
    if (error != MB_OK) mb_layer_report(&hold->layer, error, "invalid free, found on leaving quarantine", (void *)block->at);
}

// Lets a block go when more than `most_bytes` are held.
static bool evict_one(struct mb_hold *hold, size_t most_bytes, const void *spared) {
    struct mb_known_block block;
    mb_layer_lock(&hold->layer);
    bool any = mb_waiting_evict(&hold->held, most_bytes, spared, &block);
    mb_layer_unlock(&hold->layer);
    if (any) release(hold, &block);
    return any;
}

bool mb_hold_flush(struct mb_hold *hold) {
    bool any = false;
    while (evict_one(hold, 0, NULL)) any = true;
    return any;
}

static void *reuse(struct mb_hold *hold, size_t bytes, size_t align) {
    if (hold->held.blocks.keys == 1) return NULL; // MB_HOLD_KEEPS: they cannot be found by size
    for (;;) {
        struct mb_known_block block;
        mb_layer_lock(&hold->layer);
        bool found = mb_waiting_take_size(&hold->held, bytes, align, &block);
        mb_layer_unlock(&hold->layer);
        if (!found) return NULL;
        if (is_intact(hold, &block)) return (void *)block.at;
    }
}

// --- coming ----------------------------------------------------------------------------------------------------------

// MB_OK: held from now on. MB_FULL and MB_REFUSED: the table has no room.
static enum mb_error try_add(struct mb_hold *hold, void *p, size_t bytes) {
    mb_layer_lock(&hold->layer);
    enum mb_error error = mb_waiting_add(&hold->held, p, bytes);
    if (error == MB_OK) mb_poison_fill(p, bytes); // under the lock: then others may take it out
    mb_layer_unlock(&hold->layer);
    return error;
}

// Without room in the table another block makes way, and without any the block itself goes.
static enum mb_error add_or_pass(struct mb_hold *hold, void *p, size_t bytes) {
    for (;;) {
        enum mb_error error = try_add(hold, p, bytes);
        if (error == MB_OK) return MB_OK;
        if (error == MB_DOUBLE_FREE) return mb_layer_report(&hold->layer, error, "double free", p);
        if (!evict_one(hold, 0, NULL)) return mb_layer_passed(&hold->layer, mb_allocator_deallocate(hold->layer.base, p, bytes));
    }
}

static bool is_held(struct mb_hold *hold, const void *p) {
    mb_layer_lock(&hold->layer);
    bool held = mb_waiting_has(&hold->held, p);
    mb_layer_unlock(&hold->layer);
    return held;
}

static enum mb_error judge(struct mb_hold *hold, const void *p, size_t bytes) {
    if (is_held(hold, p)) return mb_layer_report(&hold->layer, MB_DOUBLE_FREE, "block is free already", p);
    enum mb_error error = mb_layer_judge(&hold->layer, p, bytes);
    return error == MB_OK ? MB_OK : mb_layer_report(&hold->layer, error, "invalid block", p);
}

// A block that is too long to wait must not be in the table already, which would be a double free; for other blocks the
// table notices that when they are added.
static enum mb_error add(struct mb_hold *hold, void *p, size_t bytes) {
    enum mb_error error = mb_layer_judge(&hold->layer, p, bytes);
    if (error != MB_OK) return mb_layer_report(&hold->layer, error, "invalid free", p);
    if (bytes > hold->held.budget_bytes) {
        if (is_held(hold, p)) return mb_layer_report(&hold->layer, MB_DOUBLE_FREE, "double free", p);
        return mb_layer_passed(&hold->layer, mb_allocator_deallocate(hold->layer.base, p, bytes));
    }
    error = add_or_pass(hold, p, bytes);
    while (error == MB_OK && evict_one(hold, hold->held.budget_bytes, p)) {}
    return error;
}

// --- all of them -----------------------------------------------------------------------------------------------------

size_t mb_hold_damaged(struct mb_hold *hold) {
    size_t damaged = 0;
    mb_layer_lock(&hold->layer);
    for (uint32_t i = 0; i < hold->held.blocks.count; i++)
        damaged += !mb_poison_intact((void *)hold->held.blocks.blocks[i].at, hold->held.blocks.blocks[i].bytes);
    mb_layer_unlock(&hold->layer);
    return damaged;
}

static void look_at_all(struct mb_hold *hold) {
    for (uint32_t i = 0; i < hold->held.blocks.count; i++) is_intact(hold, &hold->held.blocks.blocks[i]);
}

// 0 for a held block, which for the base is still live: so a layer above can recognise a double free.
static size_t usable_size(const struct mb_allocator *api, const void *p) {
    struct mb_hold *hold = (struct mb_hold *)mb_layer_of(api);
    return is_held(hold, p) ? 0 : mb_allocator_usable_size(hold->layer.base, p);
}

static enum mb_error reset(struct mb_allocator *api) {
    struct mb_hold *hold = (struct mb_hold *)mb_layer_of(api);
    if (!mb_allocator_can(api, MB_TRAIT_RESETS)) return mb_layer_passed(&hold->layer, mb_allocator_reset(hold->layer.base));
    look_at_all(hold); // afterwards they are gone
    enum mb_error error = mb_allocator_reset(hold->layer.base);
    if (error == MB_OK) mb_block_table_clear(&hold->held.blocks);
    return mb_layer_passed(&hold->layer, error);
}

static enum mb_error drop(struct mb_allocator *api) {
    struct mb_hold *hold = (struct mb_hold *)mb_layer_of(api);
    mb_hold_flush(hold);
    enum mb_error error = mb_layer_drop_base(&hold->layer);
    return error == MB_OK ? mb_block_table_drop(&hold->held.blocks) : error;
}

// --- the layer -------------------------------------------------------------------------------------------------------

static struct mb_hold *hold_of(const struct mb_allocator *api) { return (struct mb_hold *)mb_layer_of(api); }

static void *allocate(struct mb_allocator *api, size_t bytes, size_t align) {
    struct mb_hold *hold = hold_of(api);
    void *p = reuse(hold, bytes, align);
    if (p != NULL) return p;
    p = mb_allocator_allocate(hold->layer.base, bytes, align);
    if (p == NULL && mb_hold_flush(hold)) p = mb_allocator_allocate(hold->layer.base, bytes, align);
    return mb_layer_passed_block(&hold->layer, p);
}

static void *allocate_zeroed(struct mb_allocator *api, size_t bytes, size_t align) {
    struct mb_hold *hold = hold_of(api);
    void *p = reuse(hold, bytes, align);
    if (p != NULL) return memset(p, 0, bytes);
    p = mb_allocator_allocate_zeroed(hold->layer.base, bytes, align);
    if (p == NULL && mb_hold_flush(hold)) p = mb_allocator_allocate_zeroed(hold->layer.base, bytes, align);
    return mb_layer_passed_block(&hold->layer, p);
}

static enum mb_error deallocate(struct mb_allocator *api, void *p, size_t bytes) { return add(hold_of(api), p, bytes); }

static void *grow(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    if (judge(hold_of(api), p, old_bytes) != MB_OK) return NULL;
    return mb_layer_move(mb_layer_of(api), p, old_bytes, new_bytes, align);
}

// By the base: it never needs memory, and what it leaves behind is in place.
static void *shrink(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_hold *hold = hold_of(api);
    if (judge(hold, p, old_bytes) != MB_OK) return NULL;
    return mb_layer_passed_block(&hold->layer, mb_allocator_shrink(hold->layer.base, p, old_bytes, new_bytes, align));
}

static const struct mb_allocator_table CHANGED = {
    .traits = ~UINT32_C(0),
    .allocate = allocate,
    .allocate_zeroed = allocate_zeroed,
    .deallocate = deallocate,
    .grow = grow,
    .shrink = shrink,
    .usable_size = usable_size,
    .reset = reset,
    .drop = drop,
};

enum mb_error mb_hold_init(struct mb_hold *hold, struct mb_allocator *base, enum mb_policy policy, size_t budget_bytes,
                           enum mb_hold_use use) {
    if (!mb_allocator_can(base, MB_TRAIT_FREES) || mb_allocator_can(base, MB_TRAIT_ORDERED)) return MB_BAD_CONFIG;
    if (budget_bytes == 0) return MB_BAD_CONFIG;
    uint64_t seed;
    mb_os_random(&seed, sizeof seed);
    mb_layer_init(&hold->layer, &CHANGED, base, policy);
    mb_waiting_init(&hold->held, budget_bytes, seed, use == MB_HOLD_REUSES);
    return MB_OK;
}
