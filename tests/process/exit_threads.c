// exit() while other threads allocate, free and use stdio, with exit handlers and destructors that allocate too. It is
// repeated, since the outcome depends on timing; every run must end by itself with status 0.
#include "tests/process/blocks.h"
#include <stdatomic.h>

enum { RUNS = 60, WORKERS = 3, SLOTS = 200 };

static _Atomic(void *) slots[SLOTS];

static void *work(void *arg) {
    uint64_t rng = (uint64_t)(uintptr_t)arg * 77 + 3;
    for (;;) {
        size_t slot = (size_t)(random_next(&rng) >> 20) % SLOTS;
        block_free(atomic_exchange(&slots[slot], block_new(block_random_bytes(&rng))));
    }
    return NULL;
}

static void *write_lines(void *arg) {
    (void)arg;
    for (;;) {
        char *line = NULL;
        EXPECT(asprintf(&line, "%0200d", 7) == 200);
        free(line);
    }
    return NULL;
}

static void free_all(void) {
    for (int i = 0; i < SLOTS; i++) block_free(atomic_exchange(&slots[i], NULL));
}

static void at_exit(void) {
    for (size_t i = 0; i < 500; i++) block_free(block_new(16 + i * 13));
    free_all();
}

__attribute__((destructor)) static void destruct(void) { at_exit(); }

static int live(void) {
    deadline(20);
    EXPECT(atexit(at_exit) == 0);
    for (uintptr_t w = 0; w < WORKERS; w++) pthread_detach(thread_start(work, (void *)w));
    pthread_detach(thread_start(write_lines, NULL));
    sleep_ms(5);
    return 0; // exit() with four threads inside the allocator
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "live") == 0) return live();
    test_begin(60);
    for (int i = 0; i < RUNS; i++) expect_self_ok("live");
    puts("exit with busy threads clean");
    return 0;
}
