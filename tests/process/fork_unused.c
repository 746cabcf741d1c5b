// A program that forks before malloc was first called: in the child, and in the child's child, the allocator starts
// when it is needed.
#include "tests/process/blocks.h"

static void *use(void *unused) {
    for (size_t bytes = BLOCK_MIN; bytes < 300000; bytes *= 2) block_free(block_new(bytes));
    return unused;
}

static void fork_deeper(int depth) {
    pid_t child = fork();
    if (child == 0) {
        if (depth > 0) fork_deeper(depth - 1);
        use(NULL);
        thread_join(thread_start(use, NULL));
        _exit(0);
    }
    expect_child_ok(child);
}

int main(void) {
    deadline(60);
    fork_deeper(2);
    use(NULL);
    fork_deeper(2);
    test_begin(60);
    return 0;
}
