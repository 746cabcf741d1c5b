// What: races in the life of a slab, one scenario at a time and repeated many times: the owner allocates while others
// free; a full slab loses its last blocks to several threads at once; it is pooled, claimed, trimmed or adopted; or its
// owner exits meanwhile. The numbers of blocks and the choice of the freeing thread determine which internal state
// occurs; this file uses core/front/malloc.h only.
//
// Usage: race_protocol [scenario]. Each scenario runs with every block size for ROUNDS rounds or its share of time.
// Invariant: after each scenario nothing is live, and after a trim the allocator holds next to nothing for it.
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/front/malloc.h"
#include "tests/model/pattern.h"
#include "tests/race/crew.h"

enum {
    ROUNDS = 4000,              // of a scenario with one block size
    SHARE_MS = 200,             // or this long
    BLOCKS_MAX = 3 * 4096 + 64, // live at once
    KEPT_BYTES_MAX = 1 << 20,   // slabs that may be left after the final trim
};

// From 4096 blocks in a slab to fewer than four, and large blocks.
static const size_t sizes[] = {16, 48, 256, 1024, 4096, 8192, 12288, 32768, 300000};

struct stage {
    size_t bytes;
    size_t capacity; // at least the blocks of one slab: one slab fills and the next is begun
    unsigned threads;
    uint64_t round;
    bool over; // written by thread 0 between barriers
    struct crew_barrier barrier;
    struct parcel blocks[BLOCKS_MAX]; // [0, count) live
    size_t count;
    struct parcel fresh[BLOCKS_MAX]; // what a scenario allocates while it frees `blocks`
    size_t fresh_count;
    struct ring rings[CREW_THREADS_MAX]; // ring i: to thread i
    _Atomic unsigned senders_left;       // release by a sender that is done, acquire by receivers
};

static struct stage stage;

// A scenario: prepare and finish by thread 0 alone, part by all threads at once.
struct scenario {
    const char *name;
    unsigned threads;
    void (*prepare)(void);
    void (*part)(unsigned index);
    void (*finish)(void);
};

static void nothing(void) {}

// --- blocks of the stage --------------------------------------------------------------------------------------------

static uint64_t tag_now(size_t i) { return (stage.round << 20 | i) * UINT64_C(0xff51afd7ed558ccd); }

static void fill_stage(size_t count) {
    for (size_t i = 0; i < count; i++) stage.blocks[i] = parcel_new(stage.bytes, tag_now(i));
    stage.count = count;
}

static void free_stage(size_t first, size_t stride) {
    for (size_t i = first; i < stage.count; i += stride)
        if (stage.blocks[i].p != NULL) parcel_free(stage.blocks[i]);
}

static void free_and_forget(size_t first, size_t stride) {
    free_stage(first, stride);
    for (size_t i = first; i < stage.count; i += stride) stage.blocks[i].p = NULL;
}

static void prepare_slab(void) { fill_stage(stage.capacity); }
static void prepare_three_slabs(void) { fill_stage(3 * stage.capacity); }

// Frees what thread 0 allocated into `fresh` meanwhile.
static void finish_fresh(void) {
    for (size_t i = 0; i < stage.fresh_count; i++) parcel_free(stage.fresh[i]);
    stage.fresh_count = 0;
}

static void allocate_fresh(size_t count) {
    for (size_t i = 0; i < count; i++) stage.fresh[i] = parcel_new(stage.bytes, ~tag_now(i));
    stage.fresh_count = count;
}

// --- scenarios with lasting threads ---------------------------------------------------------------------------------

// All threads, among them the owner, free the blocks of one slab at the same time, each every n-th block.
static void part_free_together(unsigned index) { free_stage(index, stage.threads); }

// The same, but each thread frees a run of neighbours in one long batch.
static void part_free_in_runs(unsigned index) {
    size_t share = stage.count / stage.threads + 1;
    for (size_t i = index * share; i < stage.count && i < (index + 1) * share; i++) parcel_free(stage.blocks[i]);
}

// The owner does nothing: the others free a full slab, whose state goes from pooled to claimed.
static void part_others_free(unsigned index) {
    if (index != 0) free_stage(index - 1, stage.threads - 1);
}

// The owner pops what the others push.
static void part_owner_allocates(unsigned index) {
    if (index != 0) free_stage(index - 1, stage.threads - 1);
    else allocate_fresh(stage.capacity);
}

