#include "core/region/large_record.h"

#include "core/region/arena.h"

// The last block that begins in a unit, at or before a piece.
static struct mb_slab *last_begun(struct mb_unit *unit, size_t piece) {
    struct mb_slab *large = mb_large_in_half(unit, MB_UNIT_BYTES / 2);
    if (large == NULL || mb_large_first(large) > piece) large = mb_large_in_half(unit, 0);
    return large != NULL && mb_large_first(large) <= piece ? large : NULL;
}

struct mb_slab *mb_large_around(const void *p) {
    size_t piece = mb_piece_of(p);
    for (size_t unit = piece / MB_UNIT_PIECES + 1; unit > 0; unit--) {
        struct mb_unit *at = mb_unit_at(unit - 1);
        enum mb_unit_kind kind = mb_unit_kind(at);
        if (kind == MB_UNIT_SLAB || kind == MB_UNIT_HOLE) return NULL;
        struct mb_slab *large = last_begun(at, piece);
        if (large != NULL) return piece - mb_large_first(large) < MB_PEEK(large->large_pieces) ? large : NULL;
        if (mb_arena_is_free(unit - 1)) return NULL;
    }
    return NULL;
}
