// What: the size and alignment that a program passes to a sized free. If no legal history of the block explains them,
// that is reported once and the block is freed all the same (sized=warn, the default), or it is freed silently
// (sized=ignore), or the process ends (sized=abort). Every value that a legal history explains must pass: the size
// requested, any size that realloc kept in place, the usable size.
//
// realloc, as in glibc, may shrink a block in place, and a program need not remember that: after malloc(n) and a
// realloc(p, 20) in place, free_sized(p, 20) is right. So a size is too small only if realloc would have moved the
// block.
#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "tests/misuse/case.h"

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

typedef void sized_free(void *p, size_t bytes);
typedef void aligned_sized_free(void *p, size_t align, size_t bytes);
typedef void sized_aligned_delete(void *p, size_t bytes, size_t align);

static void find(const char *symbol, void *function_out) {
    void *address = dlsym(RTLD_DEFAULT, symbol);
    if (address == NULL) give_up(symbol);
    memcpy(function_out, &address, sizeof address);
}

static const char *const sized_names[] = {"free_sized", "_ZdlPvm", "_ZdaPvm"};
static const size_t sizes[] = {1, 8, 16, 17, 24, 64, 100, 128, 129, 1000, 1024, 4096, 5000, 8192, 8193, 20000, 32768, 40000,
    65536, 100000, 262144, 1 << 20, 5 << 20, 64 << 20};

// --- wrong -----------------------------------------------------------------------------------------------------------

static size_t live_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

// If the process continues, the block is freed, and the next wrong size is not reported.
static void after_claim(const struct misuse_case *c, size_t live_before, size_t usable) {
    if (c->end == END_DIES) give_up("the size was accepted");
    if (live_bytes() + usable > live_before) give_up("the block was not freed");
}

static void claim(const struct misuse_case *c, size_t n, size_t (*wrong)(size_t usable)) {
    sized_free *f;
    find(c->what, &f);
    for (int i = 0; i < 2; i++) {
        void *p = block(n);
        size_t usable = malloc_usable_size(p), before = live_bytes();
        if (i == 0) announce_place(p, "free_sized, %zu bytes given, a block of %zu bytes", wrong(usable), usable);
        f(p, wrong(usable));
        after_claim(c, before, usable);
    }
}

static size_t plus_one(size_t usable) { return usable + 1; }
static size_t doubled(size_t usable) { return 2 * usable; }
static size_t enormous(size_t usable) { return SIZE_MAX - 64 + 0 * usable; }
static size_t one(size_t usable) { return 1 + 0 * usable; }

static void one_too_big(const struct misuse_case *c) { claim(c, c->n, plus_one); }
static void twice_too_big(const struct misuse_case *c) { claim(c, c->n, doubled); }
static void absurd(const struct misuse_case *c) { claim(c, c->n, enormous); }
static void far_too_small(const struct misuse_case *c) { claim(c, c->n, one); }

// --- wrong, with an alignment ----------------------------------------------------------------------------------------

static void claim_aligned(const struct misuse_case *c, void *p, size_t align, size_t bytes) {
    aligned_sized_free *f;
    find("free_aligned_sized", &f);
    size_t usable = malloc_usable_size(p), before = live_bytes();
    announce_place(p, "free_aligned_sized, %zu bytes given, alignment %zu given, a block of %zu bytes", bytes, align, usable);
    f(p, align, bytes);
    after_claim(c, before, usable);
}

static void *aligned(size_t align, size_t bytes) {
    void *p = hide(aligned_alloc(align, bytes));
    if (p == NULL) give_up("aligned_alloc returned NULL");
    return p;
}

static void aligned_too_big(const struct misuse_case *c) {
    void *p = aligned(64, c->n);
    claim_aligned(c, p, 64, malloc_usable_size(p) + 1);
}

static void aligned_too_small(const struct misuse_case *c) { claim_aligned(c, aligned(64, c->n), 64, 1); }

// A block that does not have the claimed alignment.
static void not_that_aligned(const struct misuse_case *c) {
    void *v[64];
    for (size_t i = 0; i < COUNT(v); i++) {
        v[i] = aligned(16, c->n);
        if (((uintptr_t)v[i] & 4095) != 0) return claim_aligned(c, v[i], 4096, c->n);
    }
    give_up("64 blocks in a row were page-aligned");
}

static void crooked_alignment(const struct misuse_case *c) { claim_aligned(c, aligned(64, c->n), 48, c->n); }

// --- right -----------------------------------------------------------------------------------------------------------

static void as_asked(const struct misuse_case *c) {
    sized_free *f;
    find(c->what, &f);
    for (size_t i = 0; i < COUNT(sizes); i++) f(block(sizes[i]), sizes[i]);
    for (size_t n = 0; n < 40000; n += 1 + n / 50) f(block(n), n);
}

