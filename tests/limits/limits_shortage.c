// Memory is short, but some is free: it must be found, in whatever pieces it is and although other threads are using
// the heap.
// Usage: limits_shortage holes | trim
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/limits/measure.h"

enum { ROOM_BYTES = 48 << 20, UNIT_BYTES = 64 << 10, BLOCKS_MAX = 2 * ROOM_BYTES / UNIT_BYTES, TAKER_ROUNDS = 20000 };

static char *blocks[BLOCKS_MAX];
static size_t count;
static _Atomic bool may_trim, stop_trimming;

static void limit_address_space(void) {
    struct rlimit r = {.rlim_cur = measure_vm_bytes() + ROOM_BYTES, .rlim_max = RLIM_INFINITY};
    CHECK(setrlimit(RLIMIT_AS, &r) == 0, "setrlimit: errno %d", errno);
}

// Blocks of one unit each, until no memory is left.
static void use_up(void) {
    while (count < BLOCKS_MAX && (blocks[count] = malloc(UNIT_BYTES)) != NULL) memset(blocks[count++], 1, 64);
    CHECK(count > 64 && count < BLOCKS_MAX, "%zu blocks", count);
}

static void give(size_t first, size_t end, size_t step) {
    for (size_t i = first; i < end; i += step) free(blocks[i]), blocks[i] = NULL;
}

// Single units, each between two blocks: too small for a slab of 9 to 32 KiB blocks, large enough for such a block.
static void holes(void) {
    use_up();
    give(1, count - 1, 2);
    for (size_t i = 1; i < count - 1; i += 2) {
        size_t bytes = 8193 + i * 97 % (32768 - 8193);
        blocks[i] = i % 4 == 1 ? malloc(bytes) : memalign(4096, bytes);
        CHECK(blocks[i] != NULL, "%zu bytes are refused; hole %zu of %zu", bytes, i / 2, count / 2);
        CHECK(malloc_usable_size(blocks[i]) >= bytes, "%zu of %zu bytes", malloc_usable_size(blocks[i]), bytes);
        memset(blocks[i], 2, bytes);
        blocks[i] = realloc(blocks[i], bytes / 3);
        CHECK(blocks[i] != NULL && blocks[i][bytes / 3 - 1] == 2, "shrinking %zu bytes", bytes);
    }
    give(0, count, 1);
}

static void *trim_all_the_time(void *unused) {
    while (!atomic_load(&may_trim)) measure_sleep_ms(1);
    while (!atomic_load(&stop_trimming)) malloc_trim(0);
    return unused;
}

// Memory that another thread is just returning to the system is available again in a moment: no request may fail.
static void trim(void) {
    pthread_t trimmer;
    CHECK(pthread_create(&trimmer, NULL, trim_all_the_time, NULL) == 0, "no thread");
    limit_address_space();
    use_up();
    give(count / 4, count * 3 / 4, 1);
    atomic_store(&may_trim, true);
    for (size_t i = 0; i < TAKER_ROUNDS; i++) {
        size_t bytes = i % 2 ? UNIT_BYTES : count / 3 * UNIT_BYTES; // most of what is free
        char *p = malloc(bytes);
        CHECK(p != NULL, "%zu bytes are refused in round %zu, %zu are free", bytes, i, count / 2 * UNIT_BYTES);
        memset(p, 3, 64);
        free(p);
    }
    atomic_store(&stop_trimming, true);
    pthread_join(trimmer, NULL);
    give(0, count, 1);
}

int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "";
    if (!measure_under_mbmalloc()) skip_test("the libc's malloc makes no such promise");
    if (strcmp(how, "holes") == 0) {
        limit_address_space();
        holes();
    } else {
        trim();
    }
    return 0;
}
