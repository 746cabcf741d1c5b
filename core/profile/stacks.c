// Call stacks, each once: chains by hash, made without a lock. Two threads that meet the same new stack may both make
// it; readers add up.
#include <string.h>

#include "core/base/rng.h"
#include "core/profile/table.h"
#include "platform/bits.h"

enum { FRAME_LOST = 1, STACK_ALIGN = 16 };

// --- frames ----------------------------------------------------------------------------------------------------------

static uint32_t frame_of(struct mb_profile_table_shared *table, uintptr_t address) {
    uint64_t start = mb_mix64(address);
    for (unsigned i = 0; i < MB_PROBES; i++) {
        uint32_t index = (uint32_t)(start + i) % MB_PROFILE_FRAMES;
        if (index <= FRAME_LOST) continue;
        uintptr_t seen = atomic_load_explicit(&table->frame[index], memory_order_relaxed);
        if (seen == 0)
            atomic_compare_exchange_strong_explicit(&table->frame[index], &seen, address, memory_order_relaxed, memory_order_relaxed);
        if (seen == 0 || seen == address) return index;
    }
    atomic_fetch_add_explicit(&table->lost_frames, 1, memory_order_relaxed);
    return FRAME_LOST;
}

// --- stacks ----------------------------------------------------------------------------------------------------------

static uint32_t find(struct mb_profile_table_shared *table, uint32_t offset, uint32_t hash, const uint32_t *frame, unsigned count) {
    for (; offset != 0; offset = mb_profile_stack_at(table, offset)->next) {
        const struct mb_profile_stack *stack = mb_profile_stack_at(table, offset);
        if (stack->hash != hash || stack->frames != count) continue;
        unsigned i = 0;
        while (i < count && stack->frame[i] == frame[i]) i++;
        if (i == count) return offset;
    }
    return 0;
}

static uint32_t make(struct mb_profile_table_shared *table, uint32_t hash, const uint32_t *frame, unsigned count) {
    uint32_t bytes = (uint32_t)mb_align_up(sizeof(struct mb_profile_stack) + count * sizeof *frame, STACK_ALIGN);
    uint32_t offset = atomic_load_explicit(&table->used, memory_order_relaxed);
    do {
        if (offset + bytes > MB_STACK_BYTES) return 0;
    } while (!atomic_compare_exchange_weak_explicit(&table->used, &offset, offset + bytes, memory_order_relaxed, memory_order_relaxed));
    struct mb_profile_stack *stack = mb_profile_stack_at(table, offset);
    stack->hash = hash;
    stack->frames = count;
    memset(stack->of, 0, sizeof stack->of); // somebody may be late with a sample of an earlier session
    for (unsigned i = 0; i < count; i++) stack->frame[i] = frame[i];
    _Atomic uint32_t *head = &table->head[hash % MB_HEADS];
    uint32_t first = atomic_load_explicit(head, memory_order_relaxed);
    do {
        stack->next = first;
    } while (!atomic_compare_exchange_weak_explicit(head, &first, offset, memory_order_release, memory_order_relaxed));
    return offset;
}

uint32_t mb_profile_stack_of(struct mb_profile_table_shared *table, const uintptr_t *address, unsigned count) {
    uint32_t frame[MB_PROBES];
    uint64_t hash = count;
    if (count == 0) return 0;
    for (unsigned i = 0; i < count; i++) {
        frame[i] = frame_of(table, address[i]);
        hash = mb_mix64(hash ^ frame[i]);
    }
    uint32_t first = atomic_load_explicit(&table->head[(uint32_t)hash % MB_HEADS], memory_order_acquire);
    uint32_t found = find(table, first, (uint32_t)hash, frame, count);
    if (found == 0) found = make(table, (uint32_t)hash, frame, count);
    if (found == 0) atomic_fetch_add_explicit(&table->lost_stacks, 1, memory_order_relaxed);
    return found;
}

void mb_profile_each(struct mb_profile_table_shared *table, void (*visit)(void *context, struct mb_profile_stack *stack), void *context) {
    visit(context, mb_profile_stack_at(table, 0));
    for (unsigned i = 0; i < MB_HEADS; i++) {
        uint32_t offset = atomic_load_explicit(&table->head[i], memory_order_acquire);
        for (; offset != 0; offset = mb_profile_stack_at(table, offset)->next) visit(context, mb_profile_stack_at(table, offset));
    }
}
