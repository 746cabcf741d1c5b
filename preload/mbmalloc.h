// The public header of libmbmalloc. Programs that only use malloc, free, operator new and their kin do not need it: the
// library replaces those. It declares what is particular to mbmalloc: whether the program runs under it, statistics and
// options (mbmalloc(3)), C23's sized frees where <stdlib.h> lacks them, and regions (mbmalloc/regions.h,
// mbmalloc-regions(3)). All functions may be called by any thread.
#ifndef MBMALLOC_H
#define MBMALLOC_H

#include <stddef.h>

#include "core/base/version.h"
#include "core/told/public.h"
#include "preload/regions.h"

MB_PUBLIC_BEGIN

// The version of the library that is loaded, for example "1.0.0-rc1".
const char *mb_version_string(void);

// 1 if p points into memory that mbmalloc manages, else 0. It does not tell whether p is a live block.
int mb_serves(const void *p);

// A program may define this variable: options in the form of MBMALLOC_OPTIONS, read before its first block is allocated
// (mbmalloc-options(7)).
extern const char *mb_options;

// C23: free a block and tell the size and alignment that it was allocated with. A wrong size is reported once, and the
// block is freed all the same (option sized).
void free_sized(void *p, size_t bytes);
void free_aligned_sized(void *p, size_t align, size_t bytes);

MB_PUBLIC_END

#endif
