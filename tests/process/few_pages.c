// A thread with few live blocks of a class touches only a few pages of its slab, also after a peak in which it used all
// of them: pairs of malloc and free, and a few live blocks that are replaced in turn, of 256 bytes to 8 KiB.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PEAK = 300, WARM_UP = 64, ROUNDS = 1000, LIVE_MAX = 4, PAGES_MAX = 1024 };

static size_t page_bytes;
static uintptr_t pages[PAGES_MAX];
static unsigned pages_used;

static void note(const void *p, size_t bytes) {
    for (uintptr_t page = (uintptr_t)p / page_bytes; page <= ((uintptr_t)p + bytes - 1) / page_bytes; page++) {
        unsigned i = 0;
        while (i < pages_used && pages[i] != page) i++;
        if (i == pages_used && pages_used < PAGES_MAX) pages[pages_used++] = page;
    }
}

static void peak(size_t bytes) {
    void *blocks[PEAK];
    for (unsigned i = 0; i < PEAK; i++) blocks[i] = malloc(bytes);
    for (unsigned i = 0; i < PEAK; i++) free(blocks[i]);
}

static unsigned pages_of_rounds(size_t bytes, unsigned live) {
    void *blocks[LIVE_MAX];
    pages_used = 0;
    for (unsigned round = 0; round < WARM_UP + ROUNDS; round++) {
        for (unsigned i = 0; i < live; i++) {
            blocks[i] = malloc(bytes);
            if (round >= WARM_UP) note(blocks[i], bytes);
        }
        for (unsigned i = 0; i < live; i++) free(blocks[i]);
    }
    return pages_used;
}

int main(void) {
    static const size_t sizes[] = {256, 300, 512, 700, 1024, 1500, 2048, 3000, 4096, 8192};
    int bad = 0;
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        peak(sizes[s]);
        for (unsigned live = 1; live <= LIVE_MAX; live++) {
            // A window of 16 KiB or of four blocks, and the ends of these.
            size_t window = 4 * sizes[s] > 16384 ? 4 * sizes[s] : 16384;
            unsigned most = (unsigned)(window / page_bytes + 2), used = pages_of_rounds(sizes[s], live);
            if (used <= most) continue;
            printf("%zu bytes, %u live: %u pages, at most %u\n", sizes[s], live, used, most);
            bad = 1;
        }
    }
    return bad;
}
