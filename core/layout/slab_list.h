// A list of slabs through their descriptors: first in, first out, and any slab can leave it.
// Who: the owner of the slabs, and of the list.
// Invariant: exactly the slabs of the list have MB_SLAB_LISTED set.
#ifndef MB_CORE_LAYOUT_SLAB_LIST_H
#define MB_CORE_LAYOUT_SLAB_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/region/unit.h"

static const uint32_t MB_SLAB_LIST_END = UINT32_MAX;

struct mb_slab_list {
    uint32_t first, last; // unit numbers, MB_SLAB_LIST_END if none
};

MB_INLINE bool mb_slab_is_listed(const struct mb_slab *slab) { return (slab->large_flags & MB_SLAB_LISTED) != 0; }

// `table` holds the descriptors of the list's slabs.
MB_INLINE void mb_slab_list_append(struct mb_slab_list *list, struct mb_unit *table, struct mb_slab *slab) {
    uint32_t number = (uint32_t)(mb_slab_unit(slab) - table);
    slab->neighbours = (struct mb_unit_pair){.next = MB_SLAB_LIST_END, .previous = list->last};
    slab->large_flags |= MB_SLAB_LISTED;
    if (list->last == MB_SLAB_LIST_END) list->first = number;
    else table[list->last].slab.neighbours.next = number;
    list->last = number;
}

MB_INLINE void mb_slab_list_remove(struct mb_slab_list *list, struct mb_unit *table, struct mb_slab *slab) {
    struct mb_unit_pair pair = slab->neighbours;
    if (pair.previous == MB_SLAB_LIST_END) list->first = pair.next;
    else table[pair.previous].slab.neighbours.next = pair.next;
    if (pair.next == MB_SLAB_LIST_END) list->last = pair.previous;
    else table[pair.next].slab.neighbours.previous = pair.previous;
    slab->large_flags &= ~(uint32_t)MB_SLAB_LISTED;
}

#endif
