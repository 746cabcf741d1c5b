// The program of statistics.sh: allocates, and ends in the way that its argument names.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/process/expect.h"
#include "tests/process/refused_call.h"

static int quiet_end(void) {
    fclose(stderr);
    close(2);
    return 0;
}

static void wait_for(pid_t child) {
    int status;
    waitpid(child, &status, 0);
    _exit(0);
}

// The calls that tell which pages are resident.
static void refuse_to_tell(void) {
    EXPECT(refuse_call(SYS_mincore, EPERM));
    EXPECT(refuse_call(SYS_move_pages, EPERM));
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "nothing") == 0) return 0;
    void *volatile p = NULL; // a block of each round stays live
    for (int i = 0; i < 1000; i++) p = memset(malloc(100), 1, 100);
    if (p == NULL) return 1;
    const char *mode = argc > 1 ? argv[1] : "return";
    if (strcmp(mode, "closed") == 0) return quiet_end();
    if (strcmp(mode, "_exit") == 0) _exit(0);
    if (strcmp(mode, "_Exit") == 0) _Exit(0);
    if (strcmp(mode, "signal") == 0) raise(SIGTERM);
    if (strcmp(mode, "own_handler") == 0) signal(SIGTERM, SIG_IGN), raise(SIGTERM);
    if (strcmp(mode, "refused") == 0) refuse_to_tell();
    if (strcmp(mode, "fork") == 0) {
        pid_t child = fork();
        if (child != 0) wait_for(child);
        p = malloc(10);
        _exit(0);
    }
    if (strcmp(mode, "vfork") == 0) {
        pid_t child = vfork();
        if (child == 0) _exit(0);
        wait_for(child);
    }
    return 0;
}
