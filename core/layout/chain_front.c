#include "core/layout/chain_front.h"

#include "core/base/check.h"

enum { REUSE_FRACTION = 16 };

void mb_chain_front_init(struct mb_chain_front *front, struct mb_span_source *source, struct mb_reports *reports,
                        struct mb_chain_shape shape) {
    *front = (struct mb_chain_front){.source = source, .reports = reports, .shape = shape, .key = mb_link_key_get()};
    mb_chain_front_forget(front);
}

enum mb_error mb_chain_front_open(struct mb_chain_front *front, struct mb_span_source *source, struct mb_reports *reports,
                                  struct mb_chain_shape shape, const struct mb_source_config *config) {
    enum mb_error error = mb_span_source_open(source, config, (shape.block_bytes + MB_UNIT_MASK) >> MB_UNIT_SHIFT);
    if (error != MB_OK) return error;
    shape.units = (uint8_t)mb_min(shape.units, source->limit_units);
    mb_chain_front_init(front, source, reports, shape);
    return MB_OK;
}

void mb_chain_front_forget(struct mb_chain_front *front) {
    front->head = (uintptr_t)&mb_sentinel;
    front->spare = NULL;
    front->current = NULL;
    front->listed = (struct mb_chain_list){MB_CHAIN_LIST_END, MB_CHAIN_LIST_END};
    front->tight = false;
}

// --- slabs come and go -----------------------------------------------------------------------------------------------

static void list(struct mb_chain_front *front, struct mb_chain_slab *slab) {
    mb_chain_list_append(&front->listed, front->source->space.table, slab);
}

static void unlist(struct mb_chain_front *front, struct mb_chain_slab *slab) {
    if (mb_chain_is_listed(slab)) mb_chain_list_remove(&front->listed, front->source->space.table, slab);
}

static void retire(struct mb_chain_front *front, struct mb_chain_slab *slab) {
    struct mb_chain_unit *unit = mb_chain_slab_unit(slab);
    size_t units = slab->units;
    unlist(front, slab);
    mb_chain_slab_takedown(unit);
    mb_span_source_give(front->source, mb_span_source_index(front->source, unit), units);
}

// Sets when a slab that is not current is looked at again: if it is listed, when it is empty, else when it has enough
// free blocks to be listed.
static void arm(const struct mb_chain_front *front, struct mb_chain_slab *slab) {
    uint32_t used = mb_chain_slab_used(slab), missing = used;
    if (!mb_chain_is_listed(slab)) missing = front->tight ? 1 : slab->capacity / REUSE_FRACTION + 1;
    mb_chain_slab_set_used(slab, used, missing < used ? missing : used);
}

void mb_chain_front_look_slow(struct mb_chain_front *front, struct mb_chain_slab *slab) {
    if (slab == front->current) return;
    if (mb_chain_slab_used(slab) == 0) {
        retire(front, slab);
        return;
    }
    if (!mb_chain_is_listed(slab)) list(front, slab);
    arm(front, slab);
}

static void become_current(struct mb_chain_front *front, struct mb_chain_slab *slab) {
    uint32_t used = mb_chain_slab_used(slab) + 1;
    unlist(front, slab);
    mb_chain_slab_set_used(slab, used, used);
    front->current = slab;
}

// The current slab has no block left to hand out.
static void leave_current(struct mb_chain_front *front) {
    struct mb_chain_slab *slab = front->current;
    if (slab == NULL) return;
    uint32_t used = mb_chain_slab_used(slab) - 1;
    mb_chain_slab_set_used(slab, used, used);
    front->current = NULL;
    if ((slab->flags & MB_CHAIN_NOTICED) != 0) list(front, slab);
    arm(front, slab);
}

// --- remote frees ----------------------------------------------------------------------------------------------------

// A slab is in the news when other threads have freed blocks of it; it is not added again before its remote list is
// collected.
static void notice(struct mb_chain_front *front, struct mb_chain_unit *unit) {
    struct mb_chain_slab *slab = &unit->slab;
    slab->flags |= MB_CHAIN_NOTICED;
    if (slab == front->current) return;
    if (mb_chain_remote_count(mb_chain_remote_load(unit)) == mb_chain_slab_used(slab)) {
        retire(front, slab);
    } else if (!mb_chain_is_listed(slab)) {
        list(front, slab);
        arm(front, slab);
    }
}

