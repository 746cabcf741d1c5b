#include "core/layout/slab.h"

#include "core/base/check.h"
#include "core/base/mistake.h"
#include "core/region/arena.h"
#include "core/region/huge.h"
#include "platform/bits.h"
#include "platform/cpu.h"
#include "platform/os.h"
#include "platform/probe.h"

// --- set up and take down -------------------------------------------------------------------------------------------

static uint32_t multiplier_of(uint32_t bytes) { return (uint32_t)((UINT64_C(1) << 32) / bytes) + 1; }

// Exactly the starts of carved blocks satisfy (uint32_t)(offset * multiplier) < carved * bound_step.
static uint32_t bound_step(const struct mb_slab *slab) { return slab->block_bytes * slab->multiplier; }

// Allocates free bits and remote bits in metadata, on cache lines of their own. They stay with the unit; if it needs
// more later, it gets the largest size, so that at most two sets are ever made for a unit.
static bool make_more(struct mb_unit *unit, uint32_t words) {
    if (unit->slab.more_words >= 2 * words) return true;
    uint32_t wanted = unit->slab.more_words == 0 ? 2 * words : MB_MORE_BYTES_MAX / sizeof(uint64_t);
    uint64_t *more = mb_arena_metadata(wanted * sizeof *more, MB_LINE_PAIR);
    if (more == NULL) return false;
    unit->shared.more = more;
    unit->slab.more_words = wanted;
    return true;
}

static bool place_bits(struct mb_unit *unit, uint32_t capacity) {
    uint64_t *bits = unit->bits;
    uint32_t words = MB_INLINE_WORDS;
    if (capacity > MB_INLINE_BLOCKS) {
        words = (uint32_t)mb_align_up((capacity + 63) / 64, MB_INLINE_WORDS);
        if (!make_more(unit, words)) return false;
        bits = unit->shared.more;
    }
    for (uint32_t w = 0; w < 2 * words; w++) MB_POKE(bits[w], 0);
    MB_POKE(unit->slab.free_bits, bits);
    unit->slab.bit_words = (uint8_t)words;
    mb_slab_set_bits(unit, bits, words);
    return true;
}

struct mb_slab *mb_slab_setup(size_t unit_index, unsigned class_index, const void *token) {
    struct mb_unit *unit = mb_unit_at(unit_index);
    struct mb_slab *slab = &unit->slab;
    uint32_t bytes = mb_class_bytes(class_index);
    uint32_t capacity = MB_UNIT_BYTES / bytes;
    if (!place_bits(unit, capacity)) return NULL;
    unit->shared.reused = mb_unit_has_traces(unit);
    atomic_store_explicit(&unit->shared.sampled, 0, memory_order_relaxed);
    mb_arena_note_slab(unit_index);
    MB_POKE(slab->block_bytes, bytes);
    MB_POKE(slab->multiplier, multiplier_of(bytes));
    MB_POKE(slab->bound, 0);
    MB_POKE(slab->carved, 0);
    MB_POKE(slab->capacity, capacity);
    MB_POKE(slab->class_index, (uint8_t)class_index);
    slab->warm = false;
    mb_slab_set_heartbeat(slab);
    atomic_store_explicit(&unit->shared.home, NULL, memory_order_relaxed);
    atomic_store_explicit(&unit->shared.purged_pages, 0, memory_order_relaxed);
    MB_POKE(slab->owner, token);
    atomic_store_explicit(&unit->shared.remote, mb_remote_next(mb_remote_load(unit), MB_SLAB_CURRENT), memory_order_release);
    mb_unit_set_kind(unit, MB_UNIT_SLAB);
    MB_PROBE2(slab_new, bytes, mb_unit_address(unit_index));
    return slab;
}

void mb_slab_takedown(struct mb_unit *unit) {
    if (!unit->slab.warm && unit->slab.carved < unit->slab.capacity) mb_huge_slab_closed();
    MB_POKE(unit->upper.kind, (uint8_t)MB_UNIT_NONE); // where the bits were no large block begins
    mb_unit_set_kind(unit, MB_UNIT_NONE);
    MB_POKE(unit->slab.owner, NULL);
    MB_POKE(unit->slab.bound, 0);
    MB_POKE(unit->slab.capacity, MB_PEEK(unit->slab.carved)); // a report may ask
    MB_POKE(unit->slab.carved, 0);
    mb_slab_set_used(&unit->slab, 0, 0);
    mb_arena_forget_slab(mb_unit_index(unit));
}

// --- blocks ---------------------------------------------------------------------------------------------------------

// Of blocks of a page and more several are carved at once: a mask of one block would be empty after every malloc. A
// block that is carved and not handed out costs no page.
enum { CARVE_BLOCKS_MIN = 4, CARVE_BYTES_MIN = 16 << 10 };

