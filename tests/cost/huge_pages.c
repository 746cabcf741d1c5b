// Transparent huge pages in a growing heap: how many page faults they save, and that they do not increase memory use.
// Each case runs twice, with the option huge_pages on (or auto) and off, in separate processes.
// Usage: huge_pages small|growth|sparse|reused|tails|threads|replace|auto_small|auto_slabs|auto_large|auto_short|
//                   auto_long|auto_replace|auto_medium|auto_threads|auto_sparse|auto_mixed|auto_unwritten|auto_turned|
//                   auto_turned_long|auto_turning|auto_calloc|auto_cleared|auto_denied
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/limits/blocks.h"
#include "tests/limits/measure.h"

enum { BLOCKS = 64, THREADS = 100, CLASSES = 20, REPLACED = 400, MAPPINGS_MAX = 400 };

struct result {
    uint64_t faults;
    size_t huge_refused;                               // by the system, while the process ran
    size_t peak, rss, trimmed, wished, huge, mappings; // bytes: in mappings with the wish, in huge pages
    size_t small, small_trimmed;                       // bytes in mappings that shall have small pages; the same after malloc_trim
};

static char *block[BLOCKS];
static size_t block_bytes[BLOCKS];
static uint64_t rng = 12345;

static void fill(size_t i, size_t bytes) {
    block[i] = malloc(bytes);
    CHECK(block[i], "refused %zu bytes", bytes);
    memset(block[i], 1, bytes);
    block_bytes[i] = bytes;
}

static void touch_sparsely(char *p, size_t bytes) {
    CHECK(p, "refused %zu bytes", bytes);
    for (size_t at = 0; at < bytes; at += MIB) p[at] = 1;
}

static pthread_barrier_t all_there;

// --- the ways -------------------------------------------------------------------------------------------------------

static void small(void) {
    for (size_t i = 0; i < 12; i++) fill(i, MIB - 4096);
}

// 250 MB in blocks of 5 to 15 MB.
static void growth(void) {
    for (size_t i = 0; i < 25; i++) fill(i, 5 * MIB + blocks_random(&rng) % (10 * MIB));
}

static void sparse(void) {
    for (size_t i = 0; i < 40; i++) fill(i, MIB);
    touch_sparsely(calloc(64, MIB), 64 * MIB);
    touch_sparsely(aligned_alloc(4096, 32 * MIB), 32 * MIB);
    touch_sparsely(malloc(300 * MIB), 300 * MIB); // longer than all before it
}

// Memory of freed blocks that had been written, with its huge pages, is reused for a block that is not written.
static void reused(void) {
    for (size_t i = 0; i < 8; i++) fill(i, (20 + 5 * i) * MIB);
    for (size_t i = 4; i < 8; i++) free(block[i]);
    touch_sparsely(calloc(60, MIB), 60 * MIB);
    for (size_t i = 0; i < 600; i++) memset(malloc(1000), 1, 1000);
}

// Blocks of whole units of 64 KiB, of which a quarter of a unit is unused on average.
static void tails(void) {
    for (size_t i = 0; i < 1500; i++) {
        size_t bytes = 33 * KIB + blocks_random(&rng) % (31 * KIB);
        memset(malloc(bytes), 1, bytes);
    }
}

// Each thread uses about a page of each size, and takes a unit for it.
static void *few_blocks(void *arg) {
    for (size_t c = 0; c < CLASSES; c++) {
        for (size_t i = 0; i < 12; i++) memset(malloc(100 + 100 * c), 1, 100 + 100 * c);
    }
    pthread_barrier_wait(&all_there);
    return arg;
}

static void threads(void) {
    pthread_barrier_init(&all_there, NULL, THREADS + 1);
    pthread_t thread;
    for (size_t i = 0; i < THREADS; i++) CHECK(pthread_create(&thread, NULL, few_blocks, NULL) == 0, "no thread");
    pthread_barrier_wait(&all_there);
}

static void replace(void) {
    for (size_t n = 0; n < REPLACED; n++) {
        size_t i = blocks_random(&rng) % 20;
        free(block[i]);
        fill(i, MIB + blocks_random(&rng) % (8 * MIB));
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        for (size_t at = 0; at < block_bytes[i]; at += 4096) CHECK(block[i][at] == 1, "block %zu at %zu", i, at);
    }
}

// So much in blocks of `least` to `most` bytes, written whole.
static void fill_rounds(int rounds, size_t all, size_t least, size_t most) {
    size_t count = all / ((least + most) / 2);
    char **blocks = malloc(count * sizeof *blocks);
    CHECK(blocks, "no memory");
    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            size_t bytes = least + blocks_random(&rng) % (most - least + 1);
            blocks[i] = malloc(bytes);
            CHECK(blocks[i], "refused %zu bytes", bytes);
            memset(blocks[i], 1, bytes);
        }
        for (size_t i = 0; i < count; i++) free(blocks[i]);
    }
    free(blocks);
}

