#include "core/hardened/wall.h"

#include <stdatomic.h>

#include "core/base/config.h"
#include "platform/compiler.h"
#include "platform/os.h"

static struct {
    _Atomic bool no_advice;  // set once by any thread, relaxed: the kernel does not know it
    _Atomic size_t accesses; // walls by access that stand; any thread, relaxed
} wall_shared;

static bool knows_advice(void) { return !atomic_load_explicit(&wall_shared.no_advice, memory_order_relaxed); }

bool mb_wall_wanted(size_t number) {
    bool few = atomic_load_explicit(&wall_shared.accesses, memory_order_relaxed) < MB_WALLS_MAX / 2;
    return few || number % MB_WALL_SHARE == 0 || knows_advice();
}

// Locked memory refuses the advice, but not the kernel: that is not remembered.
bool mb_wall_by_advice(void *p, size_t bytes) {
    if (!knows_advice()) return false;
    if (MB_LIKELY(mb_os_guard(p, bytes) == 0)) return true;
    void *probe;
    if (mb_os_reserve(NULL, mb_os_page_size(), &probe) != 0) return false;
    bool none = mb_os_commit(probe, mb_os_page_size()) == 0 && mb_os_guard(probe, mb_os_page_size()) != 0;
    if (none) atomic_store_explicit(&wall_shared.no_advice, true, memory_order_relaxed);
    mb_os_unmap(probe, mb_os_page_size());
    return false;
}

enum mb_wall mb_wall_up(void *p, size_t bytes, bool must) {
    if (bytes == 0) return MB_WALL_NONE;
    if (bytes <= MB_HUGE_PAGE_BYTES && mb_wall_by_advice(p, bytes)) return MB_WALL_ADVICE;
    size_t standing = atomic_load_explicit(&wall_shared.accesses, memory_order_relaxed);
    if ((!must && standing >= MB_WALLS_MAX) || mb_os_decommit(p, bytes) != 0) return MB_WALL_NONE;
    atomic_fetch_add_explicit(&wall_shared.accesses, 1, memory_order_relaxed);
    return MB_WALL_ACCESS;
}

void mb_wall_forget(size_t count) {
    if (count != 0) atomic_fetch_sub_explicit(&wall_shared.accesses, count, memory_order_relaxed);
}

bool mb_wall_down(void *p, size_t bytes, bool by_access) {
    if (bytes == 0) return true;
    if (by_access) return mb_os_commit(p, bytes) == 0 && (!knows_advice() || mb_os_unguard(p, bytes) == 0);
    return !knows_advice() || mb_os_unguard(p, bytes) == 0;
}
