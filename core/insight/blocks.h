// Information about single blocks: what an address is, and a walk over all live blocks. Any thread; the contracts stand
// in core/told/public.h.
#ifndef MB_CORE_INSIGHT_BLOCKS_H
#define MB_CORE_INSIGHT_BLOCKS_H

#include <stdbool.h>

#include "core/told/public.h"

typedef int mb_block_visitor(void *context, const struct mb_block_info *block);

bool mb_block_find(const void *p, struct mb_block_info *out);
int mb_blocks_each(mb_block_visitor *visit, void *context);

#endif
