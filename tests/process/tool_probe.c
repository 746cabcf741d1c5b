// The process that tool.sh sends requests to: live and free blocks of 512 bytes, a large block, threads that sleep
// while they hold memory. Prints that it is ready, and waits.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 40000, THREAD_BLOCKS = 2000, LIFE_S = 600 };

static void *sleep_on_memory(void *ready) {
    void *p[THREAD_BLOCKS];
    for (int i = 0; i < THREAD_BLOCKS; i++) p[i] = memset(malloc(700), 1, 700);
    int kept_one_in = sysconf(_SC_PAGESIZE) > 16384 ? 400 : 90; // whole pages are free
    for (int i = 0; i < THREAD_BLOCKS; i++) {
        if (i % kept_one_in != 0) free(p[i]);
    }
    pthread_barrier_wait(ready);
    pause();
    return p[0];
}

static void *churn(void *stop) {
    void *p[64] = {0};
    for (unsigned i = 0; *(volatile int *)stop == 0; i++) {
        free(p[i % 64]);
        p[i % 64] = malloc(i * 7 % 40000);
        if (i % 64 == 0) usleep(2000);
    }
    for (int i = 0; i < 64; i++) free(p[i]);
    return NULL;
}

void *large; // stays

static void fill(void) {
    static void *p[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) p[i] = memset(malloc(512), 1, 512);
    for (int i = 0; i < BLOCKS; i++) {
        if (i % 8 != 0) free(p[i]);
    }
    large = memset(malloc(8 << 20), 1, 3 << 20);
}

static void start_sleepers(void) {
    static pthread_barrier_t ready;
    pthread_t thread;
    pthread_barrier_init(&ready, NULL, 5);
    for (int i = 0; i < 4; i++) pthread_create(&thread, NULL, sleep_on_memory, &ready);
    pthread_barrier_wait(&ready);
}

static void say_ready(void) {
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
}

int main(int argc, char **argv) {
    static int stop;
    const char *mode = argc > 1 ? argv[1] : "sleep";
    if (strcmp(mode, "elsewhere") == 0 && chdir("/") != 0) return 1;
    fill();
    if (strcmp(mode, "threads") == 0) start_sleepers();
    pthread_t thread;
    for (int i = 0; strcmp(mode, "churn") == 0 && i < 64; i++) pthread_create(&thread, NULL, churn, &stop);
    pid_t child = strcmp(mode, "fork") == 0 ? fork() : -1;
    alarm(LIFE_S);
    if (child <= 0) say_ready();
    if (child == 0 || strcmp(mode, "churn_alone") == 0) {
        for (unsigned i = 1;; i++) { // calls enough that it comes to look in time on an emulated machine, too
            free(malloc((size_t)(rand() % 30000)));
            if (i % 64 == 0) usleep(100);
        }
    }
    char line[10];
    if (fgets(line, sizeof line, stdin) == NULL) return 0;
    return 0;
}
