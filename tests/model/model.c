// What: the model test. Random operations on the allocator under test (names.h) and on a shadow map (shadow.h) are
// compared after each step: no overlap, alignment, every usable byte kept until the free, calloc zero, contents kept by
// realloc, errno, refusals, the allocator's own counts, and nothing live at the end.
//
// Usage: model [seed [operations]], or MB_TEST_SEED. Without a number of operations it runs for 10 s with the seed 1
// (MB_TEST_LONG=1: 5 min, with another seed each time). MB_TEST_TRACE=n prints every operation from the n-th on.
//
// Invariant: the operations depend on the seed alone (never on time or addresses), so seed and operation number
// identify a failure.
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/model/names.h"
#include "tests/model/pattern.h"
#include "tests/model/shadow.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)
#define BUDGET_BYTES (192 * MIB) // live at most
#define LARGEST_BYTES (64 * MIB)
#define ERRNO_MARK 7777 // no system call sets it

static struct {
    struct random rng;
    uint64_t seed;
    uint64_t op;         // number of the operation under way, from 1
    uint64_t trace_from; // print operations from this one on
    const char *name;    // of the operation under way
    uint32_t slot;
    size_t bytes;
    size_t align;
    size_t start_live; // what the process itself had allocated before the first operation
    uint64_t moved;    // reallocs that moved, and those that did not
    uint64_t stayed;
} run;

static size_t below(size_t bound) { return random_below(&run.rng, bound); }
static bool one_in(size_t n) { return below(n) == 0; }

// --- failing --------------------------------------------------------------------------------------------------------

__attribute__((format(printf, 1, 2))) static _Noreturn void fail(const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "model: FAIL seed=0x%llx operation %llu: %s slot %u bytes %zu align %zu: %s\n", (unsigned long long)run.seed,
            (unsigned long long)run.op, run.name, run.slot, run.bytes, run.align, text);
    _exit(1);
}

// A fatal signal comes without the seed; snprintf of integers does not allocate.
static void on_signal(int number) {
    char text[256];
    int length = snprintf(text, sizeof text, "model: signal %d, seed=0x%llx operation %llu: %s slot %u bytes %zu align %zu\n", number,
                          (unsigned long long)run.seed, (unsigned long long)run.op, run.name, run.slot, run.bytes, run.align);
    if (write(STDERR_FILENO, text, (size_t)length) != length) _exit(2);
    signal(number, SIG_DFL);
    raise(number);
}

// Sanitizers install their own handlers, which report more.
static void watch_signal(int number) {
    struct sigaction old;
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_DFL) signal(number, on_signal);
}

// Starts an operation: numbers it, notes what it is for the report, and arms the errno check.
static void begin(const char *name, uint32_t slot, size_t bytes, size_t align) {
    run.op++;
    run.name = name;
    run.slot = slot;
    run.bytes = bytes;
    run.align = align;
    if (run.op >= run.trace_from)
        fprintf(stderr, "%llu %s slot %u bytes %zu align %zu\n", (unsigned long long)run.op, name, slot, bytes, align);
    errno = ERRNO_MARK;
}

static void expect_errno_kept(void) {
    if (names_strict() && errno != ERRNO_MARK) fail("errno became %d", errno);
}

// --- checking -------------------------------------------------------------------------------------------------------

static void verify_bytes(const struct shadow_block *b, const void *p, size_t bytes) {
    size_t bad = pattern_mismatch(p, bytes, b->tag);
    if (bad != bytes) fail("contents of %p (usable %zu) changed at offset %zu", p, b->usable, bad);
}

static void verify(uint32_t slot) {
    const struct shadow_block *b = &shadow_slots[slot];
    if (b->p != NULL) verify_bytes(b, b->p, b->usable);
}

static void verify_all(void) {
    begin("sweep", 0, 0, 0);
    for (uint32_t i = 0; i < SHADOW_SLOTS; i++) verify(i);
}

// C lets a block smaller than 16 bytes have the alignment of the largest type that fits.
static size_t alignment_due(size_t bytes, size_t align) {
    size_t natural = 16;
    while (natural > 1 && natural > bytes) natural /= 2;
    return align > natural ? align : natural;
}

static void admit_check(const void *p, size_t bytes, size_t align) {
    expect_errno_kept();
    if (p == NULL) fail("returned NULL");
    size_t due = alignment_due(bytes, align);
    if ((uintptr_t)p % due != 0) fail("%p is not aligned to %zu", p, due);
}

