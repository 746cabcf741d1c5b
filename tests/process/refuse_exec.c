// refuse_exec NAMES COMMAND...: runs a command under a seccomp filter that refuses the named system calls from its
// start on.
#include <errno.h>

#include "tests/process/expect.h"
#include "tests/process/refused_call.h"

static const struct {
    const char *name;
    int number;
} CALLS[] = {
    {"ftruncate", SYS_ftruncate}, {"clone", SYS_clone}, {"clone3", SYS_clone3}, {"mincore", SYS_mincore}, {"move_pages", SYS_move_pages}};

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++) {
        if (strstr(argv[1], CALLS[i].name) != NULL && !refuse_call(CALLS[i].number, EPERM)) return TEST_SKIPPED;
    }
    execvp(argv[2], argv + 2);
    return 1;
}
