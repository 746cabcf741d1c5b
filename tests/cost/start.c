// The smallest life of a process, for counting its system calls.
// Usage: start none | malloc     (malloc: the first block is asked for in main, and one of every kind)
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void use(void *p) {
    if (!p) _exit(1);
    memset(p, 1, 1);
    free(p);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "malloc") == 0) {
        use(malloc(1));
        use(calloc(10, 100));
        use(realloc(malloc(20), 3000));
        use(memalign(64, 64));
    }
    return write(1, "main\n", 5) == 5 ? 0 : 1;
}
