// What: everything at once for a given time: threads that allocate, resize and free blocks of all sizes and exchange
// them, forks whose children continue, malloc_trim, threads that end, and memory that is refused for a while. Contents
// are checked at every step; between rounds, while all threads wait, the test checks the allocator's count of live
// bytes, its canaries (if it has any), and that freed memory is returned to the system.
//
//   soak SECONDS      one line a round; exit status 1 at the first fault
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 6, SLOTS = 3000, ROUND_MS = 4000, SHARED = 512, RSS_MOST_MIB = 1500, QUIET_MOST_MIB = 160 };

struct block {
    size_t bytes; // at the start and, from 16 bytes on, at the end of the block
};

static _Atomic(struct block *) shared[SHARED];
static atomic_bool stop;
static atomic_long taken, refused, forks;

static void fail(const char *what) {
    fprintf(stderr, "soak: %s\n", what);
    abort();
}

static uint64_t next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static void check(const struct block *b) {
    if (b == NULL) return;
    size_t end;
    if (b->bytes < 8 || b->bytes > (size_t)1 << 30) fail("a block's length is damaged");
    if (b->bytes >= 16) memcpy(&end, (const char *)b + b->bytes - 8, 8);
    if (b->bytes >= 16 && end != b->bytes) fail("a block's end is damaged");
    if (malloc_usable_size((void *)(uintptr_t)b) < b->bytes) fail("malloc_usable_size is too small");
}

static struct block *settle(struct block *b, size_t bytes) {
    if (b == NULL) {
        atomic_fetch_add(&refused, 1);
        return NULL;
    }
    b->bytes = bytes;
    if (bytes >= 16) memcpy((char *)b + bytes - 8, &bytes, 8);
    atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed);
    return b;
}

// Most are small, one in a thousand has megabytes.
static size_t any_bytes(uint64_t *rng) {
    uint64_t kind = next(rng) % 1000;
    size_t most = kind < 700 ? 256 : kind < 950 ? 4000 : kind < 998 ? 100000 : 4 << 20;
    return 8 + next(rng) % most;
}

static struct block *any_new(uint64_t *rng) {
    size_t bytes = any_bytes(rng);
    switch (next(rng) % 4) {
    case 0: {
        struct block *b = calloc(1, bytes);
        for (size_t i = 0; b != NULL && i < bytes; i += bytes / 32 + 1)
            if (((char *)b)[i] != 0) fail("calloc is not zero");
        return settle(b, bytes);
    }
    case 1: {
        size_t align = (size_t)16 << next(rng) % 9;
        struct block *b = memalign(align, bytes);
        if ((uintptr_t)b % align != 0) fail("memalign is not aligned");
        return settle(b, bytes);
    }
    default: return settle(malloc(bytes), bytes);
    }
}

static void give(struct block *b) {
    check(b);
    free(b);
}

static struct block *resize(struct block *b, uint64_t *rng) {
    size_t bytes = any_bytes(rng);
    check(b);
    if (b == NULL) return NULL;
    struct block *moved = realloc(b, bytes);
    if (moved == NULL) return b;
    size_t kept = moved->bytes < bytes ? moved->bytes : 8;
    if (kept < 8) fail("realloc has lost the start");
    return settle(moved, bytes);
}

static void one_step(struct block **mine, uint64_t *rng) {
    struct block **slot = &mine[next(rng) % SLOTS];
    switch (next(rng) % 8) {
    case 0: *slot = resize(*slot, rng); break;
    case 1: *slot = atomic_exchange(&shared[next(rng) % SHARED], *slot); break;
    default: give(*slot); *slot = next(rng) % 3 == 0 ? NULL : any_new(rng);
    }
}

static void child_lives(struct block **mine, uint64_t rng) {
    alarm(300);
    for (int i = 0; i < 2000; i++) one_step(mine, &rng);
    for (int i = 0; i < SLOTS; i++) give(mine[i]);
    _exit(0);
}

static void fork_once(struct block **mine, uint64_t *rng) {
    int status;
    pid_t child = fork();
    if (child == 0) child_lives(mine, next(rng) | 1);
    if (child < 0) return; // no memory for it just now
    if (waitpid(child, &status, 0) != child || status != 0) fail("a child failed");
    atomic_fetch_add(&forks, 1);
}

static void *worker(void *argument) {
    uint64_t rng = (uintptr_t)argument * 0x9e3779b97f4a7c15u + 1;
    struct block **mine = calloc(SLOTS, sizeof *mine);
    if (mine == NULL) return NULL;
    for (unsigned long step = 1; !atomic_load_explicit(&stop, memory_order_relaxed); step++) {
        one_step(mine, &rng);
        if (step % 50000 == 0) fork_once(mine, &rng);
        if (step % 70000 == 0) malloc_trim(0);
    }
    for (int i = 0; i < SLOTS; i++) give(mine[i]);
    free(mine);
    return NULL;
}

static long rss_mib(void) {
    long pages = 0, all = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm == NULL || fscanf(statm, "%ld %ld", &all, &pages) != 2) fail("no /proc/self/statm");
    fclose(statm);
    return pages * sysconf(_SC_PAGESIZE) >> 20;
}

static void pause_ms(long ms) { nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL); }

// Limits the address space to little more than its present size for part of a round.
static void refuse_for(long ms) {
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm == NULL || fscanf(statm, "%ld", &pages) != 1) fail("no /proc/self/statm");
    fclose(statm);
    struct rlimit old, tight;
    getrlimit(RLIMIT_AS, &old);
    tight = old;
    tight.rlim_cur = ((rlim_t)pages << 12) + (1 << 20);
    setrlimit(RLIMIT_AS, &tight);
    pause_ms(ms);
    setrlimit(RLIMIT_AS, &old);
}

static void run_round(unsigned number) {
    pthread_t threads[THREADS];
    size_t before = mallinfo2().uordblks;
    atomic_store(&stop, false);
    for (uintptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, worker, (void *)(number * THREADS + i + 1)) != 0) fail("pthread_create");
    pause_ms(ROUND_MS / 2);
    if (number % 3 == 2) refuse_for(ROUND_MS / 4);
    pause_ms(ROUND_MS / 4);
    long busy = rss_mib();
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < SHARED; i++) give(atomic_exchange(&shared[i], NULL));
    malloc_trim(0);
    long quiet = rss_mib();
    size_t after = mallinfo2().uordblks;
    printf("round %u: %ld blocks, %ld refused, %ld forks; resident %ld MiB, then %ld; live %zu -> %zu bytes\n", number, atomic_load(&taken),
           atomic_load(&refused), atomic_load(&forks), busy, quiet, before, after);
    fflush(stdout);
    if (busy > RSS_MOST_MIB || quiet > QUIET_MOST_MIB) fail("too much is resident");
    if (after > before + 65536) fail("blocks are lost");
}

int main(int argc, char **argv) {
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 10;
    time_t end = time(NULL) + seconds;
    free(calloc(1, 100000)); // what stdio and the first call take stays
    printf("soak for %ld s\n", seconds);
    for (unsigned round = 0; round < 2 || time(NULL) < end; round++) run_round(round);
    return 0;
}
