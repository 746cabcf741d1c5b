// What: the scenarios of scenario.h: a short setup and a short body for each, and the table of them at the end.
#include "tests/fork/scenario.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fork/api.h"
#include "tests/fork/live.h"
#include "tests/misuse/actor.h"

enum part { WORKER, PEER, MAIN, GONE };
enum { CROWD = 512, MAIN_BLOCKS = 20, MIB = 1 << 20 };

struct crowd {
    enum part part;
    size_t bytes;
    int count, at[CROWD];
};
static struct crowd mine, theirs, mains;
static struct actor peer;

static void take_crowd(void *arg) {
    struct crowd *c = arg;
    for (int i = 0; i < c->count; i++) c->at[i] = live_take((int)c->part, c->bytes);
}

static void give_crowd(void *arg) {
    struct crowd *c = arg;
    for (int i = 0; i < c->count; i++) live_give(c->at[i]);
}

static void give_some(struct crowd *c, int first, int step) {
    for (int i = first; i < c->count; i += step) live_give(c->at[i]);
}

static void have(struct crowd *c, enum part part, int count, size_t bytes) {
    *c = (struct crowd){.part = part, .count = count, .bytes = bytes};
    take_crowd(c);
}

static void peer_has(int count, size_t bytes) {
    theirs = (struct crowd){.part = PEER, .count = count, .bytes = bytes};
    actor_do(&peer, take_crowd, &theirs);
}

static void take(int count, size_t bytes) {
    for (int i = 0; i < count; i++) live_take(WORKER, bytes);
}

// --- small blocks ----------------------------------------------------------------------------------------------------

static void nothing(void) {}

static void some_64(void) {
    have(&mine, WORKER, 10, 64);
    give_some(&mine, 0, 2);
}
static void pairs(void) {
    int a = live_take(WORKER, 64), b = live_take(WORKER, 64);
    live_give(a);
    a = live_take(WORKER, 64);
    live_give(b);
    live_give(a);
}

static void freed_60(void) {
    have(&mine, WORKER, 60, 64);
    give_some(&mine, 1, 3);
    give_some(&mine, 0, 3);
}
static void take_30(void) { take(30, 64); }

static void fresh_classes(void) {
    take(3, 112);
    take(2, 3000);
    take(2, 30000);
}

// A nearly full slab of every larger class. Memory that the absent thread's heap kept would stay resident in the child.
static void nearly_fill_slabs(enum part part) {
    static struct crowd crowd;
    for (size_t bytes = 1024; bytes < 30000; bytes += bytes / 8) have(&crowd, part, (int)(65536 / bytes) - 1, bytes);
}
static void nearly_fill_slabs_as_peer(void *unused) {
    (void)unused;
    nearly_fill_slabs(PEER);
}
static void much_alive(void) {
    nearly_fill_slabs(WORKER);
    actor_do(&peer, nearly_fill_slabs_as_peer, NULL);
}

static void one_of_many_classes(void) {
    for (size_t bytes = 900; bytes < 5000; bytes += bytes / 8) take(1, bytes);
}

static void fill_slabs(void) { take(26, 8192); }

static void full_slabs(void) { have(&mine, WORKER, 40, 8192); }
static void give_from_full(void) {
    give_some(&mine, 3, 8);
    give_some(&mine, 0, 1);
}

static void many_4096(void) { have(&mine, WORKER, 50, 4096); }
static void give_in_order(void) { give_crowd(&mine); }

static void half_empty_slabs(void) {
    have(&mine, WORKER, 100, 4096);
    give_some(&mine, 0, 2);
}
static void go_round_slabs(void) { take(45, 4096); }

// --- frees between threads -------------------------------------------------------------------------------------------

static void peer_40(void) { peer_has(40, 4096); }
static void give_theirs(void) { give_crowd(&theirs); }

static void peer_and_main(void) { peer_has(MAIN_BLOCKS, 4096); }
static void give_in_turns(void) {
    for (int i = 0; i < MAIN_BLOCKS; i++) {
        live_give(theirs.at[i]);
        live_give(mains.at[i]);
    }
}

static void freed_by_peer(void) {
    have(&mine, WORKER, 40, 2048);
    mine.count = 25;
    actor_do(&peer, give_crowd, &mine);
}
static void collect(void) { take(50, 2048); }

static void pooled_slabs(void) {
    peer_has(70, 4096);
    give_some(&theirs, 0, 3);
}
static void take_pooled(void) { take(30, 4096); }

