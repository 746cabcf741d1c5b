// What: threads allocate blocks, fill them with patterns and exchange them through lock-free mailboxes; the thread that
// receives a block verifies it and frees it, reallocates it or passes it on. Threads start and end, some only free, one
// trims, one asks for statistics. After every round everything is freed and the allocator must count nothing live.
//
// Usage: race_stress [seconds]; MB_TEST_LONG=1 runs ten times as long. MB_TEST_SEED sets the seed (it fixes the
// operations of each thread, but not the order in which the system runs them).
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/front/malloc.h"
#include "tests/model/pattern.h"
#include "tests/race/crew.h"

enum { MAILBOXES = 128, LANES = 6, LIVES = 6, STEPS = 1500, POCKETS = 48 };

// --- mailboxes ------------------------------------------------------------------------------------------------------

// A parcel in one word, so that one exchange hands it over: the address in bits 4..47, a salt in the 20 others. The tag
// is made of both, so a block that comes back at the same address is told from its predecessor.
static _Atomic uint64_t mailboxes[MAILBOXES]; // exchanged (acq_rel) by any thread; 0: empty

#define ADDRESS_BITS UINT64_C(0x0000fffffffffff0)

static uint64_t tag_of(uint64_t word) { return word * UINT64_C(0xff51afd7ed558ccd) ^ word >> 29; }

static struct parcel parcel_of_word(uint64_t word) {
    return (struct parcel){(void *)(uintptr_t)(word & ADDRESS_BITS), tag_of(word)};
}

// Fills a fresh block under a salt; the word is its only description from here on.
static uint64_t word_of(void *p, uint64_t salt) {
    uint64_t word = (uint64_t)(uintptr_t)p | (salt & ~ADDRESS_BITS);
    if (p == NULL) crew_fail("no memory");
    if (((uint64_t)(uintptr_t)p & ~ADDRESS_BITS) != 0) crew_fail("%p is not a block of 16 bytes' alignment", p);
    pattern_fill(p, mb_usable_size(p), tag_of(word));
    return word;
}

static uint64_t mailbox_exchange(size_t box, uint64_t word) {
    return atomic_exchange_explicit(&mailboxes[box], word, memory_order_acq_rel);
}

static void word_free(uint64_t word) {
    if (word != 0) parcel_free(parcel_of_word(word));
}

static uint64_t word_resize(uint64_t word, size_t bytes, uint64_t salt) {
    struct parcel parcel = parcel_of_word(word);
    return word_of(parcel_resize(parcel, bytes, 0).p, salt);
}

// --- sizes ----------------------------------------------------------------------------------------------------------

// Sizes: every doubling up to 4 KiB is equally likely, each further one up to 4 MiB half as likely as the one before.
static size_t any_size(struct random *rng) {
    unsigned log2 = (unsigned)random_below(rng, 13);
    while (log2 >= 12 && log2 < 21 && random_below(rng, 2) == 0) log2++;
    size_t low = (size_t)1 << log2;
    return low + random_below(rng, low + 1);
}

// Threads of one round mostly meet in a few classes, so that slabs are shared by all.
static size_t common_size(struct random *rng, uint64_t round) {
    static const size_t sizes[] = {16, 64, 240, 1024, 3072, 8192, 24576, 65536};
    return sizes[(round + random_below(rng, 2)) % (sizeof sizes / sizeof sizes[0])];
}

static void *any_block(struct random *rng, uint64_t round) {
    size_t bytes = random_below(rng, 2) == 0 ? common_size(rng, round) : any_size(rng);
    size_t kind = random_below(rng, 16);
    if (kind == 0) return mb_memalign((size_t)1 << random_below(rng, 17), bytes < 16 ? 16 : bytes);
    if (kind < 3) return mb_calloc(1, bytes);
    return mb_malloc(bytes);
}

// --- workers --------------------------------------------------------------------------------------------------------

struct worker {
    struct random rng;
    uint64_t round;
    uint64_t pockets[POCKETS]; // kept for a while; 0: empty
};

static void worker_step(struct worker *w) {
    size_t pocket = random_below(&w->rng, POCKETS);
    size_t box = random_below(&w->rng, MAILBOXES);
    uint64_t *mine = &w->pockets[pocket];
    switch (random_below(&w->rng, 8)) {
    case 0: // keep it and take another's
    case 1:
    case 2: *mine = mailbox_exchange(box, *mine); break;
    case 3: // done with it
    case 4:
        word_free(*mine);
        *mine = 0;
        break;
    case 5: // another's block becomes this thread's size
        if (*mine != 0) *mine = word_resize(*mine, 1 + any_size(&w->rng), random_next(&w->rng));
        break;
    default:
        if (*mine == 0) *mine = word_of(any_block(&w->rng, w->round), random_next(&w->rng));
        break;
    }
}

