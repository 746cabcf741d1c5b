#include "core/hardened/hardened.h"

#include <errno.h>
#include <string.h>

#include "core/hardened/blocks.h"
#include "core/hardened/large.h"
#include "core/hardened/small.h"
#include "core/hardened/waiting.h"
#include "core/hardened/wrong.h"
#include "core/large/outside.h"
#include "core/process/fork.h"
#include "core/process/init.h"
#include "core/region/arena.h"
#include "core/told/options.h"
#include "platform/bits.h"
#include "platform/os.h"

// --- start and fork --------------------------------------------------------------------------------------------------

// Under a limit of address space what waits takes at most a sixteenth of it.
static size_t large_budget(void) {
    size_t left = mb_os_address_space_left();
    size_t wanted = mb_option.quarantine_large;
    return left == SIZE_MAX ? wanted : mb_min(wanted, left / 16);
}

static const struct mb_calls *start(uint64_t seed) {
    struct mb_rng rng = {seed};
    if (mb_option.stacks != 0 && (!mb_trace_init((unsigned)mb_option.stacks) || !mb_os_on_fault(mb_hard_on_fault))) return NULL;
    mb_hard_waiting_init(mb_rng_next(&rng), large_budget());
    mb_hard_large_init(mb_rng_next(&rng));
    if (!mb_hard_small_init(mb_rng_next(&rng), mb_option.quarantine)) return NULL;
    mb_fork_watch();
    return &mb_hard_calls;
}

// Keys of what is made from now on, and the order of slots, are the child's own.
static void recover(void) {
    uint64_t seed[2] = {mb_option.seed + (uint64_t)mb_os_pid(), 0};
    if (mb_option.seed == 0) mb_os_random(seed, sizeof seed);
    struct mb_rng rng = {seed[0]};
    mb_hard_waiting_recover(mb_rng_next(&rng));
    mb_hard_large_init(mb_rng_next(&rng));
    mb_hard_small_recover(mb_rng_next(&rng));
}

const struct mb_instead mb_hardened = {.start = start, .recover = recover};

// --- allocating ------------------------------------------------------------------------------------------------------

void *mb_hard_no_memory(void) {
    errno = ENOMEM;
    return NULL;
}

// What the window has no room for is mapped by itself, as in the default front: with neither guards nor canary.
static void *alloc_large(size_t align, size_t bytes) {
    void *p = mb_hard_large_alloc(align, bytes);
    if (p == NULL) p = mb_outside_alloc(align, bytes);
    return p != NULL ? p : mb_hard_no_memory();
}

MB_NOINLINE static void *alloc_small_again(unsigned class_index, size_t bytes) {
    bool any = mb_hard_waiting_flush();
    any |= mb_hard_small_trim();
    void *p = any ? mb_hard_small_alloc(class_index, bytes) : NULL;
    return p != NULL ? p : mb_hard_no_memory();
}

MB_NOINLINE void *mb_hard_alloc(size_t align, size_t bytes) {
    unsigned class_index;
    mb_fork_check();
    if (bytes > PTRDIFF_MAX || align > PTRDIFF_MAX) return mb_hard_no_memory();
    if (!mb_hard_small_class_of(align, bytes, &class_index)) return alloc_large(align, bytes);
    void *p = mb_option.guard == MB_GUARD_ALL && bytes > 0 ? mb_hard_large_alloc(align, bytes) : NULL;
    if (p == NULL) p = mb_hard_small_alloc(class_index, bytes);
    return p != NULL ? p : alloc_small_again(class_index, bytes);
}

static void *hard_malloc(size_t bytes) {
    bool quick = mb_hard_small_is_quick(bytes) && mb_option.guard != MB_GUARD_ALL;
    if (MB_UNLIKELY(!quick)) return mb_hard_alloc(MB_GRANULE, bytes);
    mb_fork_check();
    unsigned class_index = mb_hard_small_class_quick(bytes);
    void *p = mb_hard_small_alloc(class_index, bytes);
    return MB_LIKELY(p != NULL) ? p : alloc_small_again(class_index, bytes);
}

static void *hard_calloc(size_t count, size_t bytes) {
    size_t total;
    return mb_mul_overflows(count, bytes, &total) ? mb_hard_no_memory() : mb_hard_alloc(MB_GRANULE, total);
}

static void *hard_memalign(size_t align, size_t bytes) {
    if (mb_is_pow2(align)) return mb_hard_alloc(align, bytes);
    errno = EINVAL;
    return NULL;
}

// --- blocks of the program -------------------------------------------------------------------------------------------

static bool is_slab(const void *p) { return mb_space_contains(p) && mb_unit_kind(mb_unit_of(p)) == MB_UNIT_HARD_SLAB; }
static bool is_large(const void *p) { return mb_space_contains(p) && mb_unit_kind(mb_unit_of(p)) == MB_UNIT_HARD_LARGE; }

static enum mb_hard_place nowhere(enum mb_operation operation, const void *p) {
    if (mb_space_contains(p))
        mb_hard_wrong(operation, mb_hard_large_fault(p), p);
    else
        mb_hard_wrong_outside(operation, p);
    return MB_HARD_NOWHERE;
}

enum mb_hard_place mb_hard_place_of(enum mb_operation operation, const void *p) {
    if (MB_LIKELY(is_slab(p))) return MB_HARD_IN_SLAB;
    if (is_large(p)) return MB_HARD_IN_LARGE;
    if (mb_outside_bytes(p) != 0) return MB_HARD_OUTSIDE;
    return !mb_space_contains(p) && mb_foreign_is_libc_block(p) ? MB_HARD_OF_LIBC : nowhere(operation, p);
}

