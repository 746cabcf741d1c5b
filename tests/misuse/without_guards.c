// Runs a program as on a kernel before Linux 6.13, which has no MADV_GUARD_INSTALL: a filter refuses it.
// usage: without_guards PROGRAM [ARG...]
#include "tests/process/refused_call.h"

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    if (!refuse_guards()) {
        puts("SKIP: the kernel has no seccomp");
        return TEST_SKIPPED;
    }
    execv(argv[1], argv + 1);
    return 127;
}
