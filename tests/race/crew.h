// What the race tests share: threads that start together, barriers, rings that hand blocks over, patterned blocks, and
// the check that nothing is live at rest.
//
// Who: a barrier and a crew are shared by the threads they were made for; a ring has one sender and one receiver.
#ifndef MB_TESTS_RACE_CREW_H
#define MB_TESTS_RACE_CREW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CREW_THREADS_MAX = 16, RING_SLOTS = 256 };

// --- failing and time -----------------------------------------------------------------------------------------------

// Prints "race: FAIL <test>: ..." with the seed and ends the process.
__attribute__((format(printf, 1, 2))) _Noreturn void crew_fail(const char *format, ...);

// The name that reports carry, and the seed of the run: MB_TEST_SEED, else 1, or with MB_TEST_LONG=1 from the clock. It
// is printed at the start.
void crew_begin(const char *name);
uint64_t crew_seed(void);
uint64_t crew_now_ms(void);
// 1, or 10 with MB_TEST_LONG=1.
unsigned crew_patience(void);

// --- threads --------------------------------------------------------------------------------------------------------

// Runs work(context, 0..count-1) in `count` new threads and waits for all.
void crew_run(unsigned count, void (*work)(void *context, unsigned index), void *context);

struct crew_barrier {
    _Atomic unsigned arrived; // threads waiting at the barrier; release on arrival, acquire by the last one
    _Atomic unsigned round;   // incremented when all have arrived: release by the last one, acquire by the others
    unsigned count;
};

// Waits for all `count` threads; yields, since there may be more threads than processors.
void crew_wait(struct crew_barrier *barrier);

// --- blocks ---------------------------------------------------------------------------------------------------------

// A block in transit: the tag of its pattern travels with it, so that a stale block differs from a new one at the same
// address.
struct parcel {
    void *p;
    uint64_t tag;
};

// Allocates and fills all usable bytes.
struct parcel parcel_new(size_t bytes, uint64_t tag);
struct parcel parcel_new_aligned(size_t align, size_t bytes, uint64_t tag);
// Checks all usable bytes.
void parcel_verify(struct parcel parcel);
void parcel_free(struct parcel parcel);
// Reallocates to `bytes`, checks that the contents were kept, and refills.
struct parcel parcel_resize(struct parcel parcel, size_t bytes, uint64_t tag);

struct ring {
    _Atomic size_t head; // received so far: release by the receiver, acquire by the sender
    _Atomic size_t tail; // sent so far: release by the sender, acquire by the receiver
    struct parcel slots[RING_SLOTS];
};

bool ring_send(struct ring *ring, struct parcel parcel);     // false: full
bool ring_receive(struct ring *ring, struct parcel *parcel); // false: empty
void ring_send_wait(struct ring *ring, struct parcel parcel);
struct parcel ring_receive_wait(struct ring *ring);

// --- at rest --------------------------------------------------------------------------------------------------------

// Call it while no other thread runs: live bytes and blocks must be 0.
void crew_expect_rest(void);

#endif
