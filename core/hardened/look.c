// Looks at the whole heap: when asked to (mb_check), and when the process ends (options check, leaks).
#include "core/hardened/hardened.h"
#include "core/hardened/large.h"
#include "core/hardened/leaks.h"
#include "core/hardened/small.h"
#include "core/hardened/wrong.h"
#include "core/process/fork.h"
#include "core/process/init.h"
#include "core/told/options.h"

static void found_by_check(enum mb_hard_fault fault, const void *p) { mb_hard_wrong(MB_OP_CHECK, fault, p); }
static void found_at_exit(enum mb_hard_fault fault, const void *p) { mb_hard_wrong(MB_OP_EXIT, fault, p); }

static size_t check(void (*found)(enum mb_hard_fault fault, const void *p)) {
    mb_fork_check();
    return mb_hard_small_sweep(found) + mb_hard_large_sweep(found);
}

size_t mb_hard_check(void) { return check(found_by_check); }

// What nobody has freed, resized or taken since it was damaged.
__attribute__((destructor)) static void look_at_exit(void) {
    if (!mb_is_hardened()) return;
    if (mb_option.leaks != 0) mb_fork_check();
    if (mb_option.check != 0) check(found_at_exit);
    if (mb_option.leaks != 0) mb_hard_leaks_tell((unsigned)mb_option.leaks);
}
