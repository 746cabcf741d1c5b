// What: forks while other threads allocate, free, and free each other's blocks: by fork, by _Fork, and by a bare clone
// system call, for which no fork handlers run. Every child uses, frees and counts what it inherited.
//
//   raw [WAYS [no-threads]]       how many of the three ways; no-threads: children start no threads
//
// Who: three workers and the forking main thread. Links api_libc.c (preloaded) or api_core.c (also under sanitizers).
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fork/api.h"
#include "tests/fork/live.h"
#include "tests/fork/ways.h"

enum { WORKERS = 3, HELD = 120, MAIL = 64, CHILD_SECONDS = 150, MOST_BYTES = 200000 };

static _Atomic bool leaving;
static _Atomic int mail[MAIL]; // indices + 1 of blocks that anybody may give
static struct adopt_report *report;
static bool children_start_threads = true;

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static size_t random_bytes(uint64_t r) { return r % 64 == 0 ? 16 + r / 64 % MOST_BYTES : 16 + r / 64 % (r % 4 == 0 ? 9000 : 600); }

// Leaves the index of a block for another worker, and frees the block whose index lay in the same place.
static void exchange(uint64_t r, int index) { live_give(atomic_exchange(&mail[r % MAIL], index + 1) - 1); }

static void *work(void *arg) {
    int part = (int)(uintptr_t)arg, held[HELD];
    uint64_t seed = 88172645463325252u + (uint64_t)part;
    memset(held, -1, sizeof held);
    while (!atomic_load(&leaving)) {
        uint64_t r = next_random(&seed);
        int *slot = &held[r % HELD];
        if (*slot < 0)
            *slot = live_take(part, random_bytes(r >> 8));
        else if (r >> 40 & 1)
            live_give(*slot), *slot = -1;
        else
            exchange(r >> 44, *slot), *slot = -1;
    }
    for (int i = 0; i < HELD; i++) live_give(held[i]);
    return NULL;
}

static bool one_fork(enum way way, const struct adopt_plan *plan) {
    int status = 0;
    memset(report, 0, sizeof *report);
    pid_t child = fork_by(way);
    if (child == 0) {
        alarm(CHILD_SECONDS);
        _exit(adopt_and_check(plan, report) ? 0 : 1);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (child > 0 && status == 0) return true;
    printf("FAIL way %d: wait status 0x%x, %s\n", (int)way, (unsigned)status, child < 0 ? strerror(errno) : report->fault);
    return false;
}

static bool many_forks(enum way way, int count, size_t base_bytes) {
    struct adopt_plan plan = {.focus_bytes = 256,
                              .start_thread = way == WAY_FORK && children_start_threads,
                              .check_leak = true,
                              .base_bytes = base_bytes,
                              .in_flight_max = WORKERS * 2 * MOST_BYTES};
    long most_left = 0;
    for (int i = 0; i < count; i++) {
        if (!one_fork(way, &plan)) return false;
        if (report->left_bytes > most_left) most_left = report->left_bytes;
    }
    printf("way %d: %d forks, the last child inherited %zu blocks, at most %ld bytes left\n", (int)way, count, report->inherited,
           most_left);
    return true;
}

int main(int argc, char **argv) {
    const char *all = getenv("MB_TEST_LONG");
    int count = all != NULL && strcmp(all, "1") == 0 ? 3000 : 80, ways = argc > 1 ? atoi(argv[1]) : WAY_COUNT;
    pthread_t workers[WORKERS];
    bool right = true;
    children_start_threads = argc <= 2;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (report == MAP_FAILED) return 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    size_t base_bytes = api.live_bytes();
    for (uintptr_t i = 0; i < WORKERS; i++)
        if (pthread_create(&workers[i], NULL, work, (void *)i) != 0) return 1;
    usleep(50000);
    for (int way = 0; way < ways && right; way++) right = many_forks((enum way)way, count, base_bytes);
    atomic_store(&leaving, true);
    for (int i = 0; i < WORKERS; i++) pthread_join(workers[i], NULL);
    return right ? 0 : 1;
}
