// A list of slabs through their descriptors: first in, first out, and any slab can leave it.
// Who: the owner of the slabs, and of the list.
// Invariant: exactly the slabs of the list have MB_CHAIN_LISTED set.
#ifndef MB_CORE_LAYOUT_CHAIN_LIST_H
#define MB_CORE_LAYOUT_CHAIN_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/region/chain_unit.h"

static const uint32_t MB_CHAIN_LIST_END = UINT32_MAX;

struct mb_chain_list {
    uint32_t first, last; // unit numbers, MB_CHAIN_LIST_END if none
};

MB_INLINE bool mb_chain_is_listed(const struct mb_chain_slab *slab) { return (slab->flags & MB_CHAIN_LISTED) != 0; }

// `table` holds the descriptors of the list's slabs.
MB_INLINE void mb_chain_list_append(struct mb_chain_list *list, struct mb_chain_unit *table, struct mb_chain_slab *slab) {
    uint32_t number = (uint32_t)(mb_chain_slab_unit(slab) - table);
    slab->neighbours.next = MB_CHAIN_LIST_END;
    slab->neighbours.previous = list->last;
    slab->flags |= MB_CHAIN_LISTED;
    if (list->last == MB_CHAIN_LIST_END) list->first = number;
    else table[list->last].slab.neighbours.next = number;
    list->last = number;
}

MB_INLINE void mb_chain_list_remove(struct mb_chain_list *list, struct mb_chain_unit *table, struct mb_chain_slab *slab) {
    struct mb_chain_neighbours pair = slab->neighbours;
    if (pair.previous == MB_CHAIN_LIST_END) list->first = pair.next;
    else table[pair.previous].slab.neighbours.next = pair.next;
    if (pair.next == MB_CHAIN_LIST_END) list->last = pair.previous;
    else table[pair.next].slab.neighbours.previous = pair.previous;
    slab->flags &= ~(uint32_t)MB_CHAIN_LISTED;
}

#endif
