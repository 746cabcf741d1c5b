// A general-purpose allocator for one owner: malloc's size classes and slabs over any range.
//
// What: requests up to 32 KiB come from slabs of malloc's class table (core/layout/size_class.h), larger ones get spans of
// their own, which are really freed. Owner and size of a block are found by arithmetic on its address. It resets in one go.
// Detects double frees, foreign and interior pointers and broken links, as the pool does. All that it knows lies in mappings
// of its own.
// Who: one owner thread at a time, watched in check builds; mb_size_classed_hand_over gives it away.
#ifndef MB_CORE_LAYOUT_SIZE_CLASSED_H
#define MB_CORE_LAYOUT_SIZE_CLASSED_H

#include "core/base/allocator.h"
#include "core/region/source_config.h"

struct mb_size_classed {
    struct mb_allocator allocator;
    struct mb_size_classed_state *state; // core/layout/size_classed_state.h; NULL when dropped
};

MB_PUBLIC_BEGIN

// On failure nothing is held: MB_BAD_SIZE, MB_BAD_CONFIG, MB_REFUSED.
enum mb_error mb_size_classed_new_with(struct mb_size_classed *classed, const struct mb_source_config *config);
// In a lazy region of its own of max_bytes; misuse ends the process.
enum mb_error mb_size_classed_new(struct mb_size_classed *classed, size_t max_bytes);

// Returns everything; live blocks go with it (said on stderr in check builds). Owner thread, as everything below.
enum mb_error mb_size_classed_drop(struct mb_size_classed *classed);
// The next thread that uses the allocator becomes its owner.
void mb_size_classed_hand_over(struct mb_size_classed *classed);

// `bytes` bytes (not 0) at a multiple of align, a power of two. NULL: mb_allocator_last_error says why.
void *mb_size_classed_allocate(struct mb_size_classed *classed, size_t bytes, size_t align);
// Not NULL. MB_DOUBLE_FREE, MB_BAD_POINTER: where the policy does not end the process.
enum mb_error mb_size_classed_deallocate(struct mb_size_classed *classed, void *p);
// Usable bytes from p on; 0: no live block.
size_t mb_size_classed_usable_size(const struct mb_size_classed *classed, const void *p);

// Gives the pages of everything that is free back to the system. Bytes given back.
size_t mb_size_classed_trim(struct mb_size_classed *classed);
// Live blocks, large ones included; walks everything.
size_t mb_size_classed_live(const struct mb_size_classed *classed);

MB_PUBLIC_END

#endif
