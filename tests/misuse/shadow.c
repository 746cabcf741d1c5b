// What: implements shadow.h: an open-addressing hash table of all live blocks, and the ranges where no block may be.
#include "tests/misuse/shadow.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/misuse/case.h"

enum { SLOTS = 1 << 18, FORBIDDEN = 16, CHURN = 3000 };

struct entry {
    unsigned char *p; // NULL: empty
    size_t bytes;     // 0: was freed, the slot still leads on to others
};
static struct entry table[SLOTS];
static struct {
    uintptr_t from, to;
} forbidden[FORBIDDEN];
static size_t forbidden_count, used_slots;

void shadow_forbid(const void *p, size_t bytes) {
    if (forbidden_count == FORBIDDEN) give_up("too many forbidden ranges");
    forbidden[forbidden_count].from = (uintptr_t)p;
    forbidden[forbidden_count++].to = (uintptr_t)p + bytes;
}

static struct entry *slot_of(const void *p) {
    size_t i = ((uintptr_t)p * UINT64_C(0x9e3779b97f4a7c15)) >> 46;
    while (table[i].p != NULL && table[i].p != p) i = (i + 1) % SLOTS;
    return &table[i];
}

static unsigned char pattern_of(const struct entry *e) { return (unsigned char)(1 + (e - table) % 251); }

static void check_place(const unsigned char *p, size_t bytes) {
    uintptr_t at = (uintptr_t)p;
    for (size_t i = 0; i < forbidden_count; i++)
        if (at < forbidden[i].to && at + bytes > forbidden[i].from) give_up("malloc returned forbidden memory");
}

void *shadow_malloc(size_t bytes) {
    unsigned char *p = hide(malloc(bytes));
    if (p == NULL) give_up("malloc returned NULL");
    check_place(p, bytes);
    struct entry *e = slot_of(p);
    if (e->p == p && e->bytes != 0) give_up("one block was handed out twice");
    if (e->p == NULL && ++used_slots > SLOTS / 2) give_up("the shadow set is full");
    *e = (struct entry){p, bytes};
    memset(p, pattern_of(e), bytes);
    return p;
}

static void verify_entry(const struct entry *e) {
    for (size_t i = 0; i < e->bytes; i++)
        if (e->p[i] != pattern_of(e)) give_up("two live blocks overlap");
}

void shadow_free(void *p) {
    struct entry *e = slot_of(p);
    if (e->p != p || e->bytes == 0) give_up("the case frees a block that is not live");
    verify_entry(e);
    e->bytes = 0;
    free(p);
}

bool shadow_has(const void *p) {
    const struct entry *e = slot_of(p);
    return e->p == p && e->bytes != 0;
}

void shadow_verify(void) {
    for (size_t i = 0; i < SLOTS; i++) verify_entry(&table[i]);
}

void shadow_churn(size_t bytes) {
    static void *v[CHURN];
    size_t count = bytes > 4096 ? CHURN / 20 : CHURN;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < count; i++) v[i] = shadow_malloc(i % 4 == 3 ? bytes + i % 100 : bytes);
        shadow_verify();
        for (size_t i = 0; i < count; i++) shadow_free(v[(i * 7) % count]);
    }
}
