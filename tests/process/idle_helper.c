// Two threads with a heap that do nothing take next to no processor time, with no purge delay either.
#include "tests/process/blocks.h"
#include <sys/resource.h>

static pthread_barrier_t idle_over;

static void *idles(void *unused) {
    block_free(block_new(100));
    pthread_barrier_wait(&idle_over);
    return unused;
}

static double cpu_seconds(void) {
    struct rusage usage;
    EXPECT(getrusage(RUSAGE_SELF, &usage) == 0);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
    test_begin(60);
    if (argc == 1) { // options are read at the start
        EXPECT(setenv("MBMALLOC_OPTIONS", "purge_delay_ms=0", 1) == 0);
        execl("/proc/self/exe", argv[0], "again", (char *)NULL);
        EXPECT(argc == 2);
    }
    EXPECT(pthread_barrier_init(&idle_over, NULL, 2) == 0);
    block_free(block_new(100));
    pthread_t thread = thread_start(idles, NULL);
    sleep_ms(200);
    double before = cpu_seconds();
    sleep_ms(1000);
    double used = cpu_seconds() - before;
    printf("%.4f s in a second of idleness\n", used);
    EXPECT(used < 0.05);
    pthread_barrier_wait(&idle_over);
    thread_join(thread);
    return 0;
}
