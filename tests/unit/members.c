#include "tests/unit/members.h"

#include "core/layout/bump_arena.h"
#include "core/layout/bump_arena_shared.h"
#include "core/layout/remote_slab.h"
#include "core/layout/size_classed.h"
#include "core/layout/slab_pool.h"
#include "core/layout/stack_arena.h"
#include "core/layout/system_shared.h"
#include "core/region/region_allocator.h"
#include "tests/unit/memory.h"

static struct mb_region_allocator region;
static struct mb_bump_arena bump;
static struct mb_bump_arena_shared bump_shared;
static struct mb_stack_arena stack;
static struct mb_slab_pool pool;
static struct mb_size_classed classed;
static struct mb_remote_slab remote;
static struct mb_system_shared system_shared;

static enum mb_error make_region(enum mb_policy policy) {
    struct mb_region_config config = MB_REGION_CONFIG(MEMBER_RANGE_BYTES);
    config.prefer = MB_REGION_LAZY;
    return mb_region_allocator_new_with(&region, &config, policy);
}
static struct mb_allocator *the_region(void) { return &region.allocator; }
static void unmake_region(void) { assert_int_equal(mb_allocator_drop(&region.allocator), MB_OK); }

// Makes a member over the region, and drops the region if that fails.
static enum mb_error over_region(enum mb_error error) {
    if (error != MB_OK) unmake_region();
    return error;
}

static enum mb_error make_bump(enum mb_policy policy) {
    enum mb_error error = make_region(policy);
    return error != MB_OK ? error : over_region(mb_bump_arena_over(&bump, &region.allocator, policy));
}
static struct mb_allocator *the_bump(void) { return &bump.allocator; }

static enum mb_error make_bump_shared(enum mb_policy policy) {
    enum mb_error error = make_region(policy);
    return error != MB_OK ? error : over_region(mb_bump_arena_shared_over(&bump_shared, &region.allocator, policy));
}
static struct mb_allocator *the_bump_shared(void) { return &bump_shared.allocator; }

static enum mb_error make_stack(enum mb_policy policy) {
    enum mb_error error = make_region(policy);
    return error != MB_OK ? error : over_region(mb_stack_arena_over(&stack, &region.allocator, policy));
}
static struct mb_allocator *the_stack(void) { return &stack.allocator; }

static struct mb_source_config over(enum mb_policy policy) {
    struct mb_source_config config = MB_SOURCE_CONFIG(0);
    config.base = &region.allocator;
    config.policy = policy;
    return config;
}

static enum mb_error make_pool(enum mb_policy policy) {
    enum mb_error error = make_region(policy);
    if (error != MB_OK) return error;
    struct mb_source_config config = over(policy);
    return over_region(mb_slab_pool_new_with(&pool, MEMBER_SLOT_BYTES, 64, &config));
}
static struct mb_allocator *the_pool(void) { return &pool.allocator; }

static enum mb_error make_classed(enum mb_policy policy) {
    enum mb_error error = make_region(policy);
    if (error != MB_OK) return error;
    struct mb_source_config config = over(policy);
    return over_region(mb_size_classed_new_with(&classed, &config));
}
static struct mb_allocator *the_classed(void) { return &classed.allocator; }

static enum mb_error make_remote(enum mb_policy policy) {
    enum mb_error error = make_region(policy);
    if (error != MB_OK) return error;
    struct mb_source_config config = over(policy);
    return over_region(mb_remote_slab_new_with(&remote, MEMBER_SLOT_BYTES, 64, &config));
}
static struct mb_allocator *the_remote(void) { return &remote.allocator; }

static enum mb_error make_system(enum mb_policy policy) {
    (void)policy;
    mb_system_shared_init(&system_shared);
    return MB_OK;
}
static struct mb_allocator *the_system(void) { return &system_shared.allocator; }

#define UNMAKE_OVER(name)                                                   \
    static void unmake_##name(void) {                                       \
        assert_int_equal(mb_allocator_drop(the_##name()), MB_OK);           \
        unmake_region();                                                    \
    }
UNMAKE_OVER(bump)
UNMAKE_OVER(bump_shared)
UNMAKE_OVER(stack)
UNMAKE_OVER(pool)
UNMAKE_OVER(classed)
UNMAKE_OVER(remote)
static void unmake_system(void) { assert_int_equal(mb_allocator_drop(the_system()), MB_OK); }

const struct member members[] = {
    {"region", PTRDIFF_MAX, make_region, the_region, unmake_region},
    {"bump arena", PTRDIFF_MAX, make_bump, the_bump, unmake_bump},
    {"shared bump arena", PTRDIFF_MAX, make_bump_shared, the_bump_shared, unmake_bump_shared},
    {"stack arena", PTRDIFF_MAX, make_stack, the_stack, unmake_stack},
    {"pool", MEMBER_SLOT_BYTES, make_pool, the_pool, unmake_pool},
    {"size classed", PTRDIFF_MAX, make_classed, the_classed, unmake_classed},
    {"remote slab", MEMBER_SLOT_BYTES, make_remote, the_remote, unmake_remote},
    {"system", PTRDIFF_MAX, make_system, the_system, unmake_system},
};
const size_t member_count = sizeof members / sizeof members[0];
