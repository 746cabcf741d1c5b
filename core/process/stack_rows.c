#include "core/process/stack_rows.h"

#include <stdatomic.h>

#include "core/base/rng.h"
#include "core/process/unwind_row.h"
#include "platform/bits.h"

// --- rows by address -------------------------------------------------------------------------------------------------

enum { ROWS = 2048 };

// The last word is mb_row_hash of the other words and of the record in the object's table. Any thread, relaxed.
struct row_shared {
    _Atomic uint64_t address, row[2], hash;
};
static struct row_shared rows_shared[ROWS];

static const uint64_t FACTOR = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t hash_bytes(uint64_t hash, const uint8_t *bytes, uint32_t count) {
    for (; count >= 8; bytes += 8, count -= 8) {
        hash = (hash ^ mb_word64_at(bytes)) * FACTOR;
        hash ^= hash >> 32;
    }
    if (count >= 4) hash = (hash ^ mb_word32_at(bytes)) * FACTOR, bytes += 4, count -= 4;
    for (; count > 0; bytes++, count--) hash = (hash ^ *bytes) * FACTOR;
    return hash;
}

static uint64_t hash_of(uintptr_t address, const uint64_t row[2], const struct mb_unwind_source *source) {
    uint64_t hash = (address ^ row[0]) * FACTOR + ((uintptr_t)source->fde ^ row[1]);
    hash = hash_bytes(hash ^ hash >> 32, source->fde, source->fde_bytes);
    return hash_bytes(hash, source->cie, source->cie_bytes);
}

static struct row_shared *slot_of(uintptr_t address) { return &rows_shared[mb_mix64(address) % ROWS]; }

static bool find(const void *table, uintptr_t address, struct mb_unwind_row *row) {
    const struct row_shared *slot = slot_of(address);
    if (atomic_load_explicit(&slot->address, memory_order_relaxed) != address) return false;
    const uint64_t words[2] = {atomic_load_explicit(&slot->row[0], memory_order_relaxed),
                               atomic_load_explicit(&slot->row[1], memory_order_relaxed)};
    struct mb_unwind_source source;
    __builtin_memcpy(row, words, sizeof *row);
    return mb_unwind_source_at(table, row->place, address, &source) &&
           hash_of(address, words, &source) == atomic_load_explicit(&slot->hash, memory_order_relaxed);
}

static void keep(uintptr_t address, const struct mb_unwind_row *row, const struct mb_unwind_source *source) {
    struct row_shared *slot = slot_of(address);
    uint64_t words[2];
    __builtin_memcpy(words, row, sizeof *row);
    atomic_store_explicit(&slot->address, address, memory_order_relaxed);
    atomic_store_explicit(&slot->row[0], words[0], memory_order_relaxed);
    atomic_store_explicit(&slot->row[1], words[1], memory_order_relaxed);
    atomic_store_explicit(&slot->hash, hash_of(address, words, source), memory_order_relaxed);
}

static MB_NOINLINE struct mb_unwind_row read(const void *table, uintptr_t address) {
    struct mb_unwind_row row = {.kind = MB_ROW_UNKNOWN};
    struct mb_unwind_source source;
    uint32_t place = 0;
    if (!mb_unwind_place_of(table, address, &place) || !mb_unwind_source_at(table, place, address, &source)) return row;
    row = mb_unwind_row_of(&source, address);
    row.place = place;
    keep(address, &row, &source);
    return row;
}

// --- steps -----------------------------------------------------------------------------------------------------------

static uintptr_t load(uintptr_t at, int32_t offset) { return *(const uintptr_t *)(at + (uintptr_t)(ptrdiff_t)offset); }

static enum mb_stack_step up(struct mb_stack_walk *walk, const struct mb_unwind_row *row) {
    if (row->cfa_is_of_frame != 0 && !walk->frame_known) return MB_STEP_UNKNOWN;
    uintptr_t cfa = (row->cfa_is_of_frame != 0 ? walk->at.frame : walk->at.stack) + (uintptr_t)(ptrdiff_t)row->cfa_offset;
    if (!mb_is_aligned(cfa, sizeof(void *))) return MB_STEP_UNKNOWN;
    if (row->cfa_is_stored != 0) cfa = load(cfa, 0);
    if (cfa <= walk->at.stack || !mb_is_aligned(cfa, sizeof(void *))) return MB_STEP_UNKNOWN;
    if (row->frame == MB_FRAME_AT_CFA) walk->at.frame = load(cfa, row->frame_offset);
    if (row->frame == MB_FRAME_AT_FRAME) walk->at.frame = load(walk->at.frame, row->frame_offset);
    walk->frame_known = row->frame == MB_FRAME_AT_CFA || (walk->frame_known && row->frame != MB_FRAME_LOST);
    walk->at.instruction = load(cfa, row->return_offset);
    walk->at.stack = cfa;
    walk->is_call = true;
    return walk->at.instruction == 0 ? MB_STEP_END : MB_STEP_UP;
}

static bool is_in(const struct mb_object *object, uintptr_t address) {
    return address - (uintptr_t)object->start < (uintptr_t)object->end - (uintptr_t)object->start;
}

enum mb_stack_step mb_stack_step(struct mb_stack_walk *walk) {
    uintptr_t address = walk->at.instruction - (walk->is_call ? 1 : 0);
    struct mb_unwind_row row;
    if (!is_in(&walk->object, address)) {
        walk->object.start = walk->object.end = NULL;
        if (mb_unwind_find_object((const void *)address, &walk->object) != 0) return MB_STEP_UNKNOWN;
    }
    const void *table = walk->object.unwind_table;
    if (mb_object_ends_stack(&walk->object)) return MB_STEP_END;
    if (!find(table, address, &row)) row = read(table, address);
    return row.kind == MB_ROW_CALLER ? up(walk, &row) : row.kind == MB_ROW_END ? MB_STEP_END : MB_STEP_UNKNOWN;
}
