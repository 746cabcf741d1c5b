// main leaves by pthread_exit: the process must end by itself, with status 0, once the program's last thread has ended;
// a helper thread of the allocator must not keep it alive. Variants: see the table.
#include "tests/process/blocks.h"

enum { WORKERS = 3, BLOCKS = 300 };

static void *of_main[BLOCKS];

static long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void allocate_for(long ms) {
    uint64_t rng = 11;
    for (long end = now_ms() + ms; now_ms() < end;) {
        for (int n = 0; n < 100; n++) block_free(block_new(block_random_bytes(&rng)));
        sleep_ms(1);
    }
}

static void *work_briefly(void *arg) {
    allocate_for((long)(intptr_t)arg);
    return NULL;
}

static void *free_of_main(void *arg) {
    sleep_ms(100); // main has gone by now
    for (int i = 0; i < BLOCKS; i++) block_free(of_main[i]);
    return work_briefly(arg);
}

static void leave_at_once(void) {
    for (int i = 0; i < WORKERS; i++) pthread_detach(thread_start(work_briefly, (void *)(intptr_t)(30 * i)));
}

static void leave_after_join(void) {
    pthread_t threads[WORKERS];
    for (int i = 0; i < WORKERS; i++) threads[i] = thread_start(work_briefly, (void *)20);
    for (int i = 0; i < WORKERS; i++) thread_join(threads[i]);
}

static void leave_alone(void) { allocate_for(5); }

static void leave_blocks(void) {
    for (size_t i = 0; i < BLOCKS; i++) of_main[i] = block_new(16 + i * 40);
    pthread_detach(thread_start(free_of_main, (void *)20));
}

// The last thread never allocates itself.
static void *only_wait(void *arg) {
    sleep_ms((long)(intptr_t)arg);
    return NULL;
}

static void leave_waiter(void) {
    leave_at_once();
    pthread_detach(thread_start(only_wait, (void *)200));
}

// Long enough for the helper, which wakes every second, to be asleep, awake or ending.
static void leave_late(void) {
    leave_at_once();
    pthread_detach(thread_start(work_briefly, (void *)1500));
}

static const struct {
    const char *name;
    void (*body)(void);
} variants[] = {
    {"at-once", leave_at_once}, {"after-join", leave_after_join}, {"alone", leave_alone},
    {"blocks", leave_blocks},   {"waiter", leave_waiter},         {"late", leave_late},
};
enum { VARIANTS = sizeof variants / sizeof variants[0] };

int main(int argc, char **argv) {
    for (size_t v = 0; argc > 1 && v < VARIANTS; v++) {
        if (strcmp(argv[1], variants[v].name) != 0) continue;
        deadline(15);
        variants[v].body();
        pthread_exit(NULL);
    }
    test_begin(60);
    for (size_t v = 0; v < VARIANTS; v++) expect_self_ok(variants[v].name);
    puts("every process ended by itself");
    return 0;
}
