// The program that README's commands compile and run: it allocates memory, of which 16 MB stay live so that a heap
// profile has samples, prints one line, and ends. With APP_STAYS in the environment it runs until it is stopped; with
// APP_FREES_TWICE it frees a block twice.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void hold(void) {
    static void *held[16000];
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) held[i] = malloc(1000);
}

static void free_twice(void) {
    char *volatile p = malloc(64);
    free(p);
    free(p);
}

int main(void) {
    size_t total = 0;
    hold();
    for (size_t i = 1; i <= 1000; i++) {
        char *p = malloc(i);
        if (p == NULL) return 1;
        memset(p, 'x', i);
        total += strnlen(p, i);
        free(p);
    }
    if (getenv("APP_FREES_TWICE") != NULL) free_twice();
    printf("%zu bytes\n", total);
    fflush(stdout);
    while (getenv("APP_STAYS") != NULL) {
        char *p = malloc(100000);
        free(p);
        usleep(1000);
    }
    return 0;
}
