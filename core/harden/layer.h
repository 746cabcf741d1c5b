// What all wrapping layers have in common: an allocator that passes every call on to another one.
//
// What: a layer embeds `struct mb_layer` first, names the operations it changes, and gets forwarding ones for the rest.
// The table is the layer's own, because its traits depend on what it wraps. A layer owns its base: dropping it drops
// the base.
// Who: as the base: any thread where it has MB_TRAIT_SHARED (the layer then locks what it keeps), else one owner
// thread.
// Invariant: no layer calls its base while it holds its lock.
#ifndef MB_CORE_HARDEN_LAYER_H
#define MB_CORE_HARDEN_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/allocator.h"
#include "core/base/lock.h"

struct mb_layer {
    struct mb_allocator api;
    struct mb_allocator *base;
    struct mb_allocator_table table; // what api.table points to
    struct mb_range_table range;     // what table.range points to, over a base that has one
    enum mb_policy policy;
    enum mb_error error;  // of the last call that failed; relaxed where shared
    uint64_t damage;      // what this layer has found; written by any caller, read by any thread; relaxed
    struct mb_lock_shared lock;
    void *owner;          // of whoever put the layer here; the layer does not look at it
};

// Wraps `base`: operations that `changed` leaves NULL are forwarded, traits that the base has and changed->traits names
// are kept.
void mb_layer_init(struct mb_layer *layer, const struct mb_allocator_table *changed, struct mb_allocator *base,
                   enum mb_policy policy);

// Reads a config of another version: `given` starts with its size_t size. False when it is too short or asks for what
// we do not know. `known` is the size of ours, `least` that of the first version.
bool mb_config_read(const void *given, void *out, size_t known, size_t least);

MB_INLINE struct mb_layer *mb_layer_of(const struct mb_allocator *api) { return (struct mb_layer *)(uintptr_t)api; }

MB_INLINE void mb_layer_lock(struct mb_layer *layer) {
    if (mb_allocator_can(&layer->api, MB_TRAIT_SHARED)) mb_lock(&layer->lock);
}
MB_INLINE void mb_layer_unlock(struct mb_layer *layer) {
    if (mb_allocator_can(&layer->api, MB_TRAIT_SHARED)) mb_unlock(&layer->lock);
}

// Stores the error of a call that fails, and returns it. Clears the error of an earlier call that mb_allocator_judge
// had refused, which is no longer the last one.
MB_INLINE enum mb_error mb_layer_fail(struct mb_layer *layer, enum mb_error error) {
    __atomic_store_n(&layer->api.refused, MB_OK, __ATOMIC_RELAXED);
    __atomic_store_n(&layer->error, error, __ATOMIC_RELAXED);
    return error;
}
// As above for the result of a call of the base.
MB_INLINE enum mb_error mb_layer_passed(struct mb_layer *layer, enum mb_error error) {
    return error == MB_OK ? MB_OK : mb_layer_fail(layer, error);
}
MB_INLINE void *mb_layer_passed_block(struct mb_layer *layer, void *p) {
    if (MB_UNLIKELY(p == NULL)) mb_layer_fail(layer, mb_allocator_last_error(layer->base));
    return p;
}

// Damage or misuse at p: counts damage (MB_CORRUPT, MB_DOUBLE_FREE), says so as the policy wants, aborts under
// MB_POLICY_ABORT. Returns the error.
enum mb_error mb_layer_report(struct mb_layer *layer, enum mb_error error, const char *what, const void *p);

// Whether the base can tell that p is no live block of `bytes` bytes; MB_OK when it cannot tell.
enum mb_error mb_layer_judge(const struct mb_layer *layer, const void *p, size_t bytes);

// grow and shrink as a fresh block, a copy and a deallocation through the layer's own operations.
void *mb_layer_move(struct mb_layer *layer, void *p, size_t old_bytes, size_t new_bytes, size_t align);

// Drops the base.
enum mb_error mb_layer_drop_base(struct mb_layer *layer);

#endif
