#include "core/hardened/blocks.h"

#include <string.h>

#include "core/hardened/large.h"
#include "core/hardened/small.h"
#include "core/hardened/wrong.h"
#include "core/process/fork.h"
#include "core/region/unit.h"
#include "platform/bits.h"

static void *copy_to_new(void *p, size_t length, size_t bytes) {
    void *fresh = mb_hard_alloc(MB_GRANULE, bytes);
    if (fresh == NULL) return NULL;
    memcpy(fresh, p, mb_min(length, bytes));
    mb_hard_free(p);
    return fresh;
}

static void *realloc_large(void *p, size_t length, size_t bytes) {
    unsigned class_index;
    bool small = mb_hard_small_class_of(MB_GRANULE, bytes, &class_index);
    if (small && bytes < length / 2) return copy_to_new(p, length, bytes);
    if (mb_hard_large_resize(mb_unit_of(p), p, bytes)) return p;
    if (bytes < length) return copy_to_new(p, length, bytes);
    void *fresh = mb_hard_large_move(mb_unit_of(p), p, bytes);
    if (fresh == NULL) return copy_to_new(p, length, bytes);
    mb_hard_free(p);
    return fresh;
}

// If the process goes on after a mistake, realloc returns a block: with the old contents if they are intact, else
// zeros.
MB_COLD static void *after_mistake(enum mb_hard_fault fault, const void *p, size_t length, size_t bytes) {
    void *fresh = mb_hard_alloc(MB_GRANULE, bytes);
    bool whole = fault == MB_HARD_OVERFLOW || fault == MB_HARD_UNDERFLOW;
    return fresh != NULL && whole ? memcpy(fresh, p, mb_min(length, bytes)) : fresh;
}

static void *resize_small(void *p, size_t bytes) {
    struct mb_hard_resize how = {.bytes = bytes, .will = MB_HARD_MAY};
    enum mb_hard_fault fault = mb_hard_small_resize(mb_unit_of(p), p, &how);
    if (MB_UNLIKELY(fault != MB_HARD_FINE)) {
        mb_hard_wrong(MB_OP_REALLOC, fault, p);
        return after_mistake(fault, p, how.old_bytes, bytes);
    }
    if (how.done) return p;
    void *fresh = copy_to_new(p, how.old_bytes, bytes);
    if (fresh != NULL || bytes > how.old_bytes) return fresh;
    how.will = MB_HARD_MUST; // a shrink that finds no shorter block keeps this one: it must not fail
    mb_hard_small_resize(mb_unit_of(p), p, &how);
    return p;
}

static void *resize_large(void *p, size_t bytes) {
    size_t length = mb_hard_large_of(mb_unit_of(p))->bytes;
    enum mb_hard_fault fault = mb_hard_large_length(mb_unit_of(p), p, &length);
    if (MB_UNLIKELY(fault != MB_HARD_FINE)) {
        mb_hard_wrong(MB_OP_REALLOC, fault, p);
        return after_mistake(fault, p, length, bytes);
    }
    if (bytes == length) return p;
    void *fresh = realloc_large(p, length, bytes);
    if (fresh != NULL || bytes > length) return fresh;
    mb_hard_large_resize(mb_unit_of(p), p, bytes);
    return p;
}

static void *resize(void *p, size_t bytes) {
    size_t length;
    enum mb_hard_place place = mb_hard_place_of(MB_OP_REALLOC, p);
    if (bytes - 1 >= PTRDIFF_MAX) {
        bool right = mb_hard_length_of(MB_OP_REALLOC, p, place, &length); // what is no live block is told first
        if (bytes != 0) return mb_hard_no_memory();
        if (right) mb_hard_free(p);
        return NULL;
    }
    if (place == MB_HARD_IN_SLAB) return resize_small(p, bytes);
    if (place == MB_HARD_IN_LARGE) return resize_large(p, bytes);
    return mb_hard_length_of(MB_OP_REALLOC, p, place, &length) ? copy_to_new(p, length, bytes) : mb_hard_alloc(MB_GRANULE, bytes);
}

void *mb_hard_realloc(void *p, size_t bytes) {
    if (p == NULL) return mb_hard_alloc(MB_GRANULE, bytes);
    mb_fork_check();
    return resize(p, bytes);
}
