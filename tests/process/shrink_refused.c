// A realloc that shrinks while the system refuses the necessary calls: the block keeps its length, and can be freed
// with the size that was requested last.
#include "tests/process/refused_call.h"
#include <errno.h>
#include <malloc.h>

void free_sized(void *p, size_t bytes) __attribute__((weak)); // C23; not in every libc

static void shrinks(size_t from, size_t to) {
    pid_t child = fork();
    if (child == 0) {
        char *p = keep(malloc(from));
        EXPECT(p != NULL);
        memset(p, 7, from);
        bool refused = refuse_call(SYS_madvise, EPERM) && refuse_call(SYS_mmap, EPERM) && refuse_call(SYS_munmap, EPERM);
        if (!refused) _exit(TEST_SKIPPED);
        errno = 77;
        p = keep(realloc(p, to));
        EXPECT(p != NULL && errno == 77 && p[0] == 7 && p[to - 1] == 7 && malloc_usable_size(p) >= to);
        if (free_sized != NULL) free_sized(p, to);
        else free(p);
        _exit(0);
    }
    expect_child_ok(child);
}

int main(void) {
    test_begin(60);
    if (!under_mbmalloc()) return 0;
    const size_t mib = (size_t)1 << 20;
    shrinks(8 * mib, 5 * mib);
    shrinks(100000000, 6000000);
    shrinks(300 * mib, 200000);
    shrinks(300000, 100);
    return 0;
}