// A new block enters the shadow map and gets its pattern.
static void admit(uint32_t slot, void *p, size_t bytes, size_t align, bool is_aligned) {
    if (p == NULL && !names_strict() && align > MIB) return; // glibc may refuse what it has to over-allocate
    admit_check(p, bytes, align);
    struct shadow_block *b = &shadow_slots[slot];
    *b = (struct shadow_block){.p = p, .asked = bytes, .align = align, .is_aligned = is_aligned};
    b->tag = random_next(&run.rng);
    b->usable = names_usable_size(p);
    if (b->usable < bytes) fail("usable size of %p is %zu", p, b->usable);
    uint32_t other = shadow_insert(slot);
    if (other != SHADOW_NONE)
        fail("%p + %zu overlaps live block %p + %zu (slot %u)", p, b->usable, (void *)shadow_slots[other].p, shadow_slots[other].usable,
             other);
    pattern_fill(p, b->usable, b->tag);
}

// Compares the allocator's count with the map's; not for glibc, which counts its caches as live.
static void check_census(void) {
    begin("census", 0, 0, 0);
    if (!names_strict()) return;
    size_t live = names_live_bytes() - run.start_live;
    if (live != shadow_live_bytes) fail("live bytes %zu, the model has %zu", live, shadow_live_bytes);
    size_t count;
    if (names_live_blocks(&count) && count != shadow_live_count) fail("live blocks %zu, the model has %zu", count, shadow_live_count);
}

// --- releasing ------------------------------------------------------------------------------------------------------

static void release(uint32_t slot) {
    struct shadow_block b = shadow_slots[slot];
    size_t kind = below(4);
    begin(kind != 0 ? "free" : b.is_aligned ? "free_aligned_sized" : "free_sized", slot, b.asked, b.align);
    verify(slot);
    shadow_remove(slot);
    errno = ERRNO_MARK;
    if (kind != 0)
        names_free(b.p);
    else if (b.is_aligned)
        names_free_aligned_sized(b.p, b.align, b.asked);
    else
        names_free_sized(b.p, b.asked);
    if (errno != ERRNO_MARK && names_strict()) fail("free set errno to %d", errno);
}

// Keeps the live bytes within the budget: releases live blocks from a place that moves round.
static void make_room(size_t bytes) {
    static uint32_t hand;
    while (shadow_live_bytes + bytes > BUDGET_BYTES && shadow_live_count > 0) {
        if (shadow_slots[hand].p != NULL) release(hand);
        hand = (hand + 1) % SHADOW_SLOTS;
    }
}

enum order { ORDER_UP, ORDER_DOWN, ORDER_COMB, ORDERS };

// Releases all blocks of slots [base, base + window): up, down, or every 16th, then the next of each 16.
static void drain(uint32_t base, uint32_t window, enum order order) {
    uint32_t stride = order == ORDER_COMB && window >= 16 ? 16 : 1;
    for (uint32_t first = 0; first < stride; first++)
        for (uint32_t i = first; i < window; i += stride) {
            uint32_t slot = base + (order == ORDER_DOWN ? window - 1 - i : i);
            if (shadow_slots[slot].p != NULL) release(slot);
        }
}

// --- allocating -----------------------------------------------------------------------------------------------------

static void allocate_plain(uint32_t slot, size_t bytes) {
    begin("malloc", slot, bytes, 1);
    admit(slot, names_malloc(bytes), bytes, 1, false);
}

static void allocate_by_realloc(uint32_t slot, size_t bytes) {
    begin("realloc(NULL)", slot, bytes, 1);
    admit(slot, names_realloc(NULL, bytes), bytes, 1, false);
}

static void allocate_zeroed(uint32_t slot, size_t bytes) {
    static const size_t units[] = {1, 1, 2, 3, 8, 24, 4096};
    size_t unit = units[below(sizeof units / sizeof units[0])];
    size_t count = bytes / unit;
    begin("calloc", slot, count * unit, 1);
    unsigned char *p = one_in(2) ? names_calloc(count, unit) : names_calloc(unit, count);
    size_t bad = p == NULL ? 0 : pattern_nonzero(p, count * unit);
    if (p != NULL && bad != count * unit) fail("byte %zu of %p is 0x%02x, not zero", bad, (void *)p, p[bad]);
    admit(slot, p, count * unit, 1, false);
}

