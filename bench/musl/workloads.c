// What: workloads in C, for musl, which has no C++ compiler here. `workloads NAME [AMOUNT]` runs one and prints a sum
// of what it has written and read, which is the same under every allocator. bench/musl/measure.py measures the time.
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS = 4, LIVE = 10000, BATCH = 100, QUEUE = 256, LINE_BYTES = 512 };

struct thread {
    pthread_t id;
    long amount;
    uint64_t random, sum;
    int socket;
};

static uint32_t next(uint64_t *random) {
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*random >> 33);
}

static unsigned char *block(size_t bytes) {
    unsigned char *p = malloc(bytes);
    if (p == NULL) abort();
    p[0] = (unsigned char)bytes;
    p[bytes - 1] = (unsigned char)bytes;
    return p;
}

// --- one thread ------------------------------------------------------------------------------------------------------

static void pairs(struct thread *t) {
    for (long i = 0; i < t->amount; i++) {
        unsigned char *p = block(64);
        t->sum += p[63];
        free(p);
    }
}

static void batches(struct thread *t) {
    unsigned char *held[BATCH];
    for (long i = 0; i < t->amount; i += BATCH) {
        for (int k = 0; k < BATCH; k++) held[k] = block(16 + next(&t->random) % 1000);
        for (int k = 0; k < BATCH; k++) t->sum += held[k][0], free(held[k]);
    }
}

static void live_sets(struct thread *t) {
    unsigned char **live = calloc(LIVE, sizeof *live);
    for (long i = 0; live != NULL && i < t->amount; i++) {
        size_t at = next(&t->random) % LIVE;
        if (live[at] != NULL) t->sum += live[at][0], free(live[at]);
        live[at] = block(16 + next(&t->random) % 2000);
    }
    for (int i = 0; live != NULL && i < LIVE; i++) free(live[i]);
    free(live);
}

static void growth(struct thread *t) {
    for (long i = 0; i < t->amount; i += 1000) {
        size_t bytes = 0;
        for (char *text = NULL; bytes < 60 * 1000; free(bytes == 60 * 1000 ? text : NULL)) {
            bytes += 60;
            text = realloc(text, bytes);
            if (text == NULL) abort();
            memset(text + bytes - 60, (int)bytes, 60);
            t->sum += (unsigned char)text[bytes / 2];
        }
    }
}

static void large_blocks(struct thread *t) {
    unsigned char *held[20] = {NULL};
    for (long i = 0; i < t->amount; i++) {
        size_t at = next(&t->random) % 20;
        if (held[at] != NULL) t->sum += held[at][0], free(held[at]);
        held[at] = block(50000 + next(&t->random) % 400000);
    }
    for (int i = 0; i < 20; i++) free(held[i]);
}

// --- blocks that another thread frees --------------------------------------------------------------------------------

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    unsigned char *held[QUEUE][BATCH];
    unsigned put, got;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER, .emptied = PTHREAD_COND_INITIALIZER};

static void queue_put(unsigned char *const blocks[BATCH]) {
    pthread_mutex_lock(&queue.lock);
    while (queue.put - queue.got == QUEUE) pthread_cond_wait(&queue.emptied, &queue.lock);
    memcpy(queue.held[queue.put++ % QUEUE], blocks, sizeof queue.held[0]);
    pthread_cond_signal(&queue.filled);
    pthread_mutex_unlock(&queue.lock);
}

static void queue_get(unsigned char *blocks[BATCH]) {
    pthread_mutex_lock(&queue.lock);
    while (queue.put == queue.got) pthread_cond_wait(&queue.filled, &queue.lock);
    memcpy(blocks, queue.held[queue.got++ % QUEUE], sizeof queue.held[0]);
    pthread_cond_signal(&queue.emptied);
    pthread_mutex_unlock(&queue.lock);
}

// Half of the threads allocate blocks, the other half free them.
static void exchange(struct thread *t) {
    unsigned char *blocks[BATCH];
    for (long i = 0; i < t->amount; i += BATCH) {
        if (t->random % 2 == 0) {
            for (int k = 0; k < BATCH; k++) blocks[k] = block(16 + (size_t)(i + k) % 500);
            queue_put(blocks);
        } else {
            queue_get(blocks);
            for (int k = 0; k < BATCH; k++) t->sum += blocks[k][0], free(blocks[k]);
        }
    }
}

