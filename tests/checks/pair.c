// The workload of scripts/check-hotpath: N pairs of malloc(64) and free, one block in turn or in batches of 100.
// What: nothing but the pairs, so that the difference of two runs with different N is the cost of the pairs alone.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 64, BATCH = 100 };

static void *blocks[BATCH];

// Allocates and frees `count` blocks, at most BATCH, oldest first.
static void batch(long count) {
    for (long i = 0; i < count; i++) {
        blocks[i] = malloc(BLOCK_BYTES);
        if (blocks[i] == NULL) abort();
    }
    for (long i = 0; i < count; i++) free(blocks[i]);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fputs("usage: pair turn|batch N\n", stderr);
        return 2;
    }
    long at_once = strcmp(argv[1], "batch") == 0 ? BATCH : 1;
    long pairs = strtol(argv[2], NULL, 10);
    for (long done = 0; done < pairs; done += at_once) batch(at_once);
    return 0;
}
