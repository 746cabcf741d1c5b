// What realloc leaves behind that others must know.
#ifndef MB_CORE_FRONT_REALLOC_H
#define MB_CORE_FRONT_REALLOC_H

#include <stdbool.h>

// Whether a shrinking realloc ever kept a small block whole because no smaller one was to be had: a sized free may then
// name any smaller size. Any thread.
bool mb_shrink_was_refused(void);

#endif
