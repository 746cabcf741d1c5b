// Writes to each variable that it is given, each in a child of its own; prints those whose write does not end by
// SIGSEGV.
// usage: sealed_probe WHEN    standard input: one line for each, NAME OFFSET, in hex, from the start of the object that
// contains malloc
//     now     after a first block, and after actions that make the library write such variables itself: setting an option, many blocks
//     child   the same, and in a forked child
#include <inttypes.h>
#include <link.h>

#include "tests/process/expect.h"

enum { MANY = 100000, NAME_BYTES = 100 };

int mb_option_set(const char *text) __attribute__((weak));

static void work(void) {
    for (unsigned i = 0; i < MANY; i++) free(keep(malloc(i % 1000)));
    if (mb_option_set == NULL) return;
    EXPECT(mb_option_set("purge_delay_ms=5s") == 1);
    EXPECT(mb_option_set("nonsense=1") == 0);
}

static int find_object(struct dl_phdr_info *info, size_t bytes, void *out) {
    (void)bytes;
    uintptr_t wanted = (uintptr_t)malloc;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        if (info->dlpi_phdr[i].p_type != PT_LOAD || wanted - start >= info->dlpi_phdr[i].p_memsz) continue;
        *(uintptr_t *)out = info->dlpi_addr;
        return 1;
    }
    return 0;
}

static bool faults(volatile char *at) {
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        *at = *at;
        _exit(0);
    }
    int status;
    EXPECT(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void probe(void) {
    uintptr_t base = UINTPTR_MAX, offset;
    char name[NAME_BYTES];
    unsigned count = 0;
    dl_iterate_phdr(find_object, &base);
    EXPECT(base != UINTPTR_MAX);
    for (; scanf("%99s %" SCNxPTR, name, &offset) == 2; count++) {
        if (!faults((volatile char *)(base + offset))) printf("%s can be written\n", name);
    }
    printf("%u tried\n", count);
}

int main(int argc, char **argv) {
    EXPECT(argc == 2);
    work();
    if (strcmp(argv[1], "child") == 0) {
        pid_t child = fork();
        EXPECT(child >= 0);
        if (child != 0) {
            int status;
            return waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
        }
        work();
    }
    probe();
    return fflush(stdout);
}
