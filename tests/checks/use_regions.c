// A user's program, compiled as C and as C++ against the installed headers: uses the region family's allocators
// directly and through struct mb_allocator, and prints which object file the functions come from.
#include <dlfcn.h>
#include <mbmalloc.h>
#include <stdio.h>
#include <string.h>

static int use_bump(void) {
    static char memory[1000];
    struct mb_bump bump;
    mb_bump_init(&bump, memory, sizeof memory);
    char *p = (char *)mb_bump_alloc(&bump, 100, 16);
    if (p == NULL) return 1;
    memset(p, 1, 100);
    mb_bump_reset(&bump);
    return mb_bump_alloc(&bump, 100, 16) == p ? 0 : 2;
}

static int use_region(void) {
    struct mb_region region;
    if (mb_region_new_lazy(&region, (size_t)1 << 30) != MB_OK) return 3;
    size_t mark = mb_region_mark(&region);
    void *p = mb_region_allocate_zeroed(&region, 100000, 64);
    if (p == NULL || mb_region_committed(&region) < 100000) return 4;
    memset(p, 1, 100000);
    if (mb_region_rewind(&region, mark) != MB_OK) return 5;
    return mb_region_drop(&region) == MB_OK ? 0 : 6;
}

static int use_shared(void) {
    static char memory[1000];
    struct mb_bump_shared bump;
    mb_bump_shared_init(&bump, memory, sizeof memory, NULL, NULL);
    return mb_bump_shared_alloc(&bump, 10, 1) == memory ? 0 : 7;
}

static int use_pool(void) {
    struct mb_slab_pool pool;
    void *slots[3000];
    if (mb_slab_pool_new(&pool, 48, 16, (size_t)1 << 20) != MB_OK) return 8;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3000; i++) {
            slots[i] = mb_slab_pool_take(&pool);
            if (slots[i] == NULL) return 9;
            memset(slots[i], round, 48);
        }
        for (int i = 0; i < 3000; i++) {
            if (mb_slab_pool_give(&pool, slots[i]) != MB_OK) return 10;
        }
    }
    return mb_slab_pool_live(&pool) == 0 && mb_slab_pool_drop(&pool) == MB_OK ? 0 : 11;
}

static int use_size_classed(void) {
    struct mb_size_classed classed;
    if (mb_size_classed_new(&classed, (size_t)1 << 24) != MB_OK) return 12;
    for (size_t bytes = 1; bytes < 1000000; bytes += bytes / 2 + 1) {
        void *p = mb_size_classed_allocate(&classed, bytes, 16);
        if (p == NULL || mb_size_classed_usable_size(&classed, p) < bytes) return 13;
        memset(p, 1, bytes);
        if (mb_size_classed_deallocate(&classed, p) != MB_OK) return 14;
    }
    return mb_size_classed_drop(&classed) == MB_OK ? 0 : 15;
}

static int use_layers(void) {
    struct mb_canary_config canary = MB_CANARY_CONFIG;
    struct mb_family_options options = MB_FAMILY_OPTIONS;
    struct mb_family *family;
    struct mb_size_classed base;
    options.canary = &canary;
    options.policy = MB_POLICY_COUNT;
    if (mb_size_classed_new(&base, (size_t)1 << 24) != MB_OK) return 16;
    if (mb_family_compose(&options, &base.allocator, &family) != MB_OK) return 17;
    char *p = (char *)mb_allocator_allocate(mb_family_allocator(family), 100, 16);
    if (p == NULL) return 18;
    p[100] = (char)(p[100] ^ 1);
    if (mb_family_check(family) != 1) return 19;
    p[100] = (char)(p[100] ^ 1);
    return mb_family_drop(family) == MB_OK ? 0 : 20;
}

int main(void) {
    Dl_info info;
    int (*uses[])(void) = {use_bump, use_region, use_shared, use_pool, use_size_classed, use_layers};
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        int wrong = uses[i]();
        if (wrong != 0) return wrong;
    }
    if (dladdr((void *)(uintptr_t)mb_region_new_lazy, &info) == 0) return 100;
    puts(info.dli_fname);
    return strcmp(mb_version_string(), MBMALLOC_VERSION) == 0 ? 0 : 101;
}
