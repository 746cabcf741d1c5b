#include "core/told/report.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "core/base/mistake.h"
#include "core/layout/slab.h"
#include "core/region/arena.h"
#include "core/region/large_record.h"
#include "core/told/options.h"

// --- words -----------------------------------------------------------------------------------------------------------

const char *mb_operation_name(enum mb_operation operation) {
    static const char *const names[] = {"free", "free_sized", "free_aligned_sized", "realloc", "malloc_usable_size", "mb_check", "exit"};
    return names[operation];
}

const char *mb_fault_text(enum mb_operation operation, enum mb_fault fault) {
    static const char *const free_texts[] = {"invalid free (interior pointer)",
                                             "invalid free (not a heap block)",
                                             "invalid free (misaligned pointer)",
                                             "invalid free (never handed out)",
                                             "double free",
                                             "invalid free: not allocated (freed already, or never handed out)"};
    static const char *const realloc_texts[] = {"invalid realloc (interior pointer)",
                                                "invalid realloc (not a heap block)",
                                                "invalid realloc (misaligned pointer)",
                                                "invalid realloc (never handed out)",
                                                "realloc of a freed block",
                                                "invalid realloc: not allocated (freed already, or never handed out)"};
    static const char *const size_texts[] = {"invalid usable_size (interior pointer)",
                                             "invalid usable_size (not a heap block)",
                                             "invalid usable_size (misaligned pointer)",
                                             "invalid usable_size (never handed out)",
                                             "usable_size of a freed block",
                                             "invalid usable_size: not allocated (freed already, or never handed out)"};
    if (operation == MB_OP_REALLOC) return realloc_texts[fault];
    return operation == MB_OP_USABLE_SIZE ? size_texts[fault] : free_texts[fault];
}

// --- where an address lies -------------------------------------------------------------------------------------------

struct place {
    enum mb_fault fault;
    const void *start; // of the block there; NULL: none
    size_t bytes;      // as in struct mb_mistake
};

static enum mb_fault unused_unless(bool reused) { return reused ? MB_FAULT_UNCLEAR : MB_FAULT_UNUSED; }

static struct place in_slab(const struct mb_unit *unit, const void *p) {
    uint32_t block_bytes = MB_PEEK(unit->slab.block_bytes);
    if (block_bytes == 0) return (struct place){MB_FAULT_UNUSED, NULL, 0};
    uint32_t index = mb_unit_offset(p) / block_bytes;
    if (index >= MB_PEEK(unit->slab.carved)) return (struct place){unused_unless(unit->shared.reused != 0), NULL, block_bytes};
    return (struct place){MB_FAULT_INTERIOR, mb_slab_block(unit, index), block_bytes};
}

// A large block may end before what it has does.
static struct place in_large(const struct mb_slab *large, const void *p) {
    const char *start = mb_large_start(large);
    size_t bytes = MB_PEEK(large->large_bytes);
    bool inside = (size_t)((const char *)p - start) < bytes;
    return (struct place){inside ? MB_FAULT_INTERIOR : unused_unless(mb_unit_has_traces(mb_unit_of(p))), start, bytes};
}

// Finds out what a free unit was before: a slab leaves the size and number of its blocks (mb_slab_takedown), a large
// block its record.
static struct place in_free_unit(struct mb_unit *unit, const void *p) {
    uint32_t block_bytes = MB_PEEK(unit->slab.block_bytes), offset = mb_unit_offset(p);
    if (block_bytes != 0) {
        bool was_block = offset % block_bytes == 0 && mb_slab_surely_used(unit, MB_PEEK(unit->slab.capacity), offset / block_bytes);
        return (struct place){was_block ? MB_FAULT_FREED : MB_FAULT_UNCLEAR, was_block ? p : NULL, block_bytes};
    }
    const struct mb_slab *far = offset == 0 ? mb_large_long_slot(mb_unit_index(unit)) : NULL;
    const struct mb_slab *large = far != NULL ? far : mb_large_slot(unit, offset);
    size_t large_bytes = MB_PEEK(large->large_bytes);
    if (large_bytes != 0 && mb_large_begins_at(large, offset)) return (struct place){MB_FAULT_FREED, p, large_bytes};
    return (struct place){unused_unless(mb_unit_has_traces(unit)), NULL, 0};
}

