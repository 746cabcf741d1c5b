// What libmbmalloc offers besides the standard names (malloc, free, operator new and their kin, which it replaces).
// A program needs this header only to ask whether it runs under mbmalloc, for the C23 names where <stdlib.h> lacks them, and for
// the region family (mbmalloc/regions.h).
#ifndef MBMALLOC_H
#define MBMALLOC_H

#include <stddef.h>

#include "core/base/version.h"
#include "core/told/public.h"
#include "preload/regions.h"

MB_PUBLIC_BEGIN

// The version of the library that is loaded, for example "1.0.0-rc1".
const char *mb_version_string(void);

// 1 when p points into memory that mbmalloc serves, else 0 (not whether it is a live block).
int mb_serves(const void *p);

// A program may define this variable: options in the form of MBMALLOC_OPTIONS, read before its first block (mbmalloc-options(7)).
extern const char *mb_options;

// C23. `bytes` and `align` are what the block was allocated with; a size that no history of the block explains is told once, and
// the block is freed all the same (option sized).
void free_sized(void *p, size_t bytes);
void free_aligned_sized(void *p, size_t align, size_t bytes);

MB_PUBLIC_END

#endif
