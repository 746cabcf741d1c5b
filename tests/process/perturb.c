// M_PERTURB fills allocated and freed blocks with a byte, M_TRIM_THRESHOLD limits the free memory that a process keeps:
// set by mallopt, by glibc's environment variables, or by a tunable. usage: perturb mallopt | on | threshold
#include <malloc.h>
#include <stdint.h>
#include <sys/wait.h>

#include "tests/process/blocks.h"

enum { BYTE = 0xa5, ROUNDS = 300 };

static const size_t sizes[] = {1, 16, 24, 64, 100, 500, 1000, 5000, 20000, 32768, 40000, 300000, 5 << 20};

static bool is_all(const unsigned char *p, size_t bytes, unsigned char value) {
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != value) return false;
    return true;
}

static void *hidden(void *p) {
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

// A freed large block may be unmapped. In glibc a free block's first words are its links.
static void fills(size_t bytes) {
    unsigned char *p = hidden(malloc(bytes));
    EXPECT(p != NULL && is_all(p, bytes, (unsigned char)~BYTE));
    memset(p, 1, bytes);
    free(p);
    p = hidden(p);
    if (bytes <= 32768) EXPECT(is_all(p, bytes, BYTE));
    p = hidden(calloc(1, bytes));
    EXPECT(p != NULL && is_all(p, bytes, 0));
    free(p);
    EXPECT(posix_memalign((void **)&p, 256, bytes) == 0 && is_all(p, bytes, (unsigned char)~BYTE));
    memset(p, 2, bytes);
    p = hidden(realloc(p, bytes * 2));
    EXPECT(p != NULL && is_all(p, bytes, 2));
    free(p);
}

static void *all_sizes(void *unused) {
    void *held[200];
    for (size_t i = 0; i < 200; i++) {
        held[i] = hidden(malloc(16 + i * 10));
        EXPECT(is_all(held[i], 16 + i * 10, (unsigned char)~BYTE));
    }
    for (size_t round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) fills(sizes[i]);
    for (size_t i = 0; i < 200; i++) free(held[i]);
    return unused;
}

static void *free_it(void *p) {
    free(p);
    return NULL;
}

static void filling(void) {
    all_sizes(NULL);
    for (int i = 0; i < 10; i++) thread_join(thread_start(all_sizes, NULL));
    unsigned char *p = hidden(malloc(100));
    thread_join(thread_start(free_it, p));
    p = hidden(p);
    EXPECT(is_all(p, 100, BYTE));
    pid_t child = fork();
    if (child == 0) {
        all_sizes(NULL);
        thread_join(thread_start(all_sizes, NULL));
        _exit(0);
    }
    int status = 1;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    all_sizes(NULL);
}

static void by_mallopt(void) {
    for (size_t i = 0; i < ROUNDS; i++) free(hidden(malloc(1 + i * 7))); // a heap that fills nothing yet
    EXPECT(mallopt(M_PERTURB, BYTE) == 1);
    filling();
    EXPECT(mallopt(M_PERTURB, 0) == 1);
    unsigned char *p = hidden(malloc(100));
    memset(p, 7, 100);
    free(p);
    p = hidden(p);
    EXPECT(is_all(p, 100, 7));
    EXPECT(mallopt(M_MXFAST, 1000) == 0 && mallopt(M_MXFAST, 64) == 1 && mallopt(M_MMAP_THRESHOLD, 1 << 30) == 0);
    EXPECT(mallopt(M_ARENA_MAX, 1) == 1 && mallopt(M_TOP_PAD, 1 << 20) == 1 && mallopt(4711, 1) == 1);
}

// A single thread, so that only the margin decides how much stays.
static size_t resident_after(size_t bytes) {
    static void *v[20000];
    for (size_t i = 0; i < bytes / 1000; i++) memset(v[i] = hidden(malloc(1000)), 1, 1000);
    for (size_t i = 0; i < bytes / 1000; i++) free(v[i]);
    FILE *statm = fopen("/proc/self/statm", "r");
    size_t total, resident = 0;
    EXPECT(statm != NULL && fscanf(statm, "%zu %zu", &total, &resident) == 2);
    fclose(statm);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void threshold(void) {
    EXPECT(mallopt(M_TRIM_THRESHOLD, 16 << 20) == 1);
    size_t free_hand = resident_after(16 << 20);
    EXPECT(mallopt(M_TRIM_THRESHOLD, 64 << 10) == 1);
    size_t bound = resident_after(16 << 20);
    EXPECT(bound + (1 << 20) < free_hand);
    EXPECT(mallopt(M_TRIM_THRESHOLD, -1) == 1 && resident_after(16 << 20) > bound + (1 << 20));
}

int main(int argc, char **argv) {
    test_begin(60);
    EXPECT(argc == 2);
    if (strcmp(argv[1], "mallopt") == 0)
        by_mallopt();
    else if (strcmp(argv[1], "on") == 0)
        filling();
    else
        threshold();
    puts("as asked");
    return 0;
}
