// A process that was started without the library opens libmbmalloc.so by dlopen: its functions work beside the C
// library's, also from threads that were started before; it passes blocks of the C library's malloc back to it; dlclose
// is harmless; the process can fork, run threads and end as usual.
//
// MBMALLOC_SO names the library; nothing is preloaded.
#include "tests/process/blocks.h"
#include <stdatomic.h>

enum { THREADS = 4, BLOCKS = 800, ROUNDS = 200 };

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    size_t (*usable_size)(void *);
    int (*trim)(size_t);
    void (*free)(void *);
} mb;

static pthread_barrier_t opened;

static void *symbol(void *library, const char *name) {
    void *address = dlsym(library, name);
    EXPECT(address != NULL && from_mbmalloc(address));
    return address;
}

// ISO C has no cast from an object pointer to a function pointer; POSIX promises that the bytes agree.
#define BIND(field, name)                                                                                                                  \
    do {                                                                                                                                   \
        void *address = symbol(library, name);                                                                                             \
        memcpy(&mb.field, &address, sizeof address);                                                                                       \
    } while (0)

static void bind_all(void *library) {
    BIND(malloc, "malloc");
    BIND(calloc, "calloc");
    BIND(realloc, "realloc");
    BIND(posix_memalign, "posix_memalign");
    BIND(usable_size, "malloc_usable_size");
    BIND(trim, "malloc_trim");
    BIND(free, "free");
}

static void *mb_block(size_t bytes) {
    void *p = mb.malloc(bytes);
    EXPECT(p != NULL && mb.usable_size(p) >= bytes);
    block_stamp(p, bytes);
    return p;
}

static void *use_both(void *arg) {
    uint64_t rng = (uint64_t)(uintptr_t)arg + 4;
    void *theirs[BLOCKS], *ours[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        theirs[i] = mb_block(block_random_bytes(&rng));
        ours[i] = block_new(block_random_bytes(&rng));
    }
    for (size_t i = 0; i < BLOCKS; i += 3) {
        block_check(theirs[i]);
        theirs[i] = mb.realloc(theirs[i], 5000);
        EXPECT(theirs[i] != NULL);
        block_stamp(theirs[i], 5000);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        block_check(theirs[i]);
        mb.free(theirs[i]);
        block_free(ours[i]);
    }
    return NULL;
}

static void *wait_then_use(void *arg) {
    pthread_barrier_wait(&opened);
    return use_both(arg);
}

static void use_aligned(void) {
    void *p = NULL;
    EXPECT(mb.posix_memalign(&p, 4096, 100) == 0 && (uintptr_t)p % 4096 == 0);
    mb.free(p);
    unsigned char *zero = mb.calloc(100, 100);
    for (size_t i = 0; i < 10000; i++) EXPECT(zero[i] == 0);
    mb.free(zero);
}

// Blocks of libc's heap that reach the library's functions belong to libc still.
static void hand_over_libc_blocks(void) {
    for (size_t bytes = 16; bytes < 300000; bytes = bytes * 3 / 2) {
        void *p = block_new(bytes);
        EXPECT(mb.usable_size(p) >= bytes);
        mb.free(p);
        void *grown = mb.realloc(block_new(bytes), 2 * bytes);
        EXPECT(grown != NULL);
        mb.free(grown);
    }
    mb.free(NULL);
}

static void run_threads(void) {
    pthread_t threads[THREADS];
    for (uintptr_t t = 0; t < THREADS; t++) threads[t] = thread_start(use_both, (void *)t);
    for (int t = 0; t < THREADS; t++) thread_join(threads[t]);
}

static void fork_once(void) {
    pid_t child = fork();
    if (child == 0) {
        alarm(100);
        run_threads();
        exit(0);
    }
    expect_child_ok(child);
}

int main(void) {
    test_begin(60);
    const char *path = getenv("MBMALLOC_SO");
    if (path == NULL || access(path, R_OK) != 0) {
        puts("SKIP: MBMALLOC_SO names no library");
        return TEST_SKIPPED;
    }
    EXPECT(!under_mbmalloc());
    EXPECT(pthread_barrier_init(&opened, NULL, 2) == 0);
    pthread_t older = thread_start(wait_then_use, (void *)50);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) say(dlerror());
    EXPECT(library != NULL);
    bind_all(library);
    EXPECT(!under_mbmalloc());
    void *kept = mb_block(1000);
    pthread_barrier_wait(&opened);
    use_both(NULL);
    thread_join(older);
    use_aligned();
    hand_over_libc_blocks();
    run_threads();
    fork_once();
    for (int i = 0; i < ROUNDS; i++) {
        EXPECT(dlclose(library) == 0);
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        EXPECT(library != NULL && symbol(library, "malloc") == (void *)(uintptr_t)mb.malloc);
    }
    EXPECT(dlclose(library) == 0);
    EXPECT(block_check(kept) == 1000);
    mb.free(kept); // after dlclose: still there
    run_threads();
    mb.trim(0);
    puts("libmbmalloc.so beside libc's malloc: clean");
    return 0;
}
