// What: implements live.h. The marks depend on address and size, so a block that was handed out twice is noticed.
#include "tests/fork/live.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fork/api.h"

static size_t mark_step(size_t bytes) { return bytes <= 1 << 20 ? 4096 : 256 << 10; }

struct live live_table[LIVE_MAX];

void live_damaged(const char *what) {
    ssize_t written = write(2, what, strlen(what));
    written += write(2, "\n", 1);
    (void)written;
    abort();
}

// A word that is different for each block and each place in it.
static uint64_t mark_of(const unsigned char *p, size_t bytes, size_t at) {
    return ((uintptr_t)p + at) * UINT64_C(0x9e3779b97f4a7c15) ^ bytes;
}

static void put(unsigned char *p, size_t bytes, size_t at) {
    uint64_t word = mark_of(p, bytes, at);
    memcpy(p + at, &word, sizeof word);
}

static bool has(const unsigned char *p, size_t bytes, size_t at) {
    uint64_t word;
    memcpy(&word, p + at, sizeof word);
    return word == mark_of(p, bytes, at);
}

void live_mark(unsigned char *p, size_t bytes) {
    for (size_t at = 0; at + 16 <= bytes; at += mark_step(bytes)) put(p, bytes, at);
    put(p, bytes, bytes - 8);
}

bool live_is_marked(const unsigned char *p, size_t bytes) {
    for (size_t at = 0; at + 16 <= bytes; at += mark_step(bytes))
        if (!has(p, bytes, at)) return false;
    return has(p, bytes, bytes - 8);
}

static void enter(int index, unsigned char *p, size_t bytes) {
    if (p == NULL) live_damaged("an allocation failed");
    live_mark(p, bytes);
    live_table[index].bytes = bytes;
    atomic_store_explicit(&live_table[index].p, p, memory_order_release);
}

static int vacancy(int part) {
    static int hint[LIVE_PARTS];
    for (int i = 0; i < LIVE_PART; i++) {
        int index = part * LIVE_PART + (hint[part] + i) % LIVE_PART;
        if (atomic_load_explicit(&live_table[index].p, memory_order_acquire) != NULL) continue;
        hint[part] = (hint[part] + i + 1) % LIVE_PART;
        return index;
    }
    live_damaged("the table of live blocks is full");
}

int live_take(int part, size_t bytes) {
    int index = vacancy(part);
    enter(index, api.malloc(bytes), bytes);
    return index;
}

int live_take_aligned(int part, size_t align, size_t bytes) {
    int index = vacancy(part);
    unsigned char *p = api.memalign(align, bytes);
    if (((uintptr_t)p & (align - 1)) != 0) live_damaged("a block is not aligned");
    enter(index, p, bytes);
    return index;
}

int live_take_zeroed(int part, size_t bytes) {
    int index = vacancy(part);
    unsigned char *p = api.calloc(1, bytes);
    for (size_t i = 0; p != NULL && i < bytes; i += bytes / 8)
        if (p[i] != 0) live_damaged("calloc's memory is not zero");
    enter(index, p, bytes);
    return index;
}

unsigned char *live_steal(int index, size_t *bytes) {
    struct live *e = &live_table[index];
    unsigned char *p = atomic_load_explicit(&e->p, memory_order_relaxed);
    *bytes = e->bytes;
    if (p == NULL) return NULL;
    if (!live_is_marked(p, e->bytes)) live_damaged("a live block was overwritten");
    atomic_store_explicit(&e->p, NULL, memory_order_release);
    return p;
}

void live_give(int index) {
    size_t bytes;
    if (index < 0) return;
    unsigned char *p = live_steal(index, &bytes);
    if (p != NULL) api.free(p);
}

void live_resize(int index, size_t bytes) {
    size_t old;
    unsigned char *p = live_steal(index, &old);
    uint64_t first, now;
    memcpy(&first, p, sizeof first);
    p = api.realloc(p, bytes);
    if (p == NULL) live_damaged("realloc failed");
    memcpy(&now, p, sizeof now);
    if (now != first) live_damaged("realloc lost the contents");
    enter(index, p, bytes);
}

void live_give_part(int part) {
    for (int i = 0; i < LIVE_PART; i++) live_give(part * LIVE_PART + i);
}
