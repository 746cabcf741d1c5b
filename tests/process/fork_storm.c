// 1,000 forks of a process whose other threads allocate all the time, create threads, and sit inside stdio
// (fflush(NULL), fprintf, fopen, getline hold stdio's locks while they allocate).
//
// Each child checks and frees what it inherited, also blocks whose threads are gone, allocates, uses stdio, at times
// starts threads and forks again. A deadlock ends the child by its own alarm.
#include "tests/process/blocks.h"
#include <stdatomic.h>

enum { FORKS = 1000, FORKERS = 2, WORKERS = 2, SLOTS = 96, ORPHANS = 64, LINES = 30, NESTING = 3 };

static _Atomic(void *) rings[WORKERS][SLOTS];
static _Atomic(void *) orphans[ORPHANS];
static atomic_bool stop;
static char text_path[40]; // a file without a name, by its descriptor: nothing to clean up

// Allocates before it swaps and frees after it: a slot always holds a whole block or NULL, at any instant.
static void *work(void *arg) {
    size_t self = (size_t)(uintptr_t)arg;
    uint64_t rng = 88172645463325252u + self;
    while (!atomic_load(&stop)) {
        size_t ring = (random_next(&rng) & 7) == 0 ? (self + 1) % WORKERS : self;
        size_t slot = (size_t)(rng >> 20) % SLOTS;
        block_free(atomic_exchange(&rings[ring][slot], block_new(block_random_bytes(&rng))));
    }
    return NULL;
}

static void *leave_orphans(void *arg) {
    uint64_t rng = (uint64_t)(uintptr_t)arg * 2654435761u + 1;
    for (int i = 0; i < 8; i++) {
        size_t slot = (size_t)(random_next(&rng) >> 20) % ORPHANS;
        block_free(atomic_exchange(&orphans[slot], block_new(block_random_bytes(&rng))));
    }
    return NULL;
}

static void *churn_threads(void *arg) {
    (void)arg;
    for (uintptr_t round = 1; !atomic_load(&stop); round++) thread_join(thread_start(leave_orphans, (void *)round));
    return NULL;
}

static void *write_stdio(void *arg) {
    (void)arg;
    FILE *out = fopen("/dev/null", "w");
    EXPECT(out != NULL);
    for (unsigned i = 0; !atomic_load(&stop); i++) {
        fprintf(out, "%u %s %f\n", i, "a line that fills the buffer", (double)i);
        if (i % 16 == 0) fflush(NULL);
        if (i % 64 != 0) continue;
        FILE *other = fopen("/dev/null", "w");
        EXPECT(other != NULL);
        fprintf(other, "%u\n", i);
        fclose(other);
    }
    fclose(out);
    return NULL;
}

static void read_lines(FILE *in) {
    char *line = NULL;
    size_t capacity = 0;
    rewind(in);
    while (getline(&line, &capacity, in) > 0) {
    }
    free(line);
}

static void *read_stdio(void *arg) {
    (void)arg;
    FILE *in = fopen(text_path, "r");
    EXPECT(in != NULL);
    while (!atomic_load(&stop)) read_lines(in);
    fclose(in);
    return NULL;
}

// Lines that grow to 40 KB: getline, with its stream locked, asks for small and for large blocks.
static void write_text(void) {
    FILE *out = tmpfile();
    EXPECT(out != NULL);
    snprintf(text_path, sizeof text_path, "/proc/self/fd/%d", fileno(out));
    for (int i = 0; i < LINES; i++) fprintf(out, "%*d\n", i * i * 50, i);
    fflush(out); // stays open
}

static void free_inherited(void) {
    for (size_t r = 0; r < WORKERS; r++)
        for (size_t s = 0; s < SLOTS; s++) block_free(atomic_exchange(&rings[r][s], NULL));
    for (size_t s = 0; s < ORPHANS; s++) block_free(atomic_exchange(&orphans[s], NULL));
}

static void *allocate_some(void *arg) {
    uint64_t rng = (uint64_t)(uintptr_t)arg + 12345;
    void *blocks[50];
    for (int i = 0; i < 50; i++) blocks[i] = block_new(block_random_bytes(&rng));
    for (int i = 0; i < 50; i += 3) blocks[i] = block_resize(blocks[i], block_random_bytes(&rng));
    for (int i = 0; i < 50; i++) block_free(blocks[i]);
    return NULL;
}

static void use_stdio(FILE *inherited) {
    fprintf(inherited, "child %d\n", (int)getpid());
    FILE *in = fopen(text_path, "r");
    EXPECT(in != NULL);
    read_lines(in);
    fclose(in);
    char *text = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);
    for (int i = 0; i < 200; i++) fprintf(memory, "line %d\n", i);
    EXPECT(fclose(memory) == 0 && bytes > 1000);
    free(text);
}

static void start_threads(void) {
    pthread_t first = thread_start(allocate_some, (void *)1);
    pthread_t second = thread_start(allocate_some, (void *)2);
    thread_join(first);
    thread_join(second);
}

static void live_as_child(int number, int depth, FILE *log) {
    deadline(30);
    allocate_some(NULL);
    free_inherited();
    use_stdio(log);
    if (number % 8 == 0) start_threads();
    if (number % 32 == 0 && depth < NESTING) {
        pid_t grandchild = fork();
        if (grandchild == 0) {
            live_as_child(number, depth + 1, log);
            _exit(0);
        }
        expect_child_ok(grandchild);
    }
    allocate_some(NULL);
}

static void *fork_many(void *arg) {
    int first = (int)(intptr_t)arg;
    FILE *log = fopen("/dev/null", "w"); // used by this thread alone, so whole in the child
    EXPECT(log != NULL);
    for (int i = first; i < FORKS; i += FORKERS) {
        fprintf(log, "before fork %d\n", i);
        pid_t child = fork();
        if (child == 0) {
            live_as_child(i, 0, log);
            _exit(0);
        }
        expect_child_ok(child);
    }
    fclose(log);
    return NULL;
}

int main(void) {
    test_begin(200);
    write_text();
    pthread_t threads[WORKERS + 3];
    for (size_t w = 0; w < WORKERS; w++) threads[w] = thread_start(work, (void *)w);
    threads[WORKERS] = thread_start(churn_threads, NULL);
    threads[WORKERS + 1] = thread_start(write_stdio, NULL);
    threads[WORKERS + 2] = thread_start(read_stdio, NULL);
    pthread_t forker = thread_start(fork_many, (void *)1);
    fork_many((void *)0);
    thread_join(forker);
    atomic_store(&stop, true);
    for (size_t t = 0; t < WORKERS + 3; t++) thread_join(threads[t]);
    free_inherited();
    puts("1000 children, each clean");
    return 0;
}
