// The two policies by which a heap asks for huge pages when it takes spans: as it was told to (huge_pages=1,
// core/region/huge_told.c), or with care (auto, core/region/huge_care.c). Both are described in core/region/huge.h.
// Who: core/region/huge.c; any thread.
#ifndef MB_CORE_REGION_HUGE_TAKING_H
#define MB_CORE_REGION_HUGE_TAKING_H

#include <stdbool.h>
#include <stddef.h>

#include "core/region/huge.h"

enum { MB_HUGE_TOLD_UNITS_MIN = 16 << 20 >> MB_UNIT_SHIFT, MB_HUGE_CAREFUL_UNITS_MIN = 32 << 20 >> MB_UNIT_SHIFT };
enum { MB_HUGE_SMALL_PAGE_BYTES = 4096 }; // with longer pages huge ones are longer, too, and none are asked for

// As mb_huge_taken.
bool mb_huge_taken_as_told(const struct mb_span *span, size_t bytes, enum mb_huge_use use);
bool mb_huge_taken_with_care(const struct mb_span *span, enum mb_huge_use use);

// Whether huge pages can be had, in a heap of so many units.
bool mb_huge_is_possible(size_t units_min);

// Whether the chunk's units but those from `first` to `end` are free. A hole in the window (core/region/arena.c) never
// is.
bool mb_huge_is_free_around(size_t chunk, size_t first, size_t end);

#endif