static void auto_small(void) { fill_rounds(2, 50 * MIB, 16, 1000); }
static void auto_slabs(void) { fill_rounds(2, 300 * MIB, 16, 1000); }
static void auto_large(void) { fill_rounds(1, 500 * MIB, MIB, MIB + 100 * KIB); }
static void auto_short(void) { fill_rounds(1, 500 * MIB, 100 * KIB, 2 * MIB); }
static void auto_long(void) { fill_rounds(1, 500 * MIB, 5 * MIB, 25 * MIB); }
static void auto_medium(void) { fill_rounds(2, 200 * MIB, 1000, 32000); }

static void *fill_some(void *arg) {
    char *blocks[100];
    uint64_t state = 7 + (uint64_t)(uintptr_t)arg;
    for (size_t i = 0; i < 100; i++) {
        size_t bytes = 100 * KIB + blocks_random(&state) % (2 * MIB);
        blocks[i] = malloc(bytes);
        CHECK(blocks[i], "refused %zu bytes", bytes);
        memset(blocks[i], 1, bytes);
    }
    pthread_barrier_wait(&all_there);
    for (size_t i = 0; i < 100; i++) free(blocks[i]);
    return NULL;
}

static void auto_threads(void) {
    pthread_t thread[3];
    pthread_barrier_init(&all_there, NULL, 3);
    for (size_t i = 0; i < 3; i++) CHECK(pthread_create(&thread[i], NULL, fill_some, (void *)(i + 1)) == 0, "no thread");
    for (size_t i = 0; i < 3; i++) pthread_join(thread[i], NULL);
}

static void auto_unwritten(void) {
    for (size_t i = 0; i < 2000; i++) touch_sparsely(malloc(MIB), MIB);
    for (size_t i = 0; i < 500; i++) touch_sparsely(malloc(4 * MIB), 4 * MIB);
}

// Written blocks, and then others of the same lengths of which a page is.
static void auto_turned(void) {
    for (size_t i = 0; i < 40; i++) fill(i, MIB);
    for (size_t i = 0; i < 1000; i++) touch_sparsely(malloc(MIB), MIB);
}

static void auto_turned_long(void) {
    for (size_t i = 0; i < 25; i++) fill(i, 4 * MIB);
    for (size_t i = 0; i < 500; i++) touch_sparsely(malloc(4 * MIB), 4 * MIB);
    touch_sparsely(malloc(500 * MIB), 500 * MIB);
}

// Now and then a longer one stays unwritten: what that costs is bounded.
static void auto_turning(void) {
    for (size_t round = 0; round < 10; round++) {
        for (size_t i = 0; i < 9; i++) memset(malloc(3 * MIB), 1, 3 * MIB);
        touch_sparsely(malloc(12 * MIB), 12 * MIB);
    }
}

static void auto_calloc(void) {
    for (size_t i = 0; i < 25; i++) fill(i, 4 * MIB);
    for (size_t i = 0; i < 100; i++) touch_sparsely(calloc(4, MIB), 4 * MIB);
}

static void auto_cleared(void) {
    for (size_t all = 0, i = 0; all < 500 * MIB; i++) {
        size_t bytes = 5 * MIB + blocks_random(&rng) % (20 * MIB);
        char *p = i % 2 == 0 ? calloc(1, bytes) : aligned_alloc(4096, bytes / 4096 * 4096);
        CHECK(p, "refused %zu bytes", bytes);
        memset(p, 1, bytes / 4096 * 4096);
        all += bytes;
    }
}

// Whose blocks cannot be read.
static void auto_denied(void) {
    for (size_t i = 0; i < 60; i++) {
        block[i] = aligned_alloc(4096, 4 * MIB);
        CHECK(block[i] && mprotect(block[i], 4 * MIB, PROT_NONE) == 0, "block %zu", i);
        char *p = malloc(3 * MIB);
        CHECK(p && mprotect(p + (-(uintptr_t)p & 4095), 2 * MIB, PROT_NONE) == 0, "block %zu", i);
    }
    for (size_t i = 0; i < 60; i++) CHECK(mprotect(block[i], 4 * MIB, PROT_READ | PROT_WRITE) == 0, "block %zu", i);
}

static void fill_small(size_t all) {
    for (size_t bytes = 500; all >= bytes; all -= bytes) memset(malloc(bytes), 1, bytes);
}

// Small blocks, then large ones that stay unwritten.
static void auto_sparse(void) {
    fill_small(300 * MIB);
    auto_unwritten();
}

