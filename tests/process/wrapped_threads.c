// A foreign pthread_create, such as those of leak checkers and profilers: the new thread allocates before it runs its
// function, and the creator waits for that; the creator also allocates while it holds a lock of its own, and that may
// be a thread's first block. Both the program's threads and the allocator's helper must work with it; and when one
// thread is left, the process has a single thread and keeps no heap for the helper. Preloaded, the allocator calls the
// C library's pthread_create, and the wrapper sees only the program's threads. In a static program, linked with
// --wrap=pthread_create, the wrapper also sees the helper and must not hold a lock of its own (the allocator calls it).
#include "tests/process/blocks.h"
#include <dirent.h>
#include <sched.h>

enum { ROUNDS = 200, THREADS = 3 };

struct start {
    void *(*body)(void *);
    void *argument;
    _Atomic bool begun;
};

static void *begin(void *argument) {
    struct start *start = argument, copy = {start->body, start->argument, false};
    for (size_t bytes = BLOCK_MIN; bytes < 100000; bytes *= 3) block_free(block_new(bytes));
    start->begun = true;
    void *p = block_new(100);
    void *result = copy.body(copy.argument);
    block_free(p);
    block_free(block_new(200));
    return result;
}

// Where the linker has wrapped the name: the one behind it.
__attribute__((weak)) int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

// The system's own is found in good time: the lookup may allocate.
static int (*real_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
    struct start start = {body, argument, false};
    bool locks = __real_pthread_create == NULL;
    if (locks) pthread_mutex_lock(&registry);
    void *record = block_new(48);
    int error = real_create(thread, attributes, begin, &start);
    block_free(record);
    if (locks) pthread_mutex_unlock(&registry);
    while (error == 0 && !start.begun) sched_yield();
    return error;
}

static void *nothing(void *unused) { return unused; }

// Its first block is the record of a thread that it makes.
static void *make_another(void *unused) {
    thread_join(thread_start(nothing, NULL));
    return unused;
}

static void first_block_under_the_lock(void) {
    pthread_t thread;
    EXPECT(real_create(&thread, NULL, make_another, NULL) == 0);
    thread_join(thread);
}

static void *work(void *unused) {
    for (size_t bytes = BLOCK_MIN; bytes < 10000; bytes += 111) block_free(block_new(bytes));
    return unused;
}

static int threads_now(void) {
    int count = -2; // . and ..
    DIR *tasks = opendir("/proc/self/task");
    EXPECT(tasks != NULL);
    while (readdir(tasks) != NULL) count++;
    closedir(tasks);
    return count;
}

int main(void) {
    test_begin(60);
    real_create = __real_pthread_create;
    if (real_create == NULL) {
        void *address = dlsym(RTLD_NEXT, "pthread_create");
        EXPECT(address != NULL);
        memcpy(&real_create, &address, sizeof address);
    }
    block_free(block_new(100));
    first_block_under_the_lock();
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++) threads[i] = thread_start(work, NULL);
        for (int i = 0; i < THREADS; i++) thread_join(threads[i]);
    }
    for (int patience = 0; threads_now() != 1 && patience < 1000; patience++) sleep_ms(10);
    EXPECT(threads_now() == 1);
    return 0;
}
