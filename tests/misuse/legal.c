// What: correct programs that look like misuse. None may be ended or reported.
//
// The stale copies are an exception that no correct program can make: they read a freed block. They stand for any data
// that happens to equal the contents of a freed block, which an allocator must take for data once it has verified it.
#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "tests/misuse/actor.h"
#include "tests/misuse/case.h"
#include "tests/misuse/shadow.h"

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))
enum { MILLION = 1000000, CROWD = 5000 };

static void *crowd[CROWD];
static const size_t sizes[] = {1, 16, 24, 32, 64, 100, 1000, 4096, 8192, 20000, 70000};

static void deed_release(void *unused) {
    (void)unused;
    release(crowd, CROWD);
}

static uint64_t seed = 88172645463325252u;
static uint64_t next_random(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

// --- NULL ------------------------------------------------------------------------------------------------------------

typedef void three(void *, size_t, size_t);

// All forms of free ignore NULL, whatever their other arguments are. Unused arguments do no harm in this calling
// convention; a tag is only an address.
static void null(const struct misuse_case *c) {
    static const char *const names[] = {"free", "cfree", "free_sized", "free_aligned_sized", "_ZdlPv", "_ZdaPv", "_ZdlPvm", "_ZdaPvm",
        "_ZdlPvSt11align_val_t", "_ZdaPvSt11align_val_t", "_ZdlPvmSt11align_val_t", "_ZdaPvmSt11align_val_t",
        "_ZdlPvRKSt9nothrow_t", "_ZdaPvRKSt9nothrow_t", "_ZdlPvSt11align_val_tRKSt9nothrow_t", "_ZdaPvSt11align_val_tRKSt9nothrow_t"};
    static const size_t numbers[] = {0, 1, 16, 64, 4096, SIZE_MAX};
    (void)c;
    for (size_t i = 0; i < COUNT(names); i++) {
        three *f;
        void *address = dlsym(RTLD_DEFAULT, names[i]);
        if (address == NULL) give_up(names[i]);
        memcpy(&f, &address, sizeof f);
        for (size_t k = 0; k < COUNT(numbers) * COUNT(numbers); k++)
            f(hide(NULL), numbers[k % COUNT(numbers)], numbers[k / COUNT(numbers)]);
    }
    if (malloc_usable_size(hide(NULL)) != 0) give_up("the usable size of NULL is not 0");
    void *p = hide(realloc(hide(NULL), 100));
    if (p == NULL) give_up("realloc(NULL, 100) returned NULL");
    free(p);
}

// --- stale copies ----------------------------------------------------------------------------------------------------

static void *take_again(void *p, size_t bytes) {
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = block(bytes);
        if (crowd[i] == p) {
            release(crowd, i);
            return p;
        }
    }
    release(crowd, CROWD);
    return NULL;
}

// c->what: another thread does the last free.
static void stale_copy(const struct misuse_case *c) {
    static char copy[1 << 17];
    void (*const deed)(void *) = free;
    size_t done = 0, kept = c->n < 16 ? c->n : c->how != NULL ? c->n : 16;
    void *wall = block(c->n);
    for (int i = 0; i < 200; i++) {
        void *p = block(c->n);
        free(p);
        memcpy(copy, p, kept);
        if (take_again(p, c->n) == NULL) continue;
        memcpy(p, copy, kept);
        done++;
        if (c->what != NULL) by_thread(deed, p);
        else free(p);
        if (i % 16 == 0) malloc_trim(0);
    }
    free(wall);
    if (done == 0) give_up("no freed block ever came out again");
    shadow_churn(c->n);
}

// A block that was suspected of a double free and turned out to be live is freed, not lost.
static void stale_copies_do_not_leak(const struct misuse_case *c) {
    struct misuse_case one = *c;
    stale_copy(&one);
    malloc_trim(0);
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 5; i++) stale_copy(&one);
    malloc_trim(0);
    size_t after = mallinfo2().uordblks;
    if (after > before + 100 * c->n + 100000) give_up("blocks that looked free were lost");
}

// --- contents --------------------------------------------------------------------------------------------------------

static void uninitialised(const struct misuse_case *c) {
    (void)c;
    for (size_t i = 0; i < MILLION; i++) free(block(sizes[i % 7]));
    for (size_t round = 0; round < 200; round++) {
        blocks(crowd, CROWD, sizes[round % 7]);
        release(crowd, CROWD);
    }
}

static void uninitialised_by_another(const struct misuse_case *c) {
    (void)c;
    for (size_t round = 0; round < 60; round++) {
        blocks(crowd, CROWD, sizes[round % 7]);
        by_thread(deed_release, NULL);
    }
}

// Copies whole blocks that were never written.
static void uninitialised_copies(const struct misuse_case *c) {
    (void)c;
    for (size_t i = 0; i < 200000; i++) {
        size_t n = sizes[i % 8];
        char *p = block(n), *q = block(n), *r = block(n);
        memcpy(q, p, n);
        memcpy(p, r, n);
        free(p);
        free(r);
        free(q);
    }
}

