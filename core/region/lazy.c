#include "core/region/lazy.h"

#include <errno.h>

#include "core/base/check.h"
#include "core/base/config.h"
#include "platform/bits.h"
#include "platform/os.h"

// Not in the struct, whose layout is public. Constant once set.
enum { NAMED_MAX = 3 };
static struct {
    const struct mb_lazy_shared *lazy;
    const char *name;
} named[NAMED_MAX];

static struct {
    _Atomic(const struct mb_lazy_shared *) front; // relaxed
} grows_small_shared;

void mb_lazy_grow_small(const struct mb_lazy_shared *lazy) { atomic_store_explicit(&grows_small_shared.front, lazy, memory_order_relaxed); }

static void name_piece(const struct mb_lazy_shared *lazy, size_t begin, size_t bytes) {
    for (unsigned i = 0; i < NAMED_MAX && named[i].lazy != NULL; i++) {
        if (named[i].lazy == lazy) mb_os_name((void *)(lazy->base + begin), bytes, named[i].name);
    }
}

void mb_lazy_set_name(struct mb_lazy_shared *lazy, const char *name) {
    unsigned i = 0;
    while (i < NAMED_MAX - 1 && named[i].lazy != NULL) i++;
    named[i].lazy = lazy;
    named[i].name = name;
}

void mb_lazy_init(struct mb_lazy_shared *lazy, uintptr_t base, size_t capacity, size_t mapped) {
    lazy->base = base;
    lazy->capacity = capacity;
    lazy->piece_cap_bytes = SIZE_MAX;
    lazy->grow.rank = MB_RANK_FRONT;
    atomic_store_explicit(&lazy->committed, 0, memory_order_relaxed);
    atomic_store_explicit(&lazy->mapped, mapped, memory_order_release);
    name_piece(lazy, 0, mapped);
}

// Large steps end where a huge page may end.
static size_t round_end(const struct mb_lazy_shared *lazy, size_t begin, size_t end) {
    size_t rounded = mb_align_down(lazy->base + end, MB_HUGE_PAGE_BYTES) - lazy->base;
    return end - begin >= 2 * MB_HUGE_PAGE_BYTES && rounded < end ? rounded : end;
}

// A long need, likewise.
static size_t round_need(const struct mb_lazy_shared *lazy, size_t begin, size_t end) {
    if (end - begin < 2 * MB_HUGE_PAGE_BYTES) return end;
    return mb_min(mb_align_up(lazy->base + end, MB_HUGE_PAGE_BYTES) - lazy->base, lazy->capacity);
}

// The next piece adds a quarter to the front, within the cap, and covers what is needed. Reservations count in limits
// on locked memory and address space, so they stay near what is used. Where whole units are needed, whole units are
// mapped: a hole may begin behind them.
static size_t piece_bytes(const struct mb_lazy_shared *lazy, size_t mapped, size_t need) {
    size_t least = mb_min(MB_PIECE_MIN_BYTES, mb_max(mapped, MB_COMMIT_STEP_MIN)); // a small window doubles
    size_t piece = mb_max(mb_align_down(mapped / 4, least), least);
    piece = mb_min(piece, mb_align_down(lazy->piece_cap_bytes, MB_UNIT_BYTES));
    piece = round_end(lazy, mapped, mapped + piece) - mapped;
    return mb_min(mb_max(piece, round_need(lazy, mapped, mapped + need) - mapped), lazy->capacity - mapped);
}

// Where a large piece is refused a smaller one may fit, down to what is needed.
static int map_piece(struct mb_lazy_shared *lazy, size_t mapped, size_t need) {
    size_t piece = piece_bytes(lazy, mapped, need);
    for (;;) {
        void *at;
        atomic_store_explicit(&lazy->reserving, mapped + piece, memory_order_relaxed);
        int error = mb_os_reserve((void *)(lazy->base + mapped), piece, &at);
        if (error == 0) name_piece(lazy, mapped, piece);
        if (error == 0) atomic_store_explicit(&lazy->mapped, mapped + piece, memory_order_release);
        atomic_store_explicit(&lazy->reserving, 0, memory_order_relaxed);
        if (error == 0) return 0;
        if (piece == need) return error;
        piece = mb_max(mb_align_down(piece / 2, MB_UNIT_BYTES), need);
    }
}

