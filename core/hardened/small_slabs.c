// The slabs of a size class and shard: which one blocks come from, which others have free slots, and how slabs come and
// go.
//
// Who: whoever holds the lock of the class.
#include <string.h>

#include "core/hardened/record.h"
#include "core/hardened/slot.h"
#include "core/hardened/small_class.h"
#include "core/hardened/waiting.h"
#include "core/hardened/wall.h"
#include "core/hardened/wrong.h"
#include "core/region/arena.h"

enum { LOOKS = 4 };

// --- lists -----------------------------------------------------------------------------------------------------------

void mb_hard_class_append(struct mb_hard_class_shared *class, struct mb_hard_slab *slab) {
    uint32_t number = mb_hard_slab_number(slab);
    struct mb_hard_slab *last = mb_hard_slab_at(class->last);
    slab->next = 0;
    slab->previous = class->last;
    if (last != NULL)
        last->next = number;
    else
        class->first = number;
    class->last = number;
    slab->listed = true;
    if (slab->live_count == 0) class->empties++;
}

void mb_hard_class_unlink(struct mb_hard_class_shared *class, struct mb_hard_slab *slab) {
    struct mb_hard_slab *next = mb_hard_slab_at(slab->next), *previous = mb_hard_slab_at(slab->previous);
    if (next != NULL)
        next->previous = slab->previous;
    else
        class->last = slab->previous;
    if (previous != NULL)
        previous->next = slab->next;
    else
        class->first = slab->next;
    slab->listed = false;
    if (slab->live_count == 0) class->empties--;
}

// --- whole slabs -----------------------------------------------------------------------------------------------------

static bool take_unit(struct mb_span *span) {
    if (mb_arena_take(1, 1, span)) return true;
    if (mb_hard_waiting_flush() && mb_arena_take(1, 1, span)) return true;
    mb_arena_shortage_enter();
    mb_arena_decommit_all();
    bool taken = mb_arena_take(1, 1, span);
    mb_arena_shortage_leave();
    return taken;
}

static struct mb_hard_slab *make_slab(struct mb_hard_class_shared *class) {
    uint32_t number = (uint32_t)(class - mb_hard_classes), class_index = number / MB_HARD_SHARDS;
    struct mb_span span;
    void *record = mb_hard_record_take(class_index);
    if (record == NULL) return NULL;
    if (!take_unit(&span)) {
        mb_hard_record_give(class_index, record);
        return NULL;
    }
    if (!span.zero) memset((void *)mb_unit_address(span.first), 0, MB_UNIT_BYTES);
    class->slabs++;
    return mb_hard_slab_set_up(span.first, number, mb_rng_next(&class->rng), record);
}

void mb_hard_class_retire(struct mb_hard_class_shared *class, struct mb_hard_slab *slab) {
    struct mb_unit *unit = mb_hard_slab_unit(slab);
    bool touchable = slab->class_index != MB_HARD_ZERO_CLASS;
    struct mb_hard_gone gone = {.first = mb_unit_index(unit),
                                .units = 1,
                                .accesses = slab->wall == MB_WALL_ACCESS,
                                .touchable = touchable && !mb_hard_is_shut(slab, 0) ? mb_hard_slot(slab, 0) : NULL};
    uint32_t dirty = touchable ? mb_hard_slab_find_dirty(slab) : MB_HARD_NO_SLOT;
    if (dirty != MB_HARD_NO_SLOT) mb_hard_wrong_written(mb_hard_slot(slab, dirty));
    mb_hard_class_unlink(class, slab);
    class->slabs--;
    mb_unit_set_kind(unit, MB_UNIT_NONE);
    mb_hard_record_give(slab->class_index, slab->live);
    mb_hard_wait(&gone);
}

// --- choosing --------------------------------------------------------------------------------------------------------

static void leave_current(struct mb_hard_class_shared *class) {
    struct mb_hard_slab *slab = class->current;
    if (slab != NULL) mb_hard_slab_undraw(slab, class->drawn, class->drawn_count);
    class->current = NULL;
    class->drawn_count = 0;
    if (slab != NULL && !mb_hard_is_full(slab)) mb_hard_class_append(class, slab);
}

static bool draw_from(struct mb_hard_class_shared *class, struct mb_hard_slab *slab) {
    class->current = slab;
    class->drawn_count = mb_hard_slab_draw(slab, &class->rng, (uint32_t) class->count, class->delay, class->drawn);
    return class->drawn_count > 0;
}

static bool draw_from_list(struct mb_hard_class_shared *class) {
    for (int looks = 0; looks < LOOKS && class->first != 0; looks++) {
        struct mb_hard_slab *slab = mb_hard_slab_at(class->first);
        mb_hard_class_unlink(class, slab);
        if (draw_from(class, slab)) return true;
        leave_current(class);
    }
    return false;
}

bool mb_hard_class_draw_slow(struct mb_hard_class_shared *class) {
    if (class->current != NULL && draw_from(class, class->current)) return true;
    leave_current(class);
    if (draw_from_list(class)) return true;
    struct mb_hard_slab *slab = make_slab(class);
    return slab != NULL && draw_from(class, slab);
}

// --- giving back -----------------------------------------------------------------------------------------------------

static bool retire_empties(struct mb_hard_class_shared *class) {
    uint32_t before = class->slabs;
    for (struct mb_hard_slab *slab = mb_hard_slab_at(class->first); slab != NULL && class->empties > 0;) {
        struct mb_hard_slab *next = mb_hard_slab_at(slab->next);
        if (slab->live_count == 0) mb_hard_class_retire(class, slab);
        slab = next;
    }
    return class->slabs < before;
}

bool mb_hard_small_trim(void) {
    bool any = false;
    for (unsigned i = 0; i < MB_HARD_CLASS_NUMBERS; i++) {
        bool locked = mb_hard_class_enter(&mb_hard_classes[i]);
        leave_current(&mb_hard_classes[i]);
        any |= retire_empties(&mb_hard_classes[i]);
        mb_hard_class_leave(&mb_hard_classes[i], locked);
    }
    return any;
}
