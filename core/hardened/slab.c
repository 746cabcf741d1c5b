#include "core/hardened/slab.h"

#include <string.h>

#include "core/hardened/slot.h"
#include "core/hardened/wall.h"
#include "platform/bits.h"
#include "platform/os.h"

// --- layout ----------------------------------------------------------------------------------------------------------

static bool has_guard(unsigned class_index) { return class_index != MB_HARD_ZERO_CLASS && mb_os_page_size() < MB_UNIT_BYTES; }

size_t mb_hard_slab_usable_bytes(unsigned class_index) {
    return has_guard(class_index) ? MB_UNIT_BYTES - mb_os_page_size() : MB_UNIT_BYTES;
}

uint32_t mb_hard_slots_of(unsigned class_index) {
    return (uint32_t)(mb_hard_slab_usable_bytes(class_index) / mb_hard_slot_bytes(class_index));
}

static size_t bit_words(uint32_t slots) { return (slots + 63) / 64; }

static size_t bits_and_notes_bytes(uint32_t slots) { return bit_words(slots) * (3 * sizeof(uint64_t) + 64 * sizeof(uint16_t)); }

size_t mb_hard_record_bytes(unsigned class_index) {
    uint32_t slots = mb_hard_slots_of(class_index);
    return bits_and_notes_bytes(slots) + (mb_trace_is_on() ? slots * sizeof(struct mb_hard_past) : 0);
}

// Slots of two pages and more are shut until their turn comes: `shut`.
static enum mb_wall put_up_wall(size_t unit_index, unsigned class_index, uint64_t *shut) {
    char *unit = (char *)mb_unit_address(unit_index);
    if (class_index == MB_HARD_ZERO_CLASS) return mb_wall_up(unit, MB_UNIT_BYTES, true);
    if (mb_hard_is_big(mb_hard_slot_bytes(class_index)) && mb_wall_by_advice(unit, MB_UNIT_BYTES)) {
        *shut = ~UINT64_C(0);
        return MB_WALL_ADVICE;
    }
    if (!has_guard(class_index) || !mb_wall_wanted(unit_index)) return MB_WALL_NONE;
    return mb_wall_up(unit + mb_hard_slab_usable_bytes(class_index), mb_os_page_size(), false);
}

struct mb_hard_slab *mb_hard_slab_set_up(size_t unit_index, uint32_t class_number, uint64_t salt, void *record) {
    unsigned class_index = class_number / MB_HARD_SHARDS;
    struct mb_unit *unit = mb_unit_at(unit_index);
    struct mb_hard_slab *slab = mb_hard_slab_of(unit);
    uint32_t slots = mb_hard_slots_of(class_index), bytes = mb_hard_slot_bytes(class_index);
    size_t words = bit_words(slots);
    uint64_t shut = 0;
    enum mb_wall wall = put_up_wall(unit_index, class_index, &shut);
    memset(record, 0, mb_hard_record_bytes(class_index));
    *slab = (struct mb_hard_slab){.salt = salt,
                                  .start = (char *)mb_unit_address(unit_index),
                                  .live = record,
                                  .used = (uint64_t *)record + words,
                                  .ready = (uint64_t *)record + 2 * words,
                                  .notes = (uint16_t *)(void *)((uint64_t *)record + 3 * words),
                                  .pasts = mb_trace_is_on() ? (void *)((char *)record + bits_and_notes_bytes(slots)) : NULL,
                                  .slot_bytes = bytes,
                                  .multiplier = (uint32_t)((UINT64_C(1) << 32) / bytes) + 1,
                                  .slots = slots,
                                  .class_index = (uint8_t)class_index,
                                  .class_number = (uint16_t)class_number,
                                  .shut = shut,
                                  .plain = class_index != MB_HARD_ZERO_CLASS && !mb_hard_is_big(bytes) && !mb_trace_is_on(),
                                  .wall = (uint8_t)wall};
    mb_hard_set_units(unit, 1);
    mb_unit_set_kind(unit, MB_UNIT_HARD_SLAB);
    return slab;
}

// --- choosing --------------------------------------------------------------------------------------------------------

enum { OPEN_FREE_SHARE = 8, SCANS_IN_DELAY = 2 };

static void set_ready(struct mb_hard_slab *slab, uint32_t from, uint32_t to) {
    for (uint32_t slot = from; slot < to; slot++) {
        slab->ready[slot / 64] |= UINT64_C(1) << (slot % 64);
        slab->ready_words |= UINT64_C(1) << (slot / 64);
    }
}

