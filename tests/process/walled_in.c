// A foreign mapping of 16 GiB lies directly behind the heap: small and large blocks are placed beyond it.
#include "tests/process/blocks.h"
#include <sys/mman.h>

enum { BLOCKS = 50000 };
static const size_t wall_bytes = (size_t)16 << 30;

// The end of the adjoining mappings in which p lies.
static uintptr_t end_of_mappings(uintptr_t p) {
    char line[512];
    uintptr_t from, to, end = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    EXPECT(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL && sscanf(line, "%zx-%zx", &from, &to) == 2) {
        if (from == end || (from <= p && p < to)) end = to;
    }
    fclose(maps);
    return end;
}

int main(void) {
    test_begin(60);
    static void *blocks[BLOCKS];
    void *first = block_new(100);
    uintptr_t end = end_of_mappings((uintptr_t)first);
    void *wall = mmap((void *)end, wall_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (wall == MAP_FAILED) {
        puts("SKIP: something else stands behind the heap");
        return TEST_SKIPPED;
    }
    for (int i = 0; i < BLOCKS; i++) blocks[i] = block_new(1000);
    block_free(block_new((size_t)200 << 20));
    for (int i = 0; i < BLOCKS; i++) block_free(blocks[i]);
    block_free(first);
    return 0;
}
