// What: implements actor.h: one mutex and one condition variable for each actor; its task runs with the mutex held.
#include "tests/misuse/actor.h"

#include <stdlib.h>

static void *actor_main(void *arg) {
    struct actor *a = arg;
    pthread_mutex_lock(&a->lock);
    for (;;) {
        while (!a->busy && !a->leaving) pthread_cond_wait(&a->changed, &a->lock);
        if (a->leaving) break;
        a->deed(a->arg);
        a->busy = false;
        pthread_cond_broadcast(&a->changed);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

void actor_start(struct actor *a) {
    *a = (struct actor){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .running = true};
    if (pthread_create(&a->thread, NULL, actor_main, a) != 0) _Exit(3);
}

void actor_do(struct actor *a, void (*deed)(void *), void *arg) {
    pthread_mutex_lock(&a->lock);
    a->deed = deed;
    a->arg = arg;
    a->busy = true;
    pthread_cond_broadcast(&a->changed);
    while (a->busy) pthread_cond_wait(&a->changed, &a->lock);
    pthread_mutex_unlock(&a->lock);
}

void actor_stop(struct actor *a) {
    if (!a->running) return;
    pthread_mutex_lock(&a->lock);
    a->leaving = true;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    a->running = false;
}

void by_thread(void (*deed)(void *), void *arg) {
    struct actor a;
    actor_start(&a);
    actor_do(&a, deed, arg);
    actor_stop(&a);
}
