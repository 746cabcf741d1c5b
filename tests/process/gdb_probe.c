// The program that gdb.sh examines: it holds 1,000 live blocks of 100 bytes, has freed 300, holds 200 of 3 MiB, and a
// thread holds 50 blocks of 40 bytes; then it ends by SIGABRT.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *small, *gone, *large, *of_thread;

static void *hold(void *ready) {
    for (int i = 0; i < 50; i++) of_thread = memset(malloc(40), 1, 40);
    pthread_barrier_wait(ready);
    pthread_barrier_wait(ready);
    return NULL;
}

__attribute__((noinline)) void stop_here(void) {
    __asm__ volatile("" : : : "memory");
    abort();
}

int main(void) {
    char *p[1300];
    for (int i = 0; i < 1300; i++) p[i] = memset(malloc(100), 1, 100);
    for (int i = 0; i < 300; i++) free(p[i]);
    small = p[1000], gone = p[100];
    for (int i = 0; i < 200; i++) large = malloc(3 << 20); // the last ones lie far up
    large[0] = 1;
    pthread_barrier_t ready;
    pthread_barrier_init(&ready, NULL, 2);
    pthread_t thread;
    pthread_create(&thread, NULL, hold, &ready);
    pthread_barrier_wait(&ready);
    stop_here();
    return 0;
}
