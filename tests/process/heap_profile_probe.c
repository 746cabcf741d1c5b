// A program whose heap profile is known, for heap_profile.sh. usage: PROBE exit | closed | fork | resized | live |
// storm
//
//   exit    small_blocks() holds 40,000,000 bytes, long_blocks() 20,000,000, large_blocks() 40,000,000; in_turn() has allocated and
//           freed 100,000,000
//   closed  the same with every descriptor closed
//   fork    the same; a child frees what small_blocks() holds, and ends
//   resized moved_blocks() holds 40,000,000 bytes that it allocated as 8,000,000; growing_blocks() holds 120,000,000 and has allocated
//           180,000,000; aligned_blocks() holds 20,480,000; others_blocks() has allocated 20,000,000, half of which another thread freed
//   live    writes its process id; then leaks() leaks, until standard input ends
//   storm   64 threads allocate, free each other's blocks, fork and end
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACE __attribute__((noinline))
#define NO_TAIL_CALL() __asm__ volatile("" : : : "memory")

enum { SMALL = 400000, LONG = 5000, LARGE = 400, IN_TURN = 1000000 };
static void *volatile small_kept[SMALL], *volatile long_kept[LONG], *volatile large_kept[LARGE];

PLACE static void small_blocks(void) {
    for (unsigned i = 0; i < SMALL; i++) small_kept[i] = malloc(100);
    NO_TAIL_CALL();
}
PLACE static void long_blocks(void) {
    for (unsigned i = 0; i < LONG; i++) long_kept[i] = calloc(4, 1000);
    NO_TAIL_CALL();
}
PLACE static void large_blocks(void) {
    for (unsigned i = 0; i < LARGE; i++) large_kept[i] = malloc(100000);
    NO_TAIL_CALL();
}
PLACE static void in_turn(void) {
    for (unsigned i = 0; i < IN_TURN; i++) {
        void *volatile p = malloc(100);
        free(p);
    }
    NO_TAIL_CALL();
}

PLACE static void hold(void) {
    small_blocks();
    long_blocks();
    large_blocks();
    in_turn();
    NO_TAIL_CALL();
}

static int closed(void) {
    hold();
    for (int fd = 0; fd < 1024; fd++) close(fd);
    return 0;
}

static int forked(void) {
    hold();
    pid_t child = fork();
    if (child == 0) {
        for (unsigned i = 0; i < SMALL; i++) free(small_kept[i]);
        exit(0);
    }
    int status = 1;
    waitpid(child, &status, 0);
    return status == 0 ? 0 : 1;
}

// --- resized ---------------------------------------------------------------------------------------------------------

enum { MOVED = 200000, GROWING = 300, ALIGNED = 20000, OTHERS = 200000 };
static void *volatile moved_kept[MOVED], *volatile growing_kept[GROWING], *volatile aligned_kept[ALIGNED], *volatile others_kept[OTHERS];

// 40 bytes become 48 where they are, and 200 elsewhere.
PLACE static void moved_blocks(void) {
    for (unsigned i = 0; i < MOVED; i++) moved_kept[i] = realloc(realloc(malloc(40), 48), 200);
    NO_TAIL_CALL();
}
PLACE static void growing_blocks(void) {
    for (unsigned i = 0; i < GROWING; i++) growing_kept[i] = realloc(realloc(malloc(50000), 150000), 400000);
    NO_TAIL_CALL();
}
PLACE static void aligned_blocks(void) {
    for (unsigned i = 0; i < ALIGNED; i++) aligned_kept[i] = aligned_alloc(256, 1024);
    NO_TAIL_CALL();
}
PLACE static void others_blocks(void) {
    for (unsigned i = 0; i < OTHERS; i++) others_kept[i] = malloc(100);
    NO_TAIL_CALL();
}
static void *free_every_other(void *unused) {
    for (unsigned i = 0; i < OTHERS; i += 2) free(others_kept[i]);
    return unused;
}

static int resized(void) {
    pthread_t thread;
    moved_blocks();
    growing_blocks();
    aligned_blocks();
    others_blocks();
    return pthread_create(&thread, NULL, free_every_other, NULL) != 0 || pthread_join(thread, NULL) != 0;
}

// --- live ------------------------------------------------------------------------------------------------------------

static void *volatile leaked;
PLACE static void leaks(void) {
    for (unsigned i = 0; i < 100; i++) leaked = malloc(1000);
    NO_TAIL_CALL();
}

static int live(void) {
    struct pollfd input = {.fd = 0, .events = POLLIN};
    printf("%d\n", (int)getpid());
    fflush(stdout);
    while (poll(&input, 1, 1) == 0) {
        leaks();
        in_turn();
    }
    return 0;
}

// --- storm -----------------------------------------------------------------------------------------------------------

enum { THREADS = 64, ROUNDS = 3000, SLOTS = 512 };
static _Atomic(unsigned char *) slot[SLOTS];

static void check_and_free(unsigned char *p) {
    if (p == NULL) return;
    size_t bytes = *(uint32_t *)(void *)p;
    for (size_t i = 4; i < bytes; i += 61) {
        if (p[i] != (unsigned char)bytes) abort();
    }
    free(p);
}

static void step(uint32_t random) {
    size_t bytes = 8 + (random >> 8) % (random % 61 == 0 ? 200000 : 700);
    unsigned char *p = random % 5 == 0 ? calloc(1, bytes) : random % 7 == 0 ? aligned_alloc(64, (bytes + 63) & ~(size_t)63) : malloc(bytes);
    if (p == NULL) abort();
    if (random % 3 == 0) p = realloc(p, bytes += random % 100);
    if (p == NULL) abort();
    memset(p, (int)bytes, bytes);
    *(uint32_t *)(void *)p = (uint32_t)bytes;
    check_and_free(atomic_exchange(&slot[random % SLOTS], p));
}

static void child_ends_well(uint32_t random) {
    pid_t child = fork();
    if (child == 0) {
        for (unsigned i = 0; i < 200; i++) step(random = random * 1664525 + 1013904223);
        _exit(0);
    }
    int status = 1;
    if (child > 0 && (waitpid(child, &status, 0) != child || status != 0)) abort();
}

static void *storm_thread(void *argument) {
    uint32_t random = (uint32_t)(uintptr_t)argument * 2654435761u + 1;
    for (unsigned i = 0; i < ROUNDS; i++) {
        random = random * 1664525 + 1013904223;
        step(random >> 4);
        if (i % 1500 == 700) child_ends_well(random);
    }
    return NULL;
}

static int storm(void) {
    pthread_t thread[THREADS];
    for (uintptr_t t = 0; t < THREADS; t++) {
        if (pthread_create(&thread[t], NULL, storm_thread, (void *)t) != 0) return 1;
    }
    for (unsigned t = 0; t < THREADS; t++) pthread_join(thread[t], NULL);
    for (unsigned i = 0; i < SLOTS; i++) check_and_free(atomic_exchange(&slot[i], NULL));
    return 0;
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "exit") == 0) return hold(), 0;
    if (strcmp(mode, "closed") == 0) return closed();
    if (strcmp(mode, "fork") == 0) return forked();
    if (strcmp(mode, "resized") == 0) return resized();
    if (strcmp(mode, "live") == 0) return live();
    if (strcmp(mode, "storm") == 0) return storm();
    return 2;
}
