// A static musl program with libmbmalloc.a: blocks before the library's constructor, threads that end while blocks of
// theirs are live, TLS, fork while threads allocate, and requests of the C library itself (atexit beyond its first
// table, keys, environment).
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/process/expect.h"

int mb_serves(const void *p);

enum { THREADS = 6, BLOCKS = 300, FORKS = 10, HANDLERS = 100 };

static char *early;
static _Thread_local char *mine;
static _Atomic bool stop;
static _Atomic int handled, forked;

__attribute__((constructor(101))) static void before_all(void) { early = strdup("before any other constructor"); }

static char *block(size_t bytes) {
    char *p = malloc(bytes);
    EXPECT(p != NULL && mb_serves(p));
    return memset(p, (int)bytes, bytes);
}

// Returns a block that was made here and outlives the thread.
static void *work(void *kept_bytes) {
    char *blocks[BLOCKS];
    mine = block(40);
    while (!stop) {
        for (size_t i = 0; i < BLOCKS; i++) blocks[i] = block(1 + i * 7);
        for (size_t i = 0; i < BLOCKS; i++) EXPECT(blocks[i][i * 7] == (char)(1 + i * 7));
        for (size_t i = 0; i < BLOCKS; i++) free(blocks[i]);
        usleep(100); // whoever forks must come to it
    }
    free(mine);
    return block((size_t)kept_bytes);
}

static void in_child(void) { forked++; }
static void at_end(void) { handled++; }
static void last(void) {
    EXPECT(handled == HANDLERS);
    free(early);
}

static void fork_while_threads_work(void) {
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) EXPECT(pthread_create(&threads[i], NULL, work, (void *)(1000 + i)) == 0);
    for (int i = 0; i < FORKS; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            pthread_t inner;
            void *kept;
            stop = true;
            EXPECT(forked == 1);
            EXPECT(pthread_create(&inner, NULL, work, (void *)50) == 0 && pthread_join(inner, &kept) == 0);
            free(kept);
            _exit(0);
        }
        EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    }
    stop = true;
    for (size_t i = 0; i < THREADS; i++) {
        void *kept;
        EXPECT(pthread_join(threads[i], &kept) == 0);
        EXPECT(malloc_usable_size(kept) >= 1000 + i);
        free(kept);
    }
}

int main(void) {
    alarm(300);
    EXPECT(early != NULL && mb_serves(early));
    EXPECT(atexit(last) == 0);
    for (int i = 0; i < HANDLERS; i++) EXPECT(atexit(at_end) == 0);
    EXPECT(pthread_atfork(NULL, NULL, in_child) == 0);
    for (int i = 0; i < 100; i++) EXPECT(setenv("MB_STATIC", i % 2 ? "odd" : "even, and longer", 1) == 0);
    fork_while_threads_work();
    return 0;
}
