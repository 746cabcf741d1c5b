// What: threads that perform one task when told to and otherwise sleep, while they keep whatever a sleeping thread's
// caches hold.
//
// Who: called by the main thread; actor_do returns when the task is done.
#ifndef MB_TESTS_MISUSE_ACTOR_H
#define MB_TESTS_MISUSE_ACTOR_H

#include <pthread.h>
#include <stdbool.h>

struct actor {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void (*deed)(void *);
    void *arg;
    bool busy, leaving, running;
};

void actor_start(struct actor *a);
void actor_do(struct actor *a, void (*deed)(void *), void *arg);
void actor_stop(struct actor *a); // the thread exits; a second stop does nothing

// Performs one task on a thread that is created for it and then ends.
void by_thread(void (*deed)(void *), void *arg);

#endif
