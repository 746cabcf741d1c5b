// Code that has the address of the C library's own malloc allocates from it: 32 bytes, 200 KB (a mapping of its own),
// from a second thread (an arena outside the brk heap), aligned. Other code frees, reallocates and measures these
// blocks by the process's malloc; the first code frees and reallocates its own. Nothing crashes or leaks.
#include "tests/process/blocks.h"
#include <malloc.h>

enum { ROUNDS = 2000 };
static const long growth_limit = 4 * 1024 * 1024;
static const size_t sizes[] = {24, 32, 1000, 5000, 70000, 200000, 3000000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
} libc;

// libc.field = the libc's own function, by its name that begins with __libc_ and that no other library defines.
#define BIND(field) \
    do { \
        void *address = dlsym(library, "__libc_" #field); \
        EXPECT(address != NULL && !from_mbmalloc(address)); \
        memcpy(&libc.field, &address, sizeof address); \
    } while (0)

static void bind_all(void) {
    void *library = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    EXPECT(library != NULL);
    BIND(malloc);
    BIND(calloc);
    BIND(memalign);
    BIND(realloc);
    BIND(free);
}

static void *stamped(void *p, size_t bytes) {
    EXPECT(p != NULL);
    block_stamp(p, bytes);
    return p;
}

static void *by_malloc(size_t bytes) { return stamped(libc.malloc(bytes), bytes); }
static void *by_calloc(size_t bytes) { return stamped(libc.calloc(1, bytes), bytes); }

static void *aligned(size_t bytes) { return stamped(libc.memalign(256, bytes), bytes); }

static void *thread_main(void *argument) { return by_malloc((size_t)(uintptr_t)argument); }

// From an arena of libc's that lies outside the brk heap.
static void *in_thread(size_t bytes) {
    void *p = NULL;
    EXPECT(pthread_join(thread_start(thread_main, (void *)(uintptr_t)bytes), &p) == 0);
    return p;
}

static void *(*const makers[])(size_t) = {by_malloc, by_calloc, aligned, in_thread};
enum { MAKERS = sizeof makers / sizeof makers[0] };

static void libc_free(void *p) {
    block_check(p);
    libc.free(p);
}

// Every function that takes a block, each on a new block.
static void treats(void *(*make)(size_t), size_t bytes) {
    void *p = make(bytes);
    EXPECT(malloc_usable_size(p) >= bytes);
    block_free(p);
    block_free(block_resize(make(bytes), bytes * 3));
    block_free(block_resize(make(bytes), bytes / 2 + 16));
    EXPECT(keep(realloc(make(bytes), 0)) == NULL);
    libc_free(make(bytes));
    libc.free(libc.realloc(make(bytes), bytes * 2));
}

static void *free_in_thread(void *p) {
    block_free(p);
    return NULL;
}

// Many blocks at once, freed in another order and by another thread.
static void treats_many(void *(*make)(size_t)) {
    enum { MANY = 300 };
    void *many[MANY];
    for (size_t i = 0; i < MANY; i++) many[i] = make(16 + i * 17);
    for (size_t i = 0; i < MANY; i += 2) block_free(many[i]);
    for (size_t i = 1; i < MANY; i += 50) thread_join(thread_start(free_in_thread, many[i]));
    for (size_t i = 1; i < MANY; i += 2)
        if (i % 50 != 1) block_free(many[i]);
}

int main(void) {
    test_begin(60);
    bind_all();
    for (size_t m = 0; m < MAKERS; m++) {
        for (size_t s = 0; s < SIZES; s++) treats(makers[m], sizes[s]);
        treats_many(makers[m]);
    }
    long before = rss_bytes();
    for (int i = 0; i < ROUNDS; i++) {
        block_free(by_malloc(32));
        block_free(by_malloc(200000));
    }
    expect_growth_below(before, growth_limit, "libc's blocks freed by the process's free");
    return 0;
}
