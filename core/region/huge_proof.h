// Whether the memory that a heap grows into is filled: the evidence on which huge pages are asked for without being
// told to.
//
// What: a block may stay unwritten, and then a huge page is memory lost. Slabs of blocks of up to half a page are
// carved a page at a time, only when the blocks before are in use: how far they are carved tells how much of them has
// been touched. So of each chunk of 2 MiB that was entered some chunks ago, a sample of units is looked at. While these
// are nearly all carved slabs, huge pages may be asked for in further chunks; large blocks, slabs of longer blocks and
// free units count as unfilled. A program that changes its ways can lose what lies in the last few chunks.
// Who: any thread; relaxed, and threads that enter chunks at the same time may lose each other's.
#ifndef MB_CORE_REGION_HUGE_PROOF_H
#define MB_CORE_REGION_HUGE_PROOF_H

#include <stdbool.h>
#include <stddef.h>

// Called when a chunk without pages is entered, which is known by its first unit. Whether the last ones have been
// filled. Looks at a few descriptors.
bool mb_huge_proof_enter(size_t chunk);

#endif
