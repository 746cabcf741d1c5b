#include "core/profile/profile.h"

#include <errno.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/heap/heaps.h"
#include "core/heap/sampler.h"
#include "core/process/stack.h"
#include "core/profile/table.h"
#include "core/told/options.h"
#include "platform/bits.h"
#include "platform/os.h"
#include "platform/probe.h"

struct mb_profile_root_shared mb_profile_root_shared;

struct mb_profile_table_shared *mb_profile_table(void) {
    return atomic_load_explicit(&mb_profile_root_shared.table, memory_order_acquire);
}

// --- sessions --------------------------------------------------------------------------------------------------------

static size_t table_bytes(void) { return mb_align_up(sizeof(struct mb_profile_table_shared), mb_os_page_size()); }

// Behind the table a page that the kernel wipes in a forked child, for what one thread does at a time.
static size_t mapped_bytes(void) { return table_bytes() + mb_os_page_size(); }

static int make_table(void) {
    void *p;
    int error = mb_os_reserve(NULL, mapped_bytes(), &p);
    if (error != 0) return error;
    error = mb_os_commit(p, mapped_bytes());
    if (error != 0) {
        mb_os_unmap(p, mapped_bytes());
        return error;
    }
    mb_os_advise_huge(p, table_bytes(), false);
    mb_os_wipe_on_fork((char *)p + table_bytes(), mb_os_page_size()); // before Linux 4.14 a child of a process that walks has no walks
    struct mb_profile_table_shared *none = NULL;
    if (!atomic_compare_exchange_strong(&mb_profile_root_shared.table, &none, p)) mb_os_unmap(p, mapped_bytes());
    return 0;
}

static struct mb_profile_turns_shared *turns(struct mb_profile_table_shared *table) { return (void *)((char *)table + table_bytes()); }
_Atomic uint32_t *mb_profile_walking(struct mb_profile_table_shared *table) { return &turns(table)->walking; }

// Whoever frees a block of an earlier session at this moment finds it or not: it is no more counted either way.
static void empty_table(struct mb_profile_table_shared *table) {
    bool is_fresh = atomic_load_explicit(&table->used, memory_order_relaxed) == 0;
    if (!is_fresh && mb_os_purge(table, table_bytes()) != 0) memset((void *)table, 0, table_bytes());
}

// Empties the masks of the calling thread's heap, whose blocks would be allocated without being sampled. Other threads
// sample from their next refill on.
static void drop_own_masks(void) {
    if (!mb_heap_is_real(mb_heap_self)) return;
    for (unsigned c = 0; c < MB_CLASSES; c++) mb_heap_drop_mask(mb_heap_self, c);
}

static int start(struct mb_profile_table_shared *table, uint64_t period) {
    if (mb_sampling_session() != 0) return -EBUSY;
    empty_table(table);
    atomic_store_explicit(&table->used, (uint32_t)mb_align_up(sizeof(struct mb_profile_stack), 16), memory_order_relaxed);
    atomic_store_explicit(&table->frame[1], 1, memory_order_relaxed);
    mb_sampling_start(period, mb_option.seed);
    drop_own_masks();
    return 0;
}

int mb_profile_start(uint64_t period) {
    int error = mb_profile_table() == NULL ? make_table() : 0;
    if (error != 0) return error;
    struct mb_profile_table_shared *table = mb_profile_table();
    if (atomic_exchange(&turns(table)->switching, 1) != 0) return -EBUSY;
    error = start(table, period);
    atomic_store(&turns(table)->switching, 0);
    return error;
}

// If another thread starts or stops a session at this moment, the call acts as if it came before.
void mb_profile_stop(void) {
    struct mb_profile_table_shared *table = mb_profile_table();
    if (table == NULL || atomic_exchange(&turns(table)->switching, 1) != 0) return;
    mb_sampling_stop();
    atomic_store(&turns(table)->switching, 0);
}

void mb_profile_mark(void) {
    struct mb_profile_table_shared *table = mb_profile_table();
    if (table != NULL) atomic_fetch_add_explicit(&table->mark, 1, memory_order_relaxed);
}

// --- samples ---------------------------------------------------------------------------------------------------------

static uint64_t stands_for(uint64_t bytes, uint64_t weight) { return (uint64_t)((double)bytes * (double)weight / (1 << MB_WEIGHT_SHIFT)); }

static struct mb_sample_shared *window_of(struct mb_profile_table_shared *table, uintptr_t address) {
    return &table->sample[mb_mix64(address) % MB_SAMPLES];
}

static void note_used(struct mb_profile_table_shared *table, const struct mb_sample_shared *slot) {
    size_t group = (size_t)(slot - table->sample) / 64;
    _Atomic uint64_t *word = &table->used_groups[group / 64];
    uint64_t bit = UINT64_C(1) << group % 64;
    if ((atomic_load_explicit(word, memory_order_relaxed) & bit) == 0) atomic_fetch_or_explicit(word, bit, memory_order_relaxed);
}

static struct mb_sample_shared *claim_slot(struct mb_profile_table_shared *table, uintptr_t address) {
    struct mb_sample_shared *slot = window_of(table, address);
    for (unsigned i = 0; i < MB_PROBES; i++, slot++) {
        uintptr_t seen = atomic_load_explicit(&slot->address, memory_order_relaxed);
        if (seen != 0) continue;
        if (atomic_compare_exchange_strong_explicit(&slot->address, &seen, MB_SAMPLE_FILLING, memory_order_acquire, memory_order_relaxed))
            return slot;
    }
    return NULL;
}