// --- a server: each connection has a thread; a request's words are copied, sorted, joined and answered ---------------

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static char *answer_to(const char *line) {
    char **words = NULL, *answer = calloc(1, LINE_BYTES);
    size_t count = 0;
    for (const char *word = line; *word != 0; count++) {
        size_t length = strcspn(word, " ");
        words = realloc(words, (count + 1) * sizeof *words);
        if (words == NULL || answer == NULL) abort();
        words[count] = strndup(word, length);
        word += length + (word[length] == ' ');
    }
    qsort(words, count, sizeof *words, by_text);
    for (size_t i = 0, at = 0; i < count; free(words[i++])) at += (size_t)snprintf(answer + at, LINE_BYTES - at, "%s ", words[i]);
    free(words);
    return answer;
}

static void *serve(void *connection) {
    char line[LINE_BYTES];
    while (recv(*(int *)connection, line, sizeof line, MSG_WAITALL) == sizeof line) {
        char *answer = answer_to(line);
        if (send(*(int *)connection, answer, LINE_BYTES, 0) != LINE_BYTES) abort();
        free(answer);
    }
    close(*(int *)connection);
    free(connection);
    return NULL;
}

static void ask_server(struct thread *t) {
    int ends[2], *theirs = malloc(sizeof *theirs);
    pthread_t server;
    if (theirs == NULL || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) abort();
    *theirs = ends[1];
    if (pthread_create(&server, NULL, serve, theirs) != 0) abort();
    for (long i = 0; i < t->amount; i += 40) {
        char line[LINE_BYTES] = "", *room = calloc(1, LINE_BYTES);
        for (size_t at = 0; at < LINE_BYTES - 20;) at += (size_t)sprintf(line + at, "%x ", (unsigned)next(&t->random) % 1000000);
        if (send(ends[0], line, sizeof line, 0) != sizeof line || recv(ends[0], room, LINE_BYTES, MSG_WAITALL) != LINE_BYTES) abort();
        for (size_t k = 0; room[k] != 0; k++) t->sum = t->sum * 31 + (unsigned char)room[k];
        free(room);
    }
    close(ends[0]);
    pthread_join(server, NULL);
}

// --- the table -------------------------------------------------------------------------------------------------------

static const struct workload {
    const char *name;
    void (*work)(struct thread *t);
    long amount;
    int threads;
} workloads[] = {
    {"pairs", pairs, 20000000, 1},
    {"batches", batches, 2000000, 1},
    {"live-sets", live_sets, 5000000, 1},
    {"growth", growth, 2000000, 1},
    {"large", large_blocks, 100000, 1},
    {"pairs-threads", pairs, 5000000, THREADS},
    {"live-threads", live_sets, 1000000, THREADS},
    {"large-threads", large_blocks, 50000, THREADS},
    {"exchange", exchange, 1000000, THREADS},
    {"server", ask_server, 200000, THREADS},
};
static const struct workload *chosen;

static void *run(void *thread) {
    chosen->work(thread);
    return NULL;
}

int main(int argc, char **argv) {
    static struct thread threads[THREADS];
    uint64_t sum = 0;
    for (size_t i = 0; argc > 1 && i < sizeof workloads / sizeof workloads[0]; i++)
        if (strcmp(workloads[i].name, argv[1]) == 0) chosen = &workloads[i];
    if (chosen == NULL) return 2;
    for (int i = 0; i < chosen->threads; i++) {
        threads[i] = (struct thread){.amount = argc > 2 ? atol(argv[2]) : chosen->amount, .random = (uint64_t)i};
        if (chosen->threads == 1)
            run(&threads[i]);
        else if (pthread_create(&threads[i].id, NULL, run, &threads[i]) != 0)
            return 1;
    }
    for (int i = 0; i < chosen->threads; i++) {
        if (chosen->threads > 1) pthread_join(threads[i].id, NULL);
        sum += threads[i].sum;
    }
    printf("%s %llu\n", chosen->name, (unsigned long long)sum);
    return 0;
}
