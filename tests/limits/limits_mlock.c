// Locked memory: requests succeed, calloc returns zeros although locked pages cannot simply be dropped, and freed
// memory is returned if the kernel can do that.
// Usage: limits_mlock current | future | root
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/limits/exhaust.h"
#include "tests/limits/measure.h"

static size_t locked_limit(void) {
    struct rlimit r;
    getrlimit(RLIMIT_MEMLOCK, &r);
    return r.rlim_cur == RLIM_INFINITY ? SIZE_MAX : (size_t)r.rlim_cur;
}

static void lock(int flags) {
    CHECK(mlockall(flags) == 0, "mlockall(%d): %s; %zu KiB of address space, limit %zu KiB", flags, strerror(errno),
          measure_vm_bytes() / KIB, locked_limit() / KIB);
}

// Writes blocks, frees and trims them, and callocs every size from the same memory.
static void zero_after_purge(const struct mem_api *api, size_t bytes) {
    struct blocks set;
    blocks_init(&set, api, bytes / 1024, 3);
    while (set.live_bytes < bytes) {
        size_t size = set.count % 256 ? 16 + blocks_random(&set.rng) % 8000 : bytes / 16;
        if (!blocks_add(&set, size)) break;
    }
    CHECK(set.live_bytes >= bytes / 2, "only %zu of %zu bytes were to be had", set.live_bytes, bytes);
    blocks_free_all(&set);
    blocks_drop(&set);
    api->trim();
    exhaust_every_class_works(api, bytes / 8);
}

static void locked_as_root(const struct mem_api *api, bool ours) {
    size_t before;
    lock(MCL_CURRENT | MCL_FUTURE);
    before = measure_rss_bytes();
    zero_after_purge(api, 100 * MIB);
    api->trim();
    size_t after = measure_rss_bytes();
    printf("RSS %zu MiB before, %zu MiB after 100 MiB came and went\n", before / MIB, after / MIB);
    bool can_purge = madvise((void *)4096, 0, 24) == 0; // MADV_DONTNEED_LOCKED, Linux 5.18
    CHECK(!ours || !can_purge || after < before + 30 * MIB, "%zu bytes stay resident", after - before);
}

int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "";
    const struct mem_api *api = mem_api_libc();
    bool ours = measure_under_mbmalloc();
    if (strcmp(how, "root") == 0) {
        if (geteuid() != 0) skip_test("locking without a limit needs root");
        locked_as_root(api, ours);
    } else {
        CHECK(geteuid() != 0 && locked_limit() != SIZE_MAX, "start me unprivileged, with a finite limit");
        struct blocks small;
        blocks_init(&small, api, 1024, 6);
        while (small.live_bytes < 128 * KIB) CHECK(blocks_add(&small, 16 + small.count % 1024), "refused before the lock");
        lock(strcmp(how, "future") == 0 ? MCL_CURRENT | MCL_FUTURE : MCL_CURRENT);
        // Under MCL_FUTURE every reservation counts as locked, and a heap that has used sizes of every class keeps its
        // addresses: the rest of the limit is then the heap's, so there the exhaustion below comes first and alone.
        if (strcmp(how, "current") == 0) zero_after_purge(api, locked_limit() / 8);
        blocks_free_all(&small);
        blocks_drop(&small);
    }
    if (strcmp(how, "future") == 0)
        exhaust_run(&(struct exhaust_plan){.api = api, .table_blocks = 1 << 12, .threads = 2, .live_bytes = locked_limit() / 64,
                                           .cap_bytes = SIZE_MAX, .largest_bytes = locked_limit() / 64,
                                           .must_be_refused = true, .in_turns = true});
    puts("ok");
    return 0;
}
