// Fault injection at the system calls: the whole process, this library's malloc included, meets a system that refuses.
//
// What: calls of the chosen kinds that a plan (core/harden/fault.h) strikes fail with -ENOMEM and do nothing.
// Who: any thread. There is one plan for the process.
#ifndef MB_CORE_HARDEN_FAULT_OS_H
#define MB_CORE_HARDEN_FAULT_OS_H

#include "core/base/error.h"
#include "core/harden/configs.h"
#include "platform/compiler.h"
#include "platform/os_call.h"

static const uint32_t MB_FAULT_OS_ALL = (UINT32_C(1) << MB_OS_CALLS) - 1;

MB_PUBLIC_BEGIN

// `kinds`: set of 1 << enum mb_os_call. Counts begin anew. MB_BAD_CONFIG as mb_fault_arm, or without any kind.
enum mb_error mb_fault_os_arm(const struct mb_fault_config *config, uint32_t kinds);

// From now on nothing fails; calls under way in other threads may still.
void mb_fault_os_disarm(void);

// How many calls failed since the last arming.
uint64_t mb_fault_os_struck(void);

MB_PUBLIC_END

#endif
