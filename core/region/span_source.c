#include "core/region/span_source.h"

#include <string.h>

#include "platform/bits.h"
#include "platform/os.h"

// --- metadata: chunk pointers | top of the map | chunks | descriptors ------------------------------------------------

static size_t chunks_for(size_t units) { return (units + MB_MAP_CHUNK_UNITS - 1) / MB_MAP_CHUNK_UNITS; }

static size_t top_offset(size_t chunks) { return mb_align_up(chunks * sizeof(void *), 64); }
static size_t upper_offset(size_t chunks) { return top_offset(chunks) + mb_align_up(sizeof(struct mb_map_top_shared), 64); }
static size_t chunks_offset(size_t chunks) { return upper_offset(chunks) + mb_map_upper_runs(chunks) * sizeof(struct mb_map_runs_shared); }

static struct mb_map_chunk_shared *make_chunk(void *context) {
    const struct mb_span_source *source = context;
    size_t made = 0;
    while (atomic_load_explicit(&source->map.chunks[made], memory_order_relaxed) != NULL) made++;
    char *first = (char *)mb_region_base(&source->metadata) + chunks_offset(source->map.limit);
    return (struct mb_map_chunk_shared *)first + made;
}

// The map is small (half a byte a unit) and committed whole; the descriptors follow as they are needed.
static enum mb_error make_metadata(struct mb_span_source *source) {
    size_t chunks = chunks_for(source->limit_units);
    size_t map_bytes = chunks_offset(chunks) + chunks * sizeof(struct mb_map_chunk_shared);
    source->table_offset = mb_align_up(map_bytes, sizeof(struct mb_chain_unit));
    struct mb_region_config config = MB_REGION_CONFIG(source->table_offset + source->limit_units * sizeof(struct mb_chain_unit));
    config.prefer = MB_REGION_LAZY | MB_REGION_GUARD_AT_END;
    enum mb_error error = mb_region_new_with(&source->metadata, &config);
    if (error != MB_OK) return error;
    error = mb_region_commit(&source->metadata, 0, source->table_offset);
    if (error != MB_OK) {
        mb_region_drop(&source->metadata);
        return error;
    }
    char *base = mb_region_base(&source->metadata);
    source->map = (struct mb_unit_map){(void *)base, chunks, (void *)(base + top_offset(chunks)), (void *)(base + upper_offset(chunks))};
    source->space.table = (struct mb_chain_unit *)(base + source->table_offset);
    return MB_OK;
}

// --- making one ------------------------------------------------------------------------------------------------------

static enum mb_error settle(struct mb_span_source *source, size_t dirty_bytes, size_t least_units) {
    uintptr_t start = (uintptr_t)mb_allocator_base(source->base), first;
    size_t bytes = mb_allocator_range_bytes(source->base);
    if (!mb_align_up_checked(start, MB_UNIT_BYTES, &first) || bytes < first - start + (least_units << MB_UNIT_SHIFT)) return MB_BAD_SIZE;
    source->space.base = first;
    source->offset = first - start;
    source->dirty_bytes = dirty_bytes;
    source->limit_units = mb_min((bytes - source->offset) >> MB_UNIT_SHIFT, UINT32_MAX - 1);
    return make_metadata(source);
}

static enum mb_error open_over(struct mb_span_source *source, struct mb_allocator *base, size_t retain_bytes, size_t least_units) {
    memset(source, 0, sizeof *source);
    size_t dirty;
    enum mb_error error = mb_allocator_take_over(base, &dirty);
    if (error != MB_OK) return error;
    source->base = base;
    source->retain_units = retain_bytes >> MB_UNIT_SHIFT;
    error = settle(source, dirty, least_units);
    if (error != MB_OK) mb_allocator_hand_back(base, dirty);
    return error;
}