// Everybody allocates while the blocks of one slab come back: the slab is pooled and taken by any.
static void part_all_allocate(unsigned index) {
    struct parcel own[16];
    for (size_t i = index; i < stage.count; i += stage.threads) {
        size_t slot = i / stage.threads % 16;
        parcel_free(stage.blocks[i]);
        if (i / stage.threads >= 16) parcel_free(own[slot]);
        own[slot] = parcel_new(stage.bytes, tag_now(i) + index);
    }
    size_t mine = stage.count > index ? (stage.count - index - 1) / stage.threads + 1 : 0;
    for (size_t i = 0; i < mine && i < 16; i++) parcel_free(own[i]);
}

// The owner frees all blocks but one for each thread; these free the last ones at once while the owner allocates.
static void prepare_last_blocks(void) {
    prepare_slab();
    for (size_t i = stage.threads; i < stage.count; i++) parcel_free(stage.blocks[i]);
    stage.count = stage.threads;
}

static void part_last_blocks(unsigned index) {
    parcel_free(stage.blocks[index]);
    if (index == 0) allocate_fresh(1 + stage.round % 3);
}

// The same with the owner's share freed by another thread before: the slab has lost its owner's queue.
static void prepare_last_blocks_remote(void) { prepare_slab(); }

static void part_last_blocks_remote(unsigned index) {
    if (index == 1)
        for (size_t i = stage.threads; i < stage.count; i++) parcel_free(stage.blocks[i]);
    parcel_free(stage.blocks[index]);
    if (index == 0) allocate_fresh(1 + stage.round % 3);
}

// Trim runs all the time; the others free, the owner allocates.
static void part_trim(unsigned index) {
    if (index == 1) {
        for (int i = 0; i < 4; i++) (void)mb_trim(0);
    } else if (index == 0) {
        allocate_fresh(stage.capacity / 2);
        free_stage(0, 4);
    } else {
        for (size_t i = index - 1; i < stage.count; i += 4) parcel_free(stage.blocks[i]);
    }
}

static void finish_trim(void) {
    finish_fresh();
    for (size_t i = stage.threads - 1; i < stage.count; i++)
        if (i % 4 >= stage.threads - 1) parcel_free(stage.blocks[i]);
}

// The owner frees every eighth block itself, first.
static void prepare_owner_first(void) {
    prepare_slab();
    free_and_forget(0, 8);
}

// The owner frees every eighth block itself, last.
static void part_owner_last(unsigned index) {
    if (index == 0) return;
    for (size_t i = index - 1; i < stage.count; i += stage.threads - 1)
        if (i % 8 != 0) parcel_free(stage.blocks[i]);
}

static void finish_owner_last(void) { free_stage(0, 8); }

// Foreign threads reallocate: in place within the class, to another class, and free.
static void part_resize(unsigned index) {
    static const size_t eighths[] = {8, 7, 16, 1, 12};
    for (size_t i = index; i < stage.count; i += stage.threads) {
        size_t bytes = stage.bytes * eighths[i % 5] / 8;
        parcel_free(parcel_resize(stage.blocks[i], bytes == 0 ? 1 : bytes, tag_now(i) + 1));
    }
}

// --- scenarios with messages ----------------------------------------------------------------------------------------

// Two threads send each other one block at a time; each frees the block it receives and sends a new one.
static void part_ping_pong(unsigned index) {
    enum { MESSAGES = 32 };
    if (index == 0) ring_send_wait(&stage.rings[1], parcel_new(stage.bytes, tag_now(0)));
    for (size_t i = 1; i <= MESSAGES; i++) {
        parcel_free(ring_receive_wait(&stage.rings[index]));
        if (i < MESSAGES || index == 1)
            ring_send_wait(&stage.rings[1 - index], parcel_new(stage.bytes, tag_now(i) + index));
    }
}

// Every thread sends to the next and frees what the one before has sent: each is producer and consumer. `classes` sizes
// follow each other in runs, shifted from thread to thread, so that spans of one class come back as another's.
static void circle(unsigned index, size_t classes) {
    unsigned next = (index + 1) % stage.threads;
    size_t sent = 0;
    size_t received = 0;
    struct parcel parcel;
    size_t messages = stage.capacity < RING_SLOTS ? 2 * stage.capacity : 2 * RING_SLOTS;
    while (sent < messages || received < messages) {
        bool stuck = true;
        for (; received < messages && ring_receive(&stage.rings[index], &parcel); received++, stuck = false)
            parcel_free(parcel);
        for (size_t burst = 0; sent < messages && burst < 64 && sent < received + RING_SLOTS; burst++, stuck = false) {
            size_t bytes = stage.bytes + stage.bytes / 4 * ((sent / 96 + index) % classes);
            parcel = parcel_new(bytes, tag_now(sent) + index);
            if (!ring_send(&stage.rings[next], parcel)) parcel_free(parcel);
            else sent++;
        }
        if (stuck) sched_yield();
    }
}

