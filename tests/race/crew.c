// What: implements crew.h with pthreads and the core's public API only.
#include "tests/race/crew.h"

#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/front/malloc.h"
#include "tests/model/pattern.h"

static const char *test_name = "start";
static uint64_t seed;

void crew_fail(const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "race: FAIL %s (seed 0x%llx): %s\n", test_name, (unsigned long long)seed, text);
    _exit(1);
}

uint64_t crew_now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void crew_begin(const char *name) {
    if (seed == 0) {
        const char *given = getenv("MB_TEST_SEED");
        uint64_t usual = crew_patience() == 1 ? 1 : crew_now_ms() ^ ((uint64_t)getpid() << 40);
        seed = given != NULL ? strtoull(given, NULL, 0) : usual;
        printf("race: seed=0x%llx (MB_TEST_SEED)\n", (unsigned long long)seed);
    }
    test_name = name;
    fflush(stdout);
}

uint64_t crew_seed(void) { return seed; }

unsigned crew_patience(void) {
    const char *given = getenv("MB_TEST_LONG");
    return given != NULL && atoi(given) != 0 ? 10 : 1;
}

// --- threads --------------------------------------------------------------------------------------------------------

struct hand {
    pthread_t thread;
    void (*work)(void *context, unsigned index);
    void *context;
    unsigned index;
};

static void *hand_main(void *argument) {
    struct hand *hand = argument;
    hand->work(hand->context, hand->index);
    return NULL;
}

void crew_run(unsigned count, void (*work)(void *context, unsigned index), void *context) {
    struct hand hands[CREW_THREADS_MAX];
    if (count > CREW_THREADS_MAX) crew_fail("%u threads asked", count);
    for (unsigned i = 0; i < count; i++) {
        hands[i] = (struct hand){.work = work, .context = context, .index = i};
        int error = pthread_create(&hands[i].thread, NULL, hand_main, &hands[i]);
        if (error != 0) crew_fail("pthread_create: %d", error);
    }
    for (unsigned i = 0; i < count; i++) pthread_join(hands[i].thread, NULL);
}

void crew_wait(struct crew_barrier *barrier) {
    unsigned round = atomic_load_explicit(&barrier->round, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&barrier->arrived, 1, memory_order_acq_rel) + 1 == barrier->count) {
        atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&barrier->round, round + 1, memory_order_release);
        return;
    }
    while (atomic_load_explicit(&barrier->round, memory_order_acquire) == round) sched_yield();
}

// --- blocks ---------------------------------------------------------------------------------------------------------

static struct parcel parcel_of(void *p, size_t bytes, uint64_t tag) {
    if (p == NULL) crew_fail("no memory for %zu bytes", bytes);
    size_t usable = mb_usable_size(p);
    if (usable < bytes) crew_fail("%p has %zu usable bytes of %zu", p, usable, bytes);
    pattern_fill(p, usable, tag);
    return (struct parcel){p, tag};
}

struct parcel parcel_new(size_t bytes, uint64_t tag) {
    return parcel_of(mb_malloc(bytes), bytes, tag);
}

struct parcel parcel_new_aligned(size_t align, size_t bytes, uint64_t tag) {
    void *p = mb_memalign(align, bytes);
    if ((uintptr_t)p % align != 0) crew_fail("%p is not aligned to %zu", p, align);
    return parcel_of(p, bytes, tag);
}

static void verify_prefix(struct parcel parcel, size_t bytes) {
    size_t bad = pattern_mismatch(parcel.p, bytes, parcel.tag);
    if (bad != bytes) crew_fail("%p of %zu bytes changed at offset %zu", parcel.p, mb_usable_size(parcel.p), bad);
}

void parcel_verify(struct parcel parcel) { verify_prefix(parcel, mb_usable_size(parcel.p)); }

void parcel_free(struct parcel parcel) {
    parcel_verify(parcel);
    mb_free(parcel.p);
}

struct parcel parcel_resize(struct parcel parcel, size_t bytes, uint64_t tag) {
    size_t usable = mb_usable_size(parcel.p);
    parcel_verify(parcel);
    parcel.p = mb_realloc(parcel.p, bytes);
    if (parcel.p == NULL) crew_fail("no memory to realloc to %zu bytes", bytes);
    verify_prefix(parcel, usable < bytes ? usable : bytes);
    return parcel_of(parcel.p, bytes, tag);
}

// --- rings ----------------------------------------------------------------------------------------------------------

bool ring_send(struct ring *ring, struct parcel parcel) {
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail - atomic_load_explicit(&ring->head, memory_order_acquire) == RING_SLOTS) return false;
    ring->slots[tail % RING_SLOTS] = parcel;
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return true;
}

bool ring_receive(struct ring *ring, struct parcel *parcel) {
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (atomic_load_explicit(&ring->tail, memory_order_acquire) == head) return false;
    *parcel = ring->slots[head % RING_SLOTS];
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}

void ring_send_wait(struct ring *ring, struct parcel parcel) {
    while (!ring_send(ring, parcel)) sched_yield();
}

struct parcel ring_receive_wait(struct ring *ring) {
    struct parcel parcel;
    while (!ring_receive(ring, &parcel)) sched_yield();
    return parcel;
}

// --- at rest --------------------------------------------------------------------------------------------------------

void crew_expect_rest(void) {
    struct mb_stats stats;
    mb_stats_get(&stats);
    if (stats.live_bytes != 0 || stats.live_blocks != 0)
        crew_fail("at rest %zu bytes in %zu blocks are live", stats.live_bytes, stats.live_blocks);
}
