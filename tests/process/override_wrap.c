// Overrides malloc, free, calloc and realloc by counting wrappers around the next definitions (dlsym RTLD_NEXT), as
// leak checkers do. dlsym itself may allocate: a few static bytes serve that.
#include "tests/process/expect.h"
#include "tests/process/override.h"
#include <stdatomic.h>

enum { EARLY_BYTES = 65536 };

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);
static char early[EARLY_BYTES] __attribute__((aligned(16)));
static atomic_size_t early_used;
static atomic_ulong calls;
static atomic_bool resolving;

static void resolve_one(void *target, const char *name) {
    void *address = dlsym(RTLD_NEXT, name);
    EXPECT(address != NULL);
    memcpy(target, &address, sizeof address);
}

static void resolve(void) {
    if (next_free != NULL || atomic_exchange(&resolving, true)) return;
    resolve_one(&next_malloc, "malloc");
    resolve_one(&next_calloc, "calloc");
    resolve_one(&next_realloc, "realloc");
    resolve_one(&next_free, "free");
}

static void *early_alloc(size_t bytes) {
    size_t at = atomic_fetch_add(&early_used, (bytes + 15) & ~(size_t)15);
    EXPECT(at + bytes <= EARLY_BYTES);
    return early + at;
}

static bool is_early(const void *p) { return (const char *)p >= early && (const char *)p < early + EARLY_BYTES; }

void *malloc(size_t bytes) {
    resolve();
    atomic_fetch_add(&calls, 1);
    return next_malloc == NULL ? early_alloc(bytes) : next_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    resolve();
    atomic_fetch_add(&calls, 1);
    return next_calloc == NULL ? early_alloc(count * bytes) : next_calloc(count, bytes);
}

void *realloc(void *p, size_t bytes) {
    resolve();
    atomic_fetch_add(&calls, 1);
    EXPECT(!is_early(p) && next_realloc != NULL);
    return next_realloc(p, bytes);
}

void free(void *p) {
    atomic_fetch_add(&calls, 1);
    if (p != NULL && !is_early(p)) next_free(p);
}

unsigned long own_calls(void) { return atomic_load(&calls); }
unsigned long own_foreigners(void) { return 0; }
bool own_has(const void *p) { return p != NULL; }
bool own_measurable(void) { return true; }
