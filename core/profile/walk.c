// Walks over all samples, one at a time: a thread that finds another one in a walk skips its own. A walk that was in
// progress in the parent does not count in a forked child.
#include "core/heap/sampler.h"
#include "core/profile/table.h"
#include "platform/bits.h"

static bool begin(struct mb_profile_table_shared *table) {
    return atomic_exchange_explicit(mb_profile_walking(table), 1, memory_order_acquire) == 0;
}

static void end(struct mb_profile_table_shared *table) { atomic_store_explicit(mb_profile_walking(table), 0, memory_order_release); }

// --- counting --------------------------------------------------------------------------------------------------------

static void clear_amount(struct mb_amount_shared *amount) {
    atomic_store_explicit(&amount->weight, 0, memory_order_relaxed);
    atomic_store_explicit(&amount->bytes, 0, memory_order_relaxed);
}

static void clear(void *value, struct mb_profile_stack *stack) { clear_amount(&stack->of[*(const enum mb_profile_value *)value]); }

static void add(struct mb_amount_shared *amount, uint64_t weight, uint64_t bytes) {
    uint64_t estimate = (uint64_t)((double)bytes * (double)weight / (1 << MB_WEIGHT_SHIFT));
    atomic_store_explicit(&amount->weight, atomic_load_explicit(&amount->weight, memory_order_relaxed) + weight, memory_order_relaxed);
    atomic_store_explicit(&amount->bytes, atomic_load_explicit(&amount->bytes, memory_order_relaxed) + estimate, memory_order_relaxed);
}

// Adds 64 samples to the amounts of their stacks; for MB_GROWN only those taken since the last mark.
static void count_group(struct mb_profile_table_shared *table, unsigned group, enum mb_profile_value value) {
    uint32_t mark = atomic_load_explicit(&table->mark, memory_order_relaxed);
    for (unsigned i = 0; i < 64; i++) {
        const struct mb_sample_shared *sample = &table->sample[group * 64 + i];
        uintptr_t address = atomic_load_explicit(&sample->address, memory_order_acquire);
        if (address <= MB_SAMPLE_FILLING || (value == MB_GROWN && sample->mark != mark)) continue;
        add(&mb_profile_stack_at(table, sample->stack)->of[value], sample->weight,
            atomic_load_explicit(&sample->bytes, memory_order_relaxed));
    }
}

static void count(struct mb_profile_table_shared *table, enum mb_profile_value value) {
    mb_profile_each(table, clear, &value);
    for (unsigned w = 0; w < MB_SAMPLE_WORDS; w++) {
        uint64_t used = atomic_load_explicit(&table->used_groups[w], memory_order_relaxed);
        for (; used != 0; used &= used - 1) count_group(table, w * 64 + mb_ctz64(used), value);
    }
}

// --- the peak --------------------------------------------------------------------------------------------------------

enum { PEAK_SHARE = 16 };

static void look_for_peak(struct mb_profile_table_shared *table, uint64_t least_growth) {
    uint64_t live = atomic_load_explicit(&table->live_bytes, memory_order_relaxed);
    uint64_t peak = atomic_load_explicit(&table->peak_bytes, memory_order_relaxed);
    if ((int64_t)live <= 0 || live <= peak + least_growth) return;
    count(table, MB_PEAK);
    atomic_store_explicit(&table->peak_bytes, live, memory_order_relaxed);
}

void mb_profile_look_for_peak(struct mb_profile_table_shared *table, uint64_t least_growth) {
    uint64_t live = atomic_load_explicit(&table->live_bytes, memory_order_relaxed);
    uint64_t peak = atomic_load_explicit(&table->peak_bytes, memory_order_relaxed);
    if ((int64_t)live <= 0 || live <= peak + peak / PEAK_SHARE + least_growth || !begin(table)) return;
    look_for_peak(table, least_growth);
    end(table);
}

// --- all of it -------------------------------------------------------------------------------------------------------

struct visitor {
    void (*visit)(void *context, const struct mb_profile_stack *stack);
    void *context;
};

static void show(void *visitor, struct mb_profile_stack *stack) {
    const struct visitor *who = visitor;
    who->visit(who->context, stack);
}

bool mb_profile_walk(void (*visit)(void *context, const struct mb_profile_stack *stack), void *context) {
    struct visitor who = {visit, context};
    struct mb_profile_table_shared *table = mb_profile_table();
    if (table == NULL || !begin(table)) return false;
    look_for_peak(table, 0);
    count(table, MB_LIVE);
    count(table, MB_GROWN);
    mb_profile_each(table, show, &who);
    end(table);
    return true;
}
