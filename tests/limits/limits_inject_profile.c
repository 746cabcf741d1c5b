// Heap profiles while the system refuses: each run is a fresh process in which the N-th call fails, for N = 1, 2, 3,
// ... until N exceeds the number of calls. Meanwhile a session is started, two threads allocate and free, the profile
// is written, and the session is ended and another one started. The program must go on, every block must be sampled or
// counted as lost, and afterwards a profile must be correct again.
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/front/malloc.h"
#include "core/insight/profile_write.h"
#include "core/profile/profile.h"
#include "tests/limits/measure.h"
#include "tests/support/os_inject.h"

enum { THREADS = 2, BLOCKS = 300, MOST_RUNS = 2000, RUN_SECONDS = 100, AFTERWARDS = 100 };

static struct outcome {
    bool complete;
    unsigned long failed, calls;
    _Atomic unsigned last;
} * shared; // written by the child

static _Atomic uint64_t taken; // blocks that the program was given

static size_t bytes_of(unsigned i) { return i % 41 == 40 ? 100000 + i * 100 : 1 + i * 7919 % 3000; }

static void *some_block(unsigned i) {
    if (i % 5 == 0) return mb_calloc(1, bytes_of(i));
    if (i % 7 == 0) return mb_memalign(256, bytes_of(i));
    return mb_malloc(bytes_of(i));
}

static void *work(void *unused) {
    void *block[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) {
        block[i] = some_block(i);
        CHECK(block[i] != NULL || os_inject_failed() > 0, "refused without a fault");
        if (block[i] != NULL) atomic_fetch_add(&taken, 1), memset(block[i], 1, bytes_of(i));
    }
    for (unsigned i = 0; i < BLOCKS; i++) mb_free(block[i]);
    return unused;
}

static void work_of_all(void) {
    pthread_t thread[THREADS];
    for (int t = 0; t < THREADS; t++) CHECK(pthread_create(&thread[t], NULL, work, NULL) == 0, "no thread");
    for (int t = 0; t < THREADS; t++) pthread_join(thread[t], NULL);
    work(NULL);
}

static void add_live(void *sum, const struct mb_profile_stack *stack) { *(uint64_t *)sum += atomic_load(&stack->of[MB_LIVE].weight); }

static double live_blocks(void) {
    uint64_t sum = 0;
    CHECK(mb_profile_walk(add_live, &sum), "no walk");
    return (double)sum / 65536;
}

static bool session(int fd) {
    int error = mb_profile_start(1);
    CHECK(error == 0 || (error < 0 && os_inject_failed() > 0), "start: %d", error);
    taken = 0;
    work_of_all();
    mb_profile_mark();
    int written = mb_profile_write(fd);
    CHECK(written == (error == 0 ? 0 : -ENODATA), "write: %d after start: %d", written, error);
    struct mb_profile_facts facts;
    mb_profile_facts(&facts);
    CHECK(error != 0 || facts.samples + facts.lost_samples >= taken, "%lu samples and %lu lost of %lu blocks", (unsigned long)facts.samples,
          (unsigned long)facts.lost_samples, (unsigned long)taken);
    CHECK(error != 0 || os_inject_failed() > 0 || facts.lost_samples == 0, "%lu lost without a fault", (unsigned long)facts.lost_samples);
    CHECK(error != 0 || live_blocks() == 0, "%.0f live ones", live_blocks());
    mb_profile_stop();
    return error == 0;
}

static void run_in_child(unsigned long first, unsigned long count) {
    int fd = memfd_create("profile", 0);
    alarm(RUN_SECONDS);
    os_inject_note_last(&shared->last);
    os_inject_arm(OS_INJECT_ALL, first, count);
    bool began = session(fd);
    began = session(fd) && began;
    os_inject_disarm();
    shared->calls = os_inject_calls(), shared->failed = os_inject_failed();
    void *block[AFTERWARDS];
    CHECK(mb_profile_start(1) == 0, "a session afterwards");
    for (unsigned i = 0; i < AFTERWARDS; i++) CHECK((block[i] = mb_malloc(500)) != NULL, "no block afterwards");
    CHECK(live_blocks() == AFTERWARDS, "%.3f live ones afterwards", live_blocks());
    for (unsigned i = 0; i < AFTERWARDS; i++) mb_free(block[i]);
    CHECK(live_blocks() == 0, "%.3f live ones at last", live_blocks());
    CHECK(!began || lseek(fd, 0, SEEK_END) > 200, "no profile was written");
    shared->complete = true;
    _exit(0);
}

static unsigned long sweep(const char *what, unsigned long count) {
    for (unsigned long first = 1;; first++) {
        int status;
        CHECK(first < MOST_RUNS, "%lu runs and no end", first);
        memset(shared, 0, sizeof *shared);
        pid_t child = fork();
        CHECK(child >= 0, "fork");
        if (child == 0) run_in_child(first, count);
        waitpid(child, &status, 0);
        CHECK(status == 0 && shared->complete, "%s %lu, the last call made to fail: %s: status %#x", what, first,
              os_inject_name(shared->last), status);
        if (shared->failed == 0) return first - 1;
    }
}

int main(void) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED, "shared memory");
    printf("%lu calls, each refused alone, with seven more, and with all that follow\n", sweep("call", 1));
    sweep("eight calls from", 8);
    sweep("all calls from", OS_INJECT_FOR_EVER);
    return 0;
}