static void random_contents(const struct misuse_case *c) {
    (void)c;
    for (size_t i = 0; i < MILLION; i++) {
        uint64_t words[2] = {next_random(), next_random()};
        void *p = block(16 + i % 48);
        memcpy(p, words, sizeof words);
        crowd[i % CROWD] = p;
        if (i % CROWD == CROWD - 1) release(crowd, CROWD);
    }
}

// Zeros, ones, addresses of oneself and of others: what real data consists of.
static void telling_contents(const struct misuse_case *c) {
    (void)c;
    for (size_t i = 0; i < MILLION; i++) {
        uintptr_t at = (uintptr_t)(crowd[i % 64] = block(16 + 16 * (i % 3)));
        const uintptr_t words[] = {0, UINTPTR_MAX, at, at + 16, (uintptr_t)crowd[i % 7], i, at & 0xffff, 1};
        uintptr_t pair[2] = {words[i % 8], words[i / 8 % 8]};
        memcpy(crowd[i % 64], pair, sizeof pair);
        if (i % 64 == 63) release(crowd, 64);
    }
}

static void zeroed(const struct misuse_case *c) {
    (void)c;
    for (size_t i = 0; i < 100000; i++) {
        crowd[i % 500] = hide(calloc(1, sizes[i % COUNT(sizes)]));
        if (i % 500 == 499) release(crowd, 500);
    }
}

// The whole slab filled again and again by blocks that carry copies of their neighbours' contents.
static void neighbours_copied(const struct misuse_case *c) {
    for (int round = 0; round < 100; round++) {
        blocks(crowd, 500, c->n);
        for (size_t i = 0; i + 1 < 500; i++) memcpy(crowd[i], crowd[i + 1], c->n);
        for (size_t i = 0; i < 500; i += 2) free(crowd[i]);
        for (size_t i = 1; i < 500; i += 2) free(crowd[i]);
    }
}

// --- order -----------------------------------------------------------------------------------------------------------

static void random_order(const struct misuse_case *c) {
    for (size_t i = 0; i < CROWD; i++) crowd[i] = block(c->n);
    for (size_t i = 0; i < 500000; i++) {
        size_t k = next_random() % CROWD;
        if (i % 5 == 0) crowd[k] = hide(realloc(crowd[k], 1 + next_random() % (2 * c->n)));
        else free(crowd[k]), crowd[k] = block(1 + next_random() % (2 * c->n));
    }
    by_thread(deed_release, NULL);
    malloc_trim(0);
}

// Blocks of one thread freed by turns by itself and by another; every one just once.
static void by_turns(const struct misuse_case *c) {
    static struct actor b;
    actor_start(&b);
    for (int round = 0; round < 300; round++) {
        blocks(crowd, 200, c->n);
        for (size_t i = 0; i < 200; i++) {
            if (i % 3 == 0) actor_do(&b, free, crowd[i]);
            else free(crowd[i]);
        }
    }
    actor_stop(&b);
}

// --- the table -------------------------------------------------------------------------------------------------------

static void emit_one(misuse_emit *emit, const char *name, void (*run)(const struct misuse_case *), size_t n, const void *what,
                     const void *how) {
    struct misuse_case c = {.end = END_LIVES, .run = run, .what = what, .how = how, .n = n};
    if (n != 0) name_case(&c, "legal/%s-%zu", name, n);
    else name_case(&c, "legal/%s", name);
    emit(&c);
}

static void emit_sized(misuse_emit *emit, size_t n) {
    emit_one(emit, "stale-copy", stale_copy, n, NULL, NULL);
    emit_one(emit, "stale-copy-whole", stale_copy, n, NULL, "whole");
    emit_one(emit, "stale-copy-freed-by-another", stale_copy, n, "another", NULL);
    emit_one(emit, "stale-copies-do-not-leak", stale_copies_do_not_leak, n, NULL, NULL);
    emit_one(emit, "stale-copies-freed-by-another-do-not-leak", stale_copies_do_not_leak, n, "another", NULL);
    emit_one(emit, "neighbours-copied", neighbours_copied, n, NULL, NULL);
    emit_one(emit, "random-order", random_order, n, NULL, NULL);
    emit_one(emit, "by-turns", by_turns, n, NULL, NULL);
}

void legal_cases(misuse_emit *emit) {
    static const size_t some[] = {16, 64, 1000, 8192};
    emit_one(emit, "null", null, 0, NULL, NULL);
    emit_one(emit, "uninitialised", uninitialised, 0, NULL, NULL);
    emit_one(emit, "uninitialised-by-another", uninitialised_by_another, 0, NULL, NULL);
    emit_one(emit, "uninitialised-copies", uninitialised_copies, 0, NULL, NULL);
    emit_one(emit, "random-contents", random_contents, 0, NULL, NULL);
    emit_one(emit, "telling-contents", telling_contents, 0, NULL, NULL);
    emit_one(emit, "zeroed", zeroed, 0, NULL, NULL);
    for (size_t i = 0; i < COUNT(some); i++) emit_sized(emit, some[i]);
}
