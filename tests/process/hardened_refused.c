// profile=hardened on a kernel without MADV_GUARD_INSTALL (before Linux 6.13; here a filter refuses it), where guards
// are pages without access. While the process is beyond a limit of its address space the kernel refuses to take spans
// away as a whole: when they are used again, the guards inside them must be gone.
#include "tests/process/refused_call.h"
#include <malloc.h>
#include <sys/resource.h>

enum { BLOCKS = 600, BYTES = 40000 };

static void allocate(char **blocks) {
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = keep(malloc(BYTES));
        EXPECT(blocks[i] != NULL);
        memset(blocks[i], 0x5c, BYTES);
    }
}

static void free_all(char **blocks) {
    for (size_t i = 0; i < BLOCKS; i++) free(blocks[i]);
}

static void set_limit(rlim_t bytes) {
    struct rlimit limit;
    EXPECT(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = bytes;
    EXPECT(setrlimit(RLIMIT_AS, &limit) == 0);
}

int main(int argc, char **argv) {
    char *blocks[BLOCKS];
    test_begin(60);
    if (argc == 1) {
        if (!refuse_guards()) {
            puts("SKIP: the kernel has no seccomp");
            return 77;
        }
        char *again[] = {argv[0], "again", NULL};
        execv("/proc/self/exe", again);
        EXPECT(false); // execv comes back only with an error
    }
    allocate(blocks);
    set_limit(1 << 20);
    free_all(blocks);
    malloc_trim(0);
    set_limit(RLIM_INFINITY);
    for (int i = 0; i < 3; i++) {
        allocate(blocks);
        free_all(blocks);
    }
    return 0;
}
