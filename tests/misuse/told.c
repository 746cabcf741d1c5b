// What: the allocator cannot always distinguish a freed block from one that was never handed out. Whatever happened
// before, it must never report a freed block as "never handed out", nor an unused one as "double free"; if it cannot
// tell, it says so. In a small program it can tell.
//
// Who: the main thread, and a helper that frees every third block. Each case is another history, drawn at random from
// its number.
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "tests/misuse/actor.h"
#include "tests/misuse/case.h"

enum { LIVE_MAX = 3000, EVER_MAX = 1 << 17, HISTORIES = 8 };
enum { UNTOUCHED = 10000 }; // a class that no history uses

static void *live[LIVE_MAX], *ever[EVER_MAX];
static size_t live_count, ever_count;
static struct actor helper;
static uint64_t state;

static size_t draw(size_t below) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(state >> 33) % below;
}

static void take(size_t bytes) {
    if (live_count == LIVE_MAX || ever_count == EVER_MAX) return;
    void *p = block(bytes);
    if (draw(2) == 0) memset(p, 1, bytes);
    live[live_count++] = ever[ever_count++] = p;
}

static void do_free(void *p) { free(p); }

static void drop(void) {
    size_t i = draw(live_count);
    void *p = live[i];
    live[i] = live[--live_count];
    if (draw(3) == 0)
        actor_do(&helper, do_free, p);
    else
        free(p);
}

// A few or many steps, mostly with one size, with more allocations or more frees; sometimes all blocks are freed.
static void history(const struct misuse_case *c) {
    static const size_t lengths[HISTORIES] = {3, 20, 70, 200, 500, 1500, 4000, 8000};
    size_t index = (size_t)(uintptr_t)c->what;
    state = c->n * 1000 + index;
    actor_start(&helper);
    for (size_t i = 0; i < lengths[index]; i++) {
        size_t bias = i / 300 % 2 == 0 ? 6 : 4;
        if (live_count == 0 || draw(10) < bias)
            take(draw(20) == 0 ? 32 + draw(500) : c->n);
        else
            drop();
        if (draw(3000) == 0) malloc_trim(0);
    }
    take(c->n);
    actor_stop(&helper);
}

static bool is_among(void *const *v, size_t count, const void *p) {
    for (size_t i = 0; i < count; i++)
        if (v[i] == p) return true;
    return false;
}

static void free_again(const struct misuse_case *c) {
    history(c);
    for (size_t tries = 0; tries < 10000; tries++) {
        void *p = ever[draw(ever_count)];
        if (is_among(live, live_count, p)) continue;
        announce(p);
        free(p);
        malloc_trim(0); // the owner's free of what another thread had freed shows only now
        give_up("the second free was not caught");
    }
    void *p = live[--live_count]; // nothing has been freed yet
    free(p);
    announce(p);
    free(p);
    give_up("the second free was not caught");
}

// A place in the same 64 KiB where a block of that size would begin.
static void free_unused(const struct misuse_case *c) {
    history(c);
    for (size_t tries = 0; tries < 10000; tries++) {
        char *p = live[draw(live_count)];
        size_t step = malloc_usable_size(p), slots = 65536 / step;
        char *unit = (char *)((uintptr_t)p & ~(uintptr_t)0xffff), *q = unit + draw(slots) * step;
        if (step > 20000 || is_among(ever, ever_count, q)) continue;
        announce(q);
        free(q);
        give_up("a block that was never handed out was freed");
    }
    char *p = block(UNTOUCHED), *q = p + malloc_usable_size(p); // every place of these slabs has been used
    announce(q);
    free(q);
    give_up("a block that was never handed out was freed");
}

static void simple_neighbour(const struct misuse_case *c) {
    char *p = block(c->n), *q = p + malloc_usable_size(p);
    announce_place(q, "free, room for blocks of %zu bytes", malloc_usable_size(p));
    free(q);
    give_up("a block that was never handed out was freed");
}

static void simple_twice(const struct misuse_case *c) {
    void *v[200];
    blocks(v, 200, c->n);
    release(v, 200);
    blocks(v, 200, c->n);
    memset(v[77], 1, c->n);
    release(v, 200);
    announce_place(v[77], "free, a block of %zu bytes", (c->n + 15) / 16 * 16);
    free(v[77]);
    give_up("the second free was not caught");
}

static const char unclear[] = "invalid free: not allocated (freed already, or never handed out)";
static const size_t sizes[] = {16, 48, 64, 112, 256, 1024, 5120};

static void emit_histories(misuse_emit *emit, size_t n) {
    for (uintptr_t i = 0; i < HISTORIES; i++) {
        struct misuse_case again = {.end = END_DIES, .run = free_again, .what = (const void *)i, .n = n};
        name_case(&again, "told/again-after-history-%d-of-%zu", (int)i, n);
        // In a long history the unit may be another class's by now, and the block's start lies inside one of that.
        text_case(&again, "double free|%s|%s", unclear, i >= 5 ? "invalid free (interior pointer)" : unclear);
        emit(&again);
        struct misuse_case unused = {.end = END_DIES, .run = free_unused, .what = (const void *)i, .n = n};
        name_case(&unused, "told/unused-after-history-%d-of-%zu", (int)i, n);
        text_case(&unused, "invalid free (never handed out)|%s", unclear);
        emit(&unused);
    }
}

void told_cases(misuse_emit *emit) {
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct misuse_case c = {.end = END_DIES, .run = simple_neighbour, .n = sizes[i]};
        name_case(&c, "told/neighbour-%zu", c.n);
        text_case(&c, "invalid free (never handed out)");
        emit(&c);
        emit_histories(emit, sizes[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        struct misuse_case c = {.end = END_DIES, .run = simple_twice, .n = sizes[i]};
        name_case(&c, "told/twice-%zu", c.n);
        text_case(&c, "double free");
        emit(&c);
    }
}
