// A system that accepts madvise and does nothing (emulators and some filters): calloc still returns zeros, for large
// blocks and for small ones in memory of former large ones.
//   process_purge_ignored early|late        before the first call of malloc that needs it, or after
#include "tests/process/refused_call.h"
#include <malloc.h>

static void expect_zero(const char *p, size_t bytes) {
    for (size_t i = 0; i < bytes; i += bytes > 100000 ? 64 : 1) EXPECT(p[i] == 0);
    EXPECT(p[bytes - 1] == 0);
}

static void dirty(size_t bytes) {
    char *p = keep(malloc(bytes));
    EXPECT(p != NULL);
    memset(p, 0x5a, bytes);
    free(p);
}

static void large_again(size_t bytes, bool trim) {
    dirty(bytes);
    if (trim) malloc_trim(0);
    char *p = keep(calloc(1, bytes));
    EXPECT(p != NULL);
    expect_zero(p, bytes);
    free(p);
}

static void small_where_large_was(size_t bytes, size_t count) {
    char *blocks[1000];
    dirty(bytes * count);
    malloc_trim(0);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = keep(calloc(1, bytes));
        EXPECT(blocks[i] != NULL);
        expect_zero(blocks[i], bytes);
    }
    for (size_t i = 0; i < count; i++) free(blocks[i]);
}

int main(int argc, char **argv) {
    test_begin(60);
    EXPECT(argc == 2);
    if (strcmp(argv[1], "late") == 0) large_again(50 << 20, true);
    if (!refuse_call(SYS_madvise, 0)) {
        puts("SKIP: no seccomp");
        return TEST_SKIPPED;
    }
    for (int round = 0; round < 4; round++) {
        for (size_t bytes = 1000; bytes <= (size_t)128 << 20; bytes *= 3) large_again(bytes, round % 2 == 1);
        small_where_large_was(60000, 1000);
    }
    return 0;
}
