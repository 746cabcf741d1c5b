#include "core/hardened/slab.h"

#include <string.h>

#include "core/hardened/wall.h"
#include "platform/bits.h"
#include "platform/os.h"

// --- layout -----------------------------------------------------------------------------------------------------------

static size_t usable_bytes(unsigned class_index) {
    return class_index == MB_HARD_ZERO_CLASS ? MB_UNIT_BYTES : MB_UNIT_BYTES - mb_os_page_size();
}

uint32_t mb_hard_slots_of(unsigned class_index) { return (uint32_t)(usable_bytes(class_index) / mb_hard_slot_bytes(class_index)); }

static size_t bit_words(uint32_t slots) { return (slots + 63) / 64; }

static size_t bits_and_notes_bytes(uint32_t slots) {
    return 3 * bit_words(slots) * sizeof(uint64_t) + mb_align_up(slots * sizeof(uint16_t), sizeof(uint64_t));
}

size_t mb_hard_record_bytes(unsigned class_index) {
    uint32_t slots = mb_hard_slots_of(class_index);
    return bits_and_notes_bytes(slots) + (mb_trace_is_on() ? slots * sizeof(struct mb_hard_past) : 0);
}

static enum mb_wall put_up_wall(size_t unit_index, unsigned class_index) {
    char *unit = (char *)mb_unit_address(unit_index);
    if (class_index == MB_HARD_ZERO_CLASS) return mb_wall_up(unit, MB_UNIT_BYTES, true);
    if (!mb_wall_wanted(unit_index)) return MB_WALL_NONE;
    return mb_wall_up(unit + usable_bytes(class_index), mb_os_page_size(), false);
}

struct mb_hard_slab *mb_hard_slab_set_up(size_t unit_index, unsigned class_index, unsigned shard, uint64_t salt, void *record) {
    struct mb_unit *unit = mb_unit_at(unit_index);
    struct mb_hard_slab *slab = mb_hard_slab_of(unit);
    uint32_t slots = mb_hard_slots_of(class_index), bytes = mb_hard_slot_bytes(class_index);
    size_t words = bit_words(slots);
    memset(record, 0, mb_hard_record_bytes(class_index));
    *slab = (struct mb_hard_slab){.salt = salt,
                                  .live = record,
                                  .used = (uint64_t *)record + words,
                                  .ready = (uint64_t *)record + 2 * words,
                                  .notes = (uint16_t *)(void *)((uint64_t *)record + 3 * words),
                                  .pasts = mb_trace_is_on() ? (void *)((char *)record + bits_and_notes_bytes(slots)) : NULL,
                                  .slot_bytes = bytes,
                                  .multiplier = (uint32_t)((UINT64_C(1) << 32) / bytes) + 1,
                                  .slots = slots,
                                  .class_index = (uint8_t)class_index,
                                  .shard = (uint8_t)shard,
                                  .wall = (uint8_t)put_up_wall(unit_index, class_index)};
    mb_hard_set_units(unit, 1);
    mb_unit_set_kind(unit, MB_UNIT_HARD_SLAB);
    return slab;
}

// --- choosing ---------------------------------------------------------------------------------------------------------

enum { OPEN_FREE_SHARE = 8, SCANS_IN_DELAY = 4 };

static void set_ready(struct mb_hard_slab *slab, uint32_t from, uint32_t to) {
    for (uint32_t slot = from; slot < to; slot++) slab->ready[slot / 64] |= UINT64_C(1) << (slot % 64);
}

// To the end of the page in which the first slot ends that is not opened.
static void open_more(struct mb_hard_slab *slab) {
    size_t end = mb_align_up((size_t)(slab->opened + 1) * slab->slot_bytes, mb_os_page_size());
    uint32_t from = slab->opened;
    slab->opened = (uint32_t)mb_min(end / slab->slot_bytes, slab->slots);
    set_ready(slab, from, slab->opened);
}

static unsigned any_bit(uint64_t bits, unsigned turn) {
    uint64_t turned = turn == 0 ? bits : bits >> turn | bits << (64 - turn);
    return (mb_ctz64(turned) + turn) % 64;
}

// The first word with a ready slot from a random one on, and a random one of these.
static uint32_t any_ready(const struct mb_hard_slab *slab, struct mb_rng *rng) {
    uint64_t random = mb_rng_next(rng);
    uint32_t words = (slab->opened + 63) / 64;
    uint32_t word = (uint32_t)((random >> 32) * words >> 32);
    for (uint32_t i = 0; i < words; i++) {
        uint64_t bits = slab->ready[word];
        if (bits != 0) return word * 64 + any_bit(bits, (unsigned)random % 64);
        word = word + 1 == words ? 0 : word + 1;
    }
    return MB_HARD_NO_SLOT;
}

// Freed slots that have waited long enough become ready.
static void scan(struct mb_hard_slab *slab, uint32_t count, uint32_t delay) {
    if (count - slab->scanned_at < delay / SCANS_IN_DELAY) return;
    slab->scanned_at = count;
    for (uint32_t word = 0; word * 64 < slab->opened; word++) {
        uint64_t waiting = ~(slab->live[word] | slab->ready[word]) & slab->used[word];
        for (; waiting != 0; waiting &= waiting - 1) {
            uint32_t slot = word * 64 + mb_ctz64(waiting);
            if ((uint16_t)(count - slab->notes[slot]) >= delay) slab->ready[word] |= waiting & (0 - waiting);
        }
    }
}