// Both in turn.
static void auto_mixed(void) {
    for (size_t i = 0; i < 1000; i++) {
        fill_small(100 * KIB);
        touch_sparsely(malloc(MIB), MIB);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
    size_t wished_min, wished_max, percent; // more memory at most
    uint64_t fewer;                         // page faults with: at most those without, divided by this
    size_t trimmed;                         // more memory after malloc_trim at most: what was lost in live blocks
    size_t small_min;                       // where the heap gets small pages even if the system gives huge ones unasked
} ways[] = {{"small", small, 0, 0, 3, 0, 0, 0},
            {"growth", growth, 150 << 20, 250 << 20, 3, 2, 0, 0},
            {"sparse", sparse, 0, 12 << 20, 3, 0, 0, 0},
            {"reused", reused, 20 << 20, 300 << 20, 3, 2, 0, 0},
            {"tails", tails, 0, 100 << 20, 3, 0, 0, 0},
            {"threads", threads, 0, 0, 3, 0, 0, 0},
            // Blocks of 1 to 9 MB in turn: a huge page is returned to the system as a whole or not at all.
            {"replace", replace, 20 << 20, 300 << 20, 9, 2, 0, 0},
            {"auto_small", auto_small, 0, 0, 1, 0, 0, 0},
            {"auto_slabs", auto_slabs, 50 << 20, 400 << 20, 2, 2, 0, 0},
            {"auto_large", auto_large, 300 << 20, 600 << 20, 3, 10, 0, 0},
            {"auto_short", auto_short, 10 << 20, 600 << 20, 3, 10, 0, 0},
            {"auto_long", auto_long, 300 << 20, 600 << 20, 3, 10, 0, 0},
            {"auto_replace", replace, 20 << 20, 300 << 20, 9, 2, 0, 0},
            // Blocks of 1 to 32 KB leave the ends of their size classes unwritten.
            {"auto_medium", auto_medium, 0, 100 << 20, 3, 0, 0, 0},
            {"auto_threads", auto_threads, 50 << 20, 500 << 20, 3, 2, 0, 0},
            {"auto_sparse", auto_sparse, 50 << 20, 300 << 20, 2, 2, 0, 0},
            {"auto_mixed", auto_mixed, 0, 2 << 20, 2, 0, 0, 0},
            {"auto_unwritten", auto_unwritten, 0, 0, 1, 0, 0, 3000ul << 20},
            {"auto_turned", auto_turned, 2 << 20, 20 << 20, 5, 0, 4 << 20, 900 << 20},
            {"auto_turned_long", auto_turned_long, 20 << 20, 150 << 20, 4, 0, 6 << 20, 0},
            {"auto_turning", auto_turning, 20 << 20, 300 << 20, 9, 0, 30 << 20, 0},
            {"auto_calloc", auto_calloc, 20 << 20, 150 << 20, 3, 0, 0, 0},
            {"auto_cleared", auto_cleared, 300 << 20, 600 << 20, 3, 10, 2 << 20, 0},
            {"auto_denied", auto_denied, 0, 2 << 20, 1, 0, 0, 0}};

// --- measuring ------------------------------------------------------------------------------------------------------

static void read_mappings(struct result *out) {
    FILE *file = fopen("/proc/self/smaps", "r");
    CHECK(file, "no smaps");
    char line[512];
    size_t kib = 0, huge_kib = 0;
    while (fgets(line, sizeof line, file)) {
        sscanf(line, "Size: %zu", &kib);
        if (sscanf(line, "AnonHugePages: %zu", &huge_kib) == 1) out->huge += huge_kib * KIB;
        if (strncmp(line, "VmFlags:", 8) != 0) continue;
        out->mappings++;
        if (strstr(line, " hg") != NULL) out->wished += kib * KIB;
        if (strstr(line, " nh") != NULL) out->small += kib * KIB;
    }
    fclose(file);
}

// How often the system has given small pages for want of a huge one, to any process. 0: it does not tell.
static size_t refused_huge_pages(void) {
    char line[128];
    size_t count = 0;
    FILE *file = fopen("/proc/vmstat", "r");
    while (file != NULL && fgets(line, sizeof line, file)) sscanf(line, "thp_fault_fallback %zu", &count);
    if (file != NULL) fclose(file);
    return count;
}

static bool system_has_huge_pages(void) {
    size_t bytes = 64 * MIB;
    struct result before = {0}, after = {0};
    read_mappings(&before);
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || madvise(p, bytes, MADV_HUGEPAGE) != 0) return false;
    memset(p, 1, bytes);
    read_mappings(&after);
    munmap(p, bytes);
    return after.huge - before.huge >= bytes - 4 * MIB;
}

