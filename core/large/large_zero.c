#include "core/large/large_zero.h"

#include <string.h>

#include "core/large/large_span.h"
#include "core/region/purge.h"
#include "platform/bits.h"
#include "platform/os.h"

// Whose pages go back at once, as those of longer blocks do when they are freed; and those for which it may pay.
static const size_t PURGE_MIN = (size_t)16 << 20;
static const size_t LOOK_MIN = (size_t)256 << 10;

// Looks that find blocks in use make the next one wait for so many times as many blocks.
enum { PATIENCE = 16, CLEARS_MAX = 1 << 20 };

// Giving back what has next to no pages takes less than twice the call alone and this for each page that could be
// there.
enum { PAGE_NS = 3 };

// 0: refused.
static uint64_t ns_to_purge(void *p, size_t bytes) {
    uint64_t begin = mb_os_now_fine_ns();
    return mb_purge_to_zero(p, bytes) ? mb_max(mb_os_now_fine_ns() - begin, 1) : 0;
}

static void wait_longer(struct mb_heap *heap) {
    heap->clears_doubted = false;
    size_t clears = mb_min((size_t)heap->clears_again * PATIENCE, CLEARS_MAX);
    heap->clears_left = heap->clears_again = (uint32_t)mb_max(clears, MB_CLEARS_FIRST);
}

// What the call takes on this machine, when there is no page: the least that was seen.
static void learn_call(struct mb_heap *heap, void *p, size_t bytes) {
    uint64_t took = ns_to_purge(p, bytes);
    if (took != 0) heap->purge_call_ns = (uint32_t)mb_min(took, heap->purge_call_ns);
}

// Something else may have taken the time of a purge (an interrupt, another process): it takes two looks in turn to say
// that blocks are in use. One in a few hundred of a machine that is busy goes wrong.
static void judge(struct mb_heap *heap, bool untouched) {
    if (!untouched && heap->clears_doubted) return wait_longer(heap);
    heap->clears_doubted = !untouched;
    if (untouched) heap->clears_again = 0;
}

// False: refused.
static bool purge_and_look(struct mb_heap *heap, struct mb_slab *large, void *p, size_t bytes) {
    bool was_untouched = (large->large_flags & MB_LARGE_UNTOUCHED) != 0;
    uint64_t took = ns_to_purge(p, bytes);
    if (took == 0) {
        wait_longer(heap);
        return false;
    }
    mb_large_set_flags(large, large->large_flags | MB_LARGE_UNTOUCHED);
    if (heap->clears_again != 0) learn_call(heap, p, bytes);
    if (!was_untouched) return true;
    judge(heap, took <= 2 * heap->purge_call_ns + PAGE_NS * (bytes / mb_os_page_size()));
    return true;
}

static bool wants_look(struct mb_heap *heap, size_t bytes) {
    if (bytes < LOOK_MIN) return false;
    if (heap->clears_left == 0) return true;
    heap->clears_left--;
    return false;
}

void mb_large_make_zero(struct mb_heap *heap, void *p, size_t bytes, bool fresh) {
    struct mb_slab *large = mb_large_of_piece(mb_piece_of(p));
    size_t pages = mb_align_up(bytes, mb_os_page_size());
    if (fresh) {
        mb_large_set_flags(large, large->large_flags | MB_LARGE_UNTOUCHED);
        return;
    }
    if (bytes >= PURGE_MIN && mb_purge_to_zero(p, pages)) return;
    if (wants_look(heap, bytes) && purge_and_look(heap, large, p, pages)) return;
    memset(p, 0, bytes);
    mb_large_unmark(large, MB_LARGE_UNTOUCHED);
}
