// Blocks between 32 KiB and 1 MiB waste at most an eighth of address space, commit charge and, with huge pages, memory.
// The kernel's figures for a program with such blocks are consistent, and blocks that share a unit do not affect each
// other when any thread frees, grows or shrinks them.
#include "tests/process/blocks.h"
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>

static const size_t MIB = 1 << 20;

// --- under a limit ---------------------------------------------------------------------------------------------------

static size_t bytes_until_refused(size_t bytes) {
    size_t total = 0;
    for (char *p; (p = keep(malloc(bytes))) != NULL; total += bytes) p[0] = 1;
    return total;
}

// Seven eighths of a limit can be allocated, less the program's own memory and the last piece of address space.
static void fits_under(int resource, size_t limit, size_t bytes) {
    pid_t child = fork();
    if (child == 0) {
        struct rlimit both = {limit, limit};
        // Plain constants: their type is an enum in glibc and an int in musl.
        int error = resource == RLIMIT_AS ? setrlimit(RLIMIT_AS, &both) : setrlimit(RLIMIT_DATA, &both);
        if (error != 0) _exit(1);
        size_t had = bytes_until_refused(bytes);
        if (had < limit / 100 * 77) {
            fprintf(stderr, "%zu of %zu bytes in blocks of %zu\n", had, limit, bytes);
            _exit(1);
        }
        _exit(0);
    }
    expect_child_ok(child);
}

// --- under huge pages ------------------------------------------------------------------------------------------------

// Resident pages of a program for which huge pages are enabled everywhere.
static void waste_under_huge_pages(size_t bytes, size_t count) {
    char **blocks = keep(malloc(count * sizeof *blocks));
    EXPECT(blocks != NULL);
    memset(blocks, 0, count * sizeof *blocks);
    long before = rss_bytes();
    for (size_t i = 0; i < count; i++) {
        blocks[i] = keep(malloc(bytes));
        EXPECT(blocks[i] != NULL);
        uintptr_t pages = ((uintptr_t)blocks[i] + 4095) & ~(uintptr_t)4095;
        if (i % 16 == 0) madvise((void *)pages, 16 * bytes & ~(size_t)4095, MADV_HUGEPAGE); // its neighbours, too
        memset(blocks[i], 1, bytes);
    }
    expect_growth_below(before, (long)(bytes * count / 8 * 9 + 5 * MIB), "blocks in huge pages");
    for (size_t i = 0; i < count; i++) free(blocks[i]);
    free(blocks);
    malloc_trim(0);
}

// --- neighbours ------------------------------------------------------------------------------------------------------

enum { BLOCKS = 300, STEPS = 30000 };
static void *set[BLOCKS];

static void *churn(void *seed) {
    uint64_t rng = *(uint64_t *)seed;
    void **mine = keep(calloc(BLOCKS, sizeof *mine));
    for (unsigned i = 0; i < STEPS / 4; i++) {
        size_t at = random_next(&rng) % BLOCKS, bytes = 30000 + random_next(&rng) % 600000;
        unsigned what = random_next(&rng) % 4;
        if (what == 0 && mine[at] != NULL) {
            mine[at] = block_resize(mine[at], bytes);
        } else if (what == 1) { // with another thread's
            void *other = __atomic_exchange_n(&set[at], mine[at], __ATOMIC_ACQ_REL);
            block_free(other);
            mine[at] = NULL;
        } else {
            block_free(mine[at]);
            mine[at] = block_new(bytes);
        }
    }
    for (unsigned i = 0; i < BLOCKS; i++) block_free(mine[i]);
    free(mine);
    return NULL;
}

static void neighbours_are_apart(void) {
    uint64_t seeds[3] = {1, 22, 333};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) threads[i] = thread_start(churn, &seeds[i]);
    for (int i = 0; i < 3; i++) thread_join(threads[i]);
    for (int i = 0; i < BLOCKS; i++) block_free(set[i]);
}

// calloc of memory that was used before; alignments of up to more than a unit.
static void contents_and_places(void) {
    uint64_t rng = 5;
    for (int i = 0; i < 2000; i++) {
        size_t bytes = 33000 + random_next(&rng) % 500000, align = (size_t)16 << random_next(&rng) % 15;
        char *zero = keep(calloc(1, bytes));
        EXPECT(zero != NULL);
        for (size_t at = 0; at < bytes; at += 509) EXPECT(zero[at] == 0);
        char *aligned = keep(memalign(align, bytes));
        EXPECT(aligned != NULL && (uintptr_t)aligned % align == 0);
        memset(zero, 1, bytes);
        memset(aligned, 2, bytes);
        EXPECT(malloc_usable_size(zero) >= bytes && zero[bytes - 1] == 1);
        free(zero);
        free(aligned);
    }
}

// A kept block that is handed out for a shorter request stays as long as it is when that grows a little: it would be
// short for good, and its tail would cost a system call.
static void longer_blocks_stay(void) {
    enum { LONG = 20 * 4096, SHORT = 18 * 4096, TIMES = 100 };
    unsigned handed_out = 0, stayed = 0;
    for (int i = 0; i < TIMES; i++) {
        free(keep(malloc(LONG)));
        char *p = keep(malloc(SHORT - 200));
        size_t usable = malloc_usable_size(p);
        if (usable > SHORT) handed_out++;
        p = keep(realloc(p, SHORT - 100));
        if (usable > SHORT && malloc_usable_size(p) == usable) stayed++;
        free(p);
    }
    EXPECT(handed_out > TIMES / 2 && stayed == handed_out);
}

int main(void) {
    test_begin(120);
    contents_and_places();
    neighbours_are_apart();
    if (!under_mbmalloc()) return 0;
    longer_blocks_stay();
    static const size_t lengths[] = {33000, 40000, 70000, 100000, 132000, 200000, 270000, 400000, 530000, 700000, 1050000};
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        if (lengths[i] < 8 * (size_t)sysconf(_SC_PAGESIZE)) continue; // blocks are whole pages
        fits_under(RLIMIT_AS, 300 * MIB, lengths[i]);
        fits_under(RLIMIT_DATA, 300 * MIB, lengths[i]);
        waste_under_huge_pages(lengths[i], 80 * MIB / lengths[i]);
    }
    puts("little is wasted");
    return 0;
}
