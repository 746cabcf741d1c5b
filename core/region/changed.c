#include "core/region/changed.h"

#include <errno.h>

#include "core/region/arena.h"
#include "core/region/arena_map.h"
#include "core/region/huge.h"
#include "platform/bits.h"
#include "platform/os.h"

struct mb_changed_shared mb_changed_shared;

bool mb_changed_is_inside(const void *p, size_t bytes) {
    size_t offset = (uintptr_t)p - MB_PEEK(mb_space.base), end;
    return !__builtin_add_overflow(offset, bytes, &end) && end <= MB_PEEK(mb_space.bytes);
}

void mb_changed_note(const void *p, size_t bytes, enum mb_change change) {
    uintptr_t base = MB_PEEK(mb_space.base), from = (uintptr_t)p, end;
    if (bytes == 0 || change == MB_CHANGE_NONE || !mb_changed_concerns(p, bytes)) return;
    if (__builtin_add_overflow(from, bytes, &end)) end = UINTPTR_MAX;
    from = mb_max(from, base);
    end = mb_min(end, base + MB_PEEK(mb_space.bytes));
    size_t first = (from - base) >> MB_UNIT_SHIFT, last = (end - 1 - base) >> MB_UNIT_SHIFT;
    mb_map_note(&mb_arena_map, change == MB_CHANGE_HINT ? MB_MAP_HINTED : MB_MAP_CHANGED, first, last + 1 - first);
    atomic_store_explicit(&mb_changed_shared.any, true, memory_order_relaxed);
}

enum mb_change mb_changed_look(size_t first, size_t units) {
    if (mb_map_is_noted(&mb_arena_map, MB_MAP_CHANGED, first, units)) return MB_CHANGE_STATE;
    return mb_map_is_noted(&mb_arena_map, MB_MAP_HINTED, first, units) ? MB_CHANGE_HINT : MB_CHANGE_NONE;
}

void mb_changed_forget(size_t first, size_t units) {
    mb_map_forget(&mb_arena_map, MB_MAP_HINTED, first, units);
    mb_map_forget(&mb_arena_map, MB_MAP_CHANGED, first, units);
}

// Pages that cannot be made usable are lost rather than passed to the next owner.
static int renew(size_t first, size_t units) {
    void *p = (void *)mb_unit_address(first);
    int error = mb_os_renew(p, units << MB_UNIT_SHIFT);
    bool refused = error != 0 && error != -ENXIO && error != -ESTALE;
    if (!refused || mb_changed(first, units) != MB_CHANGE_STATE) return error;
    mb_os_purge(p, units << MB_UNIT_SHIFT);
    return -ESTALE;
}

bool mb_arena_give_renewed(size_t first, size_t units) {
    switch (renew(first, units)) {
    case 0:
        mb_changed_forget(first, units);
        mb_huge_lost(first, units);
        mb_huge_renewed((void *)mb_unit_address(first), units << MB_UNIT_SHIFT);
        mb_arena_give_cold(first, units);
        return true;
    case -ENXIO:
        mb_huge_lost(first, units);
        mb_huge_renewed((void *)mb_unit_address(first), units << MB_UNIT_SHIFT);
        mb_arena_give_bare(first, units);
        return true;
    case -ESTALE: mb_arena_abandon(first, units); return true;
    default: return false;
    }
}
