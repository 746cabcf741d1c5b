// This copy's functions, for copies that come later in the process (preload/forward.h).
#ifndef MB_PRELOAD_CALLS_H
#define MB_PRELOAD_CALLS_H

#include "core/heap/foreign.h"
#include "platform/compiler.h"

extern MB_HIDDEN const struct mb_calls mb_self_calls;

// Those of the copy that serves the process: ours, or an earlier copy's.
const struct mb_calls *mb_calls_serving(void);

#endif
