// The address windows of blocks, descriptors and metadata: none can grow into another, and the space before the first
// and behind the last usable page is inaccessible, so no overflow reaches another window. Each process chooses new
// addresses, so the test starts many.
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/config.h"
#include "core/front/malloc.h"
#include "core/region/arena.h"
#include "core/region/unit.h"
#include "tests/unit/memory.h"

enum { STARTS = 300, CLASH = 3, OPEN_EDGE = 4, BLOCKS = 200 };

static size_t longest(int which) {
    static const size_t descriptors = ((size_t)1 << (MB_WINDOW_SHIFT - MB_UNIT_SHIFT)) * sizeof(struct mb_unit);
    return which == MB_ARENA_FRONT ? MB_WINDOW_BYTES : which == MB_ARENA_TABLE ? descriptors : MB_METADATA_WINDOW_BYTES;
}

static bool ends_in_nothing(const struct mb_arena_range *range) {
    const char *base = (const char *)range->base;
    return !mb_os_readable(base - 1, 1) && !mb_os_readable(base + range->committed, 1) && !mb_os_readable(base + range->mapped, 1);
}

static int look(void) {
    struct mb_arena_range at[MB_ARENA_RANGES];
    for (size_t i = 0; i < BLOCKS; i++) *(char *)mb_malloc(1 + i * i * 20) = 1; // up to 800 KB: all three windows grow
    mb_arena_ranges(at);
    for (int i = 0; i < MB_ARENA_RANGES; i++) {
        if (!ends_in_nothing(&at[i])) return OPEN_EDGE;
        for (int k = 0; k < MB_ARENA_RANGES; k++) {
            if (i != k && at[i].base <= at[k].base && at[k].base - at[i].base < longest(i)) return CLASH;
        }
    }
    return 0;
}

static void no_window_can_grow_into_another(void **state) {
    (void)state;
    if (MB_TSAN) {
        print_message("SKIP: beside the thread sanitizer's memory the windows are shorter and have less room\n");
        skip();
    }
    char *arguments[] = {"test_windows", "look", NULL};
    for (int i = 0; i < STARTS; i++) {
        pid_t child;
        int status;
        assert_int_equal(posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

int main(int count, char **arguments) {
    (void)arguments;
    if (count > 1) return look();
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_window_can_grow_into_another)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
