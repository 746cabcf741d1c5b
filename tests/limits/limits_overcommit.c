// Strict overcommit (vm.overcommit_memory=2), set by the caller: the commit charge stays close to the memory in use, is
// returned when memory is freed, and a refused charge results in NULL with ENOMEM.
// Usage: limits_overcommit [refuse]   (refuse: uses up the machine's whole remaining charge for a moment)
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/limits/exhaust.h"
#include "tests/limits/measure.h"

static size_t meminfo(const char *key) {
    char text[8192];
    int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    text[got > 0 ? got : 0] = 0;
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) * KIB : 0;
}

static void grow(struct blocks *set, size_t bytes) {
    while (set->live_bytes < bytes) {
        size_t size = set->count % 512 ? 16 + blocks_random(&set->rng) % 3000 : 2 * MIB;
        CHECK(blocks_add(set, size), "refused with %zu bytes live", set->live_bytes);
    }
}

static void charge_follows_use(const struct mem_api *api, bool ours) {
    struct blocks set;
    size_t start = measure_charge_bytes();
    blocks_init(&set, api, 1 << 18, 1);
    set.malloc_only = true;
    size_t own_table = measure_charge_bytes() - start; // the test's own
    grow(&set, 200 * MIB);
    size_t full = measure_charge_bytes() - own_table;
    blocks_free_all(&set);
    blocks_drop(&set);
    api->trim();
    size_t empty = measure_charge_bytes();
    printf("charge: %zu MiB at start, %zu MiB with 200 MiB live, %zu MiB after\n", start / MIB, full / MIB, empty / MIB);
    CHECK(start < 24 * MIB, "a small program is charged %zu bytes", start);
    CHECK(full < 200 * MIB + 200 * MIB / 4 + 16 * MIB, "charged %zu bytes for 200 MiB", full);
    CHECK(!ours || empty < start + 20 * MIB, "charged %zu bytes for nothing", empty);
}

static void refused_charge(const struct mem_api *api) {
    size_t limit = meminfo("CommitLimit:"), used = meminfo("Committed_AS:");
    CHECK(limit > used + 512 * MIB, "limit %zu, used %zu", limit, used);
    size_t bytes = (limit - used - 200 * MIB) & ~(MIB - 1);
    void *hog = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(hog != MAP_FAILED, "%zu bytes of charge: %s", bytes, strerror(errno));
    exhaust_run(&(struct exhaust_plan){.api = api, .table_blocks = 1 << 16, .threads = 2, .live_bytes = 4 * MIB, .cap_bytes = SIZE_MAX,
                                       .largest_bytes = 4 * MIB, .must_be_refused = true});
    munmap(hog, bytes);
}

int main(int argc, char **argv) {
    const struct mem_api *api = mem_api_libc();
    bool ours = measure_under_mbmalloc();
    CHECK(measure_number_in("/proc/sys/vm/overcommit_memory", 0) == 2, "the caller sets vm.overcommit_memory=2");
    charge_follows_use(api, ours);
    exhaust_every_class_works(api, 4 * MIB);
    if (argc > 1 && strcmp(argv[1], "refuse") == 0) refused_charge(api);
    puts("ok");
    return 0;
}