static int child(size_t way) {
    measure_under_mbmalloc();
    struct result result = {0};
    result.huge_refused = refused_huge_pages();
    ways[way].run();
    result.huge_refused = refused_huge_pages() - result.huge_refused;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    result.faults = (uint64_t)usage.ru_minflt;
    result.peak = (size_t)usage.ru_maxrss * KIB;
    result.rss = measure_rss_bytes();
    read_mappings(&result);
    for (size_t i = 0; i < BLOCKS && ways[way].run != reused; i++) free(block[i]);
    malloc_trim(0);
    result.trimmed = measure_rss_bytes();
    struct result trimmed = {0};
    read_mappings(&trimmed);
    result.small_trimmed = trimmed.small;
    return write(STDOUT_FILENO, &result, sizeof result) == (ssize_t)sizeof result ? 0 : 1;
}

static struct result run(const char *program, const char *way, const char *options) {
    int ends[2];
    CHECK(pipe(ends) == 0, "no pipe");
    pid_t pid = fork();
    if (pid == 0) {
        setenv("MBMALLOC_OPTIONS", options, 1);
        dup2(ends[1], STDOUT_FILENO);
        execl(program, program, way, "child", NULL);
        _exit(127);
    }
    close(ends[1]);
    struct result result;
    ssize_t got = read(ends[0], &result, sizeof result);
    int status;
    waitpid(pid, &status, 0);
    close(ends[0]);
    CHECK(got == (ssize_t)sizeof result && status == 0, "%s under %s: status %d", way, options, status);
    printf("%s, %s: %llu faults, %zu MiB at most, %zu now, %zu trimmed, %zu wished, %zu huge, %zu mappings\n", way, options,
           (unsigned long long)result.faults, result.peak / MIB, result.rss / MIB, result.trimmed / MIB, result.wished / MIB,
           result.huge / MIB, result.mappings);
    return result;
}

// Whether the system gives huge pages to whoever has not asked for them: then there is no run without.
static bool system_gives_them_unasked(void) {
    char mode[64] = "";
    FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
    if (file == NULL) return false;
    bool read = fgets(mode, sizeof mode, file) != NULL;
    fclose(file);
    return read && strstr(mode, "[always]") != NULL;
}

static void compare(size_t way, const struct result *on, const struct result *off) {
    CHECK(off->wished == 0, "huge pages are asked for in vain: %zu", off->wished);
    CHECK(on->peak <= off->peak + off->peak * ways[way].percent / 100 + 2 * MIB, "huge pages cost %zu KiB", (on->peak - off->peak) / KIB);
    CHECK(on->rss <= off->rss + off->peak * ways[way].percent / 100 + 2 * MIB, "huge pages cost %zu KiB", (on->rss - off->rss) / KIB);
    CHECK(on->trimmed <= off->trimmed + ways[way].trimmed + 3 * MIB, "%zu KiB more after malloc_trim", (on->trimmed - off->trimmed) / KIB);
    CHECK(on->mappings <= off->mappings + MAPPINGS_MAX, "%zu mappings", on->mappings);
    CHECK(on->wished <= ways[way].wished_max, "huge pages are asked for: %zu", on->wished);
    CHECK(on->wished >= ways[way].wished_min, "too few huge pages are asked for: %zu", on->wished);
    CHECK(on->small >= ways[way].small_min, "the system may give huge pages: only %zu MiB must be small", on->small / MIB);
    CHECK(off->small >= off->rss / 2, "the system may give huge pages: only %zu MiB must be small", off->small / MIB);
    CHECK(off->small_trimmed >= off->small / 2, "after malloc_trim only %zu MiB must be small", off->small_trimmed / MIB);
    if (ways[way].fewer == 0) return;
    if (!system_has_huge_pages()) skip_test("the system gives no huge pages here, or has none left");
    uint64_t most = off->faults / ways[way].fewer;
    if (on->faults > most && on->huge_refused > 0) skip_test("the system had too few huge pages");
    CHECK(on->faults <= most, "%llu faults instead of %llu", (unsigned long long)on->faults, (unsigned long long)off->faults);
}

int main(int argc, char **argv) {
    size_t way = 0;
    if (argc == 2 && system_gives_them_unasked()) skip_test("transparent_hugepage is \"always\"");
    while (way < sizeof ways / sizeof *ways && (argc < 2 || strcmp(argv[1], ways[way].name) != 0)) way++;
    if (way == sizeof ways / sizeof *ways) return 2;
    if (argc > 2) return child(way);
    if (!measure_under_mbmalloc()) skip_test("not under mbmalloc");
    struct result on = run(argv[0], argv[1], strncmp(argv[1], "auto_", 5) == 0 ? "huge_pages=auto" : "huge_pages=1");
    struct result off = run(argv[0], argv[1], "huge_pages=0");
    compare(way, &on, &off);
    return 0;
}
