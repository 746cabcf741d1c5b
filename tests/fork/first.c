// What: a forked child whose first act is to start a thread. The new thread, not the one that forked, is then the first
// to notice that the process is a child; the heap of the forking thread must remain its own.
//
// Who: in the parent three threads with heaps; in the child the forking thread and two new ones, all allocating at
// once.
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fork/live.h"
#include "tests/misuse/actor.h"

enum { ROUNDS = 60, COUNT = 240, SURVIVOR = 0, OTHER = 1, NEW = 2, NEWER = 3 };

static const size_t sizes[] = {16, 64, 64, 200, 1024, 4096, 20000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void take_and_give_half(void *part) {
    int at[COUNT];
    for (int i = 0; i < COUNT; i++) at[i] = live_take((int)(uintptr_t)part, sizes[i % SIZES]);
    for (int i = 0; i < COUNT; i += 2) live_give(at[i]);
}

static void *new_thread(void *part) {
    for (int i = 0; i < 5; i++) take_and_give_half(part);
    return NULL;
}

static void child(void) {
    pthread_t a, b;
    alarm(150);
    if (pthread_create(&a, NULL, new_thread, (void *)NEW) != 0 || pthread_create(&b, NULL, new_thread, (void *)NEWER) != 0) _exit(2);
    for (int i = 0; i < 2; i++) take_and_give_half((void *)SURVIVOR);
    pthread_join(a, NULL);
    live_give_part(NEW);
    live_give_part(OTHER);
    pthread_join(b, NULL);
    live_give_part(NEWER);
    live_give_part(SURVIVOR);
    _exit(0);
}

static bool one_round(void) {
    struct actor other;
    int status = 0;
    actor_start(&other);
    actor_do(&other, take_and_give_half, (void *)OTHER);
    take_and_give_half((void *)SURVIVOR);
    pid_t pid = fork();
    if (pid == 0) child();
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    actor_stop(&other);
    for (int part = 0; part < LIVE_PARTS; part++) live_give_part(part);
    if (pid > 0 && status == 0) return true;
    printf("FAIL: the child's wait status is 0x%x\n", (unsigned)status);
    return false;
}

int main(void) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    for (int i = 0; i < ROUNDS; i++)
        if (!one_round()) return 1;
    return 0;
}
