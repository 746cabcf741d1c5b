#include "core/large/large_span.h"

#include <errno.h>

#include "core/region/arena.h"
#include "core/region/changed.h"
#include "core/region/purge.h"
#include "core/told/report.h"
#include "platform/bits.h"
#include "platform/os.h"

// Longer blocks give their pages back when they are freed, as glibc's do; shorter ones stay warm for the next.
static const size_t KEEP_WARM_MAX = (size_t)33 << 20;

// --- geometry -------------------------------------------------------------------------------------------------------

bool mb_large_extent_of(size_t bytes, struct mb_large_extent *out) {
    if (bytes > MB_WINDOW_BYTES) return false;
    size_t page = mb_os_page_size();
    out->bytes = mb_align_up(mb_max(bytes, 1), page);
    size_t guard = out->bytes >= MB_GUARDED_LARGE_MIN ? page : 0;
    out->units = (out->bytes + guard + MB_UNIT_MASK) >> MB_UNIT_SHIFT;
    return true;
}

// --- the guard page -------------------------------------------------------------------------------------------------

static size_t guard_offset(const struct mb_slab *large) {
    bool far = (large->large_flags & MB_LARGE_GUARD_FAR) != 0;
    return far ? ((size_t)large->guard_units << MB_UNIT_SHIFT) - mb_os_page_size() : large->large_bytes;
}

static char *guard_of(const struct mb_slab *large, const void *p) { return (char *)(uintptr_t)p + guard_offset(large); }

void mb_large_put_guard(struct mb_slab *large, const void *p) {
    if (large->large_bytes < MB_GUARDED_LARGE_MIN) return;
    if (mb_os_guard(guard_of(large, p), mb_os_page_size()) == 0) mb_large_set_flags(large, large->large_flags | MB_LARGE_GUARDED);
}

void mb_large_put_far_guard(struct mb_slab *large, const void *p, size_t units) {
    uint32_t near = large->large_flags, far = near | MB_LARGE_GUARD_FAR;
    MB_POKE(large->guard_units, (uint32_t)units);
    mb_large_set_flags(large, far);
    mb_large_set_flags(large, mb_os_guard(guard_of(large, p), mb_os_page_size()) == 0 ? far | MB_LARGE_GUARDED : near);
}

bool mb_large_remove_guard(struct mb_slab *large, const void *p) {
    size_t page = mb_os_page_size();
    bool up = (large->large_flags & MB_LARGE_GUARDED) != 0;
    if (up && mb_os_unguard(guard_of(large, p), page) != 0 && mb_os_renew(guard_of(large, p), page) != 0) return false;
    mb_large_set_flags(large, large->large_flags & ~(uint32_t)(MB_LARGE_GUARDED | MB_LARGE_GUARD_FAR));
    return true;
}

bool mb_large_far_guard_stays(const struct mb_slab *large, size_t bytes) {
    return (large->large_flags & MB_LARGE_GUARD_FAR) != 0 && bytes <= guard_offset(large);
}

MB_NOINLINE bool mb_large_move_guard(struct mb_slab *large, void *p, size_t bytes) {
    if (mb_large_far_guard_stays(large, bytes)) {
        MB_POKE(large->large_bytes, bytes);
        return true;
    }
    if (!mb_large_remove_guard(large, p)) return false;
    MB_POKE(large->large_bytes, bytes);
    mb_large_put_guard(large, p);
    return true;
}

// --- giving up ------------------------------------------------------------------------------------------------------

void mb_large_give_part(void *p, size_t units, bool moved) {
    if (units == 0) return;
    size_t first = mb_unit_index(mb_unit_of(p));
    size_t bytes = units << MB_UNIT_SHIFT;
    if ((moved || mb_changed(first, units) != MB_CHANGE_NONE) && mb_arena_give_renewed(first, units)) return;
    if (bytes > KEEP_WARM_MAX && mb_purge_to_zero(p, bytes)) mb_arena_give_cold(first, units);
    else mb_arena_give(first, units);
}

bool mb_large_stays_warm(const struct mb_slab *large) {
    bool as_it_was = (large->large_flags & (MB_LARGE_MOVED | MB_LARGE_GUARD_FAR)) == 0;
    return as_it_was && mb_large_change(large) != MB_CHANGE_STATE && (size_t)large->large_units << MB_UNIT_SHIFT <= KEEP_WARM_MAX;
}

void mb_large_claim(struct mb_unit *unit, const void *p) {
    uint8_t large = MB_UNIT_LARGE;
    bool mine = __atomic_compare_exchange_n(&unit->slab.kind, &large, (uint8_t)MB_UNIT_NONE, false, __ATOMIC_ACQ_REL,
                                            __ATOMIC_RELAXED);
    if (!mine) mb_report_freed(MB_OP_FREE, p);
    MB_POKE(unit->slab.owner, NULL);
}

// The unit of a guard that cannot be removed is lost; what lies before and behind it is not.
MB_COLD static void give_around_guard(const struct mb_slab *large, char *p, bool moved) {
    size_t lost = guard_offset(large) >> MB_UNIT_SHIFT;
    mb_os_purge(p + (lost << MB_UNIT_SHIFT), MB_UNIT_BYTES);
    mb_large_give_part(p, lost, moved);
    mb_large_give_part(p + ((lost + 1) << MB_UNIT_SHIFT), large->large_units - lost - 1, moved);
}

void mb_large_give(struct mb_slab *large, char *p) {
    bool moved = (large->large_flags & MB_LARGE_MOVED) != 0;
    if (MB_LIKELY(mb_large_remove_guard(large, p))) {
        mb_large_give_part(p, large->large_units, moved);
    } else {
        give_around_guard(large, p, moved);
    }
}