static struct place place_of(const void *p) {
    struct mb_unit *unit = mb_unit_of(p);
    if (mb_unit_kind(unit) == MB_UNIT_SLAB) return in_slab(unit, p);
    if (mb_unit_kind(unit) == MB_UNIT_HOLE) return (struct place){MB_FAULT_FOREIGN, NULL, 0};
    const struct mb_slab *large = mb_large_around(p);
    return large != NULL ? in_large(large, p) : in_free_unit(unit, p);
}

static bool is_crooked(const void *p) { return (uintptr_t)p % MB_GRANULE != 0; }

static struct mb_mistake mistake_of(enum mb_operation operation, struct place place, const void *p) {
    if (is_crooked(p) && place.start == NULL) place.fault = MB_FAULT_CROOKED;
    return (struct mb_mistake){.what = mb_fault_text(operation, place.fault),
                               .called = mb_operation_name(operation),
                               .address = p,
                               .start = place.start,
                               .bytes = place.bytes};
}

// --- reports ---------------------------------------------------------------------------------------------------------

MB_COLD void mb_report_inside(enum mb_operation operation, const void *p) {
    struct mb_mistake mistake = mistake_of(operation, place_of(p), p);
    mb_mistake_meet(&mistake);
}

MB_COLD void mb_report_outside(enum mb_operation operation, const void *p, const void *start, size_t bytes) {
    struct place place = {start != NULL ? MB_FAULT_INTERIOR : MB_FAULT_FOREIGN, start, bytes};
    struct mb_mistake mistake = mistake_of(operation, place, p);
    mb_mistake_meet(&mistake);
}

static struct place freed_place(enum mb_fault fault, const void *p) {
    struct place place = mb_space_contains(p) ? place_of(p) : (struct place){.bytes = 0};
    return (struct place){fault, place.start == p && fault != MB_FAULT_UNUSED ? p : NULL, place.start == p ? place.bytes : 0};
}

MB_COLD void mb_report_block(enum mb_operation operation, enum mb_fault fault, const void *p) {
    struct mb_mistake mistake = mistake_of(operation, freed_place(fault, p), p);
    mb_mistake_meet(&mistake);
}

MB_COLD void mb_report_freed(enum mb_operation operation, const void *p) { mb_report_block(operation, MB_FAULT_FREED, p); }

MB_COLD _Noreturn void mb_report_freed_at_once(const void *p) {
    struct mb_mistake mistake = mistake_of(MB_OP_FREE, freed_place(MB_FAULT_FREED, p), p);
    mb_mistake_end(&mistake);
}

// --- what a process may survive --------------------------------------------------------------------------------------

static struct {
    _Atomic bool claim_told, question_told; // set once by any thread, relaxed
} told_shared;

static void tell_once(const struct mb_mistake *mistake, _Atomic bool *told) {
    if (mb_option.sized == MB_SIZED_ABORT) mb_mistake_end(mistake);
    if (mb_option.sized == MB_SIZED_IGNORE || atomic_exchange_explicit(told, true, memory_order_relaxed)) return;
    mb_mistake_tell(mistake);
}

MB_COLD void mb_report_claim(const void *p, size_t block_bytes, struct mb_claim claim) {
    enum mb_operation operation = claim.align != 0 ? MB_OP_FREE_ALIGNED_SIZED : MB_OP_FREE_SIZED;
    struct mb_mistake mistake = {.what = "sized free with wrong size",
                                 .called = mb_operation_name(operation),
                                 .address = p,
                                 .start = p,
                                 .bytes = block_bytes,
                                 .given = &claim.bytes,
                                 .given_align = claim.align};
    tell_once(&mistake, &told_shared.claim_told);
}

MB_COLD void mb_report_question(const void *p, enum mb_fault of_block) {
    struct place place = mb_space_contains(p) ? place_of(p) : (struct place){.fault = MB_FAULT_FOREIGN};
    if (place.start == p && place.fault == MB_FAULT_INTERIOR) place.fault = of_block;
    struct mb_mistake mistake = mistake_of(MB_OP_USABLE_SIZE, place, p);
    tell_once(&mistake, &told_shared.question_told);
}