// Written once, and not only read, before slots are looked at: a page that is first read and then written costs two
// faults. The value stays.
static void touch(struct mb_hard_slab *slab, size_t from, size_t to) {
    for (size_t offset = from; offset < to; offset += mb_os_page_size()) {
        uint64_t *word = (uint64_t *)(void *)(slab->start + offset);
        uint64_t found = __atomic_exchange_n(word, 0, __ATOMIC_RELAXED);
        if (MB_UNLIKELY(found != 0)) *word = found;
    }
}

void mb_hard_slab_open_more(struct mb_hard_slab *slab) {
    size_t page = mb_os_page_size(), begin = mb_align_up((size_t)slab->opened * slab->slot_bytes, page);
    size_t end = mb_align_up((size_t)(slab->opened + 1) * slab->slot_bytes, page);
    uint32_t from = slab->opened;
    if (slab->class_index != MB_HARD_ZERO_CLASS && !mb_hard_is_big(slab->slot_bytes)) touch(slab, begin, end);
    slab->opened = (uint32_t)mb_min(end / slab->slot_bytes, slab->slots);
    slab->words = (uint32_t)bit_words(slab->opened);
    slab->open_at = slab->opened < slab->slots ? slab->opened - slab->opened / OPEN_FREE_SHARE : UINT32_MAX;
    set_ready(slab, from, slab->opened);
}

typedef uint16_t notes_8 __attribute__((vector_size(16), aligned(8), may_alias));
typedef uint8_t bytes_8 __attribute__((vector_size(8)));

// Bit 8 a + b becomes bit 8 b + a.
static uint64_t transpose(uint64_t x) {
    uint64_t other = (x ^ x >> 7) & UINT64_C(0x00aa00aa00aa00aa);
    x ^= other ^ other << 7;
    other = (x ^ x >> 14) & UINT64_C(0x0000cccc0000cccc);
    x ^= other ^ other << 14;
    other = (x ^ x >> 28) & UINT64_C(0x00000000f0f0f0f0);
    return x ^ other ^ other << 28;
}

// Those of 64 slots that were last freed at least `delay` ago, if they are free.
static uint64_t waited(const uint16_t *notes, uint32_t count, uint32_t delay) {
    const notes_8 *at = (const notes_8 *)(const void *)notes;
    notes_8 now = (notes_8){0} + (uint16_t)count, least = (notes_8){0} + (uint16_t)delay, found = {0};
    for (unsigned i = 0; i < 8; i++) found |= (notes_8)(now - at[i] >= least) & (uint16_t)(1u << i);
    bytes_8 rows = __builtin_convertvector(found, bytes_8);
    uint64_t bits;
    memcpy(&bits, &rows, sizeof bits);
    return transpose(bits);
}

// Freed slots that have waited long enough become ready.
static void scan(struct mb_hard_slab *slab, uint32_t count, uint32_t delay) {
    if (count - slab->scanned_at < delay / SCANS_IN_DELAY) return;
    slab->scanned_at = count;
    for (uint32_t word = 0; word < slab->words; word++) {
        uint64_t waiting = ~(slab->live[word] | slab->ready[word]) & slab->used[word];
        if (waiting == 0) continue;
        uint64_t ready = waiting & waited(&slab->notes[word * 64], count, delay);
        slab->ready[word] |= ready;
        slab->ready_words |= (uint64_t)(ready != 0) << word;
    }
}

static uint32_t any_bit(uint64_t bits, unsigned turn) {
    uint64_t turned = bits >> turn | bits << (-turn % 64);
    return (mb_ctz64(turned) + turn) % 64;
}

// Both ends of what a cache line or two hold; of a longer slot the rest follows by itself.
static void fetch(const char *slot, size_t bytes) {
    __builtin_prefetch(slot, 1);
    __builtin_prefetch(slot + mb_min(bytes, MB_LINE_PAIR) - sizeof(uint64_t), 1);
}

