#include "core/region/lazy_place.h"

#include <errno.h>

#include "core/base/config.h"
#include "platform/bits.h"
#include "platform/os.h"
#include "platform/window.h"

enum { TRIES = 8, DRAWS = 16 };
static const size_t FALLBACK_BYTES = (size_t)16 << 20, ALIGN = (size_t)2 << 20;

static bool meets_any(const struct mb_lazy_shared *const placed[], uintptr_t base, size_t capacity) {
    for (; *placed != NULL; placed++) {
        if (base < (*placed)->base + (*placed)->capacity && (*placed)->base < base + capacity) return true;
    }
    return false;
}

static uintptr_t random_place(const struct mb_os_window *window, uint64_t random) {
    size_t slots = (window->last - window->first) / ALIGN;
    return slots == 0 ? window->first : window->first + (random >> 20) % slots * ALIGN;
}

// A place that meets no other window, of some that are drawn; 0: each meets one.
static uintptr_t place_apart(const struct mb_os_window *window, uint64_t random, size_t capacity,
                             const struct mb_lazy_shared *const placed[]) {
    for (unsigned i = 0; i < DRAWS; i++) {
        uintptr_t place = random_place(window, random * (2 * TRIES * i + 1));
        if (!meets_any(placed, place, capacity)) return place;
    }
    return 0;
}

// Wherever the system likes, other mappings are near: room to grow must come at once. One unit more aligns the base.
static bool place_anywhere(struct mb_lazy_shared *lazy, size_t bytes, size_t capacity) {
    void *at = NULL;
    size_t reserved = FALLBACK_BYTES;
    if (mb_os_reserve(NULL, reserved + MB_UNIT_BYTES, &at) != 0) {
        reserved = bytes;
        if (mb_os_reserve(NULL, reserved + MB_UNIT_BYTES, &at) != 0) return false;
    }
    uintptr_t base = mb_align_up((uintptr_t)at, MB_UNIT_BYTES);
    mb_lazy_init(lazy, base, capacity, mb_align_down((uintptr_t)at + reserved + MB_UNIT_BYTES - base, MB_UNIT_BYTES));
    return true;
}

bool mb_lazy_place(struct mb_lazy_shared *lazy, uint64_t random, size_t bytes, size_t capacity,
                   const struct mb_lazy_shared *const placed[]) {
    struct mb_os_window range[2];
    mb_os_window_candidates(random, range);
    for (unsigned i = 0; i < TRIES; i++) {
        const struct mb_os_window *w = &range[i / (TRIES / 2)];
        size_t most = mb_min(capacity, w->bytes);
        uintptr_t hint = place_apart(w, random * (2 * i + 1), most, placed);
        if (hint == 0) continue;
        void *at = NULL;
        int error = mb_os_reserve((void *)hint, bytes, &at);
        if (error == 0) {
            mb_lazy_init(lazy, (uintptr_t)at, most, bytes);
            return true;
        }
        if (error != -EEXIST && error != -ENOMEM && error != -EINVAL) break;
    }
    return place_anywhere(lazy, bytes, capacity);
}
