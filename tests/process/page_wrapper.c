// A wrapper of madvise that comes after our definition sees the program's calls, but none that the library makes for
// itself.
#include "tests/process/expect.h"
#include <malloc.h>
#include <sys/mman.h>

int advice_seen(void);

int main(void) {
    test_begin(60);
    const size_t bytes = 20 << 20;
    char *p = keep(memalign(4096, bytes));
    EXPECT(p != NULL && madvise(p, bytes, MADV_DONTFORK) == 0 && advice_seen() == 1);
    memset(p, 1, bytes);
    free(p);
    malloc_trim(0);
    EXPECT(advice_seen() == 1);
    if (!under_mbmalloc()) return 0;
    char *q = keep(malloc(bytes / 2));
    memset(q, 1, bytes / 2);
    pid_t child = fork();
    if (child == 0) _exit(q[0] == 1 ? 0 : 1);
    expect_child_ok(child);
    puts("the wrapper was asked");
    return 0;
}
