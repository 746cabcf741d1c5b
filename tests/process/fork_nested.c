// Forks inside forks: every generation starts threads, inherits the blocks of the generation before (whose threads are
// gone), frees half of them, forks on. Also: fork handlers that allocate, and fork inside a signal handler.
#include "tests/process/blocks.h"
#include <signal.h>

enum { GENERATIONS = 6, THREADS = 3, BLOCKS = 400, SIGNALS = 50 };

static void *blocks[THREADS][BLOCKS];
static pthread_barrier_t filled;
static void *handler_block;

// Fills its row, then stays alive (and idle) until its process ends.
static void *fill_row(void *arg) {
    size_t row = (size_t)(uintptr_t)arg;
    uint64_t rng = row + 99;
    for (size_t i = 0; i < BLOCKS; i++)
        if (blocks[row][i] == NULL) blocks[row][i] = block_new(block_random_bytes(&rng));
    pthread_barrier_wait(&filled);
    for (;;) pause();
    return NULL;
}

static void start_generation(void) {
    EXPECT(pthread_barrier_init(&filled, NULL, THREADS + 1) == 0);
    for (size_t t = 0; t < THREADS; t++) pthread_detach(thread_start(fill_row, (void *)t));
    pthread_barrier_wait(&filled);
}

static void free_every_second(void) {
    for (size_t t = 0; t < THREADS; t++)
        for (size_t i = 0; i < BLOCKS; i += 2) {
            block_free(blocks[t][i]);
            blocks[t][i] = NULL;
        }
    for (size_t t = 0; t < THREADS; t++)
        for (size_t i = 1; i < BLOCKS; i += 2) blocks[t][i] = block_resize(blocks[t][i], 16 + i * 11);
}

// Each generation forks two children one after the other; the first forks on.
static void live(int generation) {
    deadline(30);
    start_generation();
    free_every_second();
    if (generation == GENERATIONS) return;
    for (int child = 0; child < 2; child++) {
        pid_t pid = fork();
        if (pid == 0) {
            if (child == 0) live(generation + 1);
            free_every_second();
            _exit(0);
        }
        expect_child_ok(pid);
    }
}

static void allocate_in_handler(void) {
    block_free(handler_block);
    handler_block = block_new(3000);
}

static void fork_in_signal(int signal) {
    (void)signal;
    pid_t pid = fork();
    if (pid == 0) {
        deadline(30);
        free_every_second();
        block_free(block_new(100));
        start_generation();
        _exit(0);
    }
    expect_child_ok(pid);
}

int main(void) {
    test_begin(60);
    EXPECT(pthread_atfork(allocate_in_handler, allocate_in_handler, allocate_in_handler) == 0);
    live(1);
    struct sigaction action = {.sa_handler = fork_in_signal};
    EXPECT(sigaction(SIGUSR1, &action, NULL) == 0);
    for (int i = 0; i < SIGNALS; i++) {
        start_generation();
        raise(SIGUSR1);
    }
    puts("nested forks clean");
    return 0;
}
