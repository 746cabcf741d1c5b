// Whether a block that is not allocated has ever been. Any thread, on its way to a report: reads what others may be
// writing.
#ifndef MB_CORE_FRONT_FAULT_H
#define MB_CORE_FRONT_FAULT_H

#include "core/region/unit.h"
#include "core/told/report.h"

// A carved block that has a bit set was freed (MB_FAULT_FREED), was never handed out (MB_FAULT_UNUSED), or it cannot be
// determined which (MB_FAULT_UNCLEAR).
enum mb_fault mb_fault_of_free_block(const struct mb_unit *unit, uint32_t index);

#endif
