// Which pages of a range are resident, asked of the kernel a few MiB at a time.
//
// What: mincore over a window that moves with the questions; where it is refused, `measured` becomes false and every
// page counts as resident. Pages that were only read are the kernel's page of zeros, and do not count, as far as the
// system tells them apart (move_pages, refused in some containers) and for the first 4 GiB: that costs 0.3 us a page.
// Who: its caller's own record; any thread. No memory but the record.
#ifndef MB_CORE_INSIGHT_RESIDENCY_H
#define MB_CORE_INSIGHT_RESIDENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MB_RESIDENCY_PAGES = 1024 };

struct mb_residency {
    bool measured;
    long zero_looks;             // pages that may still be asked whether they are the page of zeros
    uintptr_t begin, end, limit; // the window that is known; where the range ends
    unsigned char page[MB_RESIDENCY_PAGES];
};

// Begins with a range: whole pages, mapped but for holes.
void mb_residency_init(struct mb_residency *r, uintptr_t limit);

// Resident bytes of [begin, end) inside the range; begin and end may be in the middle of a page.
size_t mb_residency_bytes(struct mb_residency *r, uintptr_t begin, uintptr_t end);

// Bit i: page i of the unit is resident.
uint32_t mb_residency_unit(struct mb_residency *r, uintptr_t unit);

#endif
