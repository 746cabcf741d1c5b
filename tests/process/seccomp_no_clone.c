// The process enters a sandbox that forbids new threads (no clone) after its threads have started: a helper thread of
// the allocator must exist by then or never. Variants: see the table; the last one runs only when it is named.
#include "tests/process/seccomp_filter.h"
#include "tests/process/seccomp_heavy.h"

enum { THREADS = 3 };

static const int allowed[] = {CALLS_OF_ALLOCATOR, CALLS_OF_ENDING};
static const int allowed_glibc[] = {CALLS_OF_ALLOCATOR, CALLS_OF_ENDING, CALLS_OF_GLIBC_MALLOC};
static pthread_barrier_t ready, inside, early_left;

static bool enter_sandbox(void) {
    if (under_mbmalloc()) return filter_install(allowed, sizeof allowed / sizeof allowed[0]);
    return filter_install(allowed_glibc, sizeof allowed_glibc / sizeof allowed_glibc[0]);
}

// Allocates before the process enters the sandbox.
static void *allocate_early(void *arg) {
    block_free(block_new(100));
    pthread_barrier_wait(&ready);
    pthread_barrier_wait(&inside);
    return heavy_work(arg);
}

// Allocates for the first time inside the sandbox.
static void *allocate_late(void *arg) {
    pthread_barrier_wait(&ready);
    pthread_barrier_wait(&inside);
    return heavy_work(arg);
}

// Allocates for the first time inside the sandbox, when the early thread has ended.
static void *allocate_afterwards(void *arg) {
    pthread_barrier_wait(&ready);
    pthread_barrier_wait(&inside);
    pthread_barrier_wait(&early_left);
    return heavy_work(arg);
}

struct variant {
    const char *name;
    void *(*first)(void *);
    void *(*others)(void *);
};
static const struct variant variants[] = {
    {"all-early", allocate_early, allocate_early},
    {"one-early", allocate_early, allocate_late},
    {"early-ends", allocate_early, allocate_afterwards},
};
enum { VARIANTS = sizeof variants / sizeof variants[0], UNNAMED = VARIANTS - 1 };

static void wait_a_little(void) {
    struct timespec pause = {0, 300 * 1000 * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

static int live(const struct variant *variant) {
    deadline(20);
    pthread_t threads[THREADS];
    EXPECT(pthread_barrier_init(&ready, NULL, THREADS + 1) == 0 && pthread_barrier_init(&inside, NULL, THREADS + 1) == 0);
    EXPECT(pthread_barrier_init(&early_left, NULL, THREADS) == 0);
    threads[0] = thread_start(variant->first, (void *)1);
    for (uintptr_t t = 1; t < THREADS; t++) threads[t] = thread_start(variant->others, (void *)t);
    pthread_barrier_wait(&ready);
    if (!enter_sandbox()) return TEST_SKIPPED;
    pthread_barrier_wait(&inside);
    thread_join(threads[0]);
    wait_a_little();
    if (variant->others == allocate_afterwards) pthread_barrier_wait(&early_left);
    heavy_work((void *)99);
    for (int t = 1; t < THREADS; t++) thread_join(threads[t]);
    heavy_free_shared();
    return 0;
}

int main(int argc, char **argv) {
    for (size_t v = 0; argc > 1 && v < VARIANTS; v++)
        if (strcmp(argv[1], variants[v].name) == 0) return live(&variants[v]);
    test_begin(50);
    for (size_t v = 0; v < UNNAMED; v++) {
        int status = run_self(variants[v].name);
        if (WIFEXITED(status) && WEXITSTATUS(status) == TEST_SKIPPED) {
            puts("SKIP: no seccomp filters here");
            return TEST_SKIPPED;
        }
        printf("variant %s: status 0x%x%s\n", variants[v].name, (unsigned)status,
               WIFSIGNALED(status) ? " (killed: try MB_TEST_SECCOMP_TRAP=1)" : "");
        fflush(stdout);
        EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    return 0;
}
