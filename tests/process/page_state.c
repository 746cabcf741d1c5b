// What a program does to the pages of a block ends with the block: its addresses have normal pages again after the
// free, whichever call changed them and however the block was freed. Advice may remain while the whole block is kept
// for a request of the same length; reusing it then causes no page fault.
// Usage: page_state [static|short]: linked statically; blocks up to 5 MB, in a heap that is too small to ask for huge
// pages or against them. Else with huge_pages=0, where all of the heap is told to have small pages.
#include "tests/process/blocks.h"
#include <errno.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { SET_VMA = 0x53564d41 };
static size_t page;
static bool heap_is_small; // its pages are, by the library's advice
static const size_t MIB = 1 << 20;

// --- what the kernel says about an address ---------------------------------------------------------------------------

struct mapping {
    char access[5], flags[120], name[80];
};

static bool read_mapping(FILE *maps, uintptr_t at, struct mapping *out) {
    char line[400];
    bool inside = false;
    *out = (struct mapping){"", "", ""};
    while (fgets(line, sizeof line, maps) != NULL) {
        uintptr_t from, to;
        char access[5], name[80] = "";
        if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %79s", &from, &to, access, name) >= 3) {
            inside = at >= from && at < to;
            if (inside) memcpy(out->access, access, sizeof access), memcpy(out->name, name, sizeof name);
        } else if (inside && sscanf(line, "VmFlags: %119[^\n]", out->flags) == 1) {
            return true;
        }
    }
    return false;
}

// Whether the address is ordinary memory, or only reserved.
static bool is_plain(const char *p) {
    static const char *const marks[] = {" dc", " wf", " lo", " hg", " nh", " mg", " dd", " rr", " sr", " lf"};
    struct mapping m;
    FILE *maps = fopen("/proc/self/smaps", "r");
    EXPECT(maps != NULL);
    bool found = read_mapping(maps, (uintptr_t)p, &m);
    fclose(maps);
    EXPECT(found);
    bool plain = (strcmp(m.access, "rw-p") == 0 || strcmp(m.access, "---p") == 0) && m.name[0] == '\0';
    char flags[122];
    snprintf(flags, sizeof flags, " %s", m.flags);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (heap_is_small && strcmp(marks[i], " nh") == 0) continue;
        plain = plain && strstr(flags, marks[i]) == NULL;
    }
    if (!plain) fprintf(stderr, "%s %s%s: ", m.access, m.name, flags);
    return plain;
}

// --- the changes -----------------------------------------------------------------------------------------------------

// False if the kernel does not have it.
typedef bool change(char *p, size_t bytes);

static bool read_only(char *p, size_t bytes) { return mprotect(p, bytes, PROT_READ) == 0; }
static bool no_access(char *p, size_t bytes) { return mprotect(p, bytes, PROT_NONE) == 0; }
static bool executable(char *p, size_t bytes) { return mprotect(p, bytes, PROT_READ | PROT_WRITE | PROT_EXEC) == 0; }
static bool dont_fork(char *p, size_t bytes) { return madvise(p, bytes, MADV_DONTFORK) == 0; }
static bool wipe_on_fork(char *p, size_t bytes) { return madvise(p, bytes, MADV_WIPEONFORK) == 0; }
static bool dont_dump(char *p, size_t bytes) { return madvise(p, bytes, MADV_DONTDUMP) == 0; }
static bool huge(char *p, size_t bytes) { return madvise(p, bytes, MADV_HUGEPAGE) == 0; }
static bool not_huge(char *p, size_t bytes) { return madvise(p, bytes, MADV_NOHUGEPAGE) == 0; }
static bool mergeable(char *p, size_t bytes) { return madvise(p, bytes, MADV_MERGEABLE) == 0; }
static bool sequential(char *p, size_t bytes) { return posix_madvise(p, bytes, POSIX_MADV_SEQUENTIAL) == 0; }
static bool locked(char *p, size_t bytes) { return mlock(p, bytes < MIB ? bytes : MIB) == 0; }
static bool locked_on_fault(char *p, size_t bytes) { return mlock2(p, bytes < MIB ? bytes : MIB, MLOCK_ONFAULT) == 0; }
static bool named(char *p, size_t bytes) { return prctl(SET_VMA, 0, p, bytes, "a name") == 0; }
static bool one_page(char *p, size_t bytes) { return mprotect(p + bytes / 2 / page * page, page, PROT_READ) == 0; }
static bool shared_over(char *p, size_t bytes) {
    return mmap(p, bytes, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED | MAP_ANONYMOUS, -1, 0) == p;
}
static bool unmapped(char *p, size_t bytes) { return munmap(p + bytes / 2 / page * page, page) == 0; }
static bool moved_away(char *p, size_t bytes) {
    char *target = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(target != MAP_FAILED);
    bool moved = mremap(p, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target;
    munmap(target, bytes);
    return moved;
}

static const struct {
    const char *name;
    change *make;
    bool hint;
} changes[] = {
    {"read only", read_only, false},
    {"no access", no_access, false},
    {"executable", executable, false},
    {"not forked", dont_fork, false},
    {"wiped by fork", wipe_on_fork, false},
    {"not dumped", dont_dump, true},
    {"huge pages", huge, true},
    {"no huge pages", not_huge, true},
    {"mergeable", mergeable, true},
    {"sequential", sequential, true},
    {"locked", locked, false},
    {"locked on fault", locked_on_fault, false},
    {"a name", named, true},
    {"one page read only", one_page, false},
    {"shared memory over it", shared_over, false},
    {"a page unmapped", unmapped, false},
    {"moved away", moved_away, false},
};
enum { CHANGES = sizeof changes / sizeof *changes };

// --- the ways to be free ---------------------------------------------------------------------------------------------

static void *free_in_thread(void *p) {
    free(p);
    return NULL;
}

static void free_elsewhere(char *p) {
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, free_in_thread, p) == 0);
    pthread_join(thread, NULL);
}

