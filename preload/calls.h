// This copy's functions, for copies that come later in the process (preload/forward.h).
#ifndef MB_PRELOAD_CALLS_H
#define MB_PRELOAD_CALLS_H

#include "core/heap/foreign.h"
#include "platform/compiler.h"

extern MB_HIDDEN const struct mb_calls mb_self_calls;

#endif