static void read_news(struct mb_chain_front *front) {
    if (front->news == NULL || atomic_load_explicit(&front->news->first, memory_order_relaxed) == 0) return;
    uint32_t number = atomic_exchange_explicit(&front->news->first, 0, memory_order_acquire);
    while (number != 0) {
        struct mb_chain_unit *unit = mb_span_source_unit(front->source, number - 1);
        number = atomic_load_explicit(&unit->shared.next_news, memory_order_relaxed);
        notice(front, unit);
    }
}

// --- refilling -------------------------------------------------------------------------------------------------------

static bool use_local(struct mb_chain_front *front) {
    struct mb_chain_slab *slab = front->current;
    if (slab == NULL || mb_chain_slab_used(slab) == slab->carved + 1) return false;
    MB_POKE(front->head, mb_chain_slab_take_local(&front->key, slab).head);
    return true;
}

static bool use_remote(struct mb_chain_front *front) {
    struct mb_chain_slab *slab = front->current;
    if (slab == NULL || (slab->flags & MB_CHAIN_NOTICED) == 0) return false;
    struct mb_chain_unit *unit = mb_chain_slab_unit(slab);
    slab->flags &= ~(uint32_t)MB_CHAIN_NOTICED;
    uint32_t word = mb_chain_remote_collect(unit);
    MB_POKE(front->head, mb_chain_remote_head(word, mb_chain_slab_start(unit)));
    return mb_chain_remote_count(word) != 0;
}

static bool use_carved(struct mb_chain_front *front) {
    struct mb_chain_slab *slab = front->current;
    if (slab == NULL) return false;
    struct mb_chain chain = mb_chain_slab_carve(&front->key, slab);
    if (chain.count == 0) return false;
    MB_POKE(front->head, chain.head);
    return true;
}

static bool use_listed(struct mb_chain_front *front) {
    if (front->listed.first == MB_CHAIN_LIST_END) return false;
    leave_current(front);
    become_current(front, &mb_span_source_unit(front->source, front->listed.first)->slab);
    return use_local(front) || use_remote(front) || use_carved(front);
}

static enum mb_error use_new(struct mb_chain_front *front) {
    struct mb_span span;
    enum mb_error error = mb_span_source_take(front->source, front->shape.units, 1, &span);
    if (error != MB_OK) return error;
    leave_current(front);
    struct mb_chain_unit *unit = mb_span_source_unit(front->source, span.first);
    front->current = mb_chain_slab_setup(&front->key, unit, mb_span_source_address(front->source, span.first), front->shape, front);
    return use_carved(front) ? MB_OK : MB_FULL;
}

struct mb_chain_slab *mb_chain_front_next(const struct mb_chain_front *front, size_t *index) {
    size_t end = mb_span_source_units(front->source);
    while (*index < end) {
        struct mb_chain_unit *unit = mb_span_source_unit(front->source, (*index)++);
        if (mb_chain_kind(unit) == MB_CHAIN_SLAB && unit->slab.owner == front) return &unit->slab;
    }
    return NULL;
}

// The source is exhausted: slabs that wait for more blocks to come back serve too, and from now on none waits.
MB_COLD static bool use_last(struct mb_chain_front *front) {
    if (front->tight) return false;
    front->tight = true;
    struct mb_chain_slab *slab;
    for (size_t i = 0; (slab = mb_chain_front_next(front, &i)) != NULL;) {
        if (slab == front->current) continue;
        if (!mb_chain_is_listed(slab) && mb_chain_slab_used(slab) < slab->carved) list(front, slab);
        arm(front, slab);
    }
    return use_listed(front);
}

static enum mb_error refill(struct mb_chain_front *front) {
    if (use_local(front)) return MB_OK;
    read_news(front);
    if (use_remote(front) || use_carved(front) || use_listed(front)) return MB_OK;
    enum mb_error error = use_new(front);
    return error == MB_OK || use_last(front) ? MB_OK : error;
}

