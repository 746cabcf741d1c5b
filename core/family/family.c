#include "core/family/family.h"

#include <string.h>

#include "core/harden/canary.h"
#include "core/harden/colour.h"
#include "core/harden/fault.h"
#include "core/harden/guard.h"
#include "core/harden/huge.h"
#include "core/harden/meta.h"
#include "core/harden/numa.h"
#include "core/harden/poison.h"
#include "core/harden/quarantine.h"
#include "core/harden/statistics.h"
#include "core/harden/watermark.h"
#include "core/region/region.h"

// All layers' own state in one guarded mapping; what is not asked for stays zero.
struct mb_family {
    struct mb_layer *top;    // the outermost layer
    struct mb_allocator *base;
    struct mb_family_options options; // what it points to is not ours any more, only whether it did
    size_t colour_bytes;     // 0: not coloured
    enum mb_error (*reset_top)(struct mb_allocator *); // what the family's own operations stand in front of
    enum mb_error (*drop_top)(struct mb_allocator *);
    struct mb_layer bare;    // only forwards; for a family without any other layer
    struct mb_statistics_shared statistics;
    struct mb_watermark_shared watermark;
    struct mb_fault fault;
    struct mb_guard guard;
    struct mb_canary canary;
    struct mb_quarantine quarantine;
    struct mb_poison poison;
};

// --- the layers, from the base outwards ------------------------------------------------------------------------------

static void put_on_top(struct mb_family *family, struct mb_layer *layer) { family->top = layer; }

static struct mb_allocator *below(const struct mb_family *family) {
    return family->top != NULL ? &family->top->api : family->base;
}

static enum mb_error add_waiting_layers(struct mb_family *family) {
    const struct mb_family_options *options = &family->options;
    enum mb_error error = MB_OK;
    if (options->poison != NULL) {
        error = mb_poison_init(&family->poison, options->poison, options->policy, below(family));
        if (error != MB_OK) return error;
        put_on_top(family, &family->poison.hold.layer);
    }
    if (options->quarantine != NULL) {
        error = mb_quarantine_init(&family->quarantine, options->quarantine, options->policy, below(family));
        if (error != MB_OK) return error;
        put_on_top(family, &family->quarantine.hold.layer);
    }
    return MB_OK;
}

static bool guards_every_block(const struct mb_family_options *options) {
    struct mb_guard_config guard;
    return options->guard != NULL && mb_config_read(options->guard, &guard, sizeof guard, sizeof guard) && guard.one_in == 1;
}

// Where every block is guarded none ends at its canary, all start at pages whatever the colour, and every huge page is
// split.
static bool some_would_be_inert(const struct mb_family_options *options) {
    bool huge = (options->wishes & MB_FAMILY_HUGE_PAGES) != 0;
    return guards_every_block(options) && (options->canary != NULL || options->colour != NULL || huge);
}

static enum mb_error add_edge_layers(struct mb_family *family) {
    const struct mb_family_options *options = &family->options;
    enum mb_error error = MB_OK;
    if (options->canary != NULL) {
        error = mb_canary_init(&family->canary, options->canary, options->policy, below(family));
        if (error == MB_OK) put_on_top(family, &family->canary.layer);
    }
    if (options->guard != NULL && error == MB_OK) error = mb_guard_try(family->base);
    if (options->guard != NULL && error == MB_OK) {
        error = mb_guard_init_tried(&family->guard, options->guard, options->policy, below(family));
        if (error == MB_OK) put_on_top(family, &family->guard.layer);
    }
    return error;
}

static enum mb_error add_watching_layers(struct mb_family *family) {
    const struct mb_family_options *options = &family->options;
    enum mb_error error = MB_OK;
    if (options->fault != NULL) {
        error = mb_fault_init(&family->fault, options->fault, below(family));
        if (error == MB_OK) put_on_top(family, &family->fault.layer);
    }
    if (options->watermark != NULL && error == MB_OK) {
        error = mb_watermark_init(&family->watermark, options->watermark, below(family));
        if (error == MB_OK) put_on_top(family, &family->watermark.layer);
    }
    if (options->statistics != NULL && error == MB_OK) {
        error = mb_statistics_init(&family->statistics, options->statistics, below(family));
        if (error == MB_OK) put_on_top(family, &family->statistics.layer);
    }
    return error;
}

static void add_bare_layer(struct mb_family *family) {
    static const struct mb_allocator_table NOTHING_CHANGED = {.traits = ~UINT32_C(0)};
    mb_layer_init(&family->bare, &NOTHING_CHANGED, family->base, family->options.policy);
    put_on_top(family, &family->bare);
}

// --- what is done to the base ----------------------------------------------------------------------------------------

static enum mb_error place(struct mb_family *family) {
    const struct mb_family_options *options = &family->options;
    enum mb_error error = MB_OK;
    if (options->nodes != NULL) error = mb_numa_start(family->base, options->nodes, options->node_words);
    if ((options->wishes & MB_FAMILY_HUGE_PAGES) != 0 && error == MB_OK) error = mb_huge_start(family->base);
    if (options->colour != NULL && error == MB_OK)
        error = mb_colour_start(family->base, options->colour, &family->colour_bytes);
    return error;
}