uint32_t mb_hard_slab_pick(struct mb_hard_slab *slab, struct mb_rng *rng, uint32_t count, uint32_t delay) {
    if ((slab->opened - slab->live_count) * OPEN_FREE_SHARE <= slab->opened && slab->opened < slab->slots) open_more(slab);
    uint32_t slot = any_ready(slab, rng);
    if (MB_LIKELY(slot != MB_HARD_NO_SLOT)) return slot;
    scan(slab, count, delay);
    slot = any_ready(slab, rng);
    if (slot != MB_HARD_NO_SLOT || slab->opened == slab->slots) return slot;
    open_more(slab);
    return any_ready(slab, rng);
}

// --- one slot ---------------------------------------------------------------------------------------------------------

static bool is_touchable(const struct mb_hard_slab *slab) { return slab->class_index != MB_HARD_ZERO_CLASS; }

bool mb_hard_slot_is_clean(struct mb_hard_slab *slab, uint32_t slot) {
    return !is_touchable(slab) || mb_slack_is_zero(mb_hard_slot(slab, slot), slab->slot_bytes);
}

void mb_hard_slot_take(struct mb_hard_slab *slab, uint32_t slot, size_t bytes) {
    slab->notes[slot] = (uint16_t)bytes;
    if (is_touchable(slab)) mb_slack_fill(slab->salt, mb_hard_slot(slab, slot), bytes, slab->slot_bytes);
    slab->used[slot / 64] |= UINT64_C(1) << (slot % 64);
    slab->live[slot / 64] |= UINT64_C(1) << (slot % 64);
    slab->ready[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
    slab->live_count++;
}

void mb_hard_slot_give(struct mb_hard_slab *slab, uint32_t slot, uint32_t count) {
    if (is_touchable(slab)) {
        char *p = mb_hard_slot(slab, slot);
        size_t bytes = slab->notes[slot];
        memset(p, 0, bytes);
        mb_slack_clear(p, bytes, slab->slot_bytes);
    }
    slab->live[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
    slab->notes[slot] = (uint16_t)count;
    slab->live_count--;
}

// What the system refuses, or only says it has done, is zero all the same.
void mb_hard_slot_drop(struct mb_hard_slab *slab, uint32_t slot) {
    size_t page = mb_os_page_size();
    uintptr_t from = (uintptr_t)mb_hard_slot(slab, slot), to = mb_align_down(from + slab->slot_bytes, page);
    from = mb_align_up(from, page);
    if (from < to) mb_os_purge((void *)from, to - from);
}

void mb_hard_slot_resize(struct mb_hard_slab *slab, uint32_t slot, size_t bytes) {
    char *p = mb_hard_slot(slab, slot);
    size_t old = slab->notes[slot];
    if (bytes == old) return;
    mb_slack_clear(p, old, slab->slot_bytes);
    if (bytes < old) memset(p + bytes, 0, old - bytes);
    slab->notes[slot] = (uint16_t)bytes;
    mb_slack_fill(slab->salt, p, bytes, slab->slot_bytes);
}

// --- looking ----------------------------------------------------------------------------------------------------------

// The last word of the slot before is slack of a live block, or zero.
static bool is_intact_before(struct mb_hard_slab *slab, uint32_t slot) {
    if (slot == 0) return true;
    const char *p = mb_hard_slot(slab, slot - 1);
    uint64_t found = mb_slack_load(p + slab->slot_bytes - 8);
    if (!mb_hard_bit(slab->live, slot - 1)) return found == 0;
    return slab->notes[slot - 1] == MB_HARD_NOTE_LOST || found == mb_slack_word(slab->salt, p);
}

static enum mb_hard_fault examine_live(struct mb_hard_slab *slab, uint32_t slot) {
    if (!is_touchable(slab)) return MB_HARD_FINE;
    const char *p = mb_hard_slot(slab, slot);
    if (!mb_slack_is_intact(slab->salt, p, slab->notes[slot], slab->slot_bytes)) return MB_HARD_OVERFLOW;
    return is_intact_before(slab, slot) ? MB_HARD_FINE : MB_HARD_UNDERFLOW;
}

enum mb_hard_fault mb_hard_slab_examine(struct mb_hard_slab *slab, uint32_t offset, uint32_t *slot) {
    bool start;
    *slot = mb_hard_slot_at(slab, offset, &start);
    if (*slot >= slab->slots || !mb_hard_bit(slab->used, *slot)) return MB_HARD_NEVER;
    if (!start) return MB_HARD_INTERIOR;
    bool live = mb_hard_bit(slab->live, *slot) && slab->notes[*slot] != MB_HARD_NOTE_LOST;
    return live ? examine_live(slab, *slot) : MB_HARD_FREED;
}

uint32_t mb_hard_slab_find_dirty(struct mb_hard_slab *slab) {
    for (uint32_t slot = 0; slot < slab->opened; slot++)
        if (!mb_hard_bit(slab->live, slot) && !mb_hard_slot_is_clean(slab, slot)) return slot;
    return MB_HARD_NO_SLOT;
}
