#include "core/base/bump_shared.h"

#include "core/base/bump.h"

void mb_bump_shared_init(struct mb_bump_shared *bump, void *base, size_t bytes, mb_commit_function *commit, void *context) {
    bump->base = (uintptr_t)base;
    bump->end = (uintptr_t)base + bytes;
    bump->commit = commit;
    bump->context = context;
    atomic_store_explicit(&bump->usable, commit == NULL ? bump->end : bump->base, memory_order_relaxed);
    atomic_store_explicit(&bump->next, bump->base, memory_order_relaxed);
}

void *mb_bump_shared_alloc(struct mb_bump_shared *bump, size_t bytes, size_t align) {
    uintptr_t start, next = atomic_load_explicit(&bump->next, memory_order_relaxed);
    do {
        if (!mb_bump_place(next, bump->end, bytes, align, &start)) return NULL;
        if (MB_UNLIKELY(start + bytes > atomic_load_explicit(&bump->usable, memory_order_acquire)) &&
            !bump->commit(bump->context, start + bytes - bump->base)) return NULL;
    } while (!atomic_compare_exchange_weak_explicit(&bump->next, &next, start + bytes, memory_order_relaxed,
                                                    memory_order_relaxed));
    return (void *)start;
}

void mb_bump_shared_reset(struct mb_bump_shared *bump) {
    atomic_store_explicit(&bump->next, bump->base, memory_order_relaxed);
}

size_t mb_bump_shared_used(const struct mb_bump_shared *bump) {
    return atomic_load_explicit(&bump->next, memory_order_relaxed) - bump->base;
}