static struct mb_sample_shared *find(struct mb_profile_table_shared *table, uintptr_t address) {
    struct mb_sample_shared *slot = window_of(table, address);
    for (unsigned i = 0; i < MB_PROBES; i++, slot++) {
        if (atomic_load_explicit(&slot->address, memory_order_acquire) == address) return slot;
    }
    return NULL;
}

static void count_allocated(struct mb_profile_stack *stack, uint64_t bytes, uint64_t weight) {
    atomic_fetch_add_explicit(&stack->of[MB_ALLOCATED].weight, weight, memory_order_relaxed);
    atomic_fetch_add_explicit(&stack->of[MB_ALLOCATED].bytes, stands_for(bytes, weight), memory_order_relaxed);
}

enum { PEAK_PERIODS = 8 };

MB_NOINLINE void mb_profile_add(const void *p, uint64_t bytes, uint64_t counted) {
    uintptr_t address[MB_STACK_MOST];
    struct mb_profile_table_shared *table = mb_profile_table();
    uint64_t weight = mb_sampling_weight(counted);
    uint32_t stack = mb_profile_stack_of(table, address, mb_stack_capture(address, MB_STACK_MOST));
    count_allocated(mb_profile_stack_at(table, stack), bytes, weight);
    atomic_fetch_add_explicit(&table->taken, 1, memory_order_relaxed);
    struct mb_sample_shared *slot = claim_slot(table, (uintptr_t)p);
    if (slot == NULL) return mb_sampling_note_lost();
    note_used(table, slot);
    atomic_store_explicit(&slot->bytes, bytes, memory_order_relaxed);
    slot->weight = weight;
    slot->stack = stack;
    slot->mark = atomic_load_explicit(&table->mark, memory_order_relaxed);
    atomic_fetch_add_explicit(&table->live_bytes, stands_for(bytes, weight), memory_order_relaxed);
    atomic_store_explicit(&slot->address, (uintptr_t)p, memory_order_release);
    MB_PROBE2(sample, (uintptr_t)p, bytes);
    mb_profile_look_for_peak(table, PEAK_PERIODS * atomic_load_explicit(&mb_sampling_shared.period, memory_order_relaxed));
}

void mb_profile_remove(const void *p) {
    struct mb_profile_table_shared *table = mb_profile_table();
    struct mb_sample_shared *slot = table != NULL ? find(table, (uintptr_t)p) : NULL;
    if (slot == NULL) return;
    uint64_t asked = atomic_load_explicit(&slot->bytes, memory_order_relaxed), bytes = stands_for(asked, slot->weight);
    uintptr_t seen = (uintptr_t)p;
    if (!atomic_compare_exchange_strong_explicit(&slot->address, &seen, 0, memory_order_release, memory_order_relaxed)) return;
    atomic_fetch_sub_explicit(&table->live_bytes, bytes, memory_order_relaxed);
    MB_PROBE2(sample_freed, (uintptr_t)p, asked);
}

// Gives the sample its new length, and returns by how many bytes the live bytes change.
static uint64_t resize(struct mb_profile_table_shared *table, struct mb_sample_shared *slot, uint64_t bytes) {
    uint64_t before = atomic_exchange_explicit(&slot->bytes, bytes, memory_order_relaxed);
    uint64_t change = stands_for(bytes, slot->weight) - stands_for(before, slot->weight);
    atomic_fetch_add_explicit(&table->live_bytes, change, memory_order_relaxed);
    return change;
}

void mb_profile_resize(const void *p, uint64_t bytes) {
    struct mb_profile_table_shared *table = mb_profile_table();
    struct mb_sample_shared *slot = table != NULL ? find(table, (uintptr_t)p) : NULL;
    if (slot != NULL) resize(table, slot, bytes);
}

void mb_profile_correct(const void *p, uint64_t bytes) {
    struct mb_profile_table_shared *table = mb_profile_table();
    struct mb_sample_shared *slot = table != NULL ? find(table, (uintptr_t)p) : NULL;
    if (slot == NULL) return;
    uint64_t change = resize(table, slot, bytes);
    atomic_fetch_add_explicit(&mb_profile_stack_at(table, slot->stack)->of[MB_ALLOCATED].bytes, change, memory_order_relaxed);
}

uint64_t mb_profile_live_bytes(void) {
    struct mb_profile_table_shared *table = mb_profile_table();
    return table == NULL ? 0 : atomic_load_explicit(&table->live_bytes, memory_order_relaxed);
}

void mb_profile_facts(struct mb_profile_facts *out) {
    const struct mb_profile_table_shared *table = mb_profile_table();
    memset(out, 0, sizeof *out);
    if (table == NULL) return;
    out->period = atomic_load_explicit(&mb_sampling_shared.period, memory_order_relaxed);
    out->samples = atomic_load_explicit(&table->taken, memory_order_relaxed);
    out->lost_samples = atomic_load_explicit(&mb_sampling_shared.lost, memory_order_relaxed);
    out->lost_stacks = atomic_load_explicit(&table->lost_stacks, memory_order_relaxed);
    out->lost_frames = atomic_load_explicit(&table->lost_frames, memory_order_relaxed);
}

void mb_profile_frames_used(uint64_t bits[MB_PROFILE_FRAMES / 64]) {
    const struct mb_profile_table_shared *table = mb_profile_table();
    for (uint32_t word = 0; word < MB_PROFILE_FRAMES / 64; word++) {
        bits[word] = 0;
        for (uint32_t i = 0; i < 64; i++) {
            if (atomic_load_explicit(&table->frame[word * 64 + i], memory_order_relaxed) != 0) bits[word] |= UINT64_C(1) << i;
        }
    }
}

uintptr_t mb_profile_frame(uint32_t index) { return atomic_load_explicit(&mb_profile_table()->frame[index], memory_order_relaxed); }
