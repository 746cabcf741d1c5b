// What: writes into a freed block, whose first word is the free-list link in many allocators. Here a block contains no
// data of the allocator, so such writes must have no effect: the block is handed out again like any other, once, and no
// other block is moved, overwritten or handed out twice.
//
// Each of the word's 64 bits is flipped in turn, for the first, a middle and the last freed block, for blocks freed by
// another thread, and for blocks of other classes; the word is also overwritten by values that an attacker would
// choose.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/misuse/actor.h"
#include "tests/misuse/case.h"
#include "tests/misuse/shadow.h"

// LISTED: more than a sixteenth of a slab, which must be free before a full one is used again (MB_REUSE_FRACTION).
enum { LISTED = 80, MOST = 20000 };
enum freer { BY_OWNER, BY_OTHER };

struct scene {
    size_t bytes;
    enum freer freer;
    int victim; // index in the order of the frees
};

static void *listed[LISTED], *live[LISTED];
static _Alignas(4096) char decoy[4096];

static void free_listed(void *unused) {
    (void)unused;
    release(listed, LISTED);
}

// LISTED free blocks of one slab in the order of the array, with as many live ones between them.
static void set_up(const struct scene *s) {
    for (int i = 0; i < LISTED; i++) {
        listed[i] = block(s->bytes);
        live[i] = block(s->bytes);
        memset(live[i], 'L', s->bytes);
    }
    if (s->freer == BY_OWNER) free_listed(NULL);
    else by_thread(free_listed, NULL);
}

static void check_live(const struct scene *s) {
    for (int i = 0; i < LISTED; i++)
        for (size_t k = 0; k < s->bytes; k++)
            if (((char *)live[i])[k] != 'L') give_up("a live block was overwritten");
}

static bool is_live(const void *p) {
    for (int i = 0; i < LISTED; i++)
        if (live[i] == p) return true;
    return false;
}

// Takes blocks until the victim must have come out. The shadow ends the case if a block comes out twice.
static void take_until_it_comes_out(const struct scene *s) {
    void *victim = listed[s->victim];
    size_t count = (16 << 20) / s->bytes;
    for (size_t i = 0; i < count && i < MOST; i++) {
        void *p = shadow_malloc(s->bytes);
        if (is_live(p)) give_up("a live block was handed out");
    }
    check_live(s);
    shadow_verify();
    if (!shadow_has(victim)) give_up("the damaged block never came out");
}

static void damage_and_take(const struct scene *s, uint64_t word) {
    void *victim = listed[s->victim];
    shadow_forbid(decoy, sizeof decoy);
    announce(victim);
    memcpy(victim, &word, sizeof word);
    take_until_it_comes_out(s);
}

