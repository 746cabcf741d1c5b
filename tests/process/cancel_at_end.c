// A thread returns from its function while a cancellation is pending: the allocator's work at thread exit returns
// memory to the system and must not act as a cancellation point. The joiner gets the thread's return value, and the
// next thread can allocate.
#include "tests/process/blocks.h"

enum { BLOCKS = 20000, ROUNDS = 20 };

static void *ends_cancelled(void *result) {
    block_free(block_new(100));
    sleep_ms(30); // until a helper thread, if the allocator wants one, is there and has begun to wait
    EXPECT(pthread_cancel(pthread_self()) == 0);
    return result;
}

static void *just_allocates(void *result) {
    block_free(block_new(100));
    return result;
}

static void *result_of(void *(*body)(void *), void *argument) {
    void *result;
    pthread_t thread = thread_start(body, argument);
    EXPECT(pthread_join(thread, &result) == 0);
    return result;
}

int main(void) {
    test_begin(60);
    // Frees memory, so that the thread that returns free memory has work.
    void **blocks = keep(malloc(BLOCKS * sizeof *blocks));
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = block_new(30000);
    for (size_t i = 0; i < BLOCKS; i += 3) block_free(blocks[i]);
    int marks[2];
    for (int round = 0; round < ROUNDS; round++) {
        EXPECT(result_of(ends_cancelled, &marks[0]) == &marks[0]);
        EXPECT(result_of(just_allocates, &marks[1]) == &marks[1]);
    }
    return 0;
}
