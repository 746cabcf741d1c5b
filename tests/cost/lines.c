// Cache line transfers between threads: for each kind of load, how often a call of the allocator accesses a cache line
// that another thread has written (or writes one that another thread has read). Threads take turns call by call;
// counting begins after the heaps are warm. 0 means perfect scaling.
//
// Usage: cost_lines [tell]     tell: prints where lines were transferred, for addr2line
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/front/malloc.h"
#include "tests/cost/lines.h"
#include "tests/limits/measure.h"

enum { THREADS_MAX = 64, BATCH = 100, LIVE = 500, FRESH_BLOCKS = 60, HANDED = 32, TRIES = 3 };

static struct crew {
    pthread_t thread;
    sem_t turn, done;
    void *live[LIVE];
    unsigned held;
    uint64_t seed;
} crew[THREADS_MAX];

static void *handed[THREADS_MAX][HANDED];

static size_t random_below(struct crew *me, size_t limit) {
    me->seed = me->seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (size_t)((me->seed >> 33) % limit);
}

// --- one turn of each load -------------------------------------------------------------------------------------------

static void pairs(unsigned t) {
    (void)t;
    static const size_t sizes[] = {16, 64, 200, 1000, 5000};
    for (unsigned i = 0; i < 5; i++) mb_free(mb_malloc(sizes[i]));
}

static void batches(unsigned t) {
    for (unsigned i = 0; i < BATCH; i++) crew[t].live[i] = mb_malloc(64);
    for (unsigned i = 0; i < BATCH; i++) {
        mb_free(crew[t].live[i]);
        crew[t].live[i] = NULL;
    }
}

static void live_set(unsigned t) {
    for (unsigned i = 0; i < 20; i++) {
        void **block = &crew[t].live[random_below(&crew[t], LIVE)];
        mb_free(*block);
        *block = mb_malloc(16 + random_below(&crew[t], 500));
    }
}

// About a unit of blocks of one class each turn.
static void fresh_slabs(unsigned t) {
    (void)t;
    for (unsigned i = 0; i < FRESH_BLOCKS; i++) CHECK(mb_malloc(1024) != NULL, "no block");
}

static void free_anothers(unsigned t, unsigned threads, size_t bytes) {
    unsigned from = (t + 1) % threads;
    for (unsigned i = 0; i < HANDED; i++) mb_free(handed[from][i]);
    for (unsigned i = 0; i < HANDED; i++) handed[from][i] = NULL;
    for (unsigned i = 0; i < HANDED; i++) {
        if (handed[t][i] == NULL) handed[t][i] = mb_malloc(bytes);
    }
}
static unsigned threads_now;
static void others_free(unsigned t) { free_anothers(t, threads_now, 64); }

// Each thread holds a block during the others' turns, as if all ran at once.
static void replace(unsigned t, unsigned which, size_t bytes) {
    mb_free(crew[t].live[which]);
    crew[t].live[which] = mb_malloc(bytes);
}

static void large_pairs(unsigned t) { replace(t, 0, 1000000); }

static void two_large_pairs(unsigned t) {
    replace(t, 0, 600000);
    replace(t, 1, 1000000);
}

static void large_jittered(unsigned t) { replace(t, 0, 600000 + random_below(&crew[t], 1500000)); }

static void *life(void *context) {
    for (unsigned i = 0; i < 10; i++) mb_free(mb_malloc(100 + i));
    return context;
}
static void thread_lives(unsigned t) {
    pthread_t thread;
    (void)t;
    CHECK(pthread_create(&thread, NULL, life, NULL) == 0, "no thread");
    pthread_join(thread, NULL);
}

