// Guarded samples find a fault with the probability that guard_rate promises: in each run a program allocates and frees
// ten million blocks, and reads beyond the end of one in ONE_IN of them.
//
// One in `guard_rate` refills of 64 blocks becomes a sample, and half of the samples end at their guard page. Among n
// blocks, s = n / (64 * guard_rate * 2) are such samples on average, and a run finds the fault with the probability 1 -
// (1 - 1 / ONE_IN) ^ s. The test allows five standard deviations. The option `seed` places the samples in the same way
// in each run, so that the result is always the same.
// usage: guarded_chance RATE ONE_IN RUNS
#include <math.h>

#include "tests/process/expect.h"

enum { BLOCKS = 10000000, BYTES = 64, REFILL = 64 };

static uint64_t step(uint64_t *state) { // xorshift
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state;
}

static void loop(uint64_t one_in, uint64_t state) {
    uint64_t limit = UINT64_MAX / one_in;
    for (int i = 0; i < BLOCKS; i++) {
        volatile char *p = keep(malloc(BYTES));
        if (step(&state) <= limit) (void)p[BYTES];
        free((void *)(uintptr_t)p);
    }
}

static bool is_found(uint64_t one_in, uint64_t seed) {
    int status;
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        EXPECT(dup2(open("/dev/null", O_WRONLY), 2) == 2); // the report
        loop(one_in, seed);
        _exit(0);
    }
    EXPECT(waitpid(child, &status, 0) == child);
    bool found = WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
    EXPECT(found || status == 0);
    return found;
}

int main(int argc, char **argv) {
    EXPECT(argc == 4);
    double rate = atof(argv[1]), one_in = atof(argv[2]);
    int runs = atoi(argv[3]), found = 0;
    double samples = BLOCKS / (REFILL * rate * 2), chance = 1 - pow(1 - 1 / one_in, samples);
    double deviation = sqrt(chance * (1 - chance) * runs), expected = chance * runs;
    free(keep(malloc(BYTES)));
    for (int i = 0; i < runs; i++) found += is_found((uint64_t)one_in, UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)(i + 1));
    printf("found in %d of %d runs, %.1f expected, standard deviation %.1f\n", found, runs, expected, deviation);
    fflush(stdout);
    EXPECT(fabs(found - expected) <= 5 * deviation);
    return 0;
}
