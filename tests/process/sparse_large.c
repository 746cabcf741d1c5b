// Large blocks of which the program touches one page each cost one page each; shorter ones cost at most one more for
// their descriptor: sparse tables, buffers for the worst case.
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "tests/process/expect.h"

enum { COUNT = 4000, BASE_KIB = 6000, PAGE_KIB = 4 };

static size_t resident_kib(void) {
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    EXPECT(file != NULL && fscanf(file, "%*s %zu", &pages) == 1);
    fclose(file);
    return pages * PAGE_KIB;
}

static int run(size_t bytes) {
    static char *blocks[COUNT];
    size_t before = resident_kib();
    for (unsigned i = 0; i < COUNT; i++) {
        blocks[i] = malloc(bytes);
        EXPECT(blocks[i] != NULL);
        blocks[i][0] = 1;
    }
    size_t descriptors = bytes < 1000000 ? PAGE_KIB * COUNT : PAGE_KIB * COUNT / 10;
    size_t held = resident_kib() - before, most = (size_t)COUNT * PAGE_KIB + descriptors + BASE_KIB;
    printf("%u blocks of %zu bytes, a page of each touched: %zu KiB, at most %zu\n", COUNT, bytes, held, most);
    for (unsigned i = 0; i < COUNT; i++) free(blocks[i]);
    return held > most;
}

int main(void) {
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); // a byte touched is to be a page, not 2 MiB
    return run(1000000) | run(4 << 20) | run(300000) | run(70000);
}