// --- the family's own operations, in front of the outermost layer's --------------------------------------------------

static struct mb_family *family_of(const struct mb_allocator *api) { return mb_layer_of(api)->owner; }

static enum mb_error reset(struct mb_allocator *api) {
    struct mb_family *family = family_of(api);
    enum mb_error error = family->reset_top(api);
    if (error != MB_OK || family->colour_bytes == 0) return error;
    return mb_layer_passed(family->top, mb_colour_again(family->base, family->colour_bytes));
}

static enum mb_error drop(struct mb_allocator *api) {
    struct mb_family *family = family_of(api);
    enum mb_error error = family->drop_top(api);
    return error == MB_OK ? mb_meta_unmap(family, sizeof *family) : error;
}

static enum mb_error release_whole_huge_pages(struct mb_allocator *api, void *p, size_t bytes) {
    struct mb_family *family = family_of(api);
    return mb_layer_passed(family->top, mb_huge_release(family->base, p, bytes));
}

static void stand_in_front(struct mb_family *family) {
    struct mb_layer *top = family->top;
    top->owner = family;
    family->reset_top = top->table.reset;
    family->drop_top = top->table.drop;
    top->table.reset = reset;
    top->table.drop = drop;
    bool huge = (family->options.wishes & MB_FAMILY_HUGE_PAGES) != 0;
    if (huge && top->range.release_pages != NULL) top->range.release_pages = release_whole_huge_pages;
}

// --- composing -------------------------------------------------------------------------------------------------------

static enum mb_error put_together(struct mb_family *family) {
    if ((family->options.wishes & ~(uint32_t)MB_FAMILY_HUGE_PAGES) != 0) return MB_BAD_CONFIG;
    if (some_would_be_inert(&family->options)) return MB_BAD_CONFIG;
    enum mb_error error = add_waiting_layers(family);
    if (error == MB_OK) error = add_edge_layers(family);
    if (error == MB_OK) error = add_watching_layers(family);
    if (error == MB_OK) error = place(family); // last: it cannot be undone
    if (error != MB_OK) return error;
    if (family->top == NULL) add_bare_layer(family);
    stand_in_front(family);
    return MB_OK;
}

enum mb_error mb_family_compose(const struct mb_family_options *given, struct mb_allocator *base, struct mb_family **out) {
    struct mb_family_options options;
    struct mb_family *family;
    void *p;
    if (base == NULL || !mb_config_read(given, &options, sizeof options, sizeof options)) return MB_BAD_CONFIG;
    enum mb_error error = mb_meta_map(sizeof *family, &p);
    if (error != MB_OK) return error;
    family = p;
    family->options = options;
    family->base = base;
    error = put_together(family);
    if (error == MB_OK) *out = family;
    else mb_meta_unmap(family, sizeof *family); // no layer has anything of its own yet
    return error;
}

struct mb_allocator *mb_family_allocator(struct mb_family *family) { return &family->top->api; }

enum mb_error mb_family_drop(struct mb_family *family) { return mb_allocator_drop(&family->top->api); }

uint32_t mb_family_region_flags(const struct mb_family_options *options) {
    uint32_t flags = 0;
    if ((options->wishes & MB_FAMILY_HUGE_PAGES) != 0) flags |= MB_REGION_HUGE_PAGES;
    if (options->nodes != NULL) flags |= MB_REGION_NUMA;
    return flags;
}

// --- looking ---------------------------------------------------------------------------------------------------------

enum mb_error mb_family_statistics(const struct mb_family *family, struct mb_statistics_numbers *out) {
    if (family->options.statistics == NULL) return MB_UNSUPPORTED;
    *out = mb_statistics_read(&family->statistics);
    return MB_OK;
}

enum mb_error mb_family_arm(struct mb_family *family, const struct mb_fault_config *config) {
    return family->options.fault != NULL ? mb_fault_arm(&family->fault.plan, config) : MB_UNSUPPORTED;
}

uint64_t mb_family_struck(const struct mb_family *family) { return mb_fault_struck(&family->fault.plan); }

size_t mb_family_check(struct mb_family *family) {
    const struct mb_family_options *options = &family->options;
    size_t damaged = 0;
    if (options->canary != NULL) damaged += mb_canary_damaged(&family->canary);
    if (options->guard != NULL) damaged += mb_guard_damaged(&family->guard);
    if (options->quarantine != NULL) damaged += mb_hold_damaged(&family->quarantine.hold);
    if (options->poison != NULL) damaged += mb_hold_damaged(&family->poison.hold);
    return damaged;
}

enum mb_error mb_family_walk(struct mb_family *family, mb_block_visitor *visit, void *context) {
    if (family->options.canary == NULL) return MB_UNSUPPORTED;
    mb_canary_walk(&family->canary, visit, context);
    return MB_OK;
}

void mb_family_flush(struct mb_family *family) {
    if (family->options.quarantine != NULL) mb_hold_flush(&family->quarantine.hold);
    if (family->options.poison != NULL) mb_hold_flush(&family->poison.hold);
}
