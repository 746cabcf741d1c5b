// What profile=hardened promises besides finding faults (tests/misuse): exact lengths, blocks of zero bytes, guard
// pages, no remaining contents of freed blocks, late and random reuse, and a different order of addresses in each
// process.
#include "tests/process/blocks.h"
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { REUSE_AFTER = 64 };

static sigjmp_buf away;
static void jump_away(int signal) { siglongjmp(away, signal); }

static bool faults(volatile char *at, bool writes) {
    struct sigaction old, new = {.sa_handler = jump_away, .sa_flags = SA_NODEFER};
    sigaction(SIGSEGV, &new, &old);
    bool fault = sigsetjmp(away, 1) != 0;
    if (!fault && writes)
        *at = 1;
    else if (!fault)
        (void)*at;
    sigaction(SIGSEGV, &old, NULL);
    return fault;
}

static void lengths(void) {
    for (size_t bytes = 1; bytes < (size_t)8 << 20; bytes = bytes * 5 / 4 + 1) {
        char *p = keep(malloc(bytes));
        EXPECT(p != NULL && malloc_usable_size(p) == bytes);
        memset(p, 1, bytes);
        p = keep(realloc(p, bytes + 1));
        EXPECT(p != NULL && malloc_usable_size(p) == bytes + 1 && p[bytes - 1] == 1);
        p = keep(realloc(p, bytes / 2 + 1));
        EXPECT(p != NULL && malloc_usable_size(p) == bytes / 2 + 1 && p[bytes / 2] == (bytes > 0));
        free(p);
    }
}

static void no_bytes(void) {
    char *before = NULL;
    for (size_t align = 1; align <= 1 << 16; align *= 16) {
        char *p = keep(align == 1 ? malloc(0) : memalign(align, 0));
        EXPECT(p != NULL && p != before && (uintptr_t)p % align == 0 && malloc_usable_size(p) == 0);
        EXPECT(faults(p, true) && faults(p, false));
        free(p);
        before = p;
    }
    char *p = keep(realloc(keep(malloc(0)), 10));
    EXPECT(p != NULL && malloc_usable_size(p) == 10);
    free(p);
}

static size_t whole_pages(size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) & ~(page - 1);
}

static void guards(size_t bytes, size_t align) {
    char *p = keep(memalign(align, bytes));
    EXPECT(p != NULL && (uintptr_t)p % align == 0);
    memset(p, 1, bytes);
    size_t end = whole_pages(bytes);
    EXPECT(faults(p - 1, true) && faults(p + end, true) && faults(p + end, false));
    p = keep(realloc(p, bytes + 100000)); // by moving
    memset(p, 1, bytes + 100000);
    p = keep(realloc(p, bytes + 200000)); // in place, or not
    end = whole_pages(bytes + 200000);
    memset(p, 1, bytes + 200000);
    EXPECT(faults(p + end, true));
    p = keep(realloc(p, bytes));
    EXPECT(p != NULL && p[bytes - 1] == 1 && faults(p + whole_pages(bytes), true));
    free(p);
    EXPECT(faults(p, false) && faults(p + bytes / 2, true));
}

// A freed block reads as zeros, or cannot be read.
static void nothing_is_left(size_t bytes) {
    char *p = keep(malloc(bytes));
    memset(p, 0x77, bytes);
    free(p);
    for (size_t i = 0; i < bytes; i += bytes / 16 + 1) EXPECT(faults(p + i, false) || p[i] == 0);
    char *grown = keep(malloc(bytes));
    memset(grown, 0x77, bytes);
    grown = keep(realloc(grown, bytes / 2 + 1));
    EXPECT(grown[bytes / 2] == 0x77);
    free(grown);
}

