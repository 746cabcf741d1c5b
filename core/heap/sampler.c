#include "core/heap/sampler.h"

#include "core/heap/perturb.h"
#include "core/region/arena.h"
#include "platform/bits.h"
#include "platform/cpu.h"
#include "platform/os.h"

struct mb_sampling_shared mb_sampling_shared;

static struct {
    _Atomic uint32_t sessions; // ever
    _Atomic uint64_t losses;   // looks at what would have been due; any thread, relaxed
} started_shared;

void mb_sampling_start(uint64_t period, uint64_t seed) {
    if (seed == 0) mb_os_random(&seed, sizeof seed); // here alone: a sandbox that comes later may forbid it
    atomic_store_explicit(&mb_sampling_shared.seed, seed, memory_order_relaxed);
    atomic_store_explicit(&mb_sampling_shared.period, mb_max(1, mb_min(period, MB_SAMPLE_PERIOD_MAX)), memory_order_relaxed);
    atomic_store_explicit(&mb_sampling_shared.lost, 0, memory_order_relaxed);
    uint32_t session = atomic_fetch_add_explicit(&started_shared.sessions, 1, memory_order_relaxed) + 1;
    atomic_store_explicit(&mb_sampling_shared.session, session, memory_order_release);
    mb_perturb_watch(true);
}

void mb_sampling_stop(void) {
    mb_perturb_watch(false);
    atomic_store_explicit(&mb_sampling_shared.session, 0, memory_order_release);
}

// --- numbers ---------------------------------------------------------------------------------------------------------

// The natural logarithm of 2^exponent * (1 + fraction), 0 <= fraction < 1: twice the series of the inverse hyperbolic
// tangent.
static double logarithm(int exponent, double fraction) {
    double s = fraction / (2 + fraction), square = s * s, sum = 0;
    for (int n = 17; n > 0; n -= 2) sum = sum * square + 1.0 / n;
    return 0.69314718055994530942 * exponent + 2 * s * sum;
}

// Exponentially distributed with the mean 1.
static double draw_one(struct mb_rng *rng) {
    uint64_t random = mb_rng_next(rng) >> 12 | UINT64_C(1) << 52; // 52 bits behind a leading 1
    uint64_t below = random - (UINT64_C(1) << 52) + 1;            // 1 .. 2^52
    unsigned log2 = mb_log2(below);
    double fraction = (double)(below - (UINT64_C(1) << log2)) / (double)(UINT64_C(1) << log2);
    return -logarithm((int)log2 - 52, fraction);
}

static uint64_t draw(struct mb_sampler *sampler) {
    return (uint64_t)(draw_one(&sampler->rng) * (double)atomic_load_explicit(&mb_sampling_shared.period, memory_order_relaxed));
}

static uint32_t draw_small(struct mb_sampler *sampler) { return (uint32_t)mb_min(draw(sampler), UINT32_MAX); }

// 1 - exp(-x), by halving: 1 - (1 - q)^2 = q (2 - q).
static double chance(double x) {
    unsigned halvings = 0;
    if (x > 40) return 1;
    for (; x > 1.0 / 16; x /= 2) halvings++;
    double q = x * (1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5 * (1 - x / 6)))));
    for (; halvings > 0; halvings--) q *= 2 - q;
    return q;
}

uint64_t mb_sampling_weight(uint64_t bytes) {
    double period = (double)atomic_load_explicit(&mb_sampling_shared.period, memory_order_relaxed);
    return (uint64_t)((double)(1 << MB_WEIGHT_SHIFT) / chance((double)mb_max(bytes, 1) / period) + 0.5);
}

// --- a heap's --------------------------------------------------------------------------------------------------------

static void begin(struct mb_heap *heap, struct mb_sampler *sampler, uint32_t session) {
    sampler->rng.state = atomic_load_explicit(&mb_sampling_shared.seed, memory_order_relaxed) + (uintptr_t)heap;
    sampler->session = session;
    for (unsigned c = 0; c < MB_CLASSES; c++) sampler->until[c] = draw_small(sampler);
    sampler->until_large = draw(sampler);
}

