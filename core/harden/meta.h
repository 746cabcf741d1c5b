// Memory for what a layer knows about blocks: a mapping of its own with an inaccessible page on either side.
//
//   | no access | bytes, rounded up to pages | no access |
//
// What: nothing of a layer's lies in the memory that its users write, so no overflow of theirs reaches it ("split
// metadata").
// Who: any thread; nothing here has state.
// Invariant: a call that fails has changed nothing.
#ifndef MB_CORE_HARDEN_META_H
#define MB_CORE_HARDEN_META_H

#include <stddef.h>

#include "core/base/error.h"

// Zeroed memory of `bytes` (not 0): MB_BAD_SIZE or MB_REFUSED when it is not to be had.
enum mb_error mb_meta_map(size_t bytes, void **out);

// Unmaps it; `bytes` is the same number as before. Ignores NULL.
enum mb_error mb_meta_unmap(void *p, size_t bytes);

#endif