static void allocate_aligned(uint32_t slot, size_t bytes, size_t align) {
    static const char *const names[] = {"memalign", "aligned_alloc", "posix_memalign"};
    size_t kind = below(3);
    void *p = NULL;
    int error = 0;
    if (kind == 2 && align < sizeof(void *)) align = sizeof(void *);
    begin(names[kind], slot, bytes, align);
    if (kind == 0)
        p = names_memalign(align, bytes);
    else if (kind == 1)
        p = names_aligned_alloc(align, bytes);
    else
        error = names_posix_memalign(&p, align, bytes);
    if (kind == 2 && (error != 0) != (p == NULL)) fail("posix_memalign returned %d with %p", error, p);
    admit(slot, p, bytes, align, true);
}

// Mostly up to 1 MiB; rarely any power of two up to 1 GiB.
static size_t any_alignment(void) {
    if (one_in(2000)) return one_in(2) ? GIB : MIB << below(11);
    return (size_t)1 << below(21);
}

static void allocate(uint32_t slot, size_t bytes) {
    make_room(bytes);
    size_t kind = below(16);
    if (kind < 8)
        allocate_plain(slot, bytes);
    else if (kind < 9)
        allocate_by_realloc(slot, bytes);
    else if (kind < 13)
        allocate_zeroed(slot, bytes);
    else
        allocate_aligned(slot, bytes, any_alignment());
}

// --- resizing -------------------------------------------------------------------------------------------------------

static void resize_to_nothing(uint32_t slot) {
    struct shadow_block b = shadow_slots[slot];
    begin("realloc(p, 0)", slot, 0, b.align);
    shadow_remove(slot);
    void *p = names_realloc(b.p, 0);
    if (p != NULL) fail("returned %p", p);
    expect_errno_kept();
}

// All usable bytes may have been written, so all that fit must arrive.
static void resize(uint32_t slot, size_t bytes) {
    make_room(bytes);
    struct shadow_block old = shadow_slots[slot];
    if (old.p == NULL) return; // made room with it
    begin("realloc", slot, bytes, old.align);
    verify(slot);
    shadow_remove(slot);
    errno = ERRNO_MARK;
    void *p = names_realloc(old.p, bytes);
    admit_check(p, bytes, 1);
    verify_bytes(&old, p, old.usable < bytes ? old.usable : bytes);
    if (p == old.p)
        run.stayed++;
    else
        run.moved++;
    admit(slot, p, bytes, 1, false);
}

// Up to the usable size the block stays where it is.
static void resize_within(uint32_t slot) {
    unsigned char *p = shadow_slots[slot].p;
    size_t usable = shadow_slots[slot].usable;
    if (usable == 0) return; // of a block of no bytes, where the mode says so; that realloc would free it
    resize(slot, usable);
    if (names_strict() && shadow_slots[slot].p != NULL && shadow_slots[slot].p != p)
        fail("realloc of %p to its usable size %zu moved it", (void *)p, usable);
}

// --- refusing -------------------------------------------------------------------------------------------------------

static void expect_refusal(const void *p) {
    if (p != NULL) fail("returned %p", p);
    if (errno != ENOMEM) fail("errno is %d, not ENOMEM", errno);
}

static void refuse_posix_memalign(size_t align, size_t bytes, int error_due) {
    int anything;
    void *out = &anything;
    begin("refused posix_memalign", 0, bytes, align);
    int error = names_posix_memalign(&out, align, bytes);
    if (error != error_due) fail("returned %d, not %d", error, error_due);
    if (out != &anything) fail("wrote %p", out);
    expect_errno_kept();
}

// Requests that no allocator can serve; the block in `slot` must survive a refused realloc.
static void refuse(uint32_t slot) {
    size_t bytes = (size_t)PTRDIFF_MAX + 1 + (one_in(2) ? below(4096) : below(PTRDIFF_MAX));
    begin("refused malloc", 0, bytes, 1);
    expect_refusal(names_malloc(bytes));
    begin("refused calloc", 0, SIZE_MAX / 2, 1);
    expect_refusal(names_calloc(SIZE_MAX / 2 + below(100), 2 + below(100)));
    begin("refused memalign", 0, bytes, (size_t)1 << (4 + below(27)));
    expect_refusal(names_memalign(run.align, bytes));
    refuse_posix_memalign((size_t)1 << (4 + below(27)), bytes, ENOMEM);
    refuse_posix_memalign(24 + 16 * below(2), 100, EINVAL);
    refuse_posix_memalign(sizeof(void *) / 2, 100, EINVAL);
    if (shadow_slots[slot].p == NULL) return;
    begin("refused realloc", slot, bytes, 1);
    expect_refusal(names_realloc(shadow_slots[slot].p, bytes));
    verify(slot);
}

