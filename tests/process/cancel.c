// malloc, free, realloc and malloc_trim are not cancellation points: a thread with a pending cancellation completes all
// of them and ends only at a cancellation point of its own.
#include "tests/process/blocks.h"
#include <malloc.h>
#include <stdatomic.h>

enum { RUNS = 20, BLOCKS = 500 };

static pthread_barrier_t cancelled;
static atomic_int reached;

static void *allocate_while_cancelled(void *arg) {
    static __thread void *mine[BLOCKS];
    uint64_t rng = (uint64_t)(uintptr_t)arg + 9;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_barrier_wait(&cancelled); // pthread_cancel has been called
    pthread_barrier_wait(&cancelled);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    for (int i = 0; i < BLOCKS; i++) mine[i] = block_new(block_random_bytes(&rng));
    for (int i = 0; i < BLOCKS; i += 2) mine[i] = block_resize(mine[i], block_random_bytes(&rng));
    free(keep(malloc(64 << 20)));
    for (int i = 0; i < BLOCKS; i++) block_free(mine[i]);
    malloc_trim(0);
    atomic_fetch_add(&reached, 1);
    pthread_testcancel();
    EXPECT(false); // a cancelled thread went on
    return NULL;
}

int main(void) {
    test_begin(60);
    EXPECT(pthread_barrier_init(&cancelled, NULL, 2) == 0);
    for (uintptr_t i = 0; i < RUNS; i++) {
        void *result = NULL;
        pthread_t thread = thread_start(allocate_while_cancelled, (void *)i);
        pthread_barrier_wait(&cancelled);
        EXPECT(pthread_cancel(thread) == 0);
        pthread_barrier_wait(&cancelled);
        EXPECT(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    }
    EXPECT(atomic_load(&reached) == RUNS);
    puts("no cancellation inside the allocator");
    return 0;
}
