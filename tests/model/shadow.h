// The shadow map: what the test believes about every live block, kept outside the heap under test (static memory).
//
//   slots[i]   a block or empty (p == NULL); the slots are chosen at random by the driver
//   a treap over the live slots, by address: says at insertion whether a new block overlaps a live one
//
// Who: one thread.
// Invariant: live blocks [p, p + usable) are disjoint; live_bytes and live_count are their sums.
#ifndef MB_TESTS_MODEL_SHADOW_H
#define MB_TESTS_MODEL_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHADOW_SLOTS = 1 << 16 };
#define SHADOW_NONE UINT32_MAX

struct shadow_block {
    unsigned char *p;  // NULL: the slot is empty
    size_t asked;      // as last requested
    size_t usable;     // as the allocator reports it
    size_t align;      // as requested; 1 for the plain functions
    uint64_t tag;      // of the pattern in all usable bytes
    uint32_t left;     // treap: lower addresses
    uint32_t right;    //        higher addresses
    bool is_aligned;   // came from an aligned function and has not been through realloc since
};

extern struct shadow_block shadow_slots[SHADOW_SLOTS];
extern size_t shadow_live_bytes;   // sum of usable
extern size_t shadow_live_count;

// Enters slots[index], whose p and usable are set. Returns the slot of a live block that it overlaps, or SHADOW_NONE.
uint32_t shadow_insert(uint32_t index);

// Removes slots[index] from the map and marks it as empty.
void shadow_remove(uint32_t index);

#endif