// NULL: there is no session, or no memory.
static struct mb_sampler *sampler_of(struct mb_heap *heap) {
    uint32_t session = mb_sampling_session();
    if (session == 0) return NULL;
    if (heap->sampler == NULL) heap->sampler = mb_arena_metadata(sizeof *heap->sampler, MB_LINE_PAIR);
    if (heap->sampler == NULL) return NULL;
    if (heap->sampler->session != session) begin(heap, heap->sampler, session);
    return heap->sampler;
}

// A heap that has no sampler for want of memory: by chance, what it hands out would have been due.
MB_COLD static void lose(uint64_t bytes) {
    if (mb_sampling_session() == 0) return;
    uint64_t turn = atomic_fetch_add_explicit(&started_shared.losses, 1, memory_order_relaxed);
    uint64_t random = mb_mix64(turn * MB_RNG_STEP + atomic_load_explicit(&mb_sampling_shared.seed, memory_order_relaxed));
    double period = (double)atomic_load_explicit(&mb_sampling_shared.period, memory_order_relaxed);
    if ((double)(random >> 11) < chance((double)bytes / period) * (double)(UINT64_C(1) << 53)) mb_sampling_note_lost();
}

bool mb_sampler_is_due(struct mb_heap *heap, unsigned class_index) {
    struct mb_sampler *sampler = sampler_of(heap);
    if (sampler == NULL) lose(mb_class_bytes(class_index));
    if (sampler == NULL || sampler->until[class_index] >= mb_class_bytes(class_index)) return false;
    sampler->until[class_index] = draw_small(sampler);
    return true;
}

bool mb_sampler_is_due_large(struct mb_heap *heap, uint64_t bytes) {
    struct mb_sampler *sampler = sampler_of(heap);
    if (sampler == NULL) lose(bytes);
    if (sampler == NULL) return false;
    if (sampler->until_large >= bytes) {
        sampler->until_large -= bytes;
        return false;
    }
    sampler->until_large = draw(sampler);
    return true;
}

static struct mb_sampler *current(const struct mb_heap *heap) {
    struct mb_sampler *sampler = heap->sampler;
    return sampler != NULL && sampler->session == mb_sampling_session() ? sampler : NULL;
}

void mb_sampler_count(struct mb_heap *heap, unsigned class_index) {
    struct mb_sampler *sampler = current(heap);
    if (sampler == NULL) return;
    uint32_t bytes = mb_class_bytes(class_index), until = sampler->until[class_index];
    sampler->until[class_index] = until >= bytes ? until - bytes : 0;
}

static uint64_t lowest_bits(uint64_t mask, uint32_t count) {
    uint64_t rest = mask;
    for (; count > 0; count--) rest &= rest - 1;
    return mask ^ rest;
}

// The next point is in the mask.
static uint64_t cut(struct mb_sampler *sampler, unsigned class_index, uint64_t mask, uint32_t blocks) {
    uint32_t bytes = mb_class_bytes(class_index), until = sampler->until[class_index], before = (uint32_t)mb_max(until / bytes, 1);
    if (before < blocks) mask = lowest_bits(mask, before), blocks = before;
    sampler->until[class_index] = until >= blocks * bytes ? until - blocks * bytes : 0;
    return mask;
}

uint64_t mb_sampler_cut(struct mb_heap *heap, unsigned class_index, uint64_t mask) {
    struct mb_sampler *sampler = current(heap);
    uint32_t bytes = mb_class_bytes(class_index), blocks = (uint32_t)mb_count_bits(mask);
    if (sampler == NULL) {
        if (heap->token != heap && blocks > 1) lose((uint64_t)(blocks - 1) * bytes); // no commons; the first was asked for
        return mask;
    }
    if (sampler->until[class_index] < blocks * bytes) return cut(sampler, class_index, mask, blocks);
    sampler->until[class_index] -= blocks * bytes;
    return mask;
}

void mb_sampler_put_back(struct mb_heap *heap, unsigned class_index, unsigned blocks) {
    struct mb_sampler *sampler = current(heap);
    if (sampler == NULL) return;
    uint64_t until = sampler->until[class_index] + (uint64_t)blocks * mb_class_bytes(class_index);
    sampler->until[class_index] = (uint32_t)mb_min(until, UINT32_MAX);
}
