#include "core/heap/large_cache.h"

size_t mb_large_cache_pieces(const struct mb_large_cache_shared *cache) {
    size_t pieces = 0;
    for (unsigned i = 0; i < MB_LARGE_SLOTS; i++) pieces += mb_large_entry_pieces(mb_large_cache_look(cache, i));
    return pieces;
}

bool mb_large_cache_put(struct mb_large_cache_shared *cache, size_t first, size_t pieces, size_t pieces_max) {
    if (mb_large_cache_pieces(cache) + pieces > pieces_max) return false;
    uint64_t entry = mb_large_entry(first, pieces);
    for (unsigned i = 0; i < MB_LARGE_SLOTS; i++) {
        uint64_t empty = 0;
        if (mb_large_cache_look(cache, i) == 0 && atomic_compare_exchange_strong_explicit(&cache->slot[i], &empty, entry,
                                                                                          memory_order_release,
                                                                                          memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

void mb_large_cache_flush(struct mb_large_cache_shared *cache, void (*give)(size_t first)) {
    for (unsigned i = 0; i < MB_LARGE_SLOTS; i++) {
        if (mb_large_cache_look(cache, i) == 0) continue;
        uint64_t entry = atomic_exchange_explicit(&cache->slot[i], 0, memory_order_acquire);
        if (entry != 0) give(mb_large_entry_first(entry));
    }
}

void mb_large_cache_age(struct mb_large_cache_shared *cache, void (*give)(size_t first)) {
    for (unsigned i = 0; i < MB_LARGE_SLOTS; i++) {
        uint64_t seen = mb_large_cache_look(cache, i);
        if (seen == 0) continue;
        if ((seen & MB_LARGE_OLD) == 0) {
            atomic_compare_exchange_strong_explicit(&cache->slot[i], &seen, seen | MB_LARGE_OLD, memory_order_relaxed,
                                                    memory_order_relaxed);
        } else if (mb_large_cache_empty(&cache->slot[i], seen)) {
            give(mb_large_entry_first(seen));
        }
    }
}
