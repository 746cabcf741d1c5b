// The allocator behind the names of preload/, under its own prefix: nothing here interposes anything, so tests link it
// beside the libc's malloc.
//
// Who: any thread may call everything here at any time from its first instruction on (before constructors, after exit
// handlers, in a forked child). Nothing here is async-signal-safe unless it says so.
// Errors: allocation functions return NULL and set errno to ENOMEM (EINVAL where said); success and every form of free
// leave errno alone. Misuse of a pointer ends the process with one line (core/base/check.h).
#ifndef MB_CORE_FRONT_MALLOC_H
#define MB_CORE_FRONT_MALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/told/stats.h"

// --- allocating -----------------------------------------------------------------------------------------------------

// `bytes` uninitialised bytes, aligned to 16. bytes 0 gives a unique block. ENOMEM beyond PTRDIFF_MAX.
void *mb_malloc(size_t bytes);
// count * bytes zeroed bytes; an overflowing product is ENOMEM.
void *mb_calloc(size_t count, size_t bytes);
// As C and glibc: NULL p is malloc; bytes 0 frees p and returns NULL; on failure p is intact.
void *mb_realloc(void *p, size_t bytes);
// Aligned to `align`, any power of two (else EINVAL). Beyond 1 GiB: as far as the address space reaches, else ENOMEM.
void *mb_memalign(size_t align, size_t bytes);

// --- freeing --------------------------------------------------------------------------------------------------------

void mb_free(void *p);
// C23: as free; a size or alignment that no legal history of the block explains is reported (core/told/report.h,
// mb_report_claim).
void mb_free_sized(void *p, size_t bytes);
void mb_free_aligned_sized(void *p, size_t align, size_t bytes);

// --- asking ---------------------------------------------------------------------------------------------------------

// Writable bytes from p on; 0 for NULL. A pointer that is not a live block is reported, and gives 0.
size_t mb_usable_size(const void *p);
// Whether p lies in memory that this allocator serves (not whether it is a live block).
bool mb_owns(const void *p);
// Whether p is the start of a block that this allocator handed out and that has not been freed.
bool mb_is_block(const void *p);

// --- giving back ----------------------------------------------------------------------------------------------------

// Gives free pages of the whole process back to the system now, keeping at most about `keep_bytes` of free memory.
// True when any page was given back. The contents of the calling thread's caches go back too.
bool mb_trim(size_t keep_bytes);

// --- statistics -----------------------------------------------------------------------------------------------------

void mb_stats_get(struct mb_stats *out);

#endif