static uint64_t first_word(const void *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static void flip(const struct misuse_case *c) {
    const struct scene *s = c->what;
    set_up(s);
    damage_and_take(s, first_word(listed[s->victim]) ^ UINT64_C(1) << c->n);
}

// --- what an attacker writes -----------------------------------------------------------------------------------------

typedef uint64_t forger(void *victim, void *frame);

static uint64_t to_static(void *victim, void *frame) {
    (void)victim, (void)frame;
    return (uintptr_t)hide(decoy);
}
static uint64_t to_stack(void *victim, void *frame) {
    (void)victim;
    return (uintptr_t)frame;
}
static uint64_t to_live(void *victim, void *frame) {
    (void)victim, (void)frame;
    return (uintptr_t)live[3];
}
static uint64_t to_free(void *victim, void *frame) {
    (void)victim, (void)frame;
    return (uintptr_t)listed[5];
}
static uint64_t to_itself(void *victim, void *frame) {
    (void)frame;
    return (uintptr_t)victim;
}
static uint64_t zero(void *victim, void *frame) {
    (void)victim, (void)frame;
    return 0;
}
static uint64_t ones(void *victim, void *frame) {
    (void)victim, (void)frame;
    return UINT64_MAX;
}
static uint64_t small(void *victim, void *frame) {
    (void)victim, (void)frame;
    return 64;
}
static uint64_t other_link(void *victim, void *frame) {
    (void)frame;
    return first_word(listed[7] == victim ? listed[8] : listed[7]);
}
static uint64_t increment(void *victim, void *frame) {
    (void)frame;
    return first_word(victim) + 1;
}
static uint64_t decrement(void *victim, void *frame) {
    (void)frame;
    return first_word(victim) - 1;
}
static uint64_t next_block(void *victim, void *frame) {
    (void)frame;
    return first_word(victim) + 64;
}
static uint64_t complement(void *victim, void *frame) {
    (void)frame;
    return ~first_word(victim);
}
// One byte too far: the terminator of a string in the block before.
static uint64_t low_byte_zero(void *victim, void *frame) {
    uint64_t word = first_word(victim);
    (void)frame;
    return (word & 0xff) != 0 ? word & ~UINT64_C(0xff) : word + 1;
}
static uint64_t text(void *victim, void *frame) {
    (void)victim, (void)frame;
    return UINT64_C(0x4141414141414141);
}

static const struct {
    const char *name;
    forger *forge;
} forgeries[] = {
    {"static", to_static}, {"stack", to_stack}, {"live-block", to_live}, {"free-block", to_free}, {"itself", to_itself},
    {"zero", zero}, {"ones", ones}, {"small-number", small}, {"link-of-another", other_link}, {"increment", increment},
    {"decrement", decrement}, {"add-64", next_block}, {"complement", complement}, {"low-byte-zero", low_byte_zero},
    {"text", text},
};

static void overwrite(const struct misuse_case *c) {
    const struct scene *s = c->what;
    char frame[256];
    set_up(s);
    shadow_forbid(frame, sizeof frame);
    damage_and_take(s, forgeries[c->n].forge(listed[s->victim], hide(frame)));
}

// The whole block, tag and all.
static void fill(const struct misuse_case *c) {
    const struct scene *s = c->what;
    set_up(s);
    announce(listed[s->victim]);
    memset(listed[s->victim], (int)c->n, s->bytes);
    take_until_it_comes_out(s);
}

// --- the tables ------------------------------------------------------------------------------------------------------

static const struct {
    const char *name;
    struct scene scene;
    bool every_bit;
} scenes[] = {
    {"first-64", {64, BY_OWNER, 0}, true},
    {"middle-64", {64, BY_OWNER, LISTED / 2}, true},
    {"last-64", {64, BY_OWNER, LISTED - 1}, true},
    {"remote-first-64", {64, BY_OTHER, 0}, true},
    {"remote-middle-64", {64, BY_OTHER, LISTED / 2}, true},
    {"remote-last-64", {64, BY_OTHER, LISTED - 1}, false},
    {"middle-16", {16, BY_OWNER, LISTED / 2}, true},
    {"middle-1000", {1000, BY_OWNER, 20}, false},
    {"middle-20000", {20000, BY_OWNER, 20}, true},
    {"remote-middle-20000", {20000, BY_OTHER, 20}, false},
};

static void emit_one(misuse_emit *emit, size_t scene, const char *deed, size_t n, void (*run)(const struct misuse_case *)) {
    struct misuse_case c = {.end = END_LIVES, .run = run, .what = &scenes[scene].scene, .n = n};
    name_case(&c, "link/%s-%s", scenes[scene].name, deed);
    emit(&c);
}

static void emit_scene(misuse_emit *emit, size_t scene) {
    char deed[32];
    for (size_t bit = 0; bit < 64; bit += scenes[scene].every_bit ? 1 : 9) {
        snprintf(deed, sizeof deed, "flip-%zu", bit);
        emit_one(emit, scene, deed, bit, flip);
    }
    for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) emit_one(emit, scene, forgeries[i].name, i, overwrite);
    emit_one(emit, scene, "fill-00", 0, fill);
    emit_one(emit, scene, "fill-41", 0x41, fill);
    emit_one(emit, scene, "fill-ff", 0xff, fill);
}

void link_cases(misuse_emit *emit) {
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) emit_scene(emit, i);
}
