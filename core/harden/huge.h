// Huge pages under a range that exists already, and giving back only whole ones.
//
// What: asks for huge pages for the whole range (better: make the region with MB_REGION_HUGE_PAGES, which aligns it;
// this refuses a range that is not aligned). A range that purges parts of huge pages splits them, so the purge here
// rounds inwards.
// Who: the thread that owns the range.
#ifndef MB_CORE_HARDEN_HUGE_H
#define MB_CORE_HARDEN_HUGE_H

#include "core/base/allocator.h"

// MB_BAD_CONFIG where the base has no range or one that does not start and end at huge pages, MB_UNSUPPORTED where the
// system makes none, MB_REFUSED where it does not want to here.
enum mb_error mb_huge_start(struct mb_allocator *base);

// Gives back the whole huge pages in [p, p + bytes) and keeps the rest; MB_OK also when there are none.
enum mb_error mb_huge_release(struct mb_allocator *base, void *p, size_t bytes);

#endif
