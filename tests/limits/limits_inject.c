// Every system call may fail at any time: each run of the workload is a fresh process in which the N-th call fails, for
// N = 1, 2, 3, ... until a run meets no fault. Afterwards counters and RSS must equal those of a run without a fault.
// Usage: limits_inject single | burst | rest | kinds
//   single: the N-th call; burst: eight calls from the N-th on; rest: all from the N-th on; kinds: all calls of one kind.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/heap/heap.h"
#include "platform/compiler.h"
#include "tests/limits/inject_workload.h"
#include "tests/limits/measure.h"
#include "tests/support/os_inject.h"

enum { RUN_SECONDS = 20, MOST_RUNS = 20000 };
static const size_t RSS_SLACK = 1 << 20; // pages of the test's own stacks and of the libc come and go
static const size_t HEAP_SLACK = 1 << 20; // other spans are in use where a fault made the allocator take another way

struct outcome {
    bool complete;
    unsigned long calls, failed;
    size_t rss;
    struct mb_stats stats;
};
static struct outcome *shared; // written by the child, read by the parent after its end
static struct outcome fair;    // of the run without a fault
static size_t largest_rss;

static void run_in_child(unsigned kinds, unsigned long first, unsigned long count) {
    alarm(RUN_SECONDS);
    os_inject_arm(kinds, first, count);
    inject_workload();
    os_inject_disarm();
    inject_all_well();
    for (int i = 0; i < 2; i++) mb_trim(0);
    shared->calls = os_inject_calls();
    shared->failed = os_inject_failed();
    mb_stats_get(&shared->stats);
    shared->rss = measure_rss_bytes();
    shared->complete = true;
    _exit(0);
}

static void run(unsigned kinds, unsigned long first, unsigned long count) {
    int status;
    memset(shared, 0, sizeof *shared);
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) run_in_child(kinds, first, count);
    waitpid(child, &status, 0);
    CHECK(status == 0 && shared->complete, "kinds %#x, calls %lu to %lu failing: status %#x", kinds, first,
          first + count - 1, (unsigned)status);
}

static bool near(size_t value, size_t expected, size_t slack) { return value <= expected + slack; }

static void compare(const char *what, unsigned long first) {
    const struct mb_stats *s = &shared->stats, *f = &fair.stats;
    if (shared->rss > largest_rss) largest_rss = shared->rss;
    CHECK(s->live_blocks == 0 && s->live_bytes == 0, "%s %lu: %zu blocks, %zu bytes live", what, first, s->live_blocks,
          s->live_bytes);
    CHECK(s->large_blocks == 0 && s->large_bytes == 0 && s->outside_bytes == 0, "%s %lu: %zu large blocks, %zu bytes", what,
          first, s->large_blocks, s->large_bytes);
    CHECK(s->heaps == f->heaps, "%s %lu: %zu heaps, not %zu", what, first, s->heaps, f->heaps);
    CHECK(near(s->slab_bytes, f->slab_bytes, HEAP_SLACK), "%s %lu: %zu slab bytes, not %zu", what, first, s->slab_bytes,
          f->slab_bytes);
    CHECK(near(s->warm_free_bytes, f->warm_free_bytes, HEAP_SLACK), "%s %lu: %zu bytes free and warm, not %zu", what, first,
          s->warm_free_bytes, f->warm_free_bytes);
    CHECK(MB_ASAN || MB_TSAN || near(shared->rss, fair.rss, RSS_SLACK), "%s %lu: RSS %zu KiB, not %zu", what, first,
          shared->rss / KIB, fair.rss / KIB);
}

static unsigned long sweep(const char *what, unsigned long count, unsigned long stride) {
    unsigned long first = 1;
    for (; first < MOST_RUNS; first += stride) {
        run(OS_INJECT_ALL, first, count);
        compare(what, first);
        if (shared->failed == 0) break;
    }
    CHECK(first < MOST_RUNS, "%lu runs and no end", first);
    return (first - 1) / stride;
}

static unsigned long sweep_kinds(void) {
    unsigned long runs = 0;
    for (unsigned kind = 0; kind < OS_CALL_KINDS; kind++) {
        run(1u << kind, 1, OS_INJECT_FOR_EVER);
        compare(os_inject_name(kind), 1);
        printf("%s: %lu calls failed\n", os_inject_name(kind), shared->failed);
        if (shared->failed) runs++;
    }
    return runs;
}

int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "";
    unsigned long runs = 0;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED, "shared memory");
    run(OS_INJECT_ALL, OS_INJECT_FOR_EVER, 0);
    fair = *shared;
    printf("%lu calls without a fault, RSS %zu KiB\n", fair.calls, fair.rss / KIB);
    CHECK(fair.calls > 10, "only %lu calls pass through the injector", fair.calls);
    if (strcmp(how, "single") == 0) runs = sweep(how, 1, 1);
    else if (strcmp(how, "burst") == 0) runs = sweep(how, 8, 3);
    else if (strcmp(how, "rest") == 0) runs = sweep(how, OS_INJECT_FOR_EVER, 1);
    else if (strcmp(how, "kinds") == 0) runs = sweep_kinds();
    CHECK(runs > 0, "nothing was tested: %s", how);
    printf("%s: %lu faulted runs, RSS at most %zu KiB\n", how, runs, largest_rss / KIB);
    return 0;
}
