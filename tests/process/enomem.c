// Requests that cannot be met: every allocating function, sizes around PTRDIFF_MAX and SIZE_MAX, products that
// overflow, size plus alignment that wraps, every alignment. NULL and ENOMEM, the old block intact, and the next
// request works.
#include "tests/process/blocks.h"
#include <errno.h>
#include <malloc.h>
#include <sys/sysinfo.h>

static const size_t absurd[] = {
    (size_t)PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1,  (size_t)PTRDIFF_MAX - 16, (size_t)PTRDIFF_MAX - 70000, SIZE_MAX, SIZE_MAX - 1,
    SIZE_MAX - 15,       SIZE_MAX - 16,            SIZE_MAX - 4095,          SIZE_MAX - 4096,         SIZE_MAX - 65536,
    SIZE_MAX / 4 * 3,    (size_t)PTRDIFF_MAX / 2,  (size_t)1 << 48,          (size_t)1 << 55,
};
enum { ABSURD = sizeof absurd / sizeof absurd[0] };

#define REFUSED(call) \
    do { \
        errno = 0; \
        EXPECT(keep(call) == NULL); \
        EXPECT(errno == ENOMEM); \
    } while (0)

static void refuse_plain(size_t n) {
    REFUSED(malloc(n));
    REFUSED(calloc(1, n));
    REFUSED(calloc(n, 1));
    REFUSED(calloc(n / 16 + 1, 32));
    REFUSED(realloc(NULL, n));
    REFUSED(reallocarray(NULL, n, 1));
    REFUSED(reallocarray(NULL, 1, n));
    REFUSED(valloc(n));
    REFUSED(pvalloc(n));
}

static void refuse_growth(size_t n) {
    const size_t sizes[] = {16, 100, 5000, 70000, 3000000};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        void *p = block_new(sizes[s]);
        REFUSED(realloc(keep(p), n));
        REFUSED(reallocarray(keep(p), n, 1));
        REFUSED(reallocarray(keep(p), opaque(SIZE_MAX / 2), 3));
        EXPECT(block_check(keep(p)) == sizes[s]);
        block_free(block_resize(keep(p), 64)); // and it is still a block
    }
}

static void refuse_aligned(size_t n, unsigned shift) {
    size_t align = opaque((size_t)1 << shift);
    REFUSED(memalign(align, n));
    REFUSED(aligned_alloc(align, n));
    void *untouched = &untouched;
    errno = 0;
    int result = posix_memalign(&untouched, align, n);
    EXPECT(result == (align < sizeof(void *) ? EINVAL : ENOMEM) && untouched == (void *)&untouched);
}

// An alignment beyond the address space, whatever the size. glibc may call it EINVAL.
static void refuse_alignment(unsigned shift) {
    size_t align = opaque((size_t)1 << shift);
    for (size_t n = 0; n < 100000; n = n * 3 + 1) {
        errno = 0;
        EXPECT(keep(memalign(align, n)) == NULL);
        EXPECT(errno == ENOMEM || (!under_mbmalloc() && errno == EINVAL));
        void *untouched = &untouched;
        EXPECT(posix_memalign(&untouched, align, n) != 0 && untouched == (void *)&untouched);
    }
}

static void refuse_products(void) {
    const size_t half = opaque((size_t)1 << 32);
    REFUSED(calloc(half, half));
    REFUSED(calloc(half + 1, half));
    REFUSED(calloc(opaque(SIZE_MAX), opaque(SIZE_MAX)));
    REFUSED(calloc(opaque(SIZE_MAX / 3 + 1), 3));
    REFUSED(reallocarray(NULL, half, half));
    void *none = keep(calloc(0, opaque(SIZE_MAX)));
    EXPECT(none != NULL);
    free(none);
}

// What is more than all of RAM and swap is refused at once where the kernel's heuristic does that, and not given to be
// killed for.
static void refuse_more_than_there_is(void) {
    struct sysinfo system;
    FILE *in = fopen("/proc/sys/vm/overcommit_memory", "r");
    int mode = in == NULL ? EOF : fgetc(in);
    if (in != NULL) fclose(in);
    if (mode != '0' || sysinfo(&system) != 0) return;
    size_t n = (size_t)(system.totalram + system.totalswap) * system.mem_unit + ((size_t)1 << 30);
    refuse_plain(n);
    refuse_growth(n);
    for (unsigned shift = 3; shift <= 30; shift++) refuse_aligned(n, shift);
}

static void *refuse_all(void *arg) {
    for (size_t a = 0; a < ABSURD; a++) {
        size_t n = opaque(absurd[a]);
        refuse_plain(n);
        refuse_growth(n);
        for (unsigned shift = 0; shift < 62; shift++) refuse_aligned(n, shift);
    }
    for (unsigned shift = 48; shift < 64; shift++) refuse_alignment(shift);
    refuse_products();
    for (size_t n = 16; n < 1000000; n *= 2) block_free(block_new(n));
    return arg;
}

int main(void) {
    test_begin(60);
    long before = rss_bytes();
    refuse_all(NULL);
    refuse_more_than_there_is();
    thread_join(thread_start(refuse_all, NULL));
    expect_growth_below(before, 8 * 1024 * 1024, "refused requests");
    return 0;
}
