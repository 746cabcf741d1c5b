// The program of options.sh: prints the addresses of some blocks, and frees one twice if asked to.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    static const size_t sizes[] = {24, 1000, 20000, 300000};
    void *volatile p = NULL;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        p = malloc(sizes[i]);
        printf("%p ", p);
    }
    printf("%s\n", getuid() == geteuid() ? "" : "secure");
    fflush(stdout);
    if (argc > 1 && strcmp(argv[1], "twice") == 0) {
        free(p);
        free(p);
    }
    return 0;
}
