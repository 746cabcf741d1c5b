// What: the shadow map's treap (Seidel, Aragon 1996). Links are slot numbers, priorities a hash of them, so the map
// needs no memory of its own and a replay builds the same tree.
#include "tests/model/shadow.h"

#include <string.h>

struct shadow_block shadow_slots[SHADOW_SLOTS];
size_t shadow_live_bytes;
size_t shadow_live_count;
static uint32_t root = SHADOW_NONE;

static uintptr_t start_of(uint32_t i) { return (uintptr_t)shadow_slots[i].p; }

// A block of no usable bytes still owns its address.
static uintptr_t end_of(uint32_t i) {
    size_t usable = shadow_slots[i].usable;
    return start_of(i) + (usable == 0 ? 1 : usable);
}

static uint32_t priority_of(uint32_t i) {
    uint32_t x = (i + 1) * 0x9e3779b1u;
    return (x ^ (x >> 15)) * 0x85ebca77u;
}

// Splits `tree` into addresses below and from `at` on.
static void split(uint32_t tree, uintptr_t at, uint32_t *low, uint32_t *high) {
    if (tree == SHADOW_NONE) {
        *low = *high = SHADOW_NONE;
    } else if (start_of(tree) < at) {
        split(shadow_slots[tree].right, at, &shadow_slots[tree].right, high);
        *low = tree;
    } else {
        split(shadow_slots[tree].left, at, low, &shadow_slots[tree].left);
        *high = tree;
    }
}

static uint32_t merge(uint32_t low, uint32_t high) {
    if (low == SHADOW_NONE) return high;
    if (high == SHADOW_NONE) return low;
    if (priority_of(low) > priority_of(high)) {
        shadow_slots[low].right = merge(shadow_slots[low].right, high);
        return low;
    }
    shadow_slots[high].left = merge(low, shadow_slots[high].left);
    return high;
}

// The live block with the highest start below `end`: the only one that can reach into [start, end) of a disjoint map.
static uint32_t last_before(uintptr_t end) {
    uint32_t found = SHADOW_NONE;
    for (uint32_t at = root; at != SHADOW_NONE;) {
        bool below = start_of(at) < end;
        if (below) found = at;
        at = below ? shadow_slots[at].right : shadow_slots[at].left;
    }
    return found;
}

uint32_t shadow_insert(uint32_t index) {
    uint32_t other = last_before(end_of(index));
    if (other != SHADOW_NONE && end_of(other) > start_of(index)) return other;
    uint32_t low;
    uint32_t high;
    shadow_slots[index].left = shadow_slots[index].right = SHADOW_NONE;
    split(root, start_of(index), &low, &high);
    root = merge(merge(low, index), high);
    shadow_live_bytes += shadow_slots[index].usable;
    shadow_live_count++;
    return SHADOW_NONE;
}

void shadow_remove(uint32_t index) {
    uint32_t low;
    uint32_t rest;
    uint32_t self;
    uint32_t high;
    split(root, start_of(index), &low, &rest);
    split(rest, start_of(index) + 1, &self, &high);
    root = merge(low, high);
    shadow_live_bytes -= shadow_slots[index].usable;
    shadow_live_count--;
    memset(&shadow_slots[index], 0, sizeof shadow_slots[index]);
}