// A link or a tag on the allocation list is damaged. Blocks that are recognised as free stay free, the rest counts as
// live.
MB_COLD static enum mb_error repair(struct mb_chain_front *front) {
    struct mb_chain_slab *slab = front->current;
    enum mb_error error = mb_report(front->reports, MB_CORRUPT, "corrupted free list link", (void *)front->head);
    if (front->news != NULL) mb_chain_slab_rebuild(&front->key, slab, front->head); // a tag may be of a block on its way to us
    else mb_chain_slab_rebuild_by_tags(&front->key, slab);
    uint32_t used = mb_chain_slab_used(slab) + 1;
    mb_chain_slab_set_used(slab, used, used);
    MB_POKE(front->head, (uintptr_t)&mb_sentinel);
    return error;
}

// The next block of the allocation list; when it was the last one, the local list follows at once. NULL: broken.
static struct mb_free_block *pop(struct mb_chain_front *front) {
    if (!mb_tag_present(&front->key, (const struct mb_free_block *)front->head)) return NULL;
    struct mb_free_block *block = mb_chain_slab_pop(&front->key, front->current, &front->head);
    if (front->head == (uintptr_t)&mb_sentinel) use_local(front);
    return block;
}

// The spare block's tag was overwritten: the block stays in use forever.
MB_COLD static enum mb_error lose_spare(struct mb_chain_front *front) {
    void *p = front->spare;
    front->spare = NULL;
    return mb_report(front->reports, MB_CORRUPT, "corrupted tag of a free block", p);
}

MB_NOINLINE void *mb_chain_front_allocate_slow(struct mb_chain_front *front, enum mb_error *error) {
    if (front->spare != NULL) *error = lose_spare(front);
    for (;;) {
        if (front->head != (uintptr_t)&mb_sentinel) {
            struct mb_free_block *block = pop(front);
            if (block != NULL) return block;
            *error = repair(front);
        }
        enum mb_error refused = refill(front);
        if (refused == MB_OK) continue;
        *error = refused;
        return NULL;
    }
}

// --- all at once -----------------------------------------------------------------------------------------------------

// A slab whose remote list has not been noticed yet is still to come among the news.
static void retire_if_empty(struct mb_chain_front *front, struct mb_chain_slab *slab) {
    uint32_t remote = mb_chain_remote_count(mb_chain_remote_load(mb_chain_slab_unit(slab)));
    bool known = remote == 0 || (slab->flags & MB_CHAIN_NOTICED) != 0;
    if (known && remote == mb_chain_slab_used(slab)) retire(front, slab);
}

// Puts the spare block on the list of its slab.
static void return_spare(struct mb_chain_front *front) {
    struct mb_free_block *block = front->spare;
    if (block == NULL) return;
    if (!mb_tag_present(&front->key, block)) {
        lose_spare(front);
        return;
    }
    front->spare = NULL;
    struct mb_chain_slab *slab = &mb_chain_slab_first(mb_chain_unit_of(&front->source->space, block))->slab;
    if (mb_chain_slab_push(&front->key, slab, block)) mb_chain_front_look_slow(front, slab);
}

static void return_list(struct mb_chain_front *front) {
    if (front->head == (uintptr_t)&mb_sentinel) return;
    if (!mb_chain_slab_return(&front->key, front->current, front->head)) repair(front);
    MB_POKE(front->head, (uintptr_t)&mb_sentinel);
}

static void release_current(struct mb_chain_front *front) {
    struct mb_chain_slab *slab = front->current;
    if (slab == NULL) return;
    return_list(front);
    if (use_remote(front)) return_list(front);
    uint32_t used = mb_chain_slab_used(slab) - 1;
    mb_chain_slab_set_used(slab, used, used);
    front->current = NULL;
    if (used < slab->capacity) list(front, slab);
    arm(front, slab);
    retire_if_empty(front, slab);
}

void mb_chain_front_settle(struct mb_chain_front *front) {
    return_spare(front);
    read_news(front);
    release_current(front);
    struct mb_chain_slab *slab;
    for (size_t i = 0; (slab = mb_chain_front_next(front, &i)) != NULL;) retire_if_empty(front, slab);
    MB_ASSERT(mb_chain_front_check(front));
}

void mb_chain_front_release_idle(struct mb_chain_front *front) {
    return_spare(front);
    read_news(front);
    if (front->current != NULL && mb_chain_front_live_in(front, front->current) == 0) release_current(front);
}
