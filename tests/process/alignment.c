// Alignment contracts: natural alignment of every block, requested alignment up to 1 GiB at every size (0 included),
// contents of aligned blocks across realloc, what happens to alignments that are not powers of two.
#include "tests/process/blocks.h"
#include <errno.h>
#include <malloc.h>

static const size_t sizes[] = {0, 1, 8, 17, 100, 1000, 4096, 40000, 100000, 1000000};
enum { SIZES = sizeof sizes / sizeof sizes[0], MAX_SHIFT = 30 };

static bool is_aligned(const void *p, size_t align) { return (uintptr_t)p % align == 0; }

static void natural_alignment(void) {
    for (size_t bytes = 0; bytes < 10000; bytes++) {
        void *p = keep(malloc(bytes)), *zero = keep(calloc(1, bytes)), *grown = keep(realloc(keep(malloc(1)), bytes + 1));
        EXPECT(p != NULL && zero != NULL && grown != NULL);
        EXPECT(is_aligned(p, 16) && is_aligned(zero, 16) && is_aligned(grown, 16));
        free(p);
        free(zero);
        free(grown);
    }
}

// Two neighbours at a time, written to their ends.
static void requested_alignment(size_t align, size_t bytes) {
    void *first = NULL, *second = keep(memalign(align, bytes));
    EXPECT(second != NULL && is_aligned(second, align));
    if (align >= sizeof(void *)) EXPECT(posix_memalign(&first, align, bytes) == 0 && is_aligned(first, align));
    if (first != NULL) memset(first, 1, malloc_usable_size(first) < bytes + 64 ? malloc_usable_size(first) : bytes);
    memset(second, 2, bytes);
    for (size_t i = 0; first != NULL && i < bytes; i += 97) EXPECT(((char *)first)[i] == 1);
    free(first);
    void *third = keep(aligned_alloc(align, (bytes + align - 1) / align * align));
    EXPECT(third != NULL && is_aligned(third, align));
    for (size_t i = 0; i < bytes; i += 97) EXPECT(((char *)second)[i] == 2);
    free(third);
    free(second);
}

static void realloc_of_aligned(size_t align, size_t bytes) {
    size_t first = bytes < BLOCK_MIN ? BLOCK_MIN : bytes;
    void *p = keep(memalign(align, first));
    EXPECT(p != NULL);
    block_stamp(p, first);
    p = block_resize(p, first + first / 4);
    p = block_resize(p, first * 3);
    p = block_resize(p, BLOCK_MIN + first / 3);
    EXPECT(is_aligned(p, 16) && malloc_usable_size(p) >= BLOCK_MIN + first / 3);
    block_free(p);
}

// Many at once of one alignment: no two share a byte.
static void many_at_once(size_t align) {
    enum { MANY = 200 };
    void *blocks[MANY];
    for (size_t i = 0; i < MANY; i++) {
        blocks[i] = keep(memalign(align, 16 + i));
        EXPECT(blocks[i] != NULL && is_aligned(blocks[i], align));
        block_stamp(blocks[i], 16 + i);
    }
    for (size_t i = 0; i < MANY; i++) EXPECT(block_check(blocks[i]) == 16 + i);
    for (size_t i = 0; i < MANY; i++) block_free(blocks[(i * 67) % MANY]);
}

static void odd_alignments(void) {
    const size_t odd[] = {3, 12, 24, 100, 4097};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        void *untouched = &untouched;
        EXPECT(posix_memalign(&untouched, opaque(odd[i]), 100) == EINVAL && untouched == (void *)&untouched);
        void *p = keep(memalign(opaque(odd[i]), 100)); // rounded up
        EXPECT(p != NULL && (odd[i] < 16 || is_aligned(p, odd[i] == 24 ? 32 : odd[i] == 100 ? 128 : 8192)));
        free(p);
        if (!under_mbmalloc()) continue; // glibc's aligned_alloc refuses them since 2.38
        errno = 0;
        EXPECT(keep(aligned_alloc(opaque(odd[i]), 100)) == NULL && errno == EINVAL);
    }
    void *untouched = &untouched;
    EXPECT(posix_memalign(&untouched, opaque(0), 100) == EINVAL && posix_memalign(&untouched, opaque(4), 100) == EINVAL);
    void *p = keep(memalign(opaque(0), 100));
    EXPECT(p != NULL);
    free(p);
}

static void page_functions(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t s = 0; s < SIZES; s++) {
        void *p = keep(valloc(sizes[s])), *rounded = keep(pvalloc(sizes[s]));
        EXPECT(p != NULL && rounded != NULL && is_aligned(p, page) && is_aligned(rounded, page));
        EXPECT(malloc_usable_size(rounded) >= (sizes[s] + page - 1) / page * page);
        free(p);
        free(rounded);
    }
}

int main(void) {
    test_begin(60);
    natural_alignment();
    for (unsigned shift = 0; shift <= MAX_SHIFT; shift++)
        for (size_t s = 0; s < SIZES; s++) {
            requested_alignment((size_t)1 << shift, sizes[s]);
            if (shift <= 24) realloc_of_aligned((size_t)1 << shift, sizes[s]);
        }
    for (unsigned shift = 4; shift <= 16; shift++) many_at_once((size_t)1 << shift);
    odd_alignments();
    page_functions();
    puts("alignment up to 1 GiB kept");
    return 0;
}
