// 10,000 short threads (a million with MB_TEST_LONG=1) each allocate, pass a few blocks to their creator, and exit: the
// resident set, the address space and the number of mappings must not grow.
#include "tests/process/blocks.h"

enum { WARM_UP = 1000, THREADS = 10000, THREADS_LONG = 1000000, AT_ONCE = 4, LEFT = 6, MINE = 20, SAMPLED = 800 };
static const long growth_limit = 2 * 1024 * 1024; // which sizes meet is chance; a leak of 210 bytes a thread is not

struct handover {
    void *left[LEFT];
    uint64_t seed;
};

static void *live_briefly(void *arg) {
    struct handover *to = arg;
    uint64_t rng = to->seed * 2654435761u + 1;
    void *mine[MINE];
    for (int i = 0; i < MINE; i++) mine[i] = block_new(block_random_bytes(&rng));
    for (int i = 0; i < LEFT; i++) to->left[i] = block_new(block_random_bytes(&rng));
    for (int i = 0; i < MINE; i++) block_free(mine[i]);
    return NULL;
}

// The highest resident set after one of the last rounds: from time to time all free memory is returned, and it is low
// for a while.
static long run_threads(unsigned count) {
    long most = 0;
    struct handover slots[AT_ONCE];
    pthread_t threads[AT_ONCE];
    for (unsigned done = 0; done < count; done += AT_ONCE) {
        for (unsigned i = 0; i < AT_ONCE; i++) {
            slots[i].seed = (done + i) % WARM_UP; // the warm-up has seen every size and order
            threads[i] = thread_start(live_briefly, &slots[i]);
        }
        for (unsigned i = 0; i < AT_ONCE; i++) thread_join(threads[i]);
        for (unsigned i = 0; i < AT_ONCE; i++)
            for (unsigned b = 0; b < LEFT; b++) block_free(slots[i].left[b]);
        if (count - done <= SAMPLED) {
            long resident = rss_bytes();
            if (resident > most) most = resident;
        }
    }
    return most;
}

struct shape {
    long virtual_pages, mappings;
};

static struct shape shape_now(void) {
    struct shape shape = {0, 0};
    FILE *maps = fopen("/proc/self/maps", "r");
    FILE *statm = fopen("/proc/self/statm", "r");
    EXPECT(maps != NULL && statm != NULL);
    EXPECT(fscanf(statm, "%ld", &shape.virtual_pages) == 1);
    for (int c = getc(maps); c != EOF; c = getc(maps)) shape.mappings += c == '\n';
    fclose(maps);
    fclose(statm);
    return shape;
}

int main(void) {
    test_begin(long_run() ? 3000 : 60);
    long before_most = run_threads(WARM_UP);
    struct shape before = shape_now();
    long after_most = run_threads(long_run() ? THREADS_LONG : THREADS);
    printf("resident at most %ld KiB -> %ld KiB\n", before_most / 1024, after_most / 1024);
    EXPECT(after_most - before_most < growth_limit + slack_bytes());
    struct shape after = shape_now();
    printf("mappings %ld -> %ld, pages of address space %ld -> %ld\n", before.mappings, after.mappings, before.virtual_pages,
           after.virtual_pages);
    EXPECT(after.mappings < before.mappings + 32);
    EXPECT(after.virtual_pages < before.virtual_pages + 65536); // 256 MiB: glibc adds an arena now and then
    return 0;
}
