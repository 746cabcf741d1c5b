#include "core/harden/link_key.h"

#include "platform/os.h"

// Zero until it is drawn. Any thread: factor by compare-and-swap, then the inverse (release; acquire).
static struct mb_link_key key_shared;

// Links stay within the longest slab; a flip must lead at least this far away.
static const uint64_t FARTHEST_SLAB_BYTES = UINT64_C(1) << 20;

// Newton's iteration doubles the correct low bits: 3, 6, 12, 24, 48, 96.
static uint64_t inverse_of(uint64_t odd) {
    uint64_t x = odd;
    for (int round = 0; round < 5; round++) x *= 2 - odd * x;
    return x;
}

static bool leads_outside(uint64_t distance) {
    return distance > FARTHEST_SLAB_BYTES && 0 - distance > FARTHEST_SLAB_BYTES;
}

// Flipping bit i of a link moves the decoded address by +-2^i * inverse.
static bool every_flip_detected(uint64_t inverse) {
    for (unsigned bit = 0; bit < 64; bit++) {
        if (!leads_outside(inverse << bit)) return false;
    }
    return true;
}

// splitmix64, Sebastiano Vigna's finaliser: stretches the seed when a draw is refused.
static uint64_t stretch(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

// The first thread decides the factor; all threads store the same inverse, so none has to wait.
MB_COLD static void draw(void) {
    uint64_t random[2];
    mb_os_random(random, sizeof random);
    uint64_t factor = random[0] | 1, none = 0;
    while (!every_flip_detected(inverse_of(factor))) factor = stretch(&random[1]) | 1;
    bool first = __atomic_compare_exchange_n(&key_shared.factor, &none, factor, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    __atomic_store_n(&key_shared.inverse, inverse_of(first ? factor : none), __ATOMIC_RELEASE);
}

struct mb_link_key mb_link_key_get(void) {
    if (__atomic_load_n(&key_shared.inverse, __ATOMIC_ACQUIRE) == 0) draw();
    struct mb_link_key key = {__atomic_load_n(&key_shared.factor, __ATOMIC_RELAXED), 0};
    key.inverse = inverse_of(key.factor);
    return key;
}
