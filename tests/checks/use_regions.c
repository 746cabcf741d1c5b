// A stranger's program, compiled as C and as C++ against the installed headers: uses members of the family by name and through the one
// interface, and says which file they come from.
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

int main(void) {
    Dl_info info;
    int (*uses[])(void) = {use_bump, use_region, use_shared};
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        int wrong = uses[i]();
        if (wrong != 0) return wrong;
    }
    if (dladdr((void *)(uintptr_t)mb_region_new_lazy, &info) == 0) return 100;
    puts(info.dli_fname);
    return strcmp(mb_version_string(), MBMALLOC_VERSION) == 0 ? 0 : 101;
}
