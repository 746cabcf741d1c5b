#include "core/harden/fault_os.h"

#include <errno.h>

#include "core/base/sealed.h"
#include "core/harden/fault.h"
#include "platform/os_hook.h"

static struct mb_fault_plan_shared plan;

// Read by every system call while the hook is set. 0: the hook lets all pass and counts none, as those by which it is
// set itself.
static _Atomic uint32_t kinds_shared;

static int refuse(enum mb_os_call call, size_t bytes) {
    if ((atomic_load_explicit(&kinds_shared, memory_order_relaxed) >> call & 1) == 0) return 0;
    return mb_fault_strikes(&plan, bytes) ? -ENOMEM : 0;
}

static bool set_hook(mb_os_hook_function *hook) {
    if (!mb_sealed_open()) return false;
    mb_os_hook_set(hook);
    mb_sealed_close();
    return true;
}

enum mb_error mb_fault_os_arm(const struct mb_fault_config *config, uint32_t kinds) {
    if (kinds == 0 || (kinds & ~MB_FAULT_OS_ALL) != 0) return MB_BAD_CONFIG;
    enum mb_error error = mb_fault_arm(&plan, config);
    if (error != MB_OK) return error;
    if (!set_hook(refuse)) return MB_UNSUPPORTED;
    atomic_store_explicit(&kinds_shared, kinds, memory_order_relaxed);
    return MB_OK;
}

void mb_fault_os_disarm(void) {
    atomic_store_explicit(&kinds_shared, 0, memory_order_relaxed);
    set_hook(NULL);
}

uint64_t mb_fault_os_struck(void) { return mb_fault_struck(&plan); }