uint32_t mb_hard_slab_draw(struct mb_hard_slab *slab, struct mb_rng *rng, uint32_t count, uint32_t delay, uint16_t *drawn) {
    enum { DRAW_BITS = 6 };
    if (slab->live_count >= slab->open_at) mb_hard_slab_open_more(slab);
    if (slab->ready_words == 0) scan(slab, count, delay);
    if (slab->ready_words == 0 && slab->opened < slab->slots) mb_hard_slab_open_more(slab);
    if (slab->ready_words == 0) return 0;
    uint32_t word = any_bit(slab->ready_words, mb_rng_below(rng, slab->words)), number = 0;
    uint64_t ready = slab->ready[word], random = mb_rng_next(rng);
    uint32_t most = slab->slot_bytes < MB_HARD_BIG_MIN ? MB_HARD_DRAWN : 1;
    for (; number < most && ready != 0; number++, random >>= DRAW_BITS) {
        uint32_t bit = any_bit(ready, (unsigned)random % 64);
        ready &= ~(UINT64_C(1) << bit);
        drawn[number] = (uint16_t)(word * 64 + bit);
        fetch(mb_hard_slot(slab, word * 64 + bit), slab->slot_bytes);
    }
    slab->ready[word] = ready;
    slab->ready_words &= ~((uint64_t)(ready == 0) << word);
    return number;
}

void mb_hard_slab_undraw(struct mb_hard_slab *slab, const uint16_t *drawn, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) set_ready(slab, drawn[i], drawn[i] + 1u);
}

// --- slots of two pages and more -------------------------------------------------------------------------------------

// The pages of which no neighbour has a part. There is at least one.
static char *own_pages(const struct mb_hard_slab *slab, uint32_t slot, size_t *bytes) {
    size_t page = mb_os_page_size();
    uintptr_t p = (uintptr_t)mb_hard_slot(slab, slot), from = mb_align_up(p, page);
    *bytes = mb_align_down(p + slab->slot_bytes, page) - from;
    return (char *)from;
}

// What the system refuses, or only says it has done, is zero all the same.
void mb_hard_slot_shut(struct mb_hard_slab *slab, uint32_t slot) {
    size_t bytes;
    char *from = own_pages(slab, slot, &bytes);
    if (mb_wall_by_advice(from, bytes))
        slab->shut |= UINT64_C(1) << slot;
    else
        mb_os_purge(from, bytes);
}

bool mb_hard_slot_open(struct mb_hard_slab *slab, uint32_t slot) {
    size_t page = mb_os_page_size();
    uintptr_t p = (uintptr_t)mb_hard_slot(slab, slot), from = mb_align_down(p, page), to = mb_align_up(p + slab->slot_bytes, page);
    if (!mb_wall_down((void *)from, to - from, false)) return false;
    __atomic_store_n(&slab->shut, slab->shut & ~(UINT64_C(1) << slot), __ATOMIC_RELEASE); // not before: a forked child may go by it
    return true;
}

bool mb_hard_slot_is_clean_shut(struct mb_hard_slab *slab, uint32_t slot) {
    size_t bytes;
    const char *p = mb_hard_slot(slab, slot), *from = own_pages(slab, slot, &bytes);
    if (!mb_hard_bit(slab->used, slot)) return true;
    return mb_slack_is_zero(p, (size_t)(from - p)) && mb_slack_is_zero(from + bytes, (size_t)(p + slab->slot_bytes - (from + bytes)));
}

// --- looking ---------------------------------------------------------------------------------------------------------

enum mb_hard_fault mb_hard_slab_examine_slow(struct mb_hard_slab *slab, uint32_t slot, const char *p) {
    if (slot >= slab->slots || !mb_hard_bit(slab->used, slot)) return MB_HARD_NEVER;
    if (p != mb_hard_slot(slab, slot)) return MB_HARD_INTERIOR;
    if (!mb_hard_bit(slab->live, slot) || slab->notes[slot] == MB_HARD_NOTE_LOST) return MB_HARD_FREED;
    if (!mb_hard_is_touchable(slab)) return MB_HARD_FINE;
    if (!mb_slack_is_intact(slab->salt, p, slab->notes[slot], slab->slot_bytes)) return MB_HARD_OVERFLOW;
    return mb_hard_is_intact_before(slab, slot, p) ? MB_HARD_FINE : MB_HARD_UNDERFLOW;
}

uint32_t mb_hard_slab_find_dirty(struct mb_hard_slab *slab) {
    for (uint32_t slot = 0; slot < slab->opened; slot++)
        if (!mb_hard_bit(slab->live, slot) && !mb_hard_slot_is_clean(slab, slot, mb_hard_slot(slab, slot))) return slot;
    return MB_HARD_NO_SLOT;
}
