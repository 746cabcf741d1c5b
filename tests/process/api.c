// The functions of mbmalloc.h besides the standard ones: each does what the manual says, refuses wrong arguments, and
// does not allocate.
#include <mbmalloc.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/process/expect.h"

// --- options and statistics ------------------------------------------------------------------------------------------

static void options(void) {
    char text[40];
    EXPECT(mb_is_active() == 1);
    EXPECT(mb_option_get("purge_delay_ms", text, sizeof text) == 4 && strcmp(text, "1000") == 0);
    EXPECT(mb_option_set("purge_delay_ms = 2S") == 1);
    EXPECT(mb_option_get("PURGE_DELAY_MS", text, 3) == 4 && strcmp(text, "20") == 0);
    EXPECT(mb_option_set("seed=5") == 0 && mb_option_set("what=5") == 0 && mb_option_set("purge_delay_ms=x") == 0);
    EXPECT(mb_option_get("what", text, sizeof text) == -1);
    EXPECT(mb_option_set("purge_delay_ms=1000") == 1);
}

static uint64_t allocations(void) {
    struct mb_statistics now = {.size = sizeof now};
    EXPECT(mb_statistics_get(&now) == 1 && now.size == sizeof now);
    return now.allocations;
}

static void statistics(void) {
    struct mb_statistics none = {.size = 0};
    EXPECT(mb_statistics_get(&none) == 0);
    struct { // an older program's record: what lies behind it stays as it is
        size_t size;
        uint64_t resident_bytes, behind;
    } old = {2 * sizeof(uint64_t), 0, 42};
    EXPECT(mb_statistics_get((struct mb_statistics *)&old) == 1 && old.resident_bytes != 0 && old.behind == 42);
    uint64_t before = allocations();
    void *volatile p = malloc(100);
    EXPECT(allocations() == before + 1);
    int file = open("/dev/null", O_WRONLY);
    for (int format = MB_STATISTICS_TEXT; format <= MB_STATISTICS_PROMETHEUS; format++) {
        mb_statistics_write(file, (enum mb_statistics_format)format);
        mb_statistics_write(-1, (enum mb_statistics_format)format); // a descriptor that is none
    }
    EXPECT(allocations() == before + 1); // nothing of this allocates
    close(file);
    free(p);
}

// Requested bytes are known while a profile runs, bytes lost to rounding only if it ran from the start.
static void estimates(void) {
    struct mb_statistics before = {.size = sizeof before}, during = before, after = before;
    mb_statistics_get(&before);
    EXPECT(before.requested_bytes == 0 && before.rounding_bytes == 0);
    EXPECT(mb_heap_profile_start(1) == 1);
    void *volatile p = malloc(100000);
    mb_statistics_get(&during);
    EXPECT(during.requested_bytes >= 100000 && during.requested_bytes <= 200000 && during.rounding_bytes == 0);
    mb_heap_profile_stop();
    mb_statistics_get(&after);
    EXPECT(after.requested_bytes == 0 && after.rounding_bytes == 0);
    free(p);
}

// --- blocks ----------------------------------------------------------------------------------------------------------

static void sizes(void) {
    for (size_t bytes = 0; bytes < 400000; bytes += 1 + bytes / 7) {
        size_t got = 1, good = mb_good_size(bytes);
        char *p = mb_alloc_at_least(bytes, &got);
        EXPECT(p != NULL && good >= bytes && got == good);
        memset(p, 1, got);
        free(p);
    }
    size_t got = 1;
    EXPECT(mb_good_size(SIZE_MAX) == 0);
    errno = 0;
    EXPECT(mb_alloc_at_least(SIZE_MAX / 2 + 1, &got) == NULL && got == 0 && errno == ENOMEM);
}

static void describe(size_t bytes, enum mb_kind kind) {
    struct mb_block_info info = {.size = sizeof info};
    char *p = malloc(bytes);
    EXPECT(mb_block_describe(p + bytes - 1, &info) == 1);
    EXPECT(info.base == p && info.usable_bytes >= bytes && info.kind == kind && info.live == 1);
    free(p);
    if (mb_block_describe(p, &info) == 1) EXPECT(info.live == 0);
}

static void descriptions(void) {
    struct mb_block_info info = {.size = sizeof info};
    describe(24, MB_KIND_SMALL), describe(20000, MB_KIND_SMALL), describe(5 << 20, MB_KIND_LARGE);
    EXPECT(mb_block_describe(&info, &info) == 0 && info.kind == MB_KIND_NONE);
    EXPECT(mb_block_describe(NULL, &info) == 0 && mb_block_describe((void *)~(uintptr_t)0, &info) == 0);
    EXPECT(info.size == sizeof info);
}

struct search {
    const void *wanted[3];
    unsigned found, all;
};

