#include "core/process/relief.h"

#include <stdatomic.h>
#include <stdint.h>

#include "core/base/config.h"
#include "core/base/sealed.h"
#include "core/process/background.h"
#include "core/process/fork.h"
#include "core/region/limit.h"
#include "core/told/option_value.h"
#include "core/told/options.h"
#include "platform/bits.h"
#include "platform/compiler.h"
#include "platform/os.h"

enum { AGAIN_NS = 1000000000 };

static struct {
    _Atomic uint64_t next; // ns: not before; who moves it forward acts
} relief_shared;

static struct {
    _Atomic(mb_relief_function *) reached; // released with its context before it
    _Atomic(void *) context;
} call_shared MB_SEALED;

static size_t to_units(size_t bytes) { return bytes == 0 ? 0 : mb_max(bytes >> MB_UNIT_SHIFT, 1); }

void mb_relief_set_limits(size_t soft, size_t hard) {
    atomic_store_explicit(&mb_limit_shared.soft_units, to_units(soft), memory_order_relaxed);
    atomic_store_explicit(&mb_limit_shared.hard_units, to_units(hard), memory_order_relaxed);
    atomic_store_explicit(&relief_shared.next, 0, memory_order_relaxed);
}

void mb_relief_set_call(mb_relief_function *reached, void *context) {
    if (!mb_sealed_open()) return;
    atomic_store_explicit(&call_shared.reached, NULL, memory_order_release);
    atomic_store_explicit(&call_shared.context, context, memory_order_relaxed);
    atomic_store_explicit(&call_shared.reached, reached, memory_order_release);
    mb_sealed_close();
}

// A share is one of the control group's limit; without such a limit there is none here.
static size_t bytes_of(uint64_t value) {
    if ((value & MB_OPTION_SHARE_FLAG) == 0) return (size_t)value;
    uint64_t whole = mb_os_cgroup_limit();
    return whole == UINT64_MAX ? 0 : (size_t)(whole / 100 * (value & ~MB_OPTION_SHARE_FLAG));
}

void mb_relief_init(void) {
    if (mb_option.limit == 0 && mb_option.soft_limit == 0) return;
    mb_relief_set_limits(bytes_of(mb_option.soft_limit), bytes_of(mb_option.limit));
}

MB_COLD void mb_relief_slow(void) {
    uint64_t now = mb_os_now_ns(), due = atomic_load_explicit(&relief_shared.next, memory_order_relaxed);
    if (now < due || !atomic_compare_exchange_strong(&relief_shared.next, &due, now + AGAIN_NS)) return;
    mb_fork_before_giving();
    mb_background_settle();
    mb_relief_function *reached = atomic_load_explicit(&call_shared.reached, memory_order_acquire);
    if (reached == NULL || !mb_limit_is_soft_reached()) return;
    reached(atomic_load_explicit(&call_shared.context, memory_order_relaxed),
            atomic_load_explicit(&mb_limit_shared.held_units, memory_order_relaxed) << MB_UNIT_SHIFT);
}
