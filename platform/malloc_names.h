// <malloc.h>, and declarations of the functions of today's glibc that the C library at build time lacks. The library
// exports all of them.
#ifndef MB_PLATFORM_MALLOC_NAMES_H
#define MB_PLATFORM_MALLOC_NAMES_H

#include <malloc.h>
#include <stddef.h>
#include <stdio.h>

#if !defined(__GLIBC__)

enum {
    M_MXFAST = 1, M_NLBLKS = 2, M_GRAIN = 3, M_KEEP = 4,
    M_TRIM_THRESHOLD = -1, M_TOP_PAD = -2, M_MMAP_THRESHOLD = -3, M_MMAP_MAX = -4,
    M_CHECK_ACTION = -5, M_PERTURB = -6, M_ARENA_TEST = -7, M_ARENA_MAX = -8,
};

struct mallinfo {
    int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

struct mallinfo mallinfo(void);
int mallopt(int parameter, int value);
int malloc_trim(size_t keep_bytes);
int malloc_info(int options, FILE *out);
void malloc_stats(void);
void *pvalloc(size_t bytes);

#define MB_LACKS_MALLINFO2 1
#elif !__GLIBC_PREREQ(2, 33)
#define MB_LACKS_MALLINFO2 1
#else
#define MB_LACKS_MALLINFO2 0
#endif

#if MB_LACKS_MALLINFO2
struct mallinfo2 {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct mallinfo2 mallinfo2(void);
#endif

#endif
