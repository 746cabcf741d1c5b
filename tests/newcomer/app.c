// The program that README's commands compile and run: it allocates by several threads' worth of lists and prints one line.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    size_t total = 0;
    for (size_t i = 1; i <= 1000; i++) {
        char *p = malloc(i);
        if (p == NULL) return 1;
        memset(p, 'x', i);
        total += strnlen(p, i);
        free(p);
    }
    return printf("%zu bytes\n", total) < 0;
}