static void pass_nothing(void) {
    begin("NULL", 0, 0, 0);
    names_free(NULL);
    names_free_sized(NULL, below(1000));
    names_free_aligned_sized(NULL, 64, below(1000));
    if (names_usable_size(NULL) != 0) fail("usable size of NULL is not 0");
    expect_errno_kept();
}

// --- random steps ---------------------------------------------------------------------------------------------------

enum sizes { SIZES_ALL, SIZES_SMALL, SIZES_ONE_CLASS, SIZES_MEDIUM, SIZES_LARGE, SIZES_KINDS };

// What a stretch of operations looks like: how likely an empty slot is filled and a live one released.
struct phase {
    const char *name;
    unsigned fill_percent;
    unsigned release_percent;
};

static const struct phase phases[] = {{"grow", 95, 10}, {"churn", 75, 50}, {"shrink", 5, 80}};

struct cycle {
    enum sizes sizes;
    size_t class_bytes; // SIZES_ONE_CLASS: near this size
    uint32_t first;     // slots in play: [first, first + window); blocks in others just live on
    uint32_t window;
};

static size_t in_doubling(unsigned log2) {
    size_t low = (size_t)1 << log2;
    if (one_in(8)) return low + below(3) - 1;
    return low + below(low);
}

// Every doubling from `low` on as likely as the last, above `knee` each half as likely: equal bytes for each.
static size_t any_size(unsigned low, unsigned knee) {
    unsigned log2 = low + (unsigned)below(knee - low + 1);
    while (log2 >= knee && log2 < 25 && one_in(2)) log2++;
    return in_doubling(log2);
}

static size_t cycle_size(const struct cycle *c) {
    switch (c->sizes) {
    case SIZES_SMALL: return below(1 * KIB + 1);
    case SIZES_ONE_CLASS: return c->class_bytes - below(c->class_bytes / 16 + 1);
    case SIZES_MEDIUM: return in_doubling(10 + (unsigned)below(7));
    case SIZES_LARGE: return any_size(16, 16);
    default: return any_size(0, 11);
    }
}

// A trim and a comparison of counts look at everything: they are rare, and rarer the more blocks are live.
static void rare(uint32_t slot) {
    size_t kind = below(8);
    if (kind < 3)
        refuse(slot);
    else if (kind < 5)
        pass_nothing();
    else if (kind < 6)
        check_census();
    else {
        begin("trim", 0, one_in(2) ? 0 : MIB, 0);
        names_trim(run.bytes);
        expect_errno_kept();
    }
}

static void ask(uint32_t slot) {
    begin("usable_size", slot, shadow_slots[slot].asked, shadow_slots[slot].align);
    size_t usable = names_usable_size(shadow_slots[slot].p);
    if (usable != shadow_slots[slot].usable) fail("usable size became %zu from %zu", usable, shadow_slots[slot].usable);
    verify(slot);
    expect_errno_kept();
}

static void keep(uint32_t slot, const struct cycle *c) {
    size_t kind = below(32);
    if (kind < 12)
        ask(slot);
    else if (kind < 22)
        resize(slot, 1 + cycle_size(c)); // realloc(p, 0) frees
    else if (kind < 26)
        resize(slot, 1 + any_size(0, 11));
    else if (kind < 30)
        resize_within(slot);
    else
        resize_to_nothing(slot);
}

static void step(const struct phase *phase, const struct cycle *c) {
    uint32_t slot = c->first + (uint32_t)below(c->window);
    size_t dice = below(100);
    if (one_in(1500))
        rare(slot);
    else if (shadow_slots[slot].p == NULL && dice < phase->fill_percent)
        allocate(slot, cycle_size(c));
    else if (shadow_slots[slot].p == NULL)
        return;
    else if (dice < phase->release_percent)
        release(slot);
    else
        keep(slot, c);
}

// --- the run --------------------------------------------------------------------------------------------------------

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct limit {
    uint64_t ops; // 0: by time
    uint64_t end_ns;
};

static bool is_over(const struct limit *limit) {
    if (limit->ops != 0) return run.op >= limit->ops;
    return run.op % 64 == 0 && now_ns() >= limit->end_ns;
}