// Most freed blocks of two pages and more are inaccessible; their neighbours are not, and a block that is handed out
// again is zero.
static void freed_are_shut(size_t bytes) {
    enum { COUNT = 60 };
    char *p[COUNT];
    for (int i = 0; i < COUNT; i++) memset(p[i] = keep(malloc(bytes)), 0x77, bytes);
    for (int i = 0; i < COUNT; i += 2) free(p[i]);
    int shut = 0;
    for (int i = 0; i < COUNT; i += 2) shut += faults(p[i] + bytes / 2, true);
    for (int i = 1; i < COUNT; i += 2) EXPECT(p[i][0] == 0x77 && p[i][bytes / 2] == 0x77 && p[i][bytes - 1] == 0x77);
    EXPECT(shut >= COUNT / 2 - (int)((128 << 10) / bytes));
    for (int i = 0; i < COUNT; i += 2)
        if (!faults(p[i] + bytes / 2, true)) p[i][bytes / 2] = 0;
    for (int i = 0; i < 1000; i++) {
        char *fresh = keep(malloc(bytes));
        for (size_t k = 0; k < bytes; k += 997) EXPECT(fresh[k] == 0);
        memset(fresh, 0x77, bytes);
        free(fresh);
    }
    for (int i = 1; i < COUNT; i += 2) free(p[i]);
}

static bool knows_guards(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return madvise(page, 4096, 102) == 0; // MADV_GUARD_INSTALL, Linux 6.13
}

static void reuse_is_late(size_t bytes) {
    static void *last[REUSE_AFTER];
    memset(last, 0, sizeof last);
    for (int i = 0; i < 5000; i++) {
        void *p = keep(malloc(bytes));
        for (int k = 0; k < REUSE_AFTER; k++) EXPECT(p != last[k]);
        last[i % REUSE_AFTER] = p;
        free(p);
    }
}

// The distances between successive blocks, from different children: no two alike.
static uint64_t order_of(size_t bytes) {
    uint64_t sum = 0;
    char *before = keep(malloc(bytes));
    for (int i = 0; i < 50; i++) {
        char *p = keep(malloc(bytes));
        sum = sum * 31 + (uint64_t)(p - before);
        before = p;
    }
    return sum;
}

static uint64_t order_in_child(size_t bytes) {
    int ends[2];
    uint64_t order = 0;
    EXPECT(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        order = order_of(bytes);
        _exit(write(ends[1], &order, sizeof order) != sizeof order);
    }
    EXPECT(read(ends[0], &order, sizeof order) == sizeof order);
    expect_child_ok(child);
    close(ends[0]);
    close(ends[1]);
    return order;
}

static void every_child_has_its_order(void) {
    enum { CHILDREN = 8 };
    uint64_t orders[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        orders[i] = order_in_child(100);
        for (int k = 0; k < i; k++) EXPECT(orders[i] != orders[k]);
    }
}

static void statistics(void) {
    struct mallinfo2 before = mallinfo2();
    void *small = keep(malloc(1000)), *large = keep(malloc(1000000));
    struct mallinfo2 with = mallinfo2();
    EXPECT(with.uordblks + with.hblkhd == before.uordblks + before.hblkhd + 1001000 && with.hblkhd >= before.hblkhd + 1000000);
    free(small);
    free(large);
    struct mallinfo2 after = mallinfo2();
    EXPECT(after.uordblks == before.uordblks && after.hblkhd == before.hblkhd);
}

int main(void) {
    test_begin(80);
    lengths();
    no_bytes();
    guards(100000, 16);
    guards(1 << 20, 4096);
    guards((5 << 20) + 77, 1 << 17);
    for (size_t bytes = 16; bytes < (size_t)4 << 20; bytes *= 7) nothing_is_left(bytes);
    for (size_t bytes = 8300; bytes < 32000 && knows_guards(); bytes = bytes * 5 / 4) freed_are_shut(bytes);
    for (size_t bytes = 1; bytes < 300000; bytes = bytes * 4 + 7) reuse_is_late(bytes);
    every_child_has_its_order();
    statistics();
    return 0;
}
