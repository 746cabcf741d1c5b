// check=exit: damage to a block that is never freed, or to a freed block that is never reused, is found when the
// process ends by exit.
#include "tests/process/blocks.h"
#include <sys/resource.h>
#include <sys/wait.h>

static void nothing(char *p) { (void)p; }
static void overflow(char *p) { *(volatile char *)(p + 100) = 0; }
static void write_after_free(char *p) {
    free(p);
    *(volatile char *)(p + 50) = 1;
}

static int how_it_ends(void (*deed)(char *)) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        for (int i = 0; i < 1000; i++) keep(malloc(100));
        deed(keep(malloc(100)));
        exit(0);
    }
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int main(void) {
    test_begin(60);
    EXPECT(how_it_ends(nothing) == 0);
    EXPECT(how_it_ends(overflow) == SIGABRT);
    EXPECT(how_it_ends(write_after_free) == SIGABRT);
    return 0;
}