static uint32_t blocks_to_carve(const struct mb_slab *slab, uint32_t capacity, uint32_t carved) {
    uint32_t left = capacity - carved;
    if (slab->warm || left == 0) return (uint32_t)mb_min(left, 64 - carved % 64);
    uintptr_t cursor = (uintptr_t)mb_slab_block(mb_slab_unit(slab), carved);
    uintptr_t page_end = mb_align_up(cursor + 1, mb_os_page_size());
    uint32_t fit = (uint32_t)((page_end - cursor) / slab->block_bytes);
    uint32_t least = (uint32_t)mb_max(1, mb_min(CARVE_BLOCKS_MIN, CARVE_BYTES_MIN / slab->block_bytes));
    return (uint32_t)mb_min(left, mb_max(fit, least));
}

bool mb_slab_surely_used(const struct mb_unit *unit, uint32_t carved, uint32_t index) {
    uint32_t bytes = MB_PEEK(unit->slab.block_bytes), start = 0, end = 0;
    if (bytes == 0 || index >= carved) return false;
    if (unit->shared.served == MB_ALL_SERVED) return true;
    while (end < carved && end < MB_UNIT_BYTES / bytes) {
        start = end;
        end += blocks_to_carve(&unit->slab, MB_UNIT_BYTES / bytes, start);
    }
    return index < start;
}

bool mb_slab_carve(struct mb_slab *slab) {
    uint32_t count = blocks_to_carve(slab, slab->capacity, slab->carved);
    if (count == 0) return false;
    uint32_t end = slab->carved + count;
    for (uint32_t i = slab->carved; i < end;) {
        unsigned offset = i % 64;
        unsigned part = (unsigned)mb_min(end - i, 64 - offset);
        MB_POKE(slab->free_bits[i / 64], MB_PEEK(slab->free_bits[i / 64]) | mb_bit_range(offset, part));
        i += part;
    }
    MB_POKE(slab->carved, end);
    MB_POKE(slab->bound, slab->bound + count * bound_step(slab));
    if (end == slab->capacity && !slab->warm) mb_huge_slab_closed();
    return true;
}

MB_COLD static void report_twice(const struct mb_unit *unit, uint32_t word, uint64_t both) {
    const void *p = mb_slab_block(unit, word * 64 + mb_ctz64(both));
    struct mb_mistake mistake = {
        .what = "double free", .called = MB_FREE_FOUND_LATER, .address = p, .start = p, .bytes = MB_PEEK(unit->slab.block_bytes)};
    mb_mistake_meet(&mistake);
}

// A bit is set on the owner's side before it goes on the other: a child of a fork between the two sees both
// (mb_slab_rebuild).
uint32_t mb_slab_collect(struct mb_slab *slab) {
    const struct mb_unit *unit = mb_slab_unit(slab);
    struct mb_slab_bits bits = mb_slab_bits(unit);
    uint32_t words = mb_slab_words(slab);
    uint32_t blocks = 0;
    for (uint32_t w = 0; w < words; w++) {
        uint64_t remote = mb_remote_bits(&bits, w);
        if (remote == 0) continue;
        uint64_t mine = MB_PEEK(slab->free_bits[w]);
        for (uint64_t both = mine & remote; MB_UNLIKELY(both != 0); both &= both - 1) report_twice(unit, w, both);
        MB_POKE(slab->free_bits[w], mine | remote);
        atomic_fetch_and_explicit(&bits.remote[w], ~remote, memory_order_acq_rel);
        blocks += (uint32_t)mb_count_bits(remote);
    }
    return blocks;
}

void mb_slab_count_used(struct mb_slab *slab) {
    uint32_t words = mb_slab_words(slab);
    uint32_t used = slab->carved;
    for (uint32_t w = 0; w < words; w++) {
        uint64_t bits = MB_PEEK(slab->free_bits[w]);
        if (bits != 0) used -= (uint32_t)mb_count_bits(bits); // most slabs that are let go are full
    }
    mb_slab_set_used(slab, used, used);
}

void mb_slab_rebuild(struct mb_slab *slab) {
    struct mb_slab_bits bits = mb_slab_bits(mb_slab_unit(slab));
    for (uint32_t w = 0; w < bits.words; w++) {
        uint64_t mine = w < mb_slab_words(slab) ? slab->free_bits[w] & mb_slab_full_word(slab->carved, w) : 0;
        MB_POKE(slab->free_bits[w], mine);
        atomic_fetch_and_explicit(&bits.remote[w], ~mine, memory_order_acq_rel);
    }
    slab->bound = slab->carved * bound_step(slab);
    mb_slab_count_used(slab);
}

void mb_slab_check(const struct mb_slab *slab) {
    if (!MB_CHECKS) return;
    const struct mb_unit *unit = mb_slab_unit(slab);
    uint32_t free = 0;
    for (uint32_t w = 0; w < mb_slab_words(slab); w++) free += (uint32_t)mb_count_bits(MB_PEEK(slab->free_bits[w]));
    bool current = mb_remote_state(mb_remote_load(unit)) == MB_SLAB_CURRENT;
    MB_ASSERT(slab->carved <= slab->capacity);
    MB_ASSERT(current || mb_slab_used(slab) == slab->carved - free);
    (void)free, (void)current;
}
