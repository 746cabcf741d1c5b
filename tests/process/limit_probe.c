// The program of cgroup_limit.sh: prints how many of 100 blocks of 1 MiB, all written, it could allocate. For
// memory_options.sh:
//   soft    allocates 40 MB in small blocks, frees most of them, and continues to allocate a second later; prints the resident MiB
//   again   allocates and frees 200 large blocks in turn; prints how many had the address of an earlier one
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long resident_mib(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1) return -1;
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE) >> 20;
}

static void touch(void *p, size_t bytes) {
    if (p != NULL) memset(p, 1, bytes);
}

// The soft limit acts at most once a second, and has acted while the heap grew.
static void grow_free_and_go_on(void) {
    static void *blocks[40000];
    enum { BLOCKS = sizeof blocks / sizeof *blocks, KEPT_ONE_IN = 80, MORE = 200, MORE_BYTES = 40000 };
    for (int i = 0; i < BLOCKS; i++) touch(blocks[i] = malloc(1000), 1000);
    for (int i = 0; i < BLOCKS; i++) {
        if (i % KEPT_ONE_IN != 0) free(blocks[i]);
    }
    usleep(1200000);
    for (int i = 0; i < MORE; i++) touch(malloc(MORE_BYTES), MORE_BYTES);
}

static int addresses_seen_again(void) {
    static uintptr_t seen[200];
    int again = 0;
    for (int i = 0; i < 200; i++) {
        void *p = malloc(600000);
        int j = 0;
        seen[i] = (uintptr_t)p;
        while (seen[j] != seen[i]) j++;
        again += j < i;
        free(p);
    }
    return again;
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "again") == 0) {
        printf("%d\n", addresses_seen_again());
        return 0;
    }
    if (count > 1 && strcmp(arguments[1], "soft") == 0) {
        grow_free_and_go_on();
        printf("%ld\n", resident_mib());
        return 0;
    }
    int had = 0;
    for (void *p; had < 100 && (p = malloc(1 << 20)) != NULL; had++) memset(p, 1, 1 << 20);
    printf("%d\n", had);
    return 0;
}
