// Threads that pass blocks to each other under a lock: no data race unless requested (argument "race"); "after": a use
// after free; "leak": a leak.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, SLOTS = 100, STEPS = 5000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *slots[SLOTS];
static long shared;
static int races;

static char *exchange(int i, char *p) {
    pthread_mutex_lock(&lock);
    char *other = slots[i % SLOTS];
    slots[i % SLOTS] = p;
    pthread_mutex_unlock(&lock);
    return other;
}

static void *body(void *unused) {
    for (int i = 0; i < STEPS; i++) {
        size_t bytes = 64 + (size_t)i % 500 * (i % 50 == 0 ? 1000 : 1);
        char *p = malloc(bytes);
        memset(p, 1, bytes);
        char *other = exchange(i, p);
        if (other != NULL) other[1] = 2;
        free(other);
        free(realloc(calloc(1, 200), 400));
        if (races) shared++;
    }
    return unused;
}

static char *volatile lost;

int main(int argc, char **argv) {
    pthread_t threads[THREADS];
    const char *fault = argc > 1 ? argv[1] : "";
    races = strcmp(fault, "race") == 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, body, NULL);
        for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < SLOTS; i++) free(exchange(i, NULL));
    char *volatile p = malloc(100);
    free(p);
    if (strcmp(fault, "after") == 0) p[3] = 1;
    if (strcmp(fault, "leak") == 0) lost = malloc(1000), lost = NULL;
    puts("ran");
    return 0;
}