static void part_circle(unsigned index) { circle(index, 1); }
static void part_circle_classes(unsigned index) { circle(index, 5); }

// The owner's slabs become full and are freed at once, while others fill slabs of another class from the same memory.
static void part_classes(unsigned index) {
    size_t messages = stage.capacity * 2;
    if (index < 2) {
        for (size_t i = 0; i < messages; i++)
            ring_send_wait(&stage.rings[2 + index], parcel_new(stage.bytes + stage.bytes / 2 * index, tag_now(i)));
        return;
    }
    for (size_t i = 0; i < messages; i++) parcel_free(ring_receive_wait(&stage.rings[index]));
}

// Thread 0 produces for all others: the classic stranding case.
static void part_producer(unsigned index) {
    struct parcel parcel;
    size_t messages = stage.capacity;
    if (index == 0) {
        for (size_t i = 0; i < messages; i++)
            ring_send_wait(&stage.rings[1 + i % (stage.threads - 1)], parcel_new(stage.bytes, tag_now(i)));
        return;
    }
    for (size_t i = index - 1; i < messages; i += stage.threads - 1) {
        parcel = ring_receive_wait(&stage.rings[index]);
        parcel_free(parcel);
    }
}

// --- scenarios whose threads exit -----------------------------------------------------------------------------------

static void drain_ring(unsigned index) {
    struct parcel parcel;
    for (;;) {
        bool last = atomic_load_explicit(&stage.senders_left, memory_order_acquire) == 0;
        if (ring_receive(&stage.rings[index], &parcel)) parcel_free(parcel);
        else if (last) return;
        else sched_yield();
    }
}

static void sender_is_done(void) { atomic_fetch_sub_explicit(&stage.senders_left, 1, memory_order_release); }

// Thread 0 allocates for the others and is gone while they still free.
static void life_owner_exits(unsigned index) {
    if (index != 0) {
        drain_ring(index);
        return;
    }
    size_t most = (stage.threads - 1) * RING_SLOTS;
    for (size_t i = 0; i < stage.capacity && i < most; i++)
        ring_send_wait(&stage.rings[1 + i % (stage.threads - 1)], parcel_new(stage.bytes, tag_now(i)));
    sender_is_done();
}

// Thread 0 leaves half-empty slabs behind; another adopts them while the others free the rest.
static void life_adopted(unsigned index) {
    if (index == 0) {
        size_t most = (stage.threads - 2) * RING_SLOTS;
        for (size_t i = 0; i < stage.capacity && i < most; i++) {
            struct parcel parcel = parcel_new(stage.bytes, tag_now(i));
            if (i % 2 == 0) parcel_free(parcel);
            else ring_send_wait(&stage.rings[2 + i % (stage.threads - 2)], parcel);
        }
        sender_is_done();
    } else if (index == 1) {
        while (atomic_load_explicit(&stage.senders_left, memory_order_acquire) != 0) sched_yield();
        allocate_fresh(stage.capacity / 2);
        finish_fresh();
    } else {
        drain_ring(index);
    }
}

// Each thread leaves live blocks of its class behind and frees those of the thread before it.
static void short_life(unsigned index, size_t classes) {
    size_t share = BLOCKS_MAX / CREW_THREADS_MAX;
    size_t count = stage.capacity < share ? stage.capacity : share;
    struct parcel *mine = &stage.blocks[share * ((index + stage.round) % stage.threads)];
    size_t bytes = stage.bytes + stage.bytes / 4 * (index % classes);
    for (size_t i = 0; i < count; i++) {
        if (mine[i].p != NULL) parcel_free(mine[i]);
        mine[i] = parcel_new(bytes, tag_now(i) + index);
    }
}

static void life_short(unsigned index) { short_life(index, 1); }

// The same with classes that differ, and few blocks: slabs empty while their owner is leaving them, and become
// another's.
static void life_classes(unsigned index) {
    struct parcel few[4];
    for (size_t i = 0; i < 4; i++) few[i] = parcel_new(stage.bytes + stage.bytes / 4 * ((i + index) % 5), tag_now(i));
    for (size_t i = 0; i < 4; i++) ring_send_wait(&stage.rings[(index + 1) % stage.threads], few[i]);
    for (size_t i = 0; i < 4; i++) parcel_free(ring_receive_wait(&stage.rings[index]));
}

static void finish_short(void) {
    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        if (stage.blocks[i].p != NULL) parcel_free(stage.blocks[i]);
        stage.blocks[i].p = NULL;
    }
}

// --- running --------------------------------------------------------------------------------------------------------

