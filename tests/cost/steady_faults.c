// A program that allocates and frees within a constant working set must stop causing page faults: memory that it frees
// and allocates again stays resident, even after the delay at which idle memory is purged.
// Usage: steady_faults cycle|replace|large|handover
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/limits/blocks.h"
#include "tests/limits/measure.h"

enum { WARM_MS = 1500, STEADY_MS = 2500, TRIES_MAX = 10, SLOTS = 20000, LARGE_SLOTS = 12 };
static const uint64_t MOST_FAULTS = 64; // of some 500,000 operations and more; the kernel's own noise

static void *slot[SLOTS];
static uint64_t rng = 12345;
static pthread_barrier_t step;

static void *touched(size_t bytes) {
    char *p = malloc(bytes);
    CHECK(p, "refused %zu bytes", bytes);
    for (size_t i = 0; i < bytes; i += 4096) p[i] = 1;
    p[bytes - 1] = 1;
    return p;
}

// The size of slot i never changes, so every cycle asks for the same.
static size_t size_of(size_t i) { return 16 + i * 7919 % 1200; }

static void cycle(void) {
    for (size_t i = 0; i < SLOTS; i++) slot[i] = touched(size_of(i));
    for (size_t i = 0; i < SLOTS; i++) free(slot[i]);
}

static void replace(void) {
    for (int n = 0; n < 10000; n++) {
        size_t i = blocks_random(&rng) % SLOTS;
        free(slot[i]);
        slot[i] = touched(size_of(i));
    }
}

static void large(void) {
    for (size_t i = 0; i < LARGE_SLOTS; i++) slot[i] = touched(100000 + i * 170000);
    for (size_t i = 0; i < LARGE_SLOTS; i++) free(slot[i]);
}

// Another thread frees what this one allocates.
static void handover(void) {
    for (size_t i = 0; i < SLOTS; i++) slot[i] = touched(size_of(i));
    pthread_barrier_wait(&step);
    pthread_barrier_wait(&step);
}

static void *consumer(void *arg) {
    for (;;) {
        pthread_barrier_wait(&step);
        for (size_t i = 0; i < SLOTS; i++) free(slot[i]);
        pthread_barrier_wait(&step);
    }
    return arg;
}

static size_t run_for(void (*round)(void), uint64_t ms) {
    uint64_t end = measure_now_ms() + ms;
    size_t rounds = 0;
    while (measure_now_ms() < end) {
        round();
        rounds++;
    }
    return rounds;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*round)(void);
    } ways[] = {{"cycle", cycle}, {"replace", replace}, {"large", large}, {"handover", handover}};
    void (*round)(void) = NULL;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (argc > 1 && strcmp(argv[1], ways[i].name) == 0) round = ways[i].round;
    if (!round) return 2;
    bool ours = measure_under_mbmalloc();
    pthread_t thread;
    pthread_barrier_init(&step, NULL, 2);
    if (round == handover) CHECK(pthread_create(&thread, NULL, consumer, NULL) == 0, "no thread");
    run_for(round, WARM_MS);
    uint64_t faults = UINT64_MAX;
    // Who gets no processor for as long as idle memory stays has none left then: the next phase is looked at.
    for (int i = 0; i < TRIES_MAX && faults > MOST_FAULTS; i++) {
        uint64_t before = measure_minor_faults();
        size_t rounds = run_for(round, STEADY_MS);
        faults = measure_minor_faults() - before;
        printf("%s: %llu faults in %zu rounds\n", argv[1], (unsigned long long)faults, rounds);
    }
    CHECK(!ours || faults <= MOST_FAULTS, "%llu faults in the steady phase", (unsigned long long)faults);
    return 0;
}
