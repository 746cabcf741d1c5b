#include "core/large/outside.h"

#include <stdatomic.h>

#include "core/large/large_count.h"
#include "core/region/arena.h"
#include "core/region/limit.h"
#include "platform/bits.h"
#include "platform/os.h"

enum { RECORDS_PER_TABLE = 128, BEING_SET_UP = 1 };

struct record_shared {
    _Atomic uintptr_t block; // 0 free, 1 being set up or taken down; written by who holds the record (release)
    _Atomic size_t bytes;    // valid while block is an address
};

struct table_shared {
    _Atomic(struct table_shared *) next; // written once (release)
    struct record_shared records[RECORDS_PER_TABLE];
};

static struct table_shared first_table;

static struct record_shared *claim_in(struct table_shared *table) {
    for (unsigned i = 0; i < RECORDS_PER_TABLE; i++) {
        uintptr_t none = 0;
        if (atomic_compare_exchange_strong_explicit(&table->records[i].block, &none, BEING_SET_UP, memory_order_acquire,
                                                    memory_order_relaxed)) {
            return &table->records[i];
        }
    }
    return NULL;
}

static struct table_shared *next_table(struct table_shared *table, bool make) {
    struct table_shared *next = atomic_load_explicit(&table->next, memory_order_acquire);
    if (next != NULL || !make) return next;
    struct table_shared *fresh = mb_arena_metadata(sizeof *fresh, 64);
    if (fresh == NULL) return NULL;
    if (atomic_compare_exchange_strong(&table->next, &next, fresh)) return fresh;
    return next; // another thread was faster; its table serves, ours stays unused
}

static struct record_shared *claim_record(void) {
    for (struct table_shared *t = &first_table; t != NULL; t = next_table(t, true)) {
        struct record_shared *record = claim_in(t);
        if (record != NULL) return record;
    }
    return NULL;
}

// Reserves more than needed and returns what lies before and behind the aligned block.
static void *map_aligned(size_t align, size_t bytes) {
    size_t page = mb_os_page_size();
    size_t slack = align > page ? align - page : 0;
    size_t total;
    void *at;
    if (__builtin_add_overflow(bytes, slack, &total) || mb_os_reserve(NULL, total, &at) != 0) return NULL;
    uintptr_t block = mb_align_up((uintptr_t)at, mb_max(align, page));
    size_t before = block - (uintptr_t)at;
    if (before > 0) mb_os_unmap(at, before);
    if (slack > before) mb_os_unmap((void *)(block + bytes), slack - before);
    if (mb_os_commit((void *)block, bytes) == 0) return (void *)block;
    mb_os_unmap((void *)block, bytes);
    return NULL;
}

void *mb_outside_alloc(size_t align, size_t bytes) {
    if (!mb_align_up_checked(mb_max(bytes, 1), mb_os_page_size(), &bytes)) return NULL;
    if (!mb_limit_allows(bytes)) return NULL;
    struct record_shared *record = claim_record();
    if (record == NULL) return NULL;
    void *block = map_aligned(align, bytes);
    if (block != NULL) mb_large_count_taken(bytes);
    atomic_store_explicit(&record->bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&record->block, (uintptr_t)block, memory_order_release); // 0 frees the record
    return block;
}

static struct record_shared *find(const void *p) {
    for (struct table_shared *t = &first_table; t != NULL; t = next_table(t, false)) {
        for (unsigned i = 0; i < RECORDS_PER_TABLE; i++) {
            uintptr_t block = atomic_load_explicit(&t->records[i].block, memory_order_acquire);
            size_t bytes = atomic_load_explicit(&t->records[i].bytes, memory_order_relaxed);
            if (block > BEING_SET_UP && (uintptr_t)p - block < bytes) return &t->records[i];
        }
    }
    return NULL;
}

struct mb_outside_block mb_outside_block_of(const void *p) {
    struct record_shared *record = find(p);
    if (record == NULL) return (struct mb_outside_block){NULL, 0};
    return (struct mb_outside_block){(const void *)atomic_load_explicit(&record->block, memory_order_relaxed),
                                     atomic_load_explicit(&record->bytes, memory_order_relaxed)};
}

bool mb_outside_contains(const void *p) { return find(p) != NULL; }

size_t mb_outside_bytes(const void *p) {
    struct record_shared *record = find(p);
    if (record == NULL || atomic_load_explicit(&record->block, memory_order_acquire) != (uintptr_t)p) return 0;
    return atomic_load_explicit(&record->bytes, memory_order_relaxed);
}

bool mb_outside_free(void *p) {
    struct record_shared *record = find(p);
    uintptr_t block = (uintptr_t)p;
    if (record == NULL || !atomic_compare_exchange_strong(&record->block, &block, BEING_SET_UP)) return false;
    size_t bytes = atomic_load_explicit(&record->bytes, memory_order_relaxed);
    mb_large_count_given(bytes);
    if (mb_os_unmap(p, bytes) != 0) mb_os_purge(p, bytes); // the addresses are lost, the memory is not
    atomic_store_explicit(&record->block, 0, memory_order_release);
    return true;
}

struct mb_outside_totals mb_outside_totals(void) {
    struct mb_outside_totals totals = {0, 0};
    for (struct table_shared *t = &first_table; t != NULL; t = next_table(t, false)) {
        for (unsigned i = 0; i < RECORDS_PER_TABLE; i++) {
            if (atomic_load_explicit(&t->records[i].block, memory_order_acquire) <= BEING_SET_UP) continue;
            totals.blocks++;
            totals.bytes += atomic_load_explicit(&t->records[i].bytes, memory_order_relaxed);
        }
    }
    return totals;
}

void mb_outside_visit(void (*visit)(void *context, uintptr_t block, size_t bytes), void *context) {
    for (struct table_shared *t = &first_table; t != NULL; t = next_table(t, false)) {
        for (unsigned i = 0; i < RECORDS_PER_TABLE; i++) {
            uintptr_t block = atomic_load_explicit(&t->records[i].block, memory_order_acquire);
            if (block > BEING_SET_UP) visit(context, block, atomic_load_explicit(&t->records[i].bytes, memory_order_relaxed));
        }
    }
}
