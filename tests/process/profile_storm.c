// Heap profiles under adverse conditions, for heap_profile.sh. usage: PROBE switch | no-files | no-memory
//
//   switch     sessions are started, written and ended all the time, while 64 threads allocate, free each other's blocks, fork, exec and end
//   no-files   a sandbox refuses to open files: nothing can be written when the program ends
//   no-memory  a sandbox refuses mappings: no session can be started, and the program goes on
#include <errno.h>
#include <mbmalloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/process/blocks.h"
#include "tests/process/refused_call.h"

enum { THREADS = 64, ROUNDS = 1500, SLOTS = 512, STOPS = 100 };
static _Atomic(unsigned char *) slot[SLOTS];
static _Atomic unsigned running;
static const char *self;

static void check_and_free(unsigned char *p) {
    if (p == NULL) return;
    size_t bytes = *(uint32_t *)(void *)p;
    for (size_t i = 4; i < bytes; i += 61) EXPECT(p[i] == (unsigned char)bytes);
    free(p);
}

static void step(uint32_t random) {
    size_t bytes = 8 + (random >> 8) % (random % 61 == 0 ? 200000 : 700);
    unsigned char *p = random % 5 == 0 ? calloc(1, bytes) : random % 7 == 0 ? aligned_alloc(64, (bytes + 63) & ~(size_t)63) : malloc(bytes);
    EXPECT(p != NULL);
    if (random % 3 == 0) p = realloc(p, bytes += random % 100);
    EXPECT(p != NULL);
    memset(p, (int)bytes, bytes);
    *(uint32_t *)(void *)p = (uint32_t)bytes;
    check_and_free(atomic_exchange(&slot[random % SLOTS], p));
}

// Half of the children exec another program.
static void child_ends_well(uint32_t random) {
    pid_t child = fork();
    if (child == 0) {
        for (unsigned i = 0; i < 200; i++) step(random = random * 1664525 + 1013904223);
        if (random % 2 == 0) execl(self, self, "ends", (char *)NULL);
        _exit(0);
    }
    int status = 1;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

static void *storm(void *argument) {
    uint32_t random = (uint32_t)(uintptr_t)argument * 2654435761u + 1;
    for (unsigned i = 0; i < ROUNDS; i++) {
        random = random * 1664525 + 1013904223;
        step(random >> 4);
        if (i % 700 == 300 + (random >> 8) % 64) child_ends_well(random);
    }
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static void *start_and_stop(void *unused) {
    for (unsigned i = 0; atomic_load(&running) > 0 || i < STOPS; i++) {
        static const size_t periods[] = {1, 300, 20000};
        int fd = memfd_create("profile", MFD_CLOEXEC);
        mb_heap_profile_start(periods[i % 3]);
        for (uint32_t k = 0; k < 300; k++) step(i * 7919 + k * 104729);
        if (i % 2 == 0) mb_heap_profile_mark();
        errno = 0;
        if (fd >= 0 && mb_heap_profile_write(fd) != 0)
            EXPECT(lseek(fd, 0, SEEK_END) > 100);
        else
            EXPECT(fd < 0 || errno == EBUSY || errno == ENODATA);
        if (i % 3 != 0) mb_heap_profile_stop();
        close(fd);
    }
    return unused;
}

static int switching(void) {
    pthread_t thread[THREADS], other;
    atomic_store(&running, THREADS);
    for (uintptr_t t = 0; t < THREADS; t++) thread[t] = thread_start(storm, (void *)t);
    other = thread_start(start_and_stop, NULL);
    start_and_stop(NULL);
    thread_join(other);
    for (unsigned t = 0; t < THREADS; t++) thread_join(thread[t]);
    for (unsigned i = 0; i < SLOTS; i++) check_and_free(atomic_exchange(&slot[i], NULL));
    for (int fd = 0; fd < 1024; fd++) close(fd);
    return 0;
}

static int without_files(void) {
    for (unsigned i = 0; i < 1000; i++) step(i * 7919);
    return refuse_call(SYS_openat, EPERM) ? 0 : TEST_SKIPPED;
}

static int without_memory(void) {
    step(1);
    if (!refuse_call(SYS_mmap, EPERM)) return TEST_SKIPPED;
    EXPECT(mb_heap_profile_start(1) == 0);
    EXPECT(mb_heap_profile_write(2) == 0 && errno == ENODATA);
    for (unsigned i = 0; i < 1000; i++) step(i * 7919 % 8192); // small ones, of memory that is there
    return 0;
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    self = argv[0];
    if (strcmp(mode, "switch") == 0) return switching();
    if (strcmp(mode, "no-files") == 0) return without_files();
    if (strcmp(mode, "no-memory") == 0) return without_memory();
    return strcmp(mode, "ends") == 0 ? 0 : 2;
}
