// Growth by small steps is amortised: four times the length takes about four times as long, not sixteen times. Each
// time is measured in a fresh process, so that both lengths start with cold memory.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/limits/measure.h"

enum { TRIES = 3, TRIES_MAX = 30, MOST_RATIO = 10 }; // quadratic: 16

// Grows one block (or two by turns, of which one must move) to `bytes` in steps of `step`, and touches each new part.
static uint64_t grow_ns(size_t bytes, size_t step, size_t blocks) {
    char *p[2] = {NULL, NULL};
    uint64_t start = measure_cpu_ns();
    for (size_t size = step; size <= bytes; size += step) {
        for (size_t i = 0; i < blocks; i++) {
            p[i] = realloc(p[i], size);
            CHECK(p[i], "refused at %zu bytes", size);
            p[i][size - 1] = (char)size;
        }
    }
    uint64_t ns = measure_cpu_ns() - start;
    for (size_t i = 0; i < blocks; i++) {
        for (size_t size = step; size <= bytes; size += step) CHECK(p[i][size - 1] == (char)size, "the contents at %zu are lost", size);
        free(p[i]);
    }
    return ns;
}

static uint64_t *result; // shared with the child that measures

static uint64_t grow_ns_in_child(size_t bytes, size_t step, size_t blocks) {
    int status;
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        *result = grow_ns(bytes, step, blocks);
        _exit(0);
    }
    waitpid(child, &status, 0);
    CHECK(status == 0, "the child ended with %#x", (unsigned)status);
    return *result;
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

// The least of three tries, and of more while the ratio is too high: where a machine shares its processors, time that
// was another's may count as ours.
static void linear(size_t bytes, size_t step, size_t blocks) {
    uint64_t one = UINT64_MAX, four = UINT64_MAX;
    for (int i = 0; i < TRIES || (i < TRIES_MAX && four >= one * MOST_RATIO); i++) {
        one = least(one, grow_ns_in_child(bytes, step, blocks));
        four = least(four, grow_ns_in_child(4 * bytes, step, blocks));
    }
    printf("%zu block(s) by %zu bytes: %zu KiB in %.2f ms, %zu KiB in %.2f ms: ratio %.1f\n", blocks, step, bytes / KIB, (double)one / 1e6,
           4 * bytes / KIB, (double)four / 1e6, (double)four / (double)one);
    CHECK(four < one * MOST_RATIO, "quadratic from %zu to %zu bytes", bytes, 4 * bytes);
}

int main(void) {
    measure_under_mbmalloc();
    result = mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(result != MAP_FAILED, "shared memory");
    linear(16 * MIB, 4096, 1);
    linear(16 * MIB, 4096, 2);
    linear(512 * KIB, 48, 1);
    linear(512 * KIB, 48, 2);
    puts("ok");
    return 0;
}
