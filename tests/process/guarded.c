// Guarded samples (option guard_rate): a sampled block behaves like any other; faults on samples are reported with
// their call stacks, and the process ends as it would have; of a fault that is repeated many times the expected share
// is found; a signal handler that the program installs takes precedence.
//
// Who: each fault happens in a forked child, whose standard error is read.
#include "core/told/public.h"
#include "tests/process/blocks.h"
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { TEXT = 1 << 16, MANY = 4000 };

static char text[TEXT];

static int how_it_ends(void (*deed)(void)) {
    int ends[2], status;
    size_t used = 0;
    EXPECT(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        dup2(ends[1], 2);
        deed();
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t got; used < TEXT - 1 && (got = read(ends[0], text + used, TEXT - 1 - used)) > 0;) used += (size_t)got;
    text[used] = 0;
    close(ends[0]);
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void expect(void (*deed)(void), int signal_number, const char *words) {
    int end = how_it_ends(deed);
    if (end != signal_number || strstr(text, words) == NULL) {
        printf("ends with %d, not %d and '%s': %s\n", end, signal_number, words, text);
        exit(1);
    }
}

static void expect_silence(void) {
    if (text[0] == 0) return;
    printf("says: %s\n", text);
    exit(1);
}

// --- samples among other blocks --------------------------------------------------------------------------------------

// Samples lie between inaccessible pages, away from all slabs, so that no block is next to them.
static bool is_readable(const char *p) {
    int ends[2];
    EXPECT(pipe(ends) == 0);
    bool readable = write(ends[1], p, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return readable;
}

static size_t length;
static char *taken[MANY];

static size_t page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }
static bool is_sample(const char *p) {
    const char *page = (const char *)((uintptr_t)p & ~(uintptr_t)(page_bytes() - 1));
    return !is_readable(page - 1) && !is_readable(page + page_bytes());
}
static bool ends_at_guard(const char *p) { return (uintptr_t)(p + length) % page_bytes() == 0 && is_sample(p); }
static bool begins_at_guard(const char *p) { return (uintptr_t)p % page_bytes() == 0 && is_sample(p); }

// Allocates until a block is such a sample; the other blocks stay live.
static char *sample(bool (*lies)(const char *p)) {
    for (int i = 0; i < MANY; i++) {
        char *p = taken[i] = (char *)keep(malloc(length));
        memset(p, 1, length);
        if (i > 0 && lies(p)) return p;
    }
    printf("no sample among %d blocks of %zu bytes\n", MANY, length);
    exit(1);
}

static int touch(const char *p, long at) { return *(const volatile char *)(p + at); }
static void put(char *p, long at) { *(volatile char *)(p + at) = 9; }

static void read_behind(void) { touch(sample(ends_at_guard), (long)length); }
static void write_behind(void) { put(sample(ends_at_guard), (long)length + 100); }
static void read_before(void) { touch(sample(begins_at_guard), -1); }
static void write_slack(void) {
    char *p = sample(begins_at_guard);
    put(p, (long)length);
    free(p);
}
static void write_lead(void) {
    char *p = sample(ends_at_guard);
    put(p, -1);
    free(p);
}
static void read_freed(void) {
    char *p = sample(ends_at_guard);
    free(p);
    touch(p, 5);
}
static void free_twice(void) {
    char *p = sample(ends_at_guard);
    free(p);
    free(p);
}
static void free_inside(void) { free(sample(ends_at_guard) + 16); }
static void realloc_freed(void) {
    char *p = sample(ends_at_guard);
    free(p);
    keep(realloc(p, 10));
}
static void free_by_child(void) {
    char *p = sample(ends_at_guard);
    pid_t child = fork();
    if (child == 0) {
        free(p);
        touch(p, 1);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    EXPECT(touch(p, 1) == 1); // the parent's is live
    raise(WTERMSIG(status));
}

// --- faults that are none of ours ------------------------------------------------------------------------------------

static void null_pointer(void) {
    sample(ends_at_guard);
    touch((const char *)keep(NULL), 8);
}
static void sent_by_somebody(void) {
    sample(ends_at_guard);
    kill(getpid(), SIGSEGV);
    pause();
}

static sigjmp_buf back;
static void on_signal(int number) { siglongjmp(back, number); }

static void own_handler(void) {
    signal(SIGSEGV, on_signal);
    char *p = sample(ends_at_guard);
    if (sigsetjmp(back, 1) == 0) {
        touch(p, (long)length);
        _exit(1);
    }
    free(p);
    _exit(7);
}

// --- samples as blocks -----------------------------------------------------------------------------------------------

static void behaves(void) {
    static void *all[MANY];
    for (size_t round = 0; round < 30; round++) {
        for (size_t i = 0; i < MANY; i++) {
            size_t align = (size_t)16 << (i % 9), bytes = 1 + i * 37 % 5000;
            if (i % 3 == 0) {
                all[i] = keep(aligned_alloc(align, bytes));
                EXPECT((uintptr_t)all[i] % align == 0);
            } else {
                all[i] = keep(i % 3 == 1 ? malloc(bytes) : calloc(1, bytes));
                EXPECT((uintptr_t)all[i] % 16 == 0);
            }
            EXPECT(all[i] != NULL && malloc_usable_size(all[i]) >= bytes);
            for (size_t b = 0; i % 3 == 2 && b < bytes; b++) EXPECT(((char *)all[i])[b] == 0);
            if (bytes < BLOCK_MIN) bytes = BLOCK_MIN, all[i] = keep(realloc(all[i], bytes));
            block_stamp(all[i], bytes);
        }
        for (size_t i = 0; i < MANY; i += 2) {
            size_t old = block_check(all[i]), bytes = BLOCK_MIN + (i * 101 + round) % 6000;
            all[i] = keep(realloc(all[i], bytes));
            size_t kept;
            memcpy(&kept, all[i], sizeof kept);
            EXPECT(kept == old);
            block_stamp(all[i], bytes);
        }
        for (size_t i = 0; i < MANY; i++) block_check(all[i]);
        for (size_t i = 0; i < MANY; i++) free(all[i * 7 % MANY]);
    }
}

static int add_block(void *sum, const struct mb_block_info *block) {
    *(size_t *)sum += block->usable_bytes;
    return 0;
}

// Statistics, the walk over blocks and the description of an address know samples.
static void is_counted(void) {
    int (*get)(struct mb_statistics *) = (int (*)(struct mb_statistics *))dlsym(RTLD_DEFAULT, "mb_statistics_get");
    int (*walk)(int (*)(void *, const struct mb_block_info *), void *) =
        (int (*)(int (*)(void *, const struct mb_block_info *), void *))dlsym(RTLD_DEFAULT, "mb_blocks_visit");
    int (*describe)(const void *, struct mb_block_info *) =
        (int (*)(const void *, struct mb_block_info *))dlsym(RTLD_DEFAULT, "mb_block_describe");
    struct mb_statistics before = {.size = sizeof before}, after = {.size = sizeof after};
    struct mb_block_info info = {.size = sizeof info};
    size_t bytes = 0, blocks = 0;
    EXPECT(get(&before) == 1);
    char *p = sample(ends_at_guard);
    EXPECT(get(&after) == 1 && walk(add_block, &bytes) == 0);
    while (taken[blocks] != NULL) blocks++;
    EXPECT(after.live_blocks - before.live_blocks == blocks);
    EXPECT(bytes == after.live_bytes);
    EXPECT(describe(p + 5, &info) == 1 && info.base == p && info.usable_bytes == length && info.live);
    free(p);
    EXPECT(describe(p + 5, &info) == 0);
}

// --- how soon a fault is found ---------------------------------------------------------------------------------------

// Reads behind each block: only a guard page makes that a fault; otherwise another block lies there.
static void read_behind_each(void) {
    for (unsigned i = 0;; i++) {
        char *p = (char *)keep(malloc(length));
        *(volatile unsigned *)taken[0] = i;
        touch(p, (long)length);
        free(p);
    }
}

static double mean_until_found(int runs, double wanted) {
    unsigned *shared = (unsigned *)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    double sum = 0;
    taken[0] = (char *)shared;
    for (int i = 0; i < runs; i++) {
        for (double n = 0; n < i * 997 % 20000 * wanted / 4267; n++)
            free(keep(malloc(length))); // each child begins elsewhere between two samples
        expect(read_behind_each, SIGSEGV, "heap overflow (touched behind the block)");
        sum += *shared;
    }
    return sum / runs;
}

int main(int argc, char **argv) {
    test_begin(120);
    if (argc > 2) { // RATE ALLOCATIONS: how many until a sample is met that ends at its guard
        length = 64;
        double wanted = atof(argv[2]), mean = mean_until_found(60, wanted);
        printf("found after %.0f allocations on average, %.0f expected\n", mean, wanted);
        EXPECT(mean > wanted * 0.6 && mean < wanted * 1.6);
        return 0;
    }
    length = 64;
    expect(own_handler, -7, "heap overflow (touched behind the block): "); // set before the first block: it is told, and then his
    free(keep(malloc(1)));
    static const size_t lengths[] = {16, 64, 496, 2048};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        length = lengths[i];
        expect(read_behind, SIGSEGV, "heap overflow (touched behind the block): ");
        EXPECT(strstr(text, "found in thread") != NULL && strstr(text, "allocated by thread") != NULL &&
               strstr(text, "guarded+0x") != NULL);
        expect(write_behind, SIGSEGV, "(access, 100 bytes behind the block of ");
        expect(read_before, SIGSEGV, "heap underflow (touched before the block): ");
        expect(write_slack, SIGABRT, "heap overflow (written behind the block): ");
        expect(write_lead, SIGABRT, "heap underflow (written before the block): ");
        expect(read_freed, SIGSEGV, "use after free: ");
        EXPECT(strstr(text, "freed by thread") != NULL && strstr(text, " ms ago") != NULL);
        expect(free_twice, SIGABRT, "double free: ");
        if (length > 16) expect(free_inside, SIGABRT, "invalid free (interior pointer): ");
        expect(realloc_freed, SIGABRT, "realloc of a freed block: ");
        expect(free_by_child, SIGSEGV, "use after free: ");
    }
    length = 64;
    expect(null_pointer, SIGSEGV, "");
    expect_silence();
    expect(sent_by_somebody, SIGSEGV, "");
    expect_silence();
    expect(own_handler, -7, "");
    expect_silence();
    expect(is_counted, 0, "");
    expect_silence();
    expect(behaves, 0, "");
    expect_silence();
    return 0;
}
