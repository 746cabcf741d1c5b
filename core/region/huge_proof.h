// Whether the memory that a heap grows into is written: the evidence on which huge pages are asked for without being
// told to.
//
// What: a block may stay unwritten, and then a huge page is memory lost. So a sample of what entered chunks of 2 MiB is
// looked at later. Four kinds are judged apart, and while nearly all pages of a kind were written, huge pages may be
// asked for:
// - chunks entered by a slab, when four more have been (in a heap of 512 MiB sixteen). Slabs of blocks of up to half a
//   page are carved a page at a time, only when the blocks before are in use: how far they are carved tells how much of
//   them was touched.
// - blocks that entered a chunk, when the same thread enters the next one (others may not have had the time to write
//   theirs);
// - blocks of 2 MiB and more, when it takes the next one;
// - blocks from calloc and its kin, which more often stay unwritten, likewise.
// A few words of a page are compared with zero, by the kernel, since the program may have taken away its access rights;
// if all are zero, it counts as unwritten. Who leaves blocks unwritten is asked more and more seldom.
// A program that changes its ways can lose what was entered since the last look. Of blocks, what was lost in huge pages
// is counted, and while it is more than a thirty-second of the heap they get no further ones.
// Who: any thread; relaxed, and threads that enter chunks at the same time may lose each other's.
#ifndef MB_CORE_REGION_HUGE_PROOF_H
#define MB_CORE_REGION_HUGE_PROOF_H

#include <stdbool.h>
#include <stddef.h>

#include "core/region/span.h"

enum mb_huge_kind { MB_HUGE_KIND_SLABS, MB_HUGE_KIND_BLOCKS, MB_HUGE_KIND_LONG, MB_HUGE_KIND_SPARSE, MB_HUGE_KINDS };

// Called when a span that was taken enters a chunk that has no pages; once for all the chunks of a long block. Whether
// what entered before has been written. Looks at a few descriptors and words.
bool mb_huge_proof_enter(enum mb_huge_kind kind, const struct mb_span *taken);

// Whether the last looks at this kind of blocks have found next to nothing written.
bool mb_huge_proof_is_vain(enum mb_huge_kind kind);

#endif
