#include "core/large/large_count.h"

#include <stdatomic.h>

#include "platform/thread.h"

struct count_shared {
    _Atomic size_t now, most; // any thread, relaxed
};

static struct { struct count_shared blocks, bytes; } count_shared;

// The only thread needs no atomic operation: half of what a realloc in place takes.
static size_t change(_Atomic size_t *now, size_t more) {
    if (!mb_thread_is_only()) return atomic_fetch_add_explicit(now, more, memory_order_relaxed) + more;
    size_t sum = atomic_load_explicit(now, memory_order_relaxed) + more;
    atomic_store_explicit(now, sum, memory_order_relaxed);
    return sum;
}

static void add(struct count_shared *count, size_t more) {
    size_t now = change(&count->now, more);
    if (now > atomic_load_explicit(&count->most, memory_order_relaxed)) atomic_store_explicit(&count->most, now, memory_order_relaxed);
}

static void take_away(struct count_shared *count, size_t less) { change(&count->now, 0 - less); }

struct mb_large_most mb_large_most(void) {
    return (struct mb_large_most){atomic_load_explicit(&count_shared.blocks.most, memory_order_relaxed),
                                  atomic_load_explicit(&count_shared.bytes.most, memory_order_relaxed)};
}

void mb_large_count_taken(size_t bytes) {
    add(&count_shared.blocks, 1);
    add(&count_shared.bytes, bytes);
}

void mb_large_count_resized(size_t from, size_t to) {
    if (to > from)
        add(&count_shared.bytes, to - from);
    else
        take_away(&count_shared.bytes, from - to);
}

void mb_large_count_given(size_t bytes) {
    take_away(&count_shared.blocks, 1);
    take_away(&count_shared.bytes, bytes);
}