static void *gone_main(void *unused) {
    static struct crowd crowd;
    (void)unused;
    have(&crowd, GONE, 90, 1024);
    give_some(&crowd, 0, 2);
    theirs = crowd;
    return NULL;
}
static void thread_gone(void) {
    pthread_t t;
    if (pthread_create(&t, NULL, gone_main, NULL) != 0) live_damaged("pthread_create failed");
    pthread_join(t, NULL);
}
static void thread_gone_by_peer(void *unused) {
    (void)unused;
    thread_gone();
}
// The worker has not allocated yet: it may take over the heap of the thread that has ended.
static void heap_left_over(void) { actor_do(&peer, thread_gone_by_peer, NULL); }
static void adopt(void) {
    take(60, 1024);
    give_crowd(&theirs);
}

// --- large blocks, other sizes, other names --------------------------------------------------------------------------

// Heaps keep freed large blocks only after a kept block was reused (core/large/large_keep.h).
static void reused(void) {
    for (int i = 0; i < 2; i++) live_give(live_take(WORKER, 70000));
}

static void large(void) {
    int a = live_take(WORKER, 100000), b = live_take(WORKER, MIB);
    live_give(a);
    a = live_take(WORKER, 300000);
    live_give(b);
    live_give(a);
}

static void very_large(void) {
    int a = live_take(WORKER, 24 * MIB);
    live_give(a);
    take(1, 40 * MIB);
}

static int moved;
static void block_of_20(void) { moved = live_take(WORKER, 20); }
static void grow_small(void) {
    static const size_t steps[] = {40, 100, 96, 1000, 5000, 20000, 40000, 300};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) live_resize(moved, steps[i]);
}

static void block_of_70000(void) { moved = live_take(WORKER, 70000); }
static void grow_large(void) {
    static const size_t steps[] = {200000, 260000, 500000, 100000, 90000};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) live_resize(moved, steps[i]);
}

static void block_and_wall(void) {
    moved = live_take(WORKER, 1200000);
    take(1, 2 * MIB);
}
static void move_large(void) {
    live_resize(moved, 2 * MIB);
    live_resize(moved, 12 * MIB);
    live_resize(moved, MIB);
}

static void other_forms(void) {
    live_give(live_take_zeroed(WORKER, 1000));
    live_give(live_take_zeroed(WORKER, 100000));
    live_give(live_take_aligned(WORKER, 4096, 100));
    live_give(live_take_aligned(WORKER, 64, 200));
    live_give(live_take_aligned(WORKER, MIB, 70000));
}

// --- trim, count -----------------------------------------------------------------------------------------------------

static void much_free(void) {
    have(&mine, WORKER, 200, 1500);
    give_some(&mine, 0, 1);
    have(&mine, WORKER, 4, 200000);
    give_some(&mine, 0, 1);
    peer_has(100, 4096);
    give_some(&theirs, 0, 1);
    have(&mine, WORKER, 30, 4096);
    give_some(&mine, 0, 2);
}
static void trim(void) { api.trim(); }
static void count_live(void) { (void)api.live_bytes(); }

// --- in a child that nobody has allocated in yet ---------------------------------------------------------------------

static void left_behind(void) {
    static const size_t sizes[] = {64, 1024, 4096, 20000};
    for (int i = 0; i < 4; i++) {
        have(&theirs, PEER, 40, sizes[i]);
        give_some(&theirs, i % 2, 2);
    }
    give_some(&mains, 0, 3);
}
static void take_60_and_give(void) {
    take(40, 4096);
    take(20, 1024);
    give_crowd(&theirs);
}
static void give_what_was_left(void) {
    give_crowd(&theirs);
    give_crowd(&mains);
    take(5, 20000);
}

// --- a thread's end --------------------------------------------------------------------------------------------------

static pthread_key_t key;

// Allocates in every round of destructors, also after the allocator's own hook has run.
static void destroy(void *round) {
    take(2, 80);
    live_give(live_take(WORKER, 5000));
    if ((size_t)round < 3) pthread_setspecific(key, (char *)round + 1);
}

static void worn_heap(void) {
    static const size_t sizes[] = {64, 500, 4096, 20000};
    peer_has(3, 4096);
    for (int i = 0; i < 4; i++) {
        have(&mine, WORKER, 30, sizes[i]);
        give_some(&mine, i % 2, 2);
    }
    give_crowd(&theirs);
}

