// Every system call may fail at any time: each run of the workload is a fresh process in which the N-th call fails, for
// N = 1, 2, 3, ... until N exceeds the number of calls. Afterwards counters and RSS must equal those of a run without
// failures.
// Usage: limits_inject single | burst | rest | taken | lost | kinds     or, for a debugger: limits_inject only KINDS
// FIRST COUNT
//   single: the N-th call; burst: eight calls from the N-th on; rest: all from the N-th on; taken: a foreign mapping occupies the
//   addresses of the N-th and the next reservation; lost: the N-th renewal or move of pages fails and its target range is lost; kinds: all
//   calls of one kind, from the first or fourth on.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/front/malloc.h"
#include "platform/compiler.h"
#include "tests/limits/inject_workload.h"
#include "tests/limits/measure.h"
#include "tests/support/os_inject.h"

enum { RUN_SECONDS = 100, MOST_RUNS = 20000, MOST_BROKEN = 10, AFTER_START = 4 };
static const size_t RSS_SLACK = 1 << 20;  // pages of the test's own stacks and of the libc come and go
static const size_t HEAP_SLACK = 1 << 20; // other spans are in use where a fault made the allocator take another way

struct outcome {
    bool complete;
    unsigned long calls, failed;
    _Atomic unsigned last; // the kind of the last failed call
    size_t rss;
    struct mb_stats stats;
};
static struct outcome *shared; // written by the child, read by the parent after its end
static struct outcome fair;    // of the run without a fault
static size_t largest_rss;
static unsigned long runs;
static unsigned broken;

static void run_in_child(unsigned kinds, unsigned long first, unsigned long count) {
    alarm(RUN_SECONDS);
    os_inject_note_last(&shared->last);
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

// False, after a report, if the run did not end normally.
static bool run(unsigned kinds, unsigned long first, unsigned long count) {
    int status;
    memset(shared, 0, sizeof *shared);
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) run_in_child(kinds, first, count);
    waitpid(child, &status, 0);
    if (status == 0 && shared->complete) return true;
    int sign = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    printf("BROKEN: kinds %#x, call %lu and on: exit %d, signal %d\n", kinds, first, WEXITSTATUS(status), sign);
    return false;
}

static bool at_most(const char *what, size_t value, size_t expected, size_t slack) {
    if (value <= expected + slack) return true;
    printf("BROKEN: %s is %zu, without a fault %zu\n", what, value, expected);
    return false;
}

// Whether the run left the same behind as the run without a fault.
static bool same_as_fair(void) {
    const struct mb_stats *s = &shared->stats, *f = &fair.stats;
    if (shared->rss > largest_rss) largest_rss = shared->rss;
    bool same = at_most("live_blocks", s->live_blocks, 0, 0) && at_most("live_bytes", s->live_bytes, 0, 0);
    same = at_most("large_blocks", s->large_blocks, 0, 0) && at_most("large_bytes", s->large_bytes, 0, 0) && same;
    same = at_most("outside_bytes", s->outside_bytes, 0, 0) && at_most("heaps", s->heaps, f->heaps, 0) && same;
    same = at_most("slab_bytes", s->slab_bytes, f->slab_bytes, HEAP_SLACK) && same;
    same = at_most("warm_free_bytes", s->warm_free_bytes, f->warm_free_bytes, HEAP_SLACK) && same;
    return (MB_ASAN || MB_TSAN || at_most("RSS", shared->rss, fair.rss, RSS_SLACK)) && same;
}

// A run with a fault, and the check of its result.
static void try_fault(const char *what, unsigned kinds, unsigned long first, unsigned long count) {
    bool good = run(kinds, first, count) && same_as_fair();
    runs++;
    if (good) return;
    broken++;
    printf("    in %s %lu, the last call made to fail: %s\n", what, first, os_inject_name(shared->last));
}

static void sweep(const char *what, unsigned kinds, unsigned long count, unsigned long stride) {
    for (unsigned long first = 1; broken < MOST_BROKEN; first += stride) {
        CHECK(runs < MOST_RUNS, "%lu runs and no end", runs);
        try_fault(what, kinds, first, count);
        if (shared->complete && shared->failed == 0) break;
    }
}

static void sweep_kinds(void) {
    for (unsigned kind = 0; kind < OS_CALL_KINDS; kind++) {
        try_fault(os_inject_name(kind), 1u << kind, 1, OS_INJECT_FOR_EVER);
        printf("%s: %lu calls failed", os_inject_name(kind), shared->failed);
        try_fault(os_inject_name(kind), 1u << kind, AFTER_START, OS_INJECT_FOR_EVER);
        printf(", %lu after the start\n", shared->failed);
    }
}

int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "";
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); // a fault that gives 2 MiB here and not there would be all of the difference
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED, "shared memory");
    if (argc == 5) run_in_child((unsigned)strtoul(argv[2], NULL, 0), strtoul(argv[3], NULL, 0), strtoul(argv[4], NULL, 0));
    CHECK(run(OS_INJECT_ALL, OS_INJECT_FOR_EVER, 0), "the run without a fault");
    fair = *shared;
    printf("%lu calls without a fault, RSS %zu KiB\n", fair.calls, fair.rss / KIB);
    CHECK(fair.calls > 10, "only %lu calls pass through the injector", fair.calls);
    if (strcmp(how, "single") == 0)
        sweep(how, OS_INJECT_ALL, 1, 1);
    else if (strcmp(how, "burst") == 0)
        sweep(how, OS_INJECT_ALL, 8, 3);
    else if (strcmp(how, "rest") == 0)
        sweep(how, OS_INJECT_ALL, OS_INJECT_FOR_EVER, 1);
    else if (strcmp(how, "taken") == 0)
        sweep(how, 1u << OS_CALL_reserve_taken, 2, 1);
    else if (strcmp(how, "lost") == 0)
        sweep(how, OS_INJECT_LOST, 1, 1);
    else if (strcmp(how, "kinds") == 0)
        sweep_kinds();
    CHECK(runs > 1, "nothing was tested: %s", how);
    printf("%s: %lu faulted runs, %u broken, RSS at most %zu KiB\n", how, runs, broken, largest_rss / KIB);
    return broken ? 1 : 0;
}
