// errno: kept by free on every path (small, large, aligned, other threads' blocks, after the kernel was asked for
// something), untouched by allocations that succeed.
#include "tests/process/blocks.h"
#include <errno.h>
#include <malloc.h>

enum { COUNT = 3000, MARK = 4711 };

static void *blocks[COUNT];

static void *fill(void *arg) {
    uint64_t rng = 8;
    for (int i = 0; i < COUNT; i++) blocks[i] = block_new(block_random_bytes(&rng));
    return arg;
}

static void free_keeps_errno(void) {
    for (int i = 0; i < COUNT; i++) {
        errno = MARK;
        free(blocks[i]);
        EXPECT(errno == MARK);
    }
    errno = MARK;
    free(NULL);
    EXPECT(errno == MARK);
}

// Megabytes: each is given back to the system in its own way.
static void large_free_keeps_errno(void) {
    for (size_t bytes = 100000; bytes < 300u << 20; bytes *= 2) {
        char *p = keep(malloc(bytes));
        EXPECT(p != NULL);
        p[0] = p[bytes - 1] = 1;
        errno = MARK;
        free(p);
        EXPECT(errno == MARK);
        EXPECT(keep(realloc(keep(malloc(bytes)), 0)) == NULL && errno == MARK);
    }
}

static void success_leaves_errno(size_t bytes) {
    void *p[8] = {NULL};
    errno = MARK;
    p[0] = keep(malloc(bytes));
    p[1] = keep(calloc(3, bytes));
    p[2] = keep(realloc(NULL, bytes));
    p[3] = keep(memalign(512, bytes));
    p[4] = keep(aligned_alloc(64, (bytes + 63) / 64 * 64));
    p[5] = keep(reallocarray(NULL, 2, bytes));
    EXPECT(posix_memalign(&p[6], 4096, bytes) == 0);
    p[7] = keep(valloc(bytes));
    p[0] = keep(realloc(p[0], 2 * bytes));
    p[0] = keep(realloc(p[0], bytes / 2 + 1));
    EXPECT(errno == MARK);
    for (int i = 0; i < 8; i++) EXPECT(p[i] != NULL && malloc_usable_size(p[i]) >= bytes / 2);
    EXPECT(errno == MARK);
    for (int i = 0; i < 8; i++) free(p[i]);
    malloc_trim(0);
    EXPECT(errno == MARK);
}

// posix_memalign reports by its result alone.
static void failed_posix_memalign_leaves_errno(void) {
    void *untouched = blocks;
    errno = MARK;
    EXPECT(posix_memalign(&untouched, 64, opaque(SIZE_MAX - 100)) == ENOMEM);
    EXPECT(posix_memalign(&untouched, 24, 100) == EINVAL);
    EXPECT(untouched == blocks);
    if (under_mbmalloc()) EXPECT(errno == MARK); // glibc's sets it
}

int main(void) {
    test_begin(60);
    fill(NULL);
    free_keeps_errno();
    thread_join(thread_start(fill, NULL));
    free_keeps_errno(); // of a thread that has ended
    large_free_keeps_errno();
    for (size_t bytes = 1; bytes < 20u << 20; bytes += bytes / 2 + 1) success_leaves_errno(bytes);
    failed_posix_memalign_leaves_errno();
    puts("errno kept");
    return 0;
}
