// Large blocks: from 4 MiB on they end at an inaccessible page, whether they were allocated or resized to their length;
// a realloc that shrinks returns the rest, at once by malloc_trim and after a delay without it; no page of the heap is
// executable.
#include "tests/process/blocks.h"
#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { GUARD_INSTALL = 102 }; // MADV_GUARD_INSTALL, Linux 6.13
static const size_t MIB = 1 << 20;

// --- the end ---------------------------------------------------------------------------------------------------------

static bool kernel_has_guards(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool has = p != MAP_FAILED && madvise(p, page, GUARD_INSTALL) == 0;
    munmap(p, page);
    return has;
}

static bool write_kills(volatile char *at) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        *at = 1;
        _exit(0);
    }
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void ends_at_a_guard(void *block) {
    char *p = keep(block);
    EXPECT(p != NULL);
    size_t usable = malloc_usable_size(p);
    p[0] = p[usable - 1] = 1;
    EXPECT(write_kills(p + usable));
    free(p);
}

static void every_way_to_a_large_block(size_t bytes) {
    ends_at_a_guard(malloc(bytes));
    ends_at_a_guard(calloc(1, bytes));
    ends_at_a_guard(memalign(1 << 21, bytes));
    ends_at_a_guard(realloc(keep(malloc(bytes / 3)), bytes));
    ends_at_a_guard(realloc(keep(malloc(2 * bytes)), bytes));
    ends_at_a_guard(realloc(keep(realloc(keep(malloc(bytes)), bytes + MIB)), bytes + 2 * MIB));
}

// A block that grows in small steps has its guard page at most a MiB behind its end, and all memory before the guard
// can be written. When the block shrinks, or another block takes its place, the guard is right behind the end again. A
// block with a neighbour first moves to a place with free address space behind it.
static void grows_in_steps(size_t bytes, size_t neighbour_bytes) {
    char *p = keep(malloc(bytes));
    void *neighbour = keep(malloc(neighbour_bytes));
    EXPECT(p != NULL && neighbour != NULL);
    memset(p, 1, bytes);
    for (size_t grown = bytes; grown < 2 * bytes; grown += 70000) {
        p = keep(realloc(p, grown));
        EXPECT(p != NULL && p[bytes - 1] == 1);
        p[malloc_usable_size(p) - 1] = 1;
    }
    bool ends = false;
    for (size_t behind = 0; behind <= MIB + 65536 && !ends; behind += 4096) ends = write_kills(p + malloc_usable_size(p) + behind);
    EXPECT(ends);
    free(neighbour);
    ends_at_a_guard(realloc(p, bytes));
    ends_at_a_guard(malloc(2 * bytes));
    ends_at_a_guard(malloc(bytes));
}

// The guard page of a freed block becomes normal memory again.
static void guards_go(size_t bytes) {
    for (int i = 0; i < 4; i++) {
        free(keep(malloc(bytes)));
        char *p = keep(calloc(1, bytes + 3 * MIB));
        for (size_t at = 0; at < bytes + 3 * MIB; at += 512) EXPECT(p[at] == 0);
        memset(p, 1, bytes + 3 * MIB);
        free(p);
    }
}

// --- shrinking -------------------------------------------------------------------------------------------------------

static void shrink_gives_back(size_t bytes, size_t rest) {
    long before = rss_bytes();
    char *p = keep(malloc(bytes));
    memset(p, 1, bytes);
    EXPECT(rss_bytes() - before > (long)(bytes - bytes / 8));
    p = keep(realloc(p, rest));
    EXPECT(p != NULL && p[0] == 1 && p[rest - 1] == 1);
    malloc_trim(0);
    EXPECT(rss_bytes() - before < (long)(rest + MIB));
    free(p);
    malloc_trim(0);
}

static void shrink_gives_back_in_time(size_t bytes, size_t rest) {
    long before = rss_bytes();
    char *p = keep(malloc(bytes));
    memset(p, 1, bytes);
    p = keep(realloc(p, rest));
    for (int i = 0; i < 600 && rss_bytes() - before >= (long)(rest + MIB); i++) {
        usleep(100000);
        free(keep(malloc(100000))); // light activity
    }
    EXPECT(rss_bytes() - before < (long)(rest + MIB));
    free(p);
}

// --- access ----------------------------------------------------------------------------------------------------------

static void nothing_is_executable(void) {
    char line[400], access[5];
    uintptr_t from, to;
    void *blocks[] = {keep(malloc(16)), keep(malloc(1000)), keep(malloc(100000)), keep(malloc(10 * MIB)), keep(memalign(1 << 21, 16))};
    size_t found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    EXPECT(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) {
        EXPECT(sscanf(line, "%lx-%lx %4s", &from, &to, access) == 3);
        for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
            if ((uintptr_t)blocks[i] < from || (uintptr_t)blocks[i] >= to) continue;
            EXPECT(strcmp(access, "rw-p") == 0);
            found++;
        }
        EXPECT(strncmp(access, "rwx", 3) != 0);
    }
    fclose(maps);
    EXPECT(found == sizeof blocks / sizeof blocks[0]);
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) free(blocks[i]);
}

// A request for a longer block than any free one lets free memory go: `count` blocks are freed, with live ones between
// them, and then one as long as all of them is allocated.
static void longer_one_pays(size_t bytes, size_t count) {
    char *blocks[64], *between[64];
    EXPECT(count <= 64);
    long before = rss_bytes();
    for (size_t i = 0; i < count; i++) {
        blocks[i] = keep(malloc(bytes));
        between[i] = keep(malloc(200000));
        EXPECT(blocks[i] != NULL && between[i] != NULL);
        memset(blocks[i], 1, bytes);
    }
    for (size_t i = 0; i < count; i++) free(blocks[i]);
    char *all = keep(malloc(bytes * count + MIB));
    EXPECT(all != NULL);
    memset(all, 1, bytes * count);
    expect_growth_below(before, (long)(bytes * count + 20 * MIB), "one block as long as those before together");
    free(all);
    for (size_t i = 0; i < count; i++) free(between[i]);
}

int main(void) {
    test_begin(60);
    nothing_is_executable();
    if (!under_mbmalloc()) return 0; // the rest is more than glibc promises
    longer_one_pays(15 * MIB, 8);
    longer_one_pays(2 * MIB, 60);
    if (kernel_has_guards()) {
        for (size_t bytes = 4 * MIB; bytes <= 40 * MIB; bytes = bytes * 3 + 4097) every_way_to_a_large_block(bytes);
    }
    if (kernel_has_guards()) {
        grows_in_steps(4 * MIB, 0);
        grows_in_steps(9 * MIB, 0);
        grows_in_steps(4 * MIB, MIB);
        grows_in_steps(9 * MIB, MIB);
    }
    guards_go(5 * MIB);
    guards_go(40 * MIB);
    for (size_t bytes = 60 * MIB; bytes > 1 * MIB; bytes /= 7)
        for (size_t rest = 100; rest < bytes / 2; rest *= 30) shrink_gives_back(bytes, rest);
    for (size_t bytes = 50 * MIB; bytes >= 8 * MIB; bytes /= 2) shrink_gives_back(bytes, bytes - bytes / 6); // by less than a quarter
    shrink_gives_back_in_time(30 * MIB, 100000);
    puts("large blocks kept");
    return 0;
}