static enum mb_error open_new(struct mb_span_source *source, size_t bytes, size_t retain_bytes, size_t least_units) {
    struct mb_region_allocator own;
    if (bytes == 0 || bytes > PTRDIFF_MAX || mb_align_up(bytes, MB_UNIT_BYTES) >> MB_UNIT_SHIFT < least_units) return MB_BAD_SIZE;
    // A region starts at a page, units at 64 KiB.
    enum mb_error error = mb_region_allocator_new_lazy(&own, mb_align_up(bytes, MB_UNIT_BYTES) + MB_UNIT_BYTES);
    if (error != MB_OK) return error;
    error = open_over(source, &own.allocator, retain_bytes, least_units);
    if (error != MB_OK) {
        mb_allocator_drop(&own.allocator);
        return error;
    }
    source->limit_units = mb_min(source->limit_units, mb_align_up(bytes, MB_UNIT_BYTES) >> MB_UNIT_SHIFT);
    source->own = own;
    source->base = &source->own.allocator;
    return MB_OK;
}

enum mb_error mb_span_source_open(struct mb_span_source *source, const struct mb_source_config *config, size_t least_units) {
    return config->base != NULL ? open_over(source, config->base, config->retain_bytes, least_units)
                                : open_new(source, config->max_bytes, config->retain_bytes, least_units);
}

// How much of the range may be other than zero: what was described has been in use.
static size_t dirty_bytes(const struct mb_span_source *source) {
    return mb_max(source->dirty_bytes, source->space.bytes == 0 ? 0 : source->offset + source->space.bytes);
}

// Whoever comes again after a refusal may be another thread.
static enum mb_error give_up(struct mb_region *region) {
    mb_region_hand_over(region);
    enum mb_error error = mb_region_drop(region);
    if (error != MB_OK) mb_region_hand_over(region);
    return error;
}

// A region that was given up is empty, and giving it up again does nothing, so that a call after a failed one continues
// at the step that failed.
static enum mb_error give_up_parts(struct mb_span_source *source) {
    enum mb_error error = MB_OK;
    if (source->base == &source->own.allocator) {
        error = give_up(&source->own.region);
        if (error != MB_OK) return error;
        source->space.bytes = 0; // no address is a block's any more
    }
    error = give_up(&source->metadata);
    if (error != MB_OK || source->base == NULL) return error;
    if (source->base != &source->own.allocator) mb_allocator_hand_back(source->base, dirty_bytes(source));
    memset(source, 0, sizeof *source);
    return MB_OK;
}

enum mb_error mb_span_source_drop(struct mb_span_source *source, const struct mb_region *home) {
    enum mb_error error = give_up_parts(source);
    if (error != MB_OK) return error;
    struct mb_region last = *home;
    return give_up(&last);
}

// --- growing ---------------------------------------------------------------------------------------------------------

static enum mb_error describe_to(struct mb_span_source *source, size_t units) {
    enum mb_error error = mb_region_commit(&source->metadata, 0, source->table_offset + units * sizeof(struct mb_chain_unit));
    if (error != MB_OK) return error;
    mb_map_extend(&source->map, units, make_chunk, source);
    return mb_allocator_commit(source->base, 0, source->offset + (units << MB_UNIT_SHIFT));
}

// What was in use before the range was taken over counts as warm.
static void publish_to(struct mb_span_source *source, size_t units) {
    size_t old = mb_span_source_units(source);
    size_t dirty = source->dirty_bytes <= source->offset ? 0 : source->dirty_bytes - source->offset;
    size_t dirty_units = mb_min((dirty + MB_UNIT_MASK) >> MB_UNIT_SHIFT, units);
    if (dirty_units > old) {
        mb_map_set_warm(&source->map, old, dirty_units - old);
        source->warm_free_units += dirty_units - old;
    }
    mb_map_release(&source->map, old, units - old);
    __atomic_store_n(&source->space.bytes, units << MB_UNIT_SHIFT, __ATOMIC_RELEASE);
}

// Makes the front end with a free run of the given size and alignment, which begins at *first.
static enum mb_error grow(struct mb_span_source *source, size_t units, size_t align_units, size_t *first) {
    size_t last = mb_map_free_before(&source->map, mb_span_source_units(source)), phase = source->space.base >> MB_UNIT_SHIFT;
    if (!mb_align_up_checked(last + phase, align_units, first)) return MB_FULL;
    *first -= phase;
    if (*first > source->limit_units || units > source->limit_units - *first) return MB_FULL;
    if (*first + units <= mb_span_source_units(source)) return MB_OK;
    enum mb_error error = describe_to(source, *first + units);
    if (error == MB_OK) publish_to(source, *first + units);
    return error;
}

