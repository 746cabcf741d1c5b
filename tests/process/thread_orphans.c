// Blocks outlive their thread: threads allocate blocks of all sizes and end; other threads and main check them,
// reallocate them, and free them. The abandoned memory is reused in every round: no growth.
#include "tests/process/blocks.h"

enum { ROWS = 4, BLOCKS = 1500, ROUNDS = 60, WARM_UP = 15, SAMPLED = 10 };
static const long growth_limit = 4 * 1024 * 1024;

static void *rows[ROWS][BLOCKS];
static unsigned round_number;

static void *fill_row(void *arg) {
    size_t row = (size_t)(uintptr_t)arg;
    uint64_t rng = row * 31 + 1; // the same blocks in every round
    for (size_t i = 0; i < BLOCKS; i++) rows[row][i] = block_new(block_random_bytes(&rng));
    return NULL;
}

// Reallocates every third block and frees every second; the main thread gets the others.
static void *work_on_row(void *arg) {
    size_t row = ((size_t)(uintptr_t)arg + round_number) % ROWS;
    uint64_t rng = row + 77;
    for (size_t i = 0; i < BLOCKS; i += 3) rows[row][i] = block_resize(rows[row][i], block_random_bytes(&rng));
    for (size_t i = 0; i < BLOCKS; i += 2) {
        block_free(rows[row][i]);
        rows[row][i] = NULL;
    }
    return NULL;
}

static void run_all(void *(*body)(void *)) {
    pthread_t threads[ROWS];
    for (size_t t = 0; t < ROWS; t++) threads[t] = thread_start(body, (void *)t);
    for (size_t t = 0; t < ROWS; t++) thread_join(threads[t]);
}

static void run_round(void) {
    run_all(fill_row);
    run_all(work_on_row);
    for (size_t t = 0; t < ROWS; t++)
        for (size_t i = 0; i < BLOCKS; i++) block_free(rows[t][i]);
    round_number++;
}

// The highest resident set after one of the last rounds: from time to time free memory is returned, and it is low for a
// while.
static long run_rounds(int count) {
    long most = 0;
    for (int i = 0; i < count; i++) {
        run_round();
        long resident = rss_bytes();
        if (i >= count - SAMPLED && resident > most) most = resident;
    }
    return most;
}

int main(void) {
    test_begin(60);
    long before = run_rounds(WARM_UP), after = run_rounds(ROUNDS);
    printf("orphaned blocks: resident at most %ld KiB -> %ld KiB\n", before / 1024, after / 1024);
    EXPECT(after - before < growth_limit + slack_bytes());
    return 0;
}
