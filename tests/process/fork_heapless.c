// A process with one heap and two threads: one allocates; the other never does, so it has no heap. Either the second
// thread frees, and so returns memory to the system, while the first one forks; or it forks while the first one
// allocates and frees. Each child must be able to allocate, free and trim, whatever the other thread was doing at the
// fork.
#include "tests/process/blocks.h"
#include <malloc.h>
#include <stdatomic.h>

enum { FORKS = 60, RING = 64, LARGE = 600000, IN_CHILD = 40 };

static _Atomic(void *) ring[RING];
static atomic_bool stop;

static void live_as_child(void) {
    void *mine[IN_CHILD];
    deadline(20);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < IN_CHILD; i++) mine[i] = block_new(i % 2 ? LARGE : 100 * i + 16);
        for (size_t i = 0; i < IN_CHILD; i++) block_free(mine[i]);
        malloc_trim(0);
    }
    _exit(0);
}

// By fork and by _Fork, which runs no handlers.
static void fork_once(void) {
    static int count;
    pid_t child = count++ % 2 == 0 ? fork() : _Fork();
    if (child == 0) live_as_child();
    expect_child_ok(child);
}

// Frees what it finds: never allocates, not even for stdio.
static void *only_free(void *arg) {
    for (size_t i = 0; !atomic_load(&stop); i++) {
        free(atomic_exchange(&ring[i % RING], NULL));
        if (i % 1024 == 0) malloc_trim(0);
    }
    return arg;
}

static void allocate(size_t i) { free(atomic_exchange(&ring[i % RING], keep(malloc(LARGE + i % 7 * 65536)))); }

static void fork_while_another_frees(void) {
    pthread_t other = thread_start(only_free, NULL);
    for (int f = 0; f < FORKS; f++) {
        for (size_t i = 0; i < 200; i++) allocate(i);
        fork_once();
    }
    atomic_store(&stop, true);
    thread_join(other);
}

static void *only_fork(void *arg) {
    for (int f = 0; f < FORKS; f++) fork_once();
    atomic_store(&stop, true);
    return arg;
}

static void allocate_while_another_forks(void) {
    atomic_store(&stop, false);
    pthread_t other = thread_start(only_fork, NULL);
    for (size_t i = 0; !atomic_load(&stop); i++) {
        allocate(i);
        if (i % 64 == 0) malloc_trim(0);
    }
    thread_join(other);
}

int main(int argc, char **argv) {
    test_begin(120);
    if (argc <= 1 || strcmp(argv[1], "frees") == 0) fork_while_another_frees();
    if (argc <= 1 || strcmp(argv[1], "forks") == 0) allocate_while_another_forks();
    puts("children of a process with one heap are well");
    return 0;
}
