// Messages of one size between threads: a dispatcher allocates each message from a pool and passes it to a worker, and
// the worker frees it into that pool. A free is one compare-and-swap: there is no lock, no queue that can be full, and
// the dispatcher never waits.
#include <mbmalloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

enum { WORKERS = 2, MESSAGES = 200000, WAITING = 256 };

struct message {
    uint64_t number;
    char text[40];
};

// One dispatcher writes, one worker reads.
struct queue {
    _Alignas(64) _Atomic unsigned written;
    _Alignas(64) _Atomic unsigned read;
    struct message *waiting[WAITING];
};

struct worker {
    struct queue queue;
    struct mb_remote_handle_shared handle; // its right to give messages back
    uint64_t sum;
};

static void put(struct queue *queue, struct message *message) {
    unsigned at = atomic_load_explicit(&queue->written, memory_order_relaxed);
    while (at - atomic_load_explicit(&queue->read, memory_order_acquire) == WAITING) sched_yield();
    queue->waiting[at % WAITING] = message;
    atomic_store_explicit(&queue->written, at + 1, memory_order_release);
}

static struct message *next(struct queue *queue) {
    unsigned at = atomic_load_explicit(&queue->read, memory_order_relaxed);
    while (atomic_load_explicit(&queue->written, memory_order_acquire) == at) sched_yield();
    struct message *message = queue->waiting[at % WAITING];
    atomic_store_explicit(&queue->read, at + 1, memory_order_release);
    return message;
}

static void *work(void *argument) {
    struct worker *worker = argument;
    struct message *message;
    while ((message = next(&worker->queue)) != NULL) {
        worker->sum += message->number;
        if (mb_remote_handle_give(&worker->handle, message) != MB_OK) return NULL;
    }
    return worker;
}

static bool dispatch(struct mb_remote_slab *pool, struct worker *workers) {
    for (uint64_t i = 1; i <= MESSAGES; i++) {
        struct message *message = mb_remote_slab_take(pool);
        if (message == NULL) return false;
        message->number = i;
        snprintf(message->text, sizeof message->text, "message %d", (int)i);
        put(&workers[i % WORKERS].queue, message);
    }
    return true;
}

// Announces the end, waits for the worker, and gives its handle up.
static bool finish(struct worker *worker, pthread_t thread) {
    void *done = NULL;
    put(&worker->queue, NULL);
    pthread_join(thread, &done);
    return mb_remote_handle_drop(&worker->handle) == MB_OK && done != NULL;
}

int main(void) {
    static struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    struct mb_remote_slab pool;
    uint64_t sum = 0;
    if (mb_remote_slab_new(&pool, sizeof(struct message), _Alignof(struct message), (size_t)1 << 30) != MB_OK) return 1;
    for (int i = 0; i < WORKERS; i++) {
        mb_remote_slab_handle(&pool, &workers[i].handle);
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) return 1;
    }
    bool fine = dispatch(&pool, workers);
    for (int i = 0; i < WORKERS; i++) {
        fine = finish(&workers[i], threads[i]) && fine;
        sum += workers[i].sum;
    }
    fine = fine && sum == (uint64_t)MESSAGES * (MESSAGES + 1) / 2 && mb_remote_slab_live(&pool) == 0;
    size_t trimmed = mb_remote_slab_trim(&pool);
    printf("%d messages, at most %zu KiB of them at a time\n", MESSAGES, trimmed >> 10);
    return mb_remote_slab_drop(&pool) == MB_OK && fine ? 0 : 1;
}
