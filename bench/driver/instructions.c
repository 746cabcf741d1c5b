// What: bench_instructions N BATCH makes N pairs of malloc and free of 64 bytes, in batches of BATCH. The driver runs
// it under callgrind with two values of N and divides the difference, so that the program's start and end cancel out.
#include <stdlib.h>

int main(int count, char **arguments) {
    if (count != 3) return 2;
    const long pairs = atol(arguments[1]), batch = atol(arguments[2]);
    static void *volatile blocks[1000];
    if (batch < 1 || batch > 1000) return 2;
    for (long done = 0; done < pairs; done += batch) {
        for (long i = 0; i < batch; ++i) blocks[i] = malloc(64);
        for (long i = 0; i < batch; ++i) free(blocks[i]);
    }
    return 0;
}