// The end of a life: a third of the pockets is freed, the others' blocks stay live in mailboxes for what was in them.
static void worker_leave(struct worker *w) {
    for (size_t i = 0; i < POCKETS; i++) {
        uint64_t word = w->pockets[i];
        if (random_below(&w->rng, 3) != 0) word = mailbox_exchange(random_below(&w->rng, MAILBOXES), word);
        word_free(word);
    }
}

static void *worker_main(void *argument) {
    uint64_t number = (uint64_t)(uintptr_t)argument;
    struct worker w = {.rng = {crew_seed() ^ number * PATTERN_STEP}, .round = number / (LANES * LIVES)};
    size_t steps = STEPS / 4 + random_below(&w.rng, STEPS);
    for (size_t i = 0; i < steps; i++) worker_step(&w);
    worker_leave(&w);
    return NULL;
}

// Never allocates: a thread that only frees needs nothing of its own.
static void *freer_main(void *argument) {
    struct random rng = {crew_seed() + (uint64_t)(uintptr_t)argument};
    for (size_t i = 0; i < STEPS; i++) word_free(mailbox_exchange(random_below(&rng, MAILBOXES), 0));
    return NULL;
}

// --- rounds ---------------------------------------------------------------------------------------------------------

struct round {
    uint64_t number;
    _Atomic bool over; // release by the main thread, acquire by trimmer and observer
};

// A lane is a sequence of threads, one after the other; every third thread only frees.
static void *lane_main(void *argument) {
    uint64_t first = (uint64_t)(uintptr_t)argument;
    for (uint64_t life = 0; life < LIVES; life++) {
        pthread_t thread;
        uint64_t number = first + life;
        void *(*work)(void *) = number % 3 == 2 ? freer_main : worker_main;
        if (pthread_create(&thread, NULL, work, (void *)(uintptr_t)number) != 0) crew_fail("pthread_create");
        pthread_join(thread, NULL);
    }
    return NULL;
}

static void nap_us(long us) {
    struct timespec t = {0, us * 1000};
    nanosleep(&t, NULL);
}

static void *trimmer_main(void *argument) {
    struct round *round = argument;
    struct random rng = {crew_seed() + round->number};
    while (!atomic_load_explicit(&round->over, memory_order_acquire)) {
        (void)mb_trim(random_below(&rng, 2) == 0 ? 0 : (size_t)1 << 20);
        nap_us((long)random_below(&rng, 3000));
    }
    return NULL;
}

// While other threads run the counts are not exact, but must be plausible.
static void *observer_main(void *argument) {
    struct round *round = argument;
    const size_t absurd = (size_t)1 << 36;
    while (!atomic_load_explicit(&round->over, memory_order_acquire)) {
        struct mb_stats stats;
        mb_stats_get(&stats);
        if (stats.live_bytes > absurd || stats.live_blocks > absurd || stats.warm_free_bytes > absurd)
            crew_fail("live bytes %zu, blocks %zu, warm %zu", stats.live_bytes, stats.live_blocks, stats.warm_free_bytes);
        nap_us(500);
    }
    return NULL;
}

static void empty_mailboxes(void) {
    for (size_t i = 0; i < MAILBOXES; i++) word_free(mailbox_exchange(i, 0));
}

static void run_round(uint64_t number) {
    struct round round = {.number = number};
    pthread_t lanes[LANES];
    pthread_t trimmer;
    pthread_t observer;
    if (pthread_create(&trimmer, NULL, trimmer_main, &round) != 0) crew_fail("pthread_create");
    if (pthread_create(&observer, NULL, observer_main, &round) != 0) crew_fail("pthread_create");
    for (uint64_t i = 0; i < LANES; i++) {
        uint64_t first = (number * LANES + i) * LIVES;
        if (pthread_create(&lanes[i], NULL, lane_main, (void *)(uintptr_t)first) != 0) crew_fail("pthread_create");
    }
    for (unsigned i = 0; i < LANES; i++) pthread_join(lanes[i], NULL);
    atomic_store_explicit(&round.over, true, memory_order_release);
    pthread_join(trimmer, NULL);
    pthread_join(observer, NULL);
    empty_mailboxes();
    crew_expect_rest();
}

int main(int argc, char **argv) {
    uint64_t seconds = (argc > 1 ? strtoull(argv[1], NULL, 0) : 10) * crew_patience();
    uint64_t end_ms = crew_now_ms() + seconds * 1000;
    uint64_t rounds = 0;
    crew_begin("stress");
    while (crew_now_ms() < end_ms) run_round(rounds++);
    printf("race: stress ok, %llu rounds of %d threads\n", (unsigned long long)rounds, LANES * LIVES + 2);
    return 0;
}