static size_t commit_step(const struct mb_lazy_shared *lazy, size_t committed) {
    size_t most = MB_COMMIT_STEP_MAX;
    if (lazy->large_steps) most = mb_min(mb_max(most, committed / 64), MB_COMMIT_STEP_LARGE_MAX);
    return mb_min(mb_max(mb_align_down(committed / 8, MB_COMMIT_STEP_MIN), MB_COMMIT_STEP_MIN), most);
}

// A window whose pages are touched here and there must not get huge ones. Before there is room for one nothing need be
// said, and later the whole window is named, so that it stays one mapping. (A front that grows small may have foreign
// mappings in it, so only the new step is named.)
static void keep_pages_small(const struct mb_lazy_shared *lazy, size_t committed, size_t target) {
    if (target < MB_HUGE_PAGE_BYTES) return;
    if (lazy->small_pages) mb_os_advise_huge((void *)lazy->base, target, false);
    if (atomic_load_explicit(&grows_small_shared.front, memory_order_relaxed) != lazy) return;
    mb_os_advise_huge((void *)(lazy->base + committed), target - committed, false);
}

static int commit_to(struct mb_lazy_shared *lazy, size_t committed, size_t target) {
    int error = mb_os_commit((void *)(lazy->base + committed), target - committed);
    if (error == 0) keep_pages_small(lazy, committed, target);
    if (error == 0) atomic_store_explicit(&lazy->committed, target, memory_order_release);
    return error;
}

static int commit_locked(struct mb_lazy_shared *lazy, size_t bytes) {
    size_t committed = mb_lazy_committed(lazy);
    if (bytes <= committed) return 0;
    size_t mapped = mb_lazy_mapped(lazy);
    if (bytes > mapped) {
        int error = map_piece(lazy, mapped, bytes - mapped);
        if (error != 0) return error;
        mapped = mb_lazy_mapped(lazy);
    }
    size_t target = mb_max(round_need(lazy, committed, bytes), round_end(lazy, committed, committed + commit_step(lazy, committed)));
    target = mb_min(target, mapped);
    int error = commit_to(lazy, committed, target);
    if (error != 0 && target > bytes) error = commit_to(lazy, committed, bytes);
    return error;
}

int mb_lazy_commit(struct mb_lazy_shared *lazy, size_t bytes) {
    if (bytes <= mb_lazy_committed(lazy)) return 0;
    if (bytes > lazy->capacity) return -ENOMEM;
    mb_lock(&lazy->grow);
    int error = commit_locked(lazy, mb_align_up(bytes, mb_os_page_size()));
    mb_unlock(&lazy->grow);
    return error;
}

// Whether all of it is mapped, without access rights at both ends: what a reservation looks like.
static bool looks_reserved(const char *p, size_t bytes) {
    return mb_os_resident_pages(p, bytes) >= 0 && !mb_os_readable(p, 1) && !mb_os_readable(p + bytes - 1, 1);
}

void mb_lazy_recover(struct mb_lazy_shared *lazy) {
    mb_lock_reset(&lazy->grow);
    size_t mapped = mb_lazy_mapped(lazy);
    size_t reserving = atomic_exchange_explicit(&lazy->reserving, 0, memory_order_relaxed);
    if (reserving <= mapped || !looks_reserved((const char *)lazy->base + mapped, reserving - mapped)) return;
    atomic_store_explicit(&lazy->mapped, reserving, memory_order_release);
}

bool mb_lazy_skip(struct mb_lazy_shared *lazy, size_t seen_mapped, size_t bytes, size_t *hole_begin) {
    mb_lock(&lazy->grow);
    size_t mapped = mb_lazy_mapped(lazy);
    size_t committed = mb_lazy_committed(lazy);
    bool fits = mapped == seen_mapped && bytes <= lazy->capacity - mapped;
    if (fits && committed < mapped && commit_to(lazy, committed, mapped) == 0) committed = mapped;
    if (fits) {
        *hole_begin = committed;
        atomic_store_explicit(&lazy->mapped, mapped + bytes, memory_order_release);
        atomic_store_explicit(&lazy->committed, mapped + bytes, memory_order_release);
    }
    mb_unlock(&lazy->grow);
    return fits;
}
