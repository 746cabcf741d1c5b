// Implements blocks.h: sets of live blocks filled with patterns.
#include "tests/limits/blocks.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/limits/measure.h"

uint64_t blocks_random(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x * UINT64_C(0x2545F4914F6CDD1D) >> 11;
}

void blocks_init(struct blocks *set, const struct mem_api *api, size_t capacity, uint64_t seed) {
    void *v = mmap(NULL, capacity * sizeof *set->v, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(v != MAP_FAILED, "a table of %zu blocks", capacity);
    blocks_init_in(set, api, v, capacity, seed);
}

void blocks_init_in(struct blocks *set, const struct mem_api *api, struct block *table, size_t capacity, uint64_t seed) {
    *set = (struct blocks){.api = api, .v = table, .capacity = capacity, .rng = seed * 2 + 1};
}

void blocks_drop(struct blocks *set) {
    CHECK(set->count == 0, "%zu blocks left", set->count);
    munmap(set->v, set->capacity * sizeof *set->v);
    set->v = NULL;
}

// Blocks are aligned to 8 bytes at least, so the pattern is written and read by words.
typedef uint64_t __attribute__((may_alias)) pattern_word;

static uint64_t word_at(uint64_t seed, size_t i) { return (seed + i) * UINT64_C(0x9E3779B97F4A7C15); }

static void fill(const struct block *b) {
    size_t words = b->bytes / 8;
    pattern_word *p = (pattern_word *)(void *)b->p;
    for (size_t i = 0; i < words; i++) p[i] = word_at(b->seed, i);
    memset(p + words, (int)(b->seed & 0xff), b->bytes - words * 8);
}

// The first `bytes` bytes have the block's pattern (whole words, and the odd tail when it is the block's own).
static void verify(const struct block *b, size_t bytes) {
    size_t words = bytes / 8;
    const pattern_word *p = (const pattern_word *)(const void *)b->p;
    for (size_t i = 0; i < words; i++)
        CHECK(p[i] == word_at(b->seed, i), "block %p of %zu bytes differs at %zu", (void *)b->p, b->bytes, i * 8);
    for (size_t i = words * 8; bytes == b->bytes && i < bytes; i++)
        CHECK(b->p[i] == (b->seed & 0xff), "block %p of %zu bytes differs at %zu", (void *)b->p, b->bytes, i);
}

bool mem_is_zero(const void *p, size_t bytes) {
    const unsigned char *b = p;
    return bytes == 0 || (b[0] == 0 && memcmp(b, b + 1, bytes - 1) == 0);
}

static void *obtain(struct blocks *set, size_t bytes) {
    uint64_t dice = set->malloc_only ? 2 : blocks_random(&set->rng) % 8;
    if (dice == 0) {
        void *p = set->api->calloc(1, bytes);
        CHECK(!p || mem_is_zero(p, bytes), "calloc(%zu) is not zero", bytes);
        return p;
    }
    if (dice != 1) return set->api->malloc(bytes);
    size_t align = (size_t)16 << blocks_random(&set->rng) % 10;
    void *p = set->api->memalign(align, bytes);
    CHECK((uintptr_t)p % align == 0, "memalign(%zu, %zu) gave %p", align, bytes, p);
    return p;
}

// The libc's malloc passes on what mmap said (EAGAIN when it would exceed RLIMIT_MEMLOCK).
bool mem_refused_cleanly(const struct mem_api *api) { return errno == ENOMEM || (errno == EAGAIN && !api->ours); }

static void check_refusal(const struct blocks *set, size_t bytes) {
    CHECK(mem_refused_cleanly(set->api), "refusing %zu bytes left errno %d", bytes, errno);
}

bool blocks_add(struct blocks *set, size_t bytes) {
    errno = 0;
    if (set->count == set->capacity) return false;
    struct block b = {.p = obtain(set, bytes), .bytes = bytes, .seed = blocks_random(&set->rng)};
    if (!b.p) {
        check_refusal(set, bytes);
        return false;
    }
    CHECK((uintptr_t)b.p % (bytes < 16 ? 8 : 16) == 0, "%p for %zu bytes", (void *)b.p, bytes);
    fill(&b);
    set->v[set->count++] = b;
    set->live_bytes += bytes;
    return true;
}

bool blocks_resize(struct blocks *set, size_t i, size_t bytes) {
    struct block *b = &set->v[i];
    size_t old = b->bytes;
    errno = 0;
    unsigned char *p = set->api->realloc(b->p, bytes);
    if (!p) {
        check_refusal(set, bytes);
        verify(b, old);
        return false;
    }
    CHECK(errno == 0, "a realloc to %zu bytes that succeeded left errno %d", bytes, errno);
    b->p = p;
    verify(b, bytes < old ? bytes & ~(size_t)7 : old);
    set->live_bytes += bytes - old;
    b->bytes = bytes;
    fill(b);
    return true;
}

void blocks_verify(const struct blocks *set) {
    for (size_t i = 0; i < set->count; i++) verify(&set->v[i], set->v[i].bytes);
}

void blocks_free_at(struct blocks *set, size_t i) {
    struct block b = set->v[i];
    verify(&b, b.bytes);
    errno = 4242;
    set->api->free(b.p);
    CHECK(errno == 4242, "free(%p) changed errno to %d", (void *)b.p, errno);
    set->live_bytes -= b.bytes;
    set->v[i] = set->v[--set->count];
}

void blocks_free_all(struct blocks *set) {
    while (set->count) blocks_free_at(set, blocks_random(&set->rng) % set->count);
}
