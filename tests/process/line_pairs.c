// Blocks of different threads lie on different pairs of cache lines (128 bytes), unless one of the threads has freed a
// block there: sizes of 1 to 1,024 bytes, 2 to 64 threads, in several orders of first calls, a few blocks of each size
// and many.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAIR = 128, THREADS_MAX = 64, SIZE_STEP = 24, SIZE_MAX_BYTES = 1024, SIZES = SIZE_MAX_BYTES / SIZE_STEP + 2, BLOCKS_MAX = 40 };

enum order { IN_TURN, BACKWARDS, AT_ONCE, SIZE_BY_SIZE, ORDERS };

static const char *const ORDER_NAMES[ORDERS] = {"in turn", "backwards", "at once", "size by size"};

static struct world {
    unsigned threads, blocks;
    enum order order;
    pthread_barrier_t barrier;
} world;

struct piece {
    uintptr_t pair;
    unsigned thread;
};
static struct piece *pieces;
static size_t pieces_used;
static pthread_mutex_t pieces_lock = PTHREAD_MUTEX_INITIALIZER;

static size_t size_at(unsigned i) { return i == 0 ? 1 : (size_t)i * SIZE_STEP > SIZE_MAX_BYTES ? SIZE_MAX_BYTES : (size_t)i * SIZE_STEP; }

static void note(unsigned thread, const void *p, size_t bytes) {
    pthread_mutex_lock(&pieces_lock);
    for (uintptr_t pair = (uintptr_t)p / PAIR; pair <= ((uintptr_t)p + bytes - 1) / PAIR; pair++) {
        pieces[pieces_used++] = (struct piece){pair, thread};
    }
    pthread_mutex_unlock(&pieces_lock);
}

static void take(unsigned thread, unsigned size) {
    for (unsigned i = 0; i < world.blocks; i++) {
        void *p = malloc(size_at(size));
        if (p == NULL) abort();
        note(thread, p, size_at(size));
    }
}

static void take_all(unsigned thread) {
    for (unsigned i = 0; i < SIZES; i++) take(thread, i);
}

static void *worker(void *argument) {
    unsigned me = (unsigned)(uintptr_t)argument;
    if (world.order == AT_ONCE) {
        pthread_barrier_wait(&world.barrier);
        take_all(me);
        pthread_barrier_wait(&world.barrier);
        return NULL;
    }
    unsigned rounds = world.order == SIZE_BY_SIZE ? SIZES : 1;
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned turn = 0; turn < world.threads; turn++) {
            pthread_barrier_wait(&world.barrier);
            if (turn != (world.order == BACKWARDS ? world.threads - 1 - me : me)) continue;
            if (world.order == SIZE_BY_SIZE) take(me, round);
            else take_all(me);
        }
    }
    pthread_barrier_wait(&world.barrier); // all live until the last has taken
    return NULL;
}

static int compare(const void *a, const void *b) {
    const struct piece *x = a, *y = b;
    if (x->pair != y->pair) return x->pair < y->pair ? -1 : 1;
    return x->thread < y->thread ? -1 : x->thread > y->thread;
}

static unsigned shared_pairs(void) {
    unsigned shared = 0;
    qsort(pieces, pieces_used, sizeof *pieces, compare);
    for (size_t i = 1; i < pieces_used; i++) shared += pieces[i].pair == pieces[i - 1].pair && pieces[i].thread != pieces[i - 1].thread;
    return shared;
}

static int run(void) {
    size_t most = (size_t)world.threads * world.blocks * SIZES * (SIZE_MAX_BYTES / PAIR + 2);
    pieces = malloc(most * sizeof *pieces);
    pthread_t threads[THREADS_MAX];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    pthread_barrier_init(&world.barrier, NULL, world.threads);
    for (unsigned i = 0; i < world.threads; i++) {
        if (pthread_create(&threads[i], &attributes, worker, (void *)(uintptr_t)i) != 0) return 77;
    }
    for (unsigned i = 0; i < world.threads; i++) pthread_join(threads[i], NULL);
    unsigned shared = shared_pairs();
    if (shared == 0) return 0;
    printf("%u threads, %u blocks of each size, %s: %u shared pairs of cache lines\n", world.threads, world.blocks,
           ORDER_NAMES[world.order], shared);
    return 1;
}

// Each run has its own process: memory that an earlier run has freed may be shared.
static int run_apart(unsigned threads, unsigned blocks, enum order order) {
    world = (struct world){.threads = threads, .blocks = blocks, .order = order};
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int result = run();
        fflush(stdout);
        _exit(result);
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) printf("SKIP: %u threads cannot be had\n", threads);
    return 1;
}

int main(void) {
    static const unsigned counts[] = {2, 3, 4, 8, 17, THREADS_MAX}, blocks[] = {1, 3, 9, BLOCKS_MAX};
    int bad = 0;
    for (unsigned c = 0; c < sizeof counts / sizeof *counts; c++) {
        for (unsigned b = 0; b < sizeof blocks / sizeof *blocks; b++) {
            for (enum order order = 0; order < ORDERS; order++) bad += run_apart(counts[c], blocks[b], order);
        }
    }
    return bad != 0;
}