static const struct scenario lasting[] = {
    {"free_together", 4, prepare_slab, part_free_together, nothing},
    {"free_in_runs", 4, prepare_slab, part_free_in_runs, nothing},
    {"free_three_slabs", 8, prepare_three_slabs, part_free_together, nothing},
    {"others_free", 4, prepare_slab, part_others_free, nothing},
    {"owner_allocates", 4, prepare_slab, part_owner_allocates, finish_fresh},
    {"all_allocate", 5, prepare_slab, part_all_allocate, nothing},
    {"last_blocks", 4, prepare_last_blocks, part_last_blocks, finish_fresh},
    {"last_blocks_remote", 3, prepare_last_blocks_remote, part_last_blocks_remote, finish_fresh},
    {"trim", 4, prepare_slab, part_trim, finish_trim},
    {"owner_first", 3, prepare_owner_first, part_others_free, nothing},
    {"owner_last", 3, prepare_slab, part_owner_last, finish_owner_last},
    {"resize", 4, prepare_slab, part_resize, nothing},
    {"ping_pong", 2, nothing, part_ping_pong, nothing},
    {"circle", 4, nothing, part_circle, nothing},
    {"circle_classes", 4, nothing, part_circle_classes, nothing},
    {"classes", 4, nothing, part_classes, nothing},
    {"producer", 4, nothing, part_producer, nothing},
};

// Here `part` is a thread's whole life, and finish runs in the main thread after the last round.
static const struct scenario exiting[] = {
    {"owner_exits", 4, nothing, life_owner_exits, nothing},
    {"adopted", 4, nothing, life_adopted, nothing},
    {"short_lives", 6, nothing, life_short, finish_short},
    {"short_lives_classes", 8, nothing, life_classes, nothing},
};

static uint64_t end_ms;

static bool is_over(void) { return stage.round >= ROUNDS * crew_patience() || crew_now_ms() >= end_ms; }

static void lasting_thread(void *context, unsigned index) {
    const struct scenario *s = context;
    for (;;) {
        if (index == 0) {
            stage.over = is_over();
            if (!stage.over) s->prepare();
        }
        crew_wait(&stage.barrier);
        if (stage.over) return;
        s->part(index);
        crew_wait(&stage.barrier);
        if (index == 0) {
            s->finish();
            stage.round++;
        }
    }
}

static void exiting_thread(void *context, unsigned index) {
    const struct scenario *s = context;
    s->part(index);
}

static void run_exiting(const struct scenario *s) {
    for (; !is_over(); stage.round++) {
        atomic_store(&stage.senders_left, 1);
        crew_run(s->threads, exiting_thread, (void *)(uintptr_t)s);
    }
    s->finish();
}

static void run_lasting(const struct scenario *s) {
    stage.barrier = (struct crew_barrier){.count = s->threads};
    crew_run(s->threads, lasting_thread, (void *)(uintptr_t)s);
}

// Nothing is live and no thread that allocated is left: a trim must leave next to nothing in slabs.
static void expect_given_back(void) {
    struct mb_stats stats;
    (void)mb_trim(0);
    mb_stats_get(&stats);
    if (stats.slab_bytes > KEPT_BYTES_MAX)
        crew_fail("%zu bytes in %zu slabs are left after the trim", stats.slab_bytes, stats.slabs);
    if (stats.warm_free_bytes > KEPT_BYTES_MAX) crew_fail("%zu bytes are warm after the trim", stats.warm_free_bytes);
}

static void run_size(const struct scenario *s, void (*run)(const struct scenario *), size_t bytes) {
    memset(&stage, 0, sizeof stage);
    stage.bytes = bytes;
    stage.capacity = 65536 / bytes + 6;
    stage.threads = s->threads;
    end_ms = crew_now_ms() + SHARE_MS * crew_patience();
    run(s);
    crew_expect_rest();
    expect_given_back();
}

static void run_scenarios(const struct scenario *all, size_t count, void (*run)(const struct scenario *), const char *only) {
    for (size_t i = 0; i < count; i++) {
        if (only != NULL && strcmp(only, all[i].name) != 0) continue;
        uint64_t rounds = 0;
        crew_begin(all[i].name);
        for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
            run_size(&all[i], run, sizes[n]);
            rounds += stage.round;
        }
        printf("race: %s ok, %u threads, %llu rounds\n", all[i].name, all[i].threads, (unsigned long long)rounds);
    }
}

int main(int argc, char **argv) {
    const char *only = argc > 1 ? argv[1] : NULL;
    run_scenarios(lasting, sizeof lasting / sizeof lasting[0], run_lasting, only);
    run_scenarios(exiting, sizeof exiting / sizeof exiting[0], run_exiting, only);
    return 0;
}