// Every size from the requested to the usable one.
static void up_to_usable(const struct misuse_case *c) {
    sized_free *f;
    find(c->what, &f);
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t sixteenth = 0; sixteenth <= 16; sixteenth++) {
            void *p = block(sizes[i]);
            size_t spare = malloc_usable_size(p) - sizes[i];
            f(p, sizes[i] + spare * sixteenth / 16);
        }
}

// Whatever realloc answers, the size it was asked for is right afterwards: shrunk and grown, in place or not.
static void after_realloc(const struct misuse_case *c) {
    sized_free *f;
    find(c->what, &f);
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t k = 0; k < COUNT(sizes); k++) {
            void *p = hide(realloc(block(sizes[i]), sizes[k]));
            if (p == NULL) give_up("realloc returned NULL");
            f(p, sizes[k]);
        }
}

// Many small steps down: each may stay in place because it is small, the sum of them is not.
static void after_many_reallocs(const struct misuse_case *c) {
    sized_free *f;
    find(c->what, &f);
    for (size_t stop = 1; stop < 2000000; stop = stop * 5 / 3 + 1) {
        void *p = block(2000000);
        size_t n = 2000000;
        while (n * 7 / 8 > stop) {
            n = n * 7 / 8;
            p = hide(realloc(p, n));
        }
        f(p, n);
    }
}

static void aligned_as_asked(const struct misuse_case *c) {
    aligned_sized_free *f;
    sized_aligned_delete *d, *da;
    find("free_aligned_sized", &f);
    find("_ZdlPvmSt11align_val_t", &d);
    find("_ZdaPvmSt11align_val_t", &da);
    (void)c;
    for (size_t align = 16; align <= 1 << 21; align *= 2)
        for (size_t n = 1; n < 300000; n = n * 3 + 1) {
            f(aligned(align, n), align, n);
            d(aligned(align, n), n, align);
            da(aligned(align, n), n, align);
        }
}

// --- the tables ------------------------------------------------------------------------------------------------------

static const struct {
    const char *name;
    void (*run)(const struct misuse_case *);
    bool with_alignment;
    size_t sizes[10];
} wrong[] = {
    {"one-too-big", one_too_big, false, {1, 24, 64, 1000, 8192, 20000, 100000, 1 << 20, 64 << 20}},
    {"twice-too-big", twice_too_big, false, {24, 64, 1000, 8192, 20000, 1 << 20}},
    {"absurd", absurd, false, {64, 20000, 1 << 20}},
    {"far-too-small", far_too_small, false, {4096, 20000, 100000, 1 << 20, 64 << 20}},
    {"aligned-too-big", aligned_too_big, true, {64, 1024, 32768, 1 << 20}},
    {"aligned-too-small", aligned_too_small, true, {4096, 32768, 1 << 20}},
    {"not-that-aligned", not_that_aligned, true, {64, 1024}},
    {"crooked-alignment", crooked_alignment, true, {64, 1024}},
};

static const struct {
    const char *name;
    void (*run)(const struct misuse_case *);
} right[] = {
    {"as-asked", as_asked},
    {"up-to-usable", up_to_usable},
    {"after-realloc", after_realloc},
    {"after-many-reallocs", after_many_reallocs},
};

static const struct {
    const char *options;
    enum case_end end;
} modes[] = {{"sized=abort", END_DIES}, {"", END_TOLD}, {"sized=warn", END_TOLD}, {"sized=ignore", END_LIVES}};

// For other sizes than the first, modes that behave like the default run the same code.
static void emit_wrong(misuse_emit *emit, size_t i, const char *symbol) {
    for (const size_t *n = wrong[i].sizes; *n != 0; n++)
        for (size_t mode = 0; mode < (n == wrong[i].sizes ? COUNT(modes) : 2); mode++) {
            struct misuse_case c = {.end = modes[mode].end, .run = wrong[i].run, .what = symbol, .n = *n, .options = modes[mode].options};
            name_case(&c, "sized/%s-%s-%zu-%s", symbol, wrong[i].name, *n, c.options[0] != 0 ? c.options : "default");
            text_case(&c, "sized free with wrong size");
            emit(&c);
        }
}

static void emit_right(misuse_emit *emit, const char *name, const char *symbol, void (*run)(const struct misuse_case *)) {
    struct misuse_case c = {.end = END_LIVES, .run = run, .what = symbol};
    name_case(&c, "sized/%s-legal-%s", symbol, name);
    emit(&c);
}

void sized_cases(misuse_emit *emit) {
    for (size_t i = 0; i < COUNT(wrong); i++)
        for (size_t k = 0; k < (wrong[i].with_alignment ? 1 : COUNT(sized_names)); k++)
            emit_wrong(emit, i, wrong[i].with_alignment ? "free_aligned_sized" : sized_names[k]);
    for (size_t i = 0; i < COUNT(right); i++)
        for (size_t k = 0; k < COUNT(sized_names); k++) emit_right(emit, right[i].name, sized_names[k], right[i].run);
    emit_right(emit, "as-asked", "free_aligned_sized", aligned_as_asked);
}
