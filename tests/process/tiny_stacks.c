// Threads with the smallest stack that the C library allows (16 KiB, or more by the processor) allocate, free, realloc
// and align in every size; and the deepest stack use of any call, measured on a painted stack, stays under 8 KiB.
#include "tests/process/blocks.h"
#include <malloc.h>
#include <sys/mman.h>

enum { TINY = 16 * 1024, THREADS = 50, PAINTED = 256 * 1024, DEEPEST = 8 * 1024 };
static const unsigned char paint = 0xA5;
static void *inherited[64];

// Calls every slow path, and itself uses little stack.
static void *allocate_all_sizes(void *arg) {
    for (size_t i = 0; i < 64; i++)
        if (arg != NULL) free(inherited[i]); // another thread's blocks
    for (size_t bytes = 1; bytes < 3000000; bytes += bytes / 3 + 1) {
        char *p = keep(malloc(bytes));
        char *z = keep(calloc(1, bytes));
        char *a = keep(memalign(4096, bytes));
        if (p == NULL || z == NULL || a == NULL) _exit(1);
        p[0] = z[bytes - 1] = a[bytes - 1] = 1;
        p = keep(realloc(p, bytes * 2));
        free(z);
        free(a);
        free(p);
    }
    return arg;
}

static void *do_nothing(void *arg) { return arg; }

static void fill_inherited(void) {
    for (size_t i = 0; i < 64; i++) inherited[i] = keep(malloc(i * 40));
}

// The smallest stack that glibc allows on aarch64 is 128 KiB.
static size_t least_stack(void) {
    long least = sysconf(_SC_THREAD_STACK_MIN);
    return least > TINY ? (size_t)least : TINY;
}

static void run_on(size_t stack_bytes, void *stack, void *(*body)(void *)) {
    pthread_attr_t attributes;
    pthread_t thread;
    fill_inherited();
    EXPECT(pthread_attr_init(&attributes) == 0);
    if (stack != NULL)
        EXPECT(pthread_attr_setstack(&attributes, stack, stack_bytes) == 0);
    else
        EXPECT(pthread_attr_setstacksize(&attributes, stack_bytes) == 0);
    EXPECT(pthread_create(&thread, &attributes, body, body == do_nothing ? NULL : inherited) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    pthread_attr_destroy(&attributes);
}

// Bytes from the top of a painted stack down to the lowest byte that `body` changed.
static size_t stack_use(void *(*body)(void *)) {
    unsigned char *stack = mmap(NULL, PAINTED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(stack != MAP_FAILED);
    memset(stack, paint, PAINTED);
    run_on(PAINTED, stack, body);
    size_t untouched = 0;
    while (untouched < PAINTED && stack[untouched] == paint) untouched++;
    munmap(stack, PAINTED);
    return PAINTED - untouched;
}

int main(void) {
    test_begin(60);
    allocate_all_sizes(NULL); // resolves every symbol, so that the loader's own stack use is not counted
    size_t idle = stack_use(do_nothing), busy = stack_use(allocate_all_sizes);
    printf("stack of an idle thread %zu bytes, of an allocating one %zu bytes\n", idle, busy);
    fflush(stdout);
    EXPECT(idle >= 200 && busy >= 200 && busy < idle + DEEPEST);
    for (int i = 0; i < THREADS; i++) run_on(least_stack(), NULL, allocate_all_sizes);
    return 0;
}