bool mb_hard_length_of(enum mb_operation operation, const void *p, enum mb_hard_place place, size_t *bytes) {
    enum mb_hard_fault fault = MB_HARD_FINE;
    switch (place) {
    case MB_HARD_NOWHERE: return false;
    case MB_HARD_IN_SLAB: fault = mb_hard_small_length(mb_unit_of(p), p, bytes); break;
    case MB_HARD_IN_LARGE: fault = mb_hard_large_length(mb_unit_of(p), p, bytes); break;
    case MB_HARD_OUTSIDE: *bytes = mb_outside_bytes(p); break;
    case MB_HARD_OF_LIBC: *bytes = mb_foreign_usable_size(p); break;
    }
    if (MB_UNLIKELY(fault != MB_HARD_FINE)) mb_hard_wrong(operation, fault, p);
    return fault == MB_HARD_FINE;
}

MB_INLINE void free_inside(enum mb_hard_place place, void *p) {
    enum mb_hard_fault fault = place == MB_HARD_IN_SLAB ? mb_hard_small_free(mb_unit_of(p), p) : mb_hard_large_free(mb_unit_of(p), p);
    if (MB_UNLIKELY(fault != MB_HARD_FINE)) mb_hard_wrong(MB_OP_FREE, fault, p);
}

MB_NOINLINE static void free_other(void *p) {
    if (p == NULL) return;
    mb_fork_check();
    enum mb_hard_place place = mb_hard_place_of(MB_OP_FREE, p);
    switch (place) {
    case MB_HARD_NOWHERE: break;
    case MB_HARD_IN_SLAB:
    case MB_HARD_IN_LARGE: free_inside(place, p); break;
    case MB_HARD_OUTSIDE: mb_outside_free(p); break;
    case MB_HARD_OF_LIBC: mb_foreign_free(p); break;
    }
}

enum { NEXT_LINE = 64 - MB_GRANULE }; // one that a block of 64 bytes ends in, if it does not end in the first one

void mb_hard_free(void *p) {
    __builtin_prefetch((const char *)p -
                       sizeof(uint64_t)); // the slack before the block, and the block: for long nobody may have touched them
    __builtin_prefetch(p, 1);
    __builtin_prefetch((const char *)p + NEXT_LINE, 1);
    if (MB_UNLIKELY(mb_fork_is_due() || !is_slab(p))) return free_other(p);
    free_inside(MB_HARD_IN_SLAB, p);
}

// What becomes of a wrong one says the option `sized`: the profile ends the process.
static bool check_claim(enum mb_operation operation, const void *p, struct mb_claim claim) {
    enum mb_hard_place place = mb_hard_place_of(operation, p);
    size_t length;
    if (!mb_hard_length_of(operation, p, place, &length)) return false;
    bool right = place == MB_HARD_IN_SLAB || place == MB_HARD_IN_LARGE ? claim.bytes == length : claim.bytes <= length;
    if (operation == MB_OP_FREE_ALIGNED_SIZED) right &= mb_is_pow2(claim.align) && mb_is_aligned((uintptr_t)p, claim.align);
    if (!right) mb_report_claim(p, length, claim);
    return true;
}

static void hard_free_sized(void *p, size_t bytes) {
    if (p == NULL) return;
    if (check_claim(MB_OP_FREE_SIZED, p, (struct mb_claim){.bytes = bytes})) mb_hard_free(p);
}

static void hard_free_aligned_sized(void *p, size_t align, size_t bytes) {
    if (p == NULL) return;
    if (check_claim(MB_OP_FREE_ALIGNED_SIZED, p, (struct mb_claim){.bytes = bytes, .align = align})) mb_hard_free(p);
}

static size_t hard_usable_size(const void *p) {
    if (p == NULL) return 0;
    size_t length;
    mb_fork_check();
    return mb_hard_length_of(MB_OP_USABLE_SIZE, p, mb_hard_place_of(MB_OP_USABLE_SIZE, p), &length) ? length : 0;
}

// --- asking and giving back ------------------------------------------------------------------------------------------

static bool hard_owns(const void *p) { return mb_space_contains(p) || mb_outside_contains(p); }

static bool hard_is_block(const void *p) {
    size_t bytes;
    if (is_slab(p)) return mb_hard_small_length(mb_unit_of(p), p, &bytes) == MB_HARD_FINE;
    if (is_large(p)) return mb_hard_large_length(mb_unit_of(p), p, &bytes) == MB_HARD_FINE;
    return mb_outside_bytes(p) != 0;
}

static bool hard_trim(size_t keep_bytes) {
    (void)keep_bytes;
    mb_fork_check();
    bool any = mb_hard_small_trim();
    any |= mb_hard_waiting_flush();
    mb_arena_decommit_long();
    return any;
}

const struct mb_calls mb_hard_calls = {
    .malloc = hard_malloc,
    .calloc = hard_calloc,
    .realloc = mb_hard_realloc,
    .memalign = hard_memalign,
    .free = mb_hard_free,
    .free_sized = hard_free_sized,
    .free_aligned_sized = hard_free_aligned_sized,
    .usable_size = hard_usable_size,
    .owns = hard_owns,
    .is_block = hard_is_block,
    .trim = hard_trim,
    .stats_get = mb_hard_stats_get,
};