// --- taking and giving -----------------------------------------------------------------------------------------------

static void claimed(struct mb_span_source *source, size_t first, size_t units, bool *zero) {
    mb_map_claim(&source->map, first, units);
    size_t warm = mb_map_count_warm(&source->map, first, units);
    *zero = warm == 0;
    source->warm_free_units -= warm;
    mb_map_set_warm(&source->map, first, units);
}

enum mb_error mb_span_source_take(struct mb_span_source *source, size_t units, size_t align_units, struct mb_span *out) {
    struct mb_map_query query = {units, align_units, source->space.base >> MB_UNIT_SHIFT};
    size_t first = MB_NO_UNIT;
    if (source->warm_free_units >= units) first = mb_map_find(&source->map, MB_MAP_WARM, &query);
    if (first == MB_NO_UNIT) first = mb_map_find(&source->map, MB_MAP_FREE, &query);
    if (first == MB_NO_UNIT) {
        enum mb_error error = grow(source, units, align_units, &first);
        if (error != MB_OK) return error;
    }
    *out = (struct mb_span){first, units, false};
    claimed(source, first, units, &out->zero);
    return MB_OK;
}

bool mb_span_source_take_at(struct mb_span_source *source, size_t first, size_t units) {
    bool zero;
    size_t front = mb_span_source_units(source);
    if (first > front || first > source->limit_units || units > source->limit_units - first) return false;
    size_t end = first + units;
    for (size_t i = first; i < mb_min(end, front); i++) {
        if (!mb_map_is_free(&source->map, i)) return false;
    }
    if (end > front) {
        if (describe_to(source, end) != MB_OK) return false;
        publish_to(source, end);
    }
    claimed(source, first, units, &zero);
    return true;
}

static bool purge(struct mb_span_source *source, size_t first, size_t units) {
    void *p = (void *)mb_span_source_address(source, first);
    if (mb_allocator_release_pages(source->base, p, units << MB_UNIT_SHIFT) != MB_OK) return false;
    mb_map_set_cold(&source->map, first, units);
    source->purged_units += units;
    return true;
}

void mb_span_source_give(struct mb_span_source *source, size_t first, size_t units) {
    bool keep = source->warm_free_units + units <= source->retain_units;
    if (keep || !purge(source, first, units)) source->warm_free_units += units;
    mb_map_release(&source->map, first, units);
}

void mb_span_source_reset(struct mb_span_source *source) {
    size_t end = mb_span_source_units(source);
    for (size_t i = 0; i < end; i++) {
        struct mb_chain_unit *unit = mb_span_source_unit(source, i);
        if (mb_chain_kind(unit) != MB_CHAIN_NONE) memset(&unit->slab, 0, sizeof unit->slab);
    }
    mb_map_release(&source->map, 0, end);
    source->warm_free_units = end == 0 ? 0 : mb_map_count_warm(&source->map, 0, end);
}

static size_t trim_word(struct mb_span_source *source, size_t word) {
    uint64_t mask = mb_map_purgeable(&source->map, word);
    size_t trimmed = 0;
    while (mask != 0) {
        unsigned first = mb_ctz64(mask);
        uint64_t rest = ~(mask >> first);
        unsigned run = rest == 0 ? 64 : mb_ctz64(rest);
        if (purge(source, word * 64 + first, run)) trimmed += run;
        mask &= ~mb_bit_range(first, run);
    }
    return trimmed;
}

void mb_span_source_trim(struct mb_span_source *source) {
    size_t trimmed = 0;
    for (size_t word = mb_map_word_from(&source->map, MB_MAP_WARM, 0); word != MB_NO_UNIT;
         word = mb_map_word_from(&source->map, MB_MAP_WARM, word + 1)) {
        trimmed += trim_word(source, word);
    }
    source->warm_free_units -= trimmed;
}
