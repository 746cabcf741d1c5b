// A program that sets M_TRIM_THRESHOLD to keep freed memory, as real-time programs do that must not cause page faults
// after their start: no page of the heap faults again, however long it is unused, whatever length is freed, and whether
// a second thread lives or ends. malloc_trim still returns the memory. usage: kept_heap alone | threads | bounded
#include <malloc.h>
#include <sys/resource.h>

#include "tests/process/blocks.h"

enum { WARM_BYTES = 96 << 20, LONG_BYTES = 40 << 20, BLOCKS = 400, BLOCK_BYTES_MAX = 100000, ROUNDS = 3, FAULTS_MAX = 500 };

static void *blocks[BLOCKS];

static char *touched(size_t bytes) {
    char *p = keep(malloc(bytes));
    EXPECT(p != NULL);
    memset(p, 1, bytes);
    return p;
}

static long faults(void) {
    struct rusage usage;
    EXPECT(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_minflt;
}

// Longer than a free page stays resident otherwise.
static void wait_long(void) { nanosleep(&(struct timespec){1, 300 * 1000 * 1000}, NULL); }

static void work(void) {
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = touched(1 + i * 7919 % BLOCK_BYTES_MAX);
    for (size_t i = 0; i < BLOCKS; i++) free(blocks[i]);
    for (size_t i = 0; i < 3; i++) free(touched(LONG_BYTES + i * 300000));
}

static void *churn(void *bytes) {
    for (size_t i = 0; i < 1000; i++) free(touched((uintptr_t)bytes + i));
    wait_long(); // meanwhile there are two
    return NULL;
}

static void nothing_faults_again(bool threads) {
    free(touched(WARM_BYTES));
    work();
    long before = faults();
    for (unsigned i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        if (threads) thread = thread_start(churn, (void *)(uintptr_t)1000);
        wait_long();
        if (threads) thread_join(thread);
        work();
    }
    long more = faults() - before;
    if (more > FAULTS_MAX) fprintf(stderr, "%ld faults\n", more);
    EXPECT(more <= FAULTS_MAX);
}

// Memory beyond the threshold is returned.
static void more_goes_back(void) {
    EXPECT(mallopt(M_TRIM_THRESHOLD, 80 << 20) == 1);
    long before = rss_bytes();
    char *first = touched(WARM_BYTES), *second = touched(WARM_BYTES);
    free(first), free(second);
    for (unsigned i = 0; i < 10; i++) free(touched(1000000 + i * 4096));
    EXPECT(rss_bytes() - before < 2 * WARM_BYTES - (50 << 20));
}

int main(int argc, char **argv) {
    test_begin(60);
    EXPECT(argc == 2);
    if (strcmp(argv[1], "bounded") == 0) return more_goes_back(), 0;
    EXPECT(mallopt(M_TRIM_THRESHOLD, -1) == 1 && mallopt(M_MMAP_MAX, 0) == 1);
    nothing_faults_again(strcmp(argv[1], "threads") == 0);
    long resident = rss_bytes();
    malloc_trim(0);
    EXPECT(resident - rss_bytes() > 50 << 20);
    puts("kept");
    return 0;
}
