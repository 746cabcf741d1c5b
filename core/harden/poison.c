#include "core/harden/poison.h"

#include <string.h>

enum mb_error mb_poison_init(struct mb_poison *self, const struct mb_poison_config *given, enum mb_policy policy,
                             struct mb_allocator *base) {
    struct mb_poison_config config;
    if (!mb_config_read(given, &config, sizeof config, sizeof config)) return MB_BAD_CONFIG;
    memset(self, 0, sizeof *self);
    return mb_hold_init(&self->hold, base, policy, config.budget_bytes, MB_HOLD_REUSES);
}
