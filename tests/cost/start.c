// A minimal program for counting system calls at start.
// Usage: start none | one | some     (one: allocates and frees a block in main; some: several sizes by several
// functions)
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
    const char *how = argc > 1 ? argv[1] : "none";
    if (strcmp(how, "none") != 0) use(malloc(1));
    if (strcmp(how, "some") == 0) {
        use(calloc(10, 100));
        use(realloc(malloc(20), 3000));
        use(memalign(64, 64));
    }
    return write(1, "main\n", 5) == 5 ? 0 : 1;
}
