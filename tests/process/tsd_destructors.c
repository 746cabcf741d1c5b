// pthread keys whose destructors free their value, allocate a new one and set it again, in all four iterations, over
// 10,000 threads without growth.
//
// The last keys lie beyond the 32 that fit into the thread block, so libc allocates a second-level table for each
// thread and frees it after the last destructor has run.
#include "tests/process/blocks.h"
#include <limits.h>
#include <stdatomic.h>

enum { KEYS = 70, USED = 3, THREADS = 10000, WARM_UP = 500, AT_ONCE = 4 };
static const unsigned used_keys[USED] = {0, 33, 69};
static const long growth_limit = 1024 * 1024;

static pthread_key_t keys[KEYS];
static atomic_uint calls;

struct value {
    size_t stamp; // the block's size, as blocks.h wants it
    unsigned iteration;
    unsigned key;
};

static struct value *value_new(unsigned key, unsigned iteration) {
    size_t bytes = 48 + 40 * iteration;
    struct value *value = keep(malloc(bytes));
    EXPECT(value != NULL);
    *value = (struct value){bytes, iteration, key};
    return value;
}

// The value of iteration n is freed in iteration n; the last one is not set again, or it would leak by definition.
static void destroy_value(void *p) {
    struct value *old = p;
    unsigned key = old->key, iteration = old->iteration;
    void *scratch = block_new(100 + 3000 * iteration);
    EXPECT(old->stamp == 48 + 40 * iteration);
    free(old);
    atomic_fetch_add(&calls, 1);
    if (iteration < PTHREAD_DESTRUCTOR_ITERATIONS)
        EXPECT(pthread_setspecific(keys[key], value_new(key, iteration + 1)) == 0);
    block_free(scratch);
}

static void *live_briefly(void *arg) {
    (void)arg;
    block_free(block_new(500));
    for (unsigned i = 0; i < USED; i++)
        EXPECT(pthread_setspecific(keys[used_keys[i]], value_new(used_keys[i], 1)) == 0);
    return NULL;
}

static void run_threads(unsigned count) {
    pthread_t threads[AT_ONCE];
    for (unsigned done = 0; done < count; done += AT_ONCE) {
        for (unsigned i = 0; i < AT_ONCE; i++) threads[i] = thread_start(live_briefly, NULL);
        for (unsigned i = 0; i < AT_ONCE; i++) thread_join(threads[i]);
    }
}

int main(void) {
    test_begin(60);
    for (unsigned k = 0; k < KEYS; k++) EXPECT(pthread_key_create(&keys[k], destroy_value) == 0);
    run_threads(WARM_UP);
    long before = rss_bytes();
    run_threads(THREADS);
    expect_growth_below(before, growth_limit, "key destructors");
    EXPECT(atomic_load(&calls) == (WARM_UP + THREADS) * USED * PTHREAD_DESTRUCTOR_ITERATIONS);
    return 0;
}
