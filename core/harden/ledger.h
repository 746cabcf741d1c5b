// Which blocks of a layer are live: a block table with room promised to calls that are under way.
//
//   allocate:    promise -> base -> keep (or withdraw)          the table cannot fail once the base has said yes
//   deallocate:  find and take -> base -> (put back on failure)
//
// Who: as the layer that embeds it; the functions marked _locked want its lock held.
// Invariant: room for `promised` blocks is there.
#ifndef MB_CORE_HARDEN_LEDGER_H
#define MB_CORE_HARDEN_LEDGER_H

#include "core/harden/block_table.h"
#include "core/harden/layer.h"

struct mb_ledger {
    struct mb_block_table live;
    uint32_t promised;
};

MB_INLINE void mb_ledger_init(struct mb_ledger *ledger) {
    mb_block_table_init(&ledger->live, false);
    ledger->promised = 0;
}

MB_INLINE enum mb_error mb_ledger_promise(struct mb_layer *layer, struct mb_ledger *ledger) {
    mb_layer_lock(layer);
    enum mb_error error = mb_block_table_reserve(&ledger->live, ledger->promised + 1);
    if (error == MB_OK) ledger->promised++;
    mb_layer_unlock(layer);
    return mb_layer_passed(layer, error);
}

MB_INLINE void mb_ledger_withdraw(struct mb_layer *layer, struct mb_ledger *ledger) {
    mb_layer_lock(layer);
    ledger->promised--;
    mb_layer_unlock(layer);
}

MB_INLINE void mb_ledger_keep(struct mb_layer *layer, struct mb_ledger *ledger, const void *p, size_t bytes, size_t extra) {
    mb_layer_lock(layer);
    ledger->promised--;
    mb_block_table_add(&ledger->live, (uintptr_t)p, bytes, extra);
    mb_layer_unlock(layer);
}

// Takes the block out and keeps its room promised.
MB_INLINE struct mb_known_block mb_ledger_take_locked(struct mb_ledger *ledger, uint32_t index) {
    ledger->promised++;
    return mb_block_table_take(&ledger->live, index);
}

#endif
