// A program that limits itself after it has started, then allocates, starts threads with stacks of the default size and
// recurses deeply: what the allocator reserved earlier must leave room for all of this.
// Usage: limits_rlimit_self as-early | as-late | data
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/limits/exhaust.h"
#include "tests/limits/measure.h"

enum { THREADS = 8, STACK_BYTES = 8 << 20, DEEP_BYTES = 4 << 20 };

static void limit(int which, size_t bytes) {
    struct rlimit r = {.rlim_cur = bytes, .rlim_max = bytes};
    // Plain constants: their type is an enum in glibc and an int in musl.
    CHECK((which == RLIMIT_AS ? setrlimit(RLIMIT_AS, &r) : setrlimit(RLIMIT_DATA, &r)) == 0, "setrlimit(%d, %zu)", which, bytes);
}

// Uses `left` bytes of stack, touching each page.
static size_t __attribute__((noinline)) recurse(size_t left) {
    volatile char frame[4096];
    frame[0] = (char)left;
    return left <= sizeof frame ? 1 : recurse(left - sizeof frame) + (frame[0] == (char)left);
}

static void *use_stack_and_heap(void *arg) {
    struct blocks set;
    blocks_init(&set, mem_api_libc(), 4096, (size_t)arg);
    CHECK(recurse(DEEP_BYTES) == DEEP_BYTES / 4096, "a stack of %d bytes", DEEP_BYTES);
    while (set.live_bytes < 2 * MIB) CHECK(blocks_add(&set, 1000), "refused with %zu bytes live", set.live_bytes);
    blocks_free_all(&set);
    blocks_drop(&set);
    return NULL;
}

static void threads_start(void) {
    pthread_t threads[THREADS];
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    for (size_t i = 0; i < THREADS; i++) {
        int e = pthread_create(&threads[i], &attr, use_stack_and_heap, (void *)(i + 1));
        CHECK(e == 0, "thread %zu: %s (%zu MiB of address space in use)", i, strerror(e), measure_vm_bytes() / MIB);
    }
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    pthread_attr_destroy(&attr);
}

static void grow(struct blocks *set, size_t bytes) {
    for (size_t n = 0; set->live_bytes < bytes; n++) {
        size_t size = n % 64 ? 64 + blocks_random(&set->rng) % 4000 : 300000;
        CHECK(blocks_add(set, size), "refused with %zu MiB live, %zu MiB of address space in use",
              set->live_bytes / MIB, measure_vm_bytes() / MIB);
    }
}

int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "";
    struct blocks heap;
    measure_under_mbmalloc();
    mallopt(M_ARENA_MAX, 1); // the libc's malloc reserves 64 MiB and more for each arena
    blocks_init(&heap, mem_api_libc(), 1 << 16, 5);
    grow(&heap, strcmp(how, "as-late") == 0 ? 80 * MIB : MIB);
    limit(strcmp(how, "data") == 0 ? RLIMIT_DATA : RLIMIT_AS, 288 * MIB);
    threads_start();
    grow(&heap, 100 * MIB);
    CHECK(recurse(DEEP_BYTES) == DEEP_BYTES / 4096, "main's stack");
    threads_start();
    blocks_verify(&heap);
    blocks_free_all(&heap);
    blocks_drop(&heap);
    exhaust_run(&(struct exhaust_plan){.api = mem_api_libc(), .table_blocks = 1 << 16, .threads = 4, .live_bytes = MIB, .cap_bytes = SIZE_MAX,
                                       .largest_bytes = 4 * MIB, .must_be_refused = true});
    puts("ok");
    return 0;
}
