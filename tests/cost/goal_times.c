// Times one operation and prints the nanoseconds, for a comparison with another malloc.
// Usage: goal_times double | double-touch | calloc
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const size_t MIB = 1 << 20;

static void require(const void *p) {
    if (p) return;
    fputs("refused\n", stderr);
    exit(1);
}

// Doubles a block by realloc from 1 to 512 MiB; with `touch` writes each new page.
static void doubling(int touch) {
    size_t old = 0;
    char *p = NULL;
    for (size_t bytes = MIB; bytes <= 512 * MIB; bytes *= 2) {
        p = realloc(p, bytes);
        require(p);
        for (size_t i = old; touch && i < bytes; i += 4096) p[i] = 1;
        p[0] = 1;
        old = bytes;
    }
    free(p);
}

static void calloc_one_byte(void) {
    char *p = calloc(64 * MIB, 1);
    require(p);
    p[12345678] = 1;
    free(p);
}

int main(int argc, char **argv) {
    struct timespec a, b;
    free(malloc(100)); // the first call is another goal's
    clock_gettime(CLOCK_MONOTONIC, &a);
    if (argc > 1 && strcmp(argv[1], "calloc") == 0) calloc_one_byte();
    else doubling(argc > 1 && strcmp(argv[1], "double-touch") == 0);
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%lld\n", (long long)(b.tv_sec - a.tv_sec) * 1000000000LL + (b.tv_nsec - a.tv_nsec));
    return 0;
}
