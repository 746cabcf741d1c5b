#include "core/layout/slab.h"

#include "platform/bits.h"
#include "platform/cpu.h"

// One look at a slab whose unit may become another slab at any time. The place of the bits and the number of carved
// blocks, even if they belong to two slabs, never lead to a read beyond the bits.
struct view {
    struct mb_slab_bits bits;
    uint32_t carved, words;
};

static struct view look(const struct mb_unit *unit) {
    struct view view = {.bits = mb_slab_bits(unit), .carved = MB_PEEK(unit->slab.carved)};
    if (view.carved > view.bits.words * 64) view.carved = view.bits.words * 64;
    view.words = (view.carved + 63) / 64;
    return view;
}

static uint64_t either(const struct view *view, uint32_t word) {
    return mb_free_bits(&view->bits, word) | mb_remote_bits(&view->bits, word);
}

static bool word_is_free(const struct view *view, uint32_t word) { return either(view, word) == mb_slab_full_word(view->carved, word); }

bool mb_slab_is_free(const struct mb_unit *unit, uint32_t index) {
    struct view view = look(unit);
    return index < view.carved && (either(&view, index / 64) >> (index % 64) & 1) != 0;
}

bool mb_slab_has_remote(const struct mb_unit *unit) {
    struct view view = look(unit);
    uint64_t any = 0;
    for (uint32_t w = 0; w < view.words; w++) any |= mb_remote_bits(&view.bits, w);
    return any != 0;
}

uint32_t mb_slab_count_remote(const struct mb_unit *unit) {
    struct view view = look(unit);
    uint32_t count = 0;
    for (uint32_t w = 0; w < view.words; w++) {
        uint64_t bits = mb_remote_bits(&view.bits, w);
        if (bits != 0) count += (uint32_t)mb_count_bits(bits);
    }
    return count;
}

uint32_t mb_slab_count_free(const struct mb_unit *unit) {
    struct view view = look(unit);
    uint32_t count = 0;
    for (uint32_t w = 0; w < view.words; w++) {
        uint64_t bits = either(&view, w);
        if (bits != 0) count += (uint32_t)mb_count_bits(bits); // most slabs are full
    }
    return count;
}

bool mb_slab_all_free(const struct mb_unit *unit) {
    struct view view = look(unit);
    for (uint32_t w = 0; w < view.words; w++) {
        if (!word_is_free(&view, w)) return false;
    }
    return true;
}

// Whether blocks [from, to) are free, or not carved.
static bool blocks_are_free(const struct view *view, uint32_t from, uint32_t to) {
    if (to > view->carved) to = view->carved;
    while (from < to) {
        unsigned offset = from % 64;
        unsigned part = (unsigned)mb_min(to - from, 64 - offset);
        if ((~either(view, from / 64) & mb_bit_range(offset, part)) != 0) return false;
        from += part;
    }
    return true;
}

uint32_t mb_slab_free_pages(const struct mb_unit *unit, size_t page_bytes) {
    struct view view = look(unit);
    uint32_t block_bytes = MB_PEEK(unit->slab.block_bytes);
    uint32_t pages = 0;
    if (block_bytes == 0) return 0;
    for (uint32_t page = 0; page < MB_UNIT_BYTES / page_bytes; page++) {
        uint32_t start = page * (uint32_t)page_bytes;
        uint32_t end = start + (uint32_t)page_bytes;
        if (blocks_are_free(&view, start / block_bytes, (end + block_bytes - 1) / block_bytes)) pages |= UINT32_C(1) << page;
    }
    return pages;
}

void *mb_slab_freed_twice(const struct mb_unit *unit) {
    struct view view = look(unit);
    for (uint32_t w = 0; w < view.words; w++) {
        uint64_t both = mb_free_bits(&view.bits, w) & mb_remote_bits(&view.bits, w);
        if (both != 0) return mb_slab_block(unit, w * 64 + mb_ctz64(both));
    }
    return NULL;
}
