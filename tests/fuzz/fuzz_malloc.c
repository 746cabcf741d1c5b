// What: fuzzes malloc's family under its own prefix (mbcore) with libFuzzer; MBMALLOC_OPTIONS selects the profile.
#include <string.h>

#include "core/front/malloc.h"
#include "tests/fuzz/shadow.h"

static struct slot slots[SLOTS];
static size_t live_bytes;

static void drop(struct slot *s) {
    if (s->p == NULL) return;
    check_block(s, s->bytes, s->bytes);
    EXPECT(mb_is_block(s->p) && mb_usable_size(s->p) >= s->bytes);
    live_bytes -= s->bytes;
}

static void settle(struct slot *s, void *p, size_t bytes, size_t align) {
    *s = (struct slot){p, bytes, (unsigned char)(live_bytes * 7 + bytes + 1)};
    if (p == NULL) {
        s->bytes = 0;
        return;
    }
    EXPECT((uintptr_t)p % align == 0 && mb_owns(p));
    live_bytes += bytes;
    mark_block(s);
}

static void give(struct slot *s, uint32_t how) {
    drop(s);
    if (how % 2 == 0 || s->p == NULL)
        mb_free(s->p);
    else
        mb_free_sized(s->p, s->bytes);
    s->p = NULL;
    s->bytes = 0;
}

static void take_zeroed(struct slot *s, size_t bytes) {
    unsigned char *p = mb_calloc(1, bytes);
    for (size_t i = 0; p != NULL && i < bytes; i += bytes / 100 + 1) EXPECT(p[i] == 0);
    settle(s, p, bytes, 16);
}

static void resize(struct slot *s, size_t bytes) {
    if (s->p == NULL || bytes == 0) return;
    struct slot old = *s;
    drop(s);
    unsigned char *p = mb_realloc(s->p, bytes);
    if (p == NULL) {
        live_bytes += old.bytes;
        return;
    }
    s->p = p;
    check_block(s, old.bytes, old.bytes < bytes ? old.bytes : bytes);
    settle(s, p, bytes, 16);
}

static void step(struct input *in) {
    uint32_t what = take_bytes(in, 1);
    struct slot *s = &slots[take_bytes(in, 1)];
    size_t bytes = take_length(in);
    if (what % 8 < 5 && s->p != NULL && what % 8 != 3) give(s, what >> 3);
    if (live_bytes + bytes > MOST_BYTES) return;
    size_t align = (size_t)16 << what / 8 % 14;
    switch (what % 8) {
    case 0:
    case 1: settle(s, mb_malloc(bytes), bytes, bytes < 16 ? 1 : 16); break;
    case 2: take_zeroed(s, bytes); break;
    case 3: resize(s, bytes); break;
    case 4: settle(s, mb_memalign(align, bytes), bytes, align); break;
    case 5: give(s, what >> 3); break;
    case 6: EXPECT(s->p == NULL || mb_usable_size(s->p) >= s->bytes); break;
    case 7:
        if (what == 7) mb_trim(0);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, data + size};
    while (!is_over(&in)) step(&in);
    for (int i = 0; i < SLOTS; i++) give(&slots[i], 0);
    EXPECT(live_bytes == 0);
    return 0;
}