static void all_is_plain(const char *what, const char *p, size_t bytes) {
    for (size_t at = 0; at < bytes; at += bytes / 5) {
        if (is_plain(p + at)) continue;
        fprintf(stderr, "%s, %zu bytes: %zu from the start\n", what, bytes, at);
        exit(1);
    }
}

// Changes the whole pages of a block and frees it. `length` bytes of it may be read afterwards.
static void is_over_with_the_block(unsigned which, size_t bytes, void (*let_go)(char *)) {
    char *p = keep(malloc(bytes));
    EXPECT(p != NULL);
    memset(p, 1, bytes);
    char *pages = (char *)(((uintptr_t)p + page - 1) & ~(uintptr_t)(page - 1));
    size_t length = (bytes - (size_t)(pages - p)) & ~(size_t)(page - 1);
    if (!changes[which].make(pages, length)) {
        printf("%s: not here (%s)\n", changes[which].name, strerror(errno));
        free(p);
        return;
    }
    let_go(p);
    if (changes[which].hint) malloc_trim(0);
    all_is_plain(changes[which].name, pages, length);
    char *next = keep(malloc(bytes / 2)); // lies there, or could
    memset(next, 2, bytes / 2);
    free(next);
}

static void free_here(char *p) { free(p); }

// The same for the part of a block that realloc returns.
static void ends_with_a_part(size_t bytes) {
    char *p = keep(memalign(page, bytes));
    EXPECT(p != NULL && mprotect(p + bytes / 2, bytes / 2, PROT_READ) == 0);
    char *shorter = keep(realloc(p, bytes / 4));
    EXPECT(shorter != NULL);
    malloc_trim(0);
    if (shorter == p) all_is_plain("cut off", p + bytes / 2 + 65536, bytes / 2 - 65536);
    free(shorter);
    all_is_plain("freed", p, bytes);
}

// The same for pages of small blocks, whose slab is then freed.
static void ends_with_a_slab(void) {
    enum { BLOCKS = 300 };
    char *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = keep(memalign(page, page));
        EXPECT(blocks[i] != NULL && mprotect(blocks[i], page, PROT_READ) == 0);
    }
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    malloc_trim(0);
    for (int i = 0; i < BLOCKS; i++) EXPECT(is_plain(blocks[i]));
}

// --- what must stay cheap, and what the callers see ------------------------------------------------------------------

static long faults(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static void hints_keep_the_pages(size_t bytes) {
    long before = 0;
    for (int i = 0; i < 60; i++) {
        char *p = keep(malloc(bytes));
        char *pages = (char *)(((uintptr_t)p + page - 1) & ~(uintptr_t)(page - 1));
        madvise(pages, bytes - page, MADV_HUGEPAGE);
        memset(p, 1, bytes);
        free(p);
        if (i == 9) before = faults();
    }
    EXPECT(faults() - before < 200);
}

static void answers_are_the_systems(void) {
    errno = 0;
    char *p = keep(memalign(page, MIB));
    EXPECT(madvise(p, page, 12345) == -1 && errno == EINVAL);
    EXPECT(!libc_is_glibc() || (mprotect(p + 1, page, PROT_READ) == -1 && errno == EINVAL)); // musl's rounds to pages
    EXPECT(munmap(p + 1, page) == -1 && errno == EINVAL);
    EXPECT(posix_madvise(p, page, 12345) == EINVAL);
    EXPECT(mmap(p + 1, page, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
    EXPECT(prctl(123456, 1, 2, 3, 4) == -1 && errno == EINVAL);
    EXPECT(mremap(p + 1, page, page, 0) == MAP_FAILED && errno == EINVAL);
    char *own = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(own != MAP_FAILED && mprotect(own, page, PROT_READ) == 0 && madvise(own, page, MADV_DONTNEED) == 0 && own[0] == 0);
    EXPECT(mlock(own, page) == 0 && munmap(own, 2 * page) == 0 && mprotect(own, page, PROT_READ) == -1 && errno == ENOMEM);
    free(p);
}

int main(int argc, char **argv) {
    test_begin(120);
    page = (size_t)sysconf(_SC_PAGESIZE);
    setvbuf(stdout, NULL, _IONBF, 0);
    answers_are_the_systems();
    bool is_static = argc > 1 && strcmp(argv[1], "static") == 0, is_short = argc > 1 && strcmp(argv[1], "short") == 0;
    heap_is_small = !is_short;
    if (!is_static && !under_mbmalloc()) return 0;
    static const size_t lengths[] = {150000, 300000, 1 << 20, 5000000, 20000000, 40000000};
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths - (is_short ? 2 : 0); i++) {
        for (unsigned which = 0; which < CHANGES; which++) {
            is_over_with_the_block(which, lengths[i], free_here);
            is_over_with_the_block(which, lengths[i], free_here); // where a block is freed that was kept
            is_over_with_the_block(which, lengths[i], free_elsewhere);
        }
        ends_with_a_part(lengths[i] / 131072 * 131072);
    }
    ends_with_a_slab();
    hints_keep_the_pages(3 * MIB);
    if (!is_short) hints_keep_the_pages(8 * MIB);
    puts("nothing is left");
    return 0;
}