static struct cycle next_cycle(void) {
    struct cycle c = {.sizes = (enum sizes)below(SIZES_KINDS)};
    c.class_bytes = 1 + any_size(3, 14);
    size_t window = (size_t)16 << below(13);
    size_t most = SHADOW_SLOTS;
    if (c.sizes == SIZES_MEDIUM) most = 2048;
    if (c.sizes == SIZES_LARGE) most = 64;
    if (c.sizes == SIZES_ONE_CLASS) most = 16 + 32 * MIB / c.class_bytes;
    if (most > SHADOW_SLOTS) most = SHADOW_SLOTS;
    c.window = (uint32_t)(window < most ? window : most);
    c.first = (uint32_t)below(SHADOW_SLOTS - c.window + 1);
    return c;
}

// One life of a heap: grow, churn, shrink; then perhaps free the rest in some order.
static bool run_cycle(const struct limit *limit) {
    struct cycle c = next_cycle();
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        begin(phases[i].name, c.window, c.class_bytes, (size_t)c.sizes);
        for (size_t n = 0; n < 2 * (size_t)c.window; n++) {
            step(&phases[i], &c);
            if (is_over(limit)) return false;
        }
    }
    verify_all();
    if (one_in(2)) drain(c.first, c.window, (enum order)below(ORDERS));
    check_census();
    return true;
}

static uint32_t visit_size(uint32_t slot, size_t bytes) {
    make_room(bytes);
    allocate_plain(slot, bytes);
    return slot + 1;
}

// Every edge of every class once: all sizes to 1 KiB, then each eighth of a doubling, one less and one more; where
// there are only pages (above 1 MiB) one edge of each doubling.
static void visit_all_sizes(void) {
    uint32_t slot = 0;
    for (size_t bytes = 0; bytes <= 1 * KIB; bytes++) slot = visit_size(slot, bytes);
    for (size_t low = 1 * KIB; low < MIB; low *= 2)
        for (size_t edge = 0; edge < 24; edge++) slot = visit_size(slot, low + low / 8 * (edge / 3) + edge % 3 - 1);
    for (size_t low = MIB; low < LARGEST_BYTES; low *= 2) slot = visit_size(slot, low + low / 8 * below(8) + below(3) - 1);
    drain(0, slot, ORDER_COMB);
}

static void visit_all_alignments(void) {
    uint32_t slot = 0;
    for (size_t align = 1; align <= MIB; align *= 2)
        for (size_t d = 0; d < 5; d++) {
            size_t bytes = d == 0 ? 0 : d == 4 ? 3 * align : align + d - 2;
            make_room(bytes);
            allocate_aligned(slot++, bytes, align);
        }
    for (size_t align = 2 * MIB; align <= GIB; align *= 2) allocate_aligned(slot++, below(100000), align);
    drain(0, slot, ORDER_DOWN);
}

static uint64_t number_of(const char *text, uint64_t otherwise) { return text == NULL ? otherwise : strtoull(text, NULL, 0); }

static void start(int argc, char **argv, struct limit *limit) {
    bool is_long = number_of(getenv("MB_TEST_LONG"), 0) != 0;
    limit->end_ns = now_ns() + (is_long ? 300 : 10) * UINT64_C(1000000000);
    limit->ops = argc > 2 ? number_of(argv[2], 0) : 0;
    run.seed = number_of(argc > 1 ? argv[1] : getenv("MB_TEST_SEED"), is_long ? now_ns() ^ ((uint64_t)getpid() << 40) : 1);
    run.trace_from = number_of(getenv("MB_TEST_TRACE"), UINT64_MAX);
    run.rng.state = run.seed;
    run.name = "start";
}

int main(int argc, char **argv) {
    struct limit limit;
    setvbuf(stdout, NULL, _IONBF, 0);
    setvbuf(stderr, NULL, _IONBF, 0);
    start(argc, argv, &limit);
    const char *server = names_start();
    if (server == NULL) return 1;
    printf("model: seed=0x%llx (MB_TEST_SEED or first argument), allocator: %s\n", (unsigned long long)run.seed, server);
    watch_signal(SIGABRT);
    watch_signal(SIGSEGV);
    watch_signal(SIGBUS);
    run.start_live = names_live_bytes();
    visit_all_sizes();
    visit_all_alignments();
    while (run_cycle(&limit)) {
    }
    verify_all();
    drain(0, SHADOW_SLOTS, ORDER_UP);
    check_census();
    printf("model: ok, %llu operations, realloc in place %llu, moved %llu\n", (unsigned long long)run.op, (unsigned long long)run.stayed,
           (unsigned long long)run.moved);
    return 0;
}
