// Children made without fork handlers: _Fork, the clone system call, clone() with a separate stack. Threads of the
// parent allocate all the time, so they may be stopped anywhere inside the allocator; the child allocates, frees what
// it inherited, and reallocates it.
//
// glibc's malloc does not support this (its locks stay locked), so under plain glibc the parent has no allocating
// threads.
#include "tests/process/blocks.h"
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>

enum { ROUNDS = 150, WORKERS = 2, SLOTS = 256, STACK_BYTES = 256 * 1024 };

static _Atomic(void *) slots[WORKERS][SLOTS];
static atomic_bool stop;
static char clone_stack[STACK_BYTES] __attribute__((aligned(64)));

static void *work(void *arg) {
    size_t self = (size_t)(uintptr_t)arg;
    uint64_t rng = 7777 + self;
    while (!atomic_load(&stop)) {
        size_t row = (random_next(&rng) & 3) == 0 ? (self + 1) % WORKERS : self;
        void *fresh = block_new(block_random_bytes(&rng));
        block_free(atomic_exchange(&slots[row][(rng >> 30) % SLOTS], fresh));
    }
    return NULL;
}

static void fill_slots(void) {
    uint64_t rng = 5;
    for (size_t w = 0; w < WORKERS; w++)
        for (size_t s = 0; s < SLOTS; s++) atomic_store(&slots[w][s], block_new(block_random_bytes(&rng)));
}

static int live_as_child(void *arg) {
    (void)arg;
    deadline(30);
    uint64_t rng = 3;
    void *mine[100];
    for (int i = 0; i < 100; i++) mine[i] = block_new(block_random_bytes(&rng));
    for (size_t w = 0; w < WORKERS; w++)
        for (size_t s = 0; s < SLOTS; s++) {
            void *p = atomic_exchange(&slots[w][s], NULL);
            if (p != NULL && s % 2 == 0) p = block_resize(p, block_random_bytes(&rng));
            block_free(p);
        }
    for (int i = 0; i < 100; i++) block_free(mine[i]);
    return 0;
}

static pid_t child_by_clone_call(void) { return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }

static void run_forklike(pid_t (*make)(void)) {
    for (int i = 0; i < ROUNDS; i++) {
        pid_t child = make();
        if (child == 0) _exit(live_as_child(NULL));
        expect_child_ok(child);
    }
}

static void run_clone_function(void) {
    for (int i = 0; i < ROUNDS; i++)
        expect_child_ok(clone(live_as_child, clone_stack + STACK_BYTES, SIGCHLD, NULL));
}

int main(void) {
    test_begin(60);
    fill_slots();
    pthread_t threads[WORKERS];
    bool busy = under_mbmalloc();
    for (size_t w = 0; busy && w < WORKERS; w++) threads[w] = thread_start(work, (void *)w);
    run_forklike(_Fork);
    run_forklike(child_by_clone_call);
    run_clone_function();
    atomic_store(&stop, true);
    for (size_t w = 0; busy && w < WORKERS; w++) thread_join(threads[w]);
    printf("%d children without handlers, parent threads busy: %s\n", 3 * ROUNDS, busy ? "yes" : "no");
    return 0;
}