static void worn_heap_and_destructors(void) {
    worn_heap();
    pthread_setspecific(key, (void *)1);
}

// --- the table -------------------------------------------------------------------------------------------------------

const struct scenario scenarios[] = {
    {"pairs", some_64, pairs, 64, 0, SCENARIO_BODY},
    {"pairs-with-much-alive", much_alive, pairs, 64, 0, SCENARIO_BODY},
    {"first-malloc-of-a-thread", nothing, take_30, 64, 0, SCENARIO_BODY},
    {"refill", freed_60, take_30, 64, 0, SCENARIO_BODY},
    {"fresh-classes", nothing, fresh_classes, 112, 0, SCENARIO_BODY},
    {"many-classes", nothing, one_of_many_classes, 1024, 0, SCENARIO_BODY},
    {"fill-slabs", nothing, fill_slabs, 8192, 0, SCENARIO_BODY},
    {"give-from-full-slabs", full_slabs, give_from_full, 8192, 0, SCENARIO_BODY},
    {"give-in-order", many_4096, give_in_order, 4096, 0, SCENARIO_BODY},
    {"go-round-slabs", half_empty_slabs, go_round_slabs, 4096, 0, SCENARIO_BODY},
    {"give-to-a-peer", peer_40, give_theirs, 4096, 0, SCENARIO_BODY},
    {"give-in-turns", peer_and_main, give_in_turns, 4096, 0, SCENARIO_BODY},
    {"collect", freed_by_peer, collect, 2048, 0, SCENARIO_BODY},
    {"take-pooled", pooled_slabs, take_pooled, 4096, 0, SCENARIO_BODY},
    {"adopt", thread_gone, adopt, 1024, 0, SCENARIO_BODY},
    {"take-over-a-heap", heap_left_over, adopt, 1024, 0, SCENARIO_BODY},
    {"trim-a-left-over-heap", heap_left_over, trim, 1024, 0, SCENARIO_BODY},
    {"large", reused, large, 100000, 2 * MIB, SCENARIO_BODY},
    {"very-large", nothing, very_large, 24 * MIB, 80 * MIB, SCENARIO_BODY},
    {"grow-small", block_of_20, grow_small, 1000, 0, SCENARIO_BODY},
    {"grow-large", block_of_70000, grow_large, 200000, 2 * MIB, SCENARIO_BODY},
    {"move-large", block_and_wall, move_large, 2 * MIB, 40 * MIB, SCENARIO_BODY},
    {"other-forms", nothing, other_forms, 4096, 2 * MIB, SCENARIO_BODY},
    {"trim", much_free, trim, 1500, 0, SCENARIO_BODY},
    {"count", much_free, count_live, 1500, 0, SCENARIO_BODY},
    {"helper", much_free, nothing, 4096, 8 * MIB, SCENARIO_HELPER},
    {"recover-small", left_behind, take_60_and_give, 4096, 0, SCENARIO_IN_CHILD},
    {"recover-free", left_behind, give_what_was_left, 4096, 0, SCENARIO_IN_CHILD},
    {"recover-large", left_behind, large, 4096, 2 * MIB, SCENARIO_IN_CHILD},
    {"thread-exit", worn_heap, nothing, 500, 0, SCENARIO_EXIT},
    {"thread-exit-with-destructors", worn_heap_and_destructors, nothing, 80, 0, SCENARIO_EXIT},
};
const int scenario_count = sizeof scenarios / sizeof scenarios[0];

static _Atomic int peer_id;
static void note_id(void *unused) {
    (void)unused;
    api.free(api.malloc(64)); // a second thread with a heap keeps the allocator's helper running
    atomic_store(&peer_id, (int)syscall(SYS_gettid));
}
int scenario_peer_id(void) { return atomic_load(&peer_id); }

static void run_setup(void *s) { ((const struct scenario *)s)->setup(); }
void scenario_setup_by_peer(const struct scenario *s) { actor_do(&peer, run_setup, (void *)(uintptr_t)s); }

void scenario_start(void) {
    actor_start(&peer);
    actor_do(&peer, note_id, NULL);
    pthread_key_create(&key, destroy);
}

void scenario_prepare_main(void) { have(&mains, MAIN, MAIN_BLOCKS, 4096); }

void scenario_clean(void) {
    for (int part = 0; part < LIVE_PARTS; part++) live_give_part(part);
}
