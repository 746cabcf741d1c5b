// Foreign mappings lie where the heap would grow next, at addresses that are aligned to pages only. All memory that the
// allocator hands out must be writable, and the mappings must keep their contents.
#include "tests/process/blocks.h"
#include <sys/mman.h>

enum { WALLS = 24, BLOCKS = 60000 };

static struct {
    char *at;
    size_t bytes;
} walls[WALLS];

// Mappings from 3 MiB behind the first block on, at growing distances, some of them gigabytes long.
static void build_walls(uintptr_t first) {
    uint64_t random = 0x9e3779b97f4a7c15u;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t at = first & ~(uintptr_t)(page - 1);
    for (int i = 0; i < WALLS; i++) {
        at += ((size_t)3 << 20) + (random_next(&random) % ((size_t)(i + 1) << 22) & ~(uintptr_t)(page - 1));
        size_t bytes = i % 8 == 7 ? (size_t)3 << 30 : page * (1 + random_next(&random) % 40);
        void *wall =
            mmap((void *)at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        if (wall == MAP_FAILED) continue;
        walls[i].at = memset(wall, 'w', 4096);
        walls[i].bytes = bytes;
        at += bytes;
    }
}

int main(void) {
    test_begin(120);
    static void *blocks[BLOCKS];
    build_walls((uintptr_t)block_new(100));
    uint64_t random = 7;
    for (int i = 0; i < BLOCKS; i++) {
        size_t most = i % 400 == 0 ? (size_t)5 << 20 : i % 40 == 0 ? 200000 : 5000;
        blocks[i] = block_new(100 + random_next(&random) % most); // writes all of it
    }
    int left = 0;
    for (int i = 0; i < WALLS; i++) {
        if (walls[i].at == NULL) continue;
        left++;
        for (int k = 0; k < 4096; k++) EXPECT(walls[i].at[k] == 'w');
    }
    EXPECT(left > WALLS / 2);
    for (int i = 0; i < BLOCKS; i++) block_free(blocks[i]);
    return 0;
}
