// The hardened front: what serves the process instead of core/front when the option profile=hardened is set.
//
// What: the same calls under the same contracts, reached like another copy of the library: through struct mb_calls,
// from the slow paths of the default front, whose own heaps stay empty. So the default's fast paths have no test for
// it.
// Who: any thread.
#ifndef MB_CORE_HARDENED_HARDENED_H
#define MB_CORE_HARDENED_HARDENED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/process/foreign.h"
#include "platform/compiler.h"

extern MB_HIDDEN const struct mb_calls mb_hard_calls;

// Looks at all blocks and free slots, and reports each fault. How many there are.
size_t mb_hard_check(void);

// Counts all blocks.
void mb_hard_stats_get(struct mb_stats *out);

#endif
