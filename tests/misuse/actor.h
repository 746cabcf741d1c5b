// What: threads that do one thing when told, and otherwise sleep, holding whatever caches a sleeping thread holds.
//
// Who: the main thread commands; actor_do returns when the deed is done.
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

// One deed by a thread that exists only for it.
void by_thread(void (*deed)(void *), void *arg);

#endif
