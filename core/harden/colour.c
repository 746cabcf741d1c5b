#include "core/harden/colour.h"

#include <stdatomic.h>

#include "core/harden/layer.h"

// How many arenas have been coloured; any thread, relaxed: it guards nothing.
static _Atomic uint32_t coloured_shared;

static bool carves_in_order(const struct mb_allocator *arena) {
    return mb_allocator_can(arena, MB_TRAIT_RANGE | MB_TRAIT_RESETS) && !mb_allocator_can(arena, MB_TRAIT_FREES);
}

static bool config_is_valid(const struct mb_colour_config *config, const struct mb_allocator *arena) {
    size_t most;
    if (!mb_is_pow2(config->line_bytes) || config->colours < 2) return false;
    if (mb_mul_overflows(config->line_bytes, config->colours, &most)) return false;
    return most <= arena->table->range->size(arena) / 2;
}

enum mb_error mb_colour_again(struct mb_allocator *arena, size_t offset) {
    void *first = mb_allocator_allocate(arena, offset, 1);
    if (first == NULL) return mb_allocator_last_error(arena);
    return first == arena->table->range->base(arena) ? MB_OK : MB_BAD_CONFIG;
}

enum mb_error mb_colour_start(struct mb_allocator *arena, const struct mb_colour_config *given, size_t *offset) {
    struct mb_colour_config config;
    if (!mb_config_read(given, &config, sizeof config, sizeof config)) return MB_BAD_CONFIG;
    if (!carves_in_order(arena) || !config_is_valid(&config, arena)) return MB_BAD_CONFIG;
    uint32_t colour = atomic_fetch_add_explicit(&coloured_shared, 1, memory_order_relaxed) % config.colours;
    *offset = (colour + 1) * config.line_bytes;
    return mb_colour_again(arena, *offset);
}