// Limits: cache line transfers for a hundred turns of a thread, with 2 and with 64 threads, plus a margin.
// core/README.md, What threads share, says what the arena's tree and the commons contribute.
static const struct load {
    const char *name;
    void (*turn)(unsigned t);
    unsigned rounds, threads[2], most[2];
} loads[] = {
    {"pairs", pairs, 100, {2, 64}, {0, 0}},
    {"batches of 100", batches, 50, {2, 64}, {0, 0}},
    {"live sets, 20 changes", live_set, 300, {2, 64}, {8, 115}},
    {"60 fresh blocks of 1 KiB", fresh_slabs, 50, {2, 64}, {500, 950}},
    {"32 blocks freed by another", others_free, 50, {2, 64}, {400, 400}},
    {"a large pair", large_pairs, 50, {2, 64}, {0, 0}},
    {"large pairs of two lengths", two_large_pairs, 50, {2, 64}, {0, 0}},
    {"large pair of any length", large_jittered, 50, {2, 64}, {700, 1550}},
    {"a thread's life", thread_lives, 4, {2, 16}, {9600, 9600}}, // a reused stack's lines and those of sealed data among them
};

// --- taking turns ----------------------------------------------------------------------------------------------------

static const struct load *load;
static unsigned rounds_left;

static void *work(void *context) {
    struct crew *me = context;
    for (;;) {
        sem_wait(&me->turn);
        if (rounds_left == 0) break;
        load->turn((unsigned)(me - crew));
        sem_post(&me->done);
    }
    for (unsigned i = 0; i < LIVE; i++) mb_free(me->live[i]);
    memset(me->live, 0, sizeof me->live);
    sem_post(&me->done);
    return NULL;
}

static void one_turn(struct crew *member) {
    sem_post(&member->turn);
    sem_wait(&member->done);
}

static void turns(unsigned rounds, unsigned threads) {
    for (rounds_left = rounds; rounds_left > 0; rounds_left--)
        for (unsigned t = 0; t < threads; t++) one_turn(&crew[t]);
}

static unsigned lines_for(const struct load *l, unsigned threads, bool tells) {
    load = l;
    threads_now = threads;
    for (unsigned t = 0; t < threads; t++) {
        crew[t].seed = t + 1;
        sem_init(&crew[t].turn, 0, 0);
        sem_init(&crew[t].done, 0, 0);
        CHECK(pthread_create(&crew[t].thread, NULL, work, &crew[t]) == 0, "no thread");
    }
    turns(l->rounds, threads);
    lines_start();
    turns(l->rounds, threads);
    uint64_t lines = lines_stop();
    if (tells) lines_tell(l->name);
    for (unsigned t = 0; t < threads; t++) {
        one_turn(&crew[t]);
        pthread_join(crew[t].thread, NULL);
    }
    for (unsigned t = 0; t < threads; t++)
        for (unsigned i = 0; i < HANDED; i++) mb_free(handed[t][i]), handed[t][i] = NULL;
    return (unsigned)(lines * 100 / ((uint64_t)l->rounds * threads));
}

// In a process of its own: the helper thread starts once in a process.
static bool run_once(const struct load *l, unsigned n, bool tells) {
    int status;
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0, "no child");
    if (child == 0) {
        unsigned lines = lines_for(l, l->threads[n], tells);
        bool fine = lines <= l->most[n];
        printf("%s, %u threads: %.2f lines a turn, at most %.2f%s\n", l->name, l->threads[n], lines / 100.0, l->most[n] / 100.0,
               fine ? "" : "  <- too many");
        fflush(stdout);
        _exit(fine ? 0 : 1);
    }
    return waitpid(child, &status, 0) == child && status == 0;
}

// On a busy machine the helper may come to its first look only while turns are counted: a line or two. What the threads
// share they share in each run.
static bool run(const struct load *l, unsigned n, bool tells) {
    for (unsigned i = 0; i < TRIES; i++)
        if (run_once(l, n, tells)) return true;
    return false;
}

int main(int argc, char **argv) {
    bool tells = argc > 1 && strcmp(argv[1], "tell") == 0, good = true;
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++) {
        for (unsigned n = 0; n < 2; n++) good &= run(&loads[i], n, tells);
    }
    return good ? 0 : 1;
}