static int look(void *context, const struct mb_block_info *block) {
    struct search *search = context;
    search->all++;
    for (int i = 0; i < 3; i++) search->found += block->base == search->wanted[i] && block->live;
    return 0;
}

static int stop(void *context, const struct mb_block_info *block) {
    (void)block;
    return ++*(int *)context == 2 ? 77 : 0;
}

static void visits(void) {
    struct search search = {{malloc(10), malloc(3000), malloc(1 << 20)}, 0, 0};
    void *gone = malloc(10);
    free(gone);
    EXPECT(mb_blocks_visit(look, &search) == 0 && search.found == 3);
    struct mb_statistics now = {.size = sizeof now};
    mb_statistics_get(&now);
    EXPECT(search.all == now.live_blocks);
    int calls = 0;
    EXPECT(mb_blocks_visit(stop, &calls) == 77 && calls == 2);
    for (int i = 0; i < 3; i++) free((void *)(uintptr_t)search.wanted[i]);
}

// --- limits ----------------------------------------------------------------------------------------------------------

static size_t told;
static void reached(void *context, size_t held_bytes) {
    ++*(int *)context;
    told = held_bytes;
}

enum { PIECES = 400, PIECE_BYTES = 100000 };

static int fill(void **piece) {
    int n = 0;
    while (n < PIECES && (piece[n] = malloc(PIECE_BYTES)) != NULL) memset(piece[n++], 1, PIECE_BYTES);
    return n;
}

static void empty(void **piece, int n) {
    while (n > 0) free(piece[--n]);
}

static void limits(void) {
    static void *piece[PIECES];
    int calls = 0;
    malloc_trim(0);
    size_t base = mb_limit_held();
    mb_limit_set(0, base + (8 << 20), NULL, NULL);
    errno = 0;
    int n = fill(piece);
    EXPECT(n > 40 && n < 84 && errno == ENOMEM && mb_limit_held() <= base + (8 << 20));
    EXPECT(malloc(20 << 20) == NULL);
    empty(piece, n);
    mb_limit_set(base + (8 << 20), 0, reached, &calls);
    time_t begin = time(NULL);
    n = fill(piece);
    EXPECT(n == PIECES && calls >= 1 && calls <= 2 + (int)(time(NULL) - begin)); // once a second at most
    EXPECT(told > base + (8 << 20));
    empty(piece, n);
    mb_limit_set(0, 0, NULL, NULL);
    EXPECT((n = fill(piece)) == PIECES);
    empty(piece, n);
}

// --- zones -----------------------------------------------------------------------------------------------------------

static struct mb_zone *zone;

static void *use_zone(void *unused) {
    void *p[100];
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 100; i++) EXPECT((p[i] = mb_zone_malloc(zone, (size_t)(i * 50 + 1))) != NULL);
        for (int i = 0; i < 100; i++) mb_zone_free(zone, p[i]);
    }
    return unused;
}

static void zones(void) {
    zone = mb_zone_create("a name that is rather too long for it", 64 << 20);
    EXPECT(zone != NULL);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) EXPECT(pthread_create(&threads[i], NULL, use_zone, NULL) == 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    struct mb_zone_statistics now = {.size = sizeof now};
    EXPECT(mb_zone_statistics_get(zone, &now) == 1 && now.live_blocks == 0 && now.live_bytes == 0 && now.allocations == 20000);
    EXPECT(strlen(now.name) == 31 && now.limit_bytes == 64 << 20);
    char *p = mb_zone_calloc(zone, 100, 10);
    EXPECT(p != NULL && p[0] == 0 && p[999] == 0);
    memset(p, 7, 1000);
    p = mb_zone_realloc(zone, p, 100000);
    EXPECT(p != NULL && p[999] == 7 && mb_zone_usable_size(zone, p) >= 100000);
    EXPECT((uintptr_t)mb_zone_aligned_alloc(zone, 4096, 10) % 4096 == 0);
    errno = 0;
    EXPECT(mb_zone_aligned_alloc(zone, 3, 10) == NULL && errno == EINVAL);
    EXPECT(mb_zone_malloc(zone, 65 << 20) == NULL && errno == ENOMEM);
    EXPECT(mb_zone_calloc(zone, SIZE_MAX / 2, 3) == NULL);
    mb_zone_statistics_get(zone, &now);
    EXPECT(now.live_blocks == 2 && now.failures == 1);
    pid_t child = fork();
    if (child == 0) {
        p = mb_zone_malloc(zone, 10);
        mb_zone_free(zone, p);
        _exit(p == NULL);
    }
    int status = 1;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    mb_zone_trim(zone);
    mb_zone_destroy(zone);
    mb_zone_destroy(NULL);
    EXPECT(mb_zone_create("none", 0) == NULL);
}

int main(void) {
    free(malloc(1));
    options();
    statistics();
    estimates();
    sizes();
    descriptions();
    visits();
    limits();
    zones();
    return 0;
}
