// uordblks + hblkhd of mallinfo2 is the sum of the usable sizes of all live blocks, and exact if no other thread is
// inside the allocator: with one thread, with threads that hold each other's blocks, and with blocks of threads that
// have ended.
//
// glibc counts headers and cached blocks too, so under plain glibc the sums are only printed.
#include "tests/process/blocks.h"
#include <malloc.h>
#include <stdatomic.h>

enum { COUNT = 4000, THREADS = 4 };

static void *blocks[THREADS][COUNT];
static size_t held[THREADS]; // sum of usable sizes in each row
static pthread_barrier_t turn;

static size_t in_use(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void expect_in_use(size_t before, size_t expected, const char *what) {
    size_t now = in_use();
    if (!under_mbmalloc()) return;
    if (now - before != expected) {
        char text[160];
        snprintf(text, sizeof text, "%s: what is in use rose by %zd, live blocks by %zu\n", what, (ssize_t)(now - before), expected);
        say(text);
    }
    EXPECT(now - before == expected);
}

static void fill(size_t row, uint64_t seed) {
    held[row] = 0;
    for (size_t i = 0; i < COUNT; i++) {
        blocks[row][i] = block_new(block_random_bytes(&seed));
        held[row] += malloc_usable_size(blocks[row][i]);
    }
}

static void free_part(size_t row, size_t step) {
    for (size_t i = 0; i < COUNT; i += step) {
        if (blocks[row][i] != NULL) held[row] -= malloc_usable_size(blocks[row][i]);
        block_free(blocks[row][i]);
        blocks[row][i] = NULL;
    }
}

static void resize_part(size_t row) {
    uint64_t rng = 77;
    for (size_t i = 1; i < COUNT; i += 2) {
        held[row] -= malloc_usable_size(blocks[row][i]);
        blocks[row][i] = block_resize(blocks[row][i], block_random_bytes(&rng));
        held[row] += malloc_usable_size(blocks[row][i]);
    }
}

static size_t all_held(void) {
    size_t sum = 0;
    for (size_t t = 0; t < THREADS; t++) sum += held[t];
    return sum;
}

static void one_thread(void) {
    size_t before = in_use();
    fill(0, 3);
    expect_in_use(before, held[0], "filled");
    free_part(0, 2);
    expect_in_use(before, held[0], "half freed");
    resize_part(0);
    expect_in_use(before, held[0], "resized");
    void *aligned = keep(memalign(1 << 16, 100)), *large = keep(calloc(1, 10 << 20));
    expect_in_use(before, held[0] + malloc_usable_size(aligned) + malloc_usable_size(large), "aligned and large");
    free(aligned);
    free(large);
    free_part(0, 1);
    expect_in_use(before, 0, "all freed");
}

static void rest(void) {
    pthread_barrier_wait(&turn); // all have done their part
    pthread_barrier_wait(&turn); // main has looked
}

// Fill own row; free half of the next thread's row; resize own; end with what is left.
static void *take_turns(void *arg) {
    size_t self = (size_t)(uintptr_t)arg;
    block_free(block_new(100)); // what the allocator starts for a second thread, libc allocates a little for
    rest();
    fill(self, self + 50);
    rest();
    free_part((self + 1) % THREADS, 2);
    rest();
    resize_part(self);
    rest();
    return NULL;
}

static void several_threads(void) {
    static const char *const steps[] = {"threads filled", "threads freed each other's", "threads resized"};
    pthread_t threads[THREADS];
    EXPECT(pthread_barrier_init(&turn, NULL, THREADS + 1) == 0);
    for (uintptr_t t = 0; t < THREADS; t++) threads[t] = thread_start(take_turns, (void *)t);
    pthread_barrier_wait(&turn);
    size_t before = in_use(); // what libc allocated for the threads is in it
    for (size_t s = 0; s < 3; s++) {
        pthread_barrier_wait(&turn);
        pthread_barrier_wait(&turn);
        expect_in_use(before, all_held(), steps[s]);
    }
    pthread_barrier_wait(&turn);
    for (int t = 0; t < THREADS; t++) thread_join(threads[t]);
    size_t ended = in_use() - all_held();
    for (size_t t = 0; t < THREADS; t++) free_part(t, 1);
    expect_in_use(ended, 0, "blocks of ended threads freed");
    malloc_trim(0);
    expect_in_use(ended, 0, "trimmed");
}

// The old structure has int fields: the low bits of the same numbers.
static void old_structure_agrees(void) {
    void *p = block_new(50 << 20);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    struct mallinfo old = mallinfo();
#pragma GCC diagnostic pop
    struct mallinfo2 now = mallinfo2();
    EXPECT((unsigned)old.uordblks == (unsigned)now.uordblks && (unsigned)old.arena == (unsigned)now.arena);
    EXPECT(now.uordblks + now.hblkhd >= 50u << 20);
    if (under_mbmalloc()) EXPECT(now.hblkhd >= 50u << 20 && now.arena >= now.uordblks);
    block_free(p);
}

int main(void) {
    test_begin(60);
    printf("start: %zu bytes in use\n", in_use());
    fflush(stdout);
    one_thread();
    several_threads();
    old_structure_agrees();
    puts("accounts agree");
    return 0;
}
