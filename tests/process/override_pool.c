// Overrides malloc, free, calloc and realloc by a heap in static storage: power-of-two blocks with a header. A block
// that does not belong to it is counted and passed to the next free (as a careful program does), so that the test
// notices if heaps were mixed.
#include "tests/process/expect.h"
#include "tests/process/override.h"
#include <errno.h>
#include <stdatomic.h>

enum { POOL_BYTES = 64 << 20, HEADER = 16, CLASSES = 27, LOWEST = 5 };

struct header {
    size_t class_index;
    struct header *next;
};
_Static_assert(sizeof(struct header) == HEADER, "blocks stay aligned");

static char pool[POOL_BYTES] __attribute__((aligned(4096)));
static size_t pool_used;
static struct header *lists[CLASSES];
static atomic_ulong calls, foreigners;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

bool own_has(const void *p) { return (const char *)p >= pool && (const char *)p < pool + POOL_BYTES; }

static size_t class_bytes(size_t index) { return (size_t)1 << (index + LOWEST); }

static size_t class_for(size_t bytes) {
    size_t index = 0;
    while (index < CLASSES && class_bytes(index) < bytes + HEADER) index++;
    return index;
}

static struct header *take(size_t index) {
    struct header *block = lists[index];
    if (block != NULL) {
        lists[index] = block->next;
    } else if (POOL_BYTES - pool_used >= class_bytes(index)) {
        block = (struct header *)(void *)(pool + pool_used);
        pool_used += class_bytes(index);
        block->class_index = index;
    }
    return block;
}

void *malloc(size_t bytes) {
    atomic_fetch_add(&calls, 1);
    size_t index = bytes < POOL_BYTES ? class_for(bytes) : CLASSES;
    struct header *block = NULL;
    pthread_mutex_lock(&lock);
    if (index < CLASSES) block = take(index);
    pthread_mutex_unlock(&lock);
    if (block != NULL) return block + 1;
    errno = ENOMEM;
    return NULL;
}

static void give_foreigner(void *p) {
    void (*next)(void *);
    void *address = dlsym(RTLD_NEXT, "free");
    atomic_fetch_add(&foreigners, 1);
    memcpy(&next, &address, sizeof address);
    next(p);
}

void free(void *p) {
    atomic_fetch_add(&calls, 1);
    if (p == NULL) return;
    if (!own_has(p)) {
        give_foreigner(p);
        return;
    }
    struct header *block = (struct header *)p - 1;
    EXPECT(block->class_index < CLASSES);
    pthread_mutex_lock(&lock);
    block->next = lists[block->class_index];
    lists[block->class_index] = block;
    pthread_mutex_unlock(&lock);
}

void *calloc(size_t count, size_t bytes) {
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) total = POOL_BYTES;
    void *p = malloc(total);
    return p == NULL ? NULL : memset(p, 0, total);
}

void *realloc(void *p, size_t bytes) {
    if (p == NULL) return malloc(bytes);
    EXPECT(own_has(p));
    size_t room = class_bytes(((struct header *)p - 1)->class_index) - HEADER;
    if (bytes == 0) {
        free(p);
        return NULL;
    }
    if (bytes <= room) return p;
    void *moved = malloc(bytes);
    if (moved == NULL) return NULL;
    memcpy(moved, p, room);
    free(p);
    return moved;
}

unsigned long own_calls(void) { return atomic_load(&calls); }
unsigned long own_foreigners(void) { return atomic_load(&foreigners); }
bool own_measurable(void) { return false; }
