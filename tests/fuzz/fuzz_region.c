// What: fuzzes a size-classed allocator of the region family under layers, through struct mb_allocator. The first byte
// of the input chooses the layers. Every combination that can be composed must agree with the shadow model; the others
// must be refused.
#include <string.h>

#include "core/family/family.h"
#include "core/layout/size_classed.h"
#include "tests/fuzz/shadow.h"

static struct slot slots[SLOTS];
static struct mb_allocator *allocator;

static void give(struct slot *s) {
    if (s->p == NULL) return;
    check_block(s, s->bytes, s->bytes);
    EXPECT(mb_allocator_deallocate(allocator, s->p, s->bytes) == MB_OK);
    s->p = NULL;
}

static void settle(struct slot *s, void *p, size_t bytes, size_t align) {
    *s = (struct slot){p, bytes, (unsigned char)(bytes * 5 + align + 1)};
    if (p == NULL) return;
    EXPECT((uintptr_t)p % align == 0 && mb_allocator_owns(allocator, p));
    mark_block(s);
}

static void take_zeroed(struct slot *s, size_t bytes, size_t align) {
    unsigned char *p = mb_allocator_allocate_zeroed(allocator, bytes, align);
    for (size_t i = 0; p != NULL && i < bytes; i += bytes / 100 + 1) EXPECT(p[i] == 0);
    settle(s, p, bytes, align);
}

static void grow(struct slot *s, size_t bytes) {
    if (s->p == NULL || bytes < s->bytes) return;
    struct slot old = *s;
    check_block(s, s->bytes, s->bytes);
    unsigned char *p = mb_allocator_grow(allocator, s->p, s->bytes, bytes, 16);
    if (p == NULL) return;
    s->p = p;
    check_block(s, old.bytes, old.bytes);
    settle(s, p, bytes, 16);
}

static void step(struct input *in) {
    uint32_t what = take_bytes(in, 1);
    struct slot *s = &slots[take_bytes(in, 1)];
    size_t bytes = take_length(in) % 100000 + 1, align = (size_t)16 << what / 4 % 6;
    switch (what % 4) {
    case 0:
        give(s);
        settle(s, mb_allocator_allocate(allocator, bytes, align), bytes, align);
        break;
    case 1:
        give(s);
        take_zeroed(s, bytes, align);
        break;
    case 2: grow(s, bytes); break;
    case 3: give(s); break;
    }
}

static struct mb_family *compose(uint32_t layers, struct mb_allocator *base) {
    static const struct mb_statistics_config statistics = {sizeof statistics};
    static const struct mb_canary_config canary = MB_CANARY_CONFIG;
    static const struct mb_quarantine_config quarantine = MB_QUARANTINE_CONFIG;
    static const struct mb_poison_config poison = MB_POISON_CONFIG;
    struct mb_family_options options = MB_FAMILY_OPTIONS;
    if (layers & 1) options.statistics = &statistics;
    if (layers & 2) options.canary = &canary;
    if (layers & 4) options.quarantine = &quarantine;
    if (layers & 8) options.poison = &poison;
    struct mb_family *family = NULL;
    return mb_family_compose(&options, base, &family) == MB_OK ? family : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, data + size};
    struct mb_size_classed base;
    EXPECT(mb_size_classed_new(&base, (size_t)64 << 20) == MB_OK);
    struct mb_family *family = compose(take_bytes(&in, 1), &base.allocator);
    if (family == NULL) {
        EXPECT(mb_size_classed_drop(&base) == MB_OK);
        return 0;
    }
    allocator = mb_family_allocator(family);
    while (!is_over(&in)) step(&in);
    EXPECT(mb_family_check(family) == 0);
    for (int i = 0; i < SLOTS; i++) give(&slots[i]);
    EXPECT(mb_family_drop(family) == MB_OK);
    return 0;
}
