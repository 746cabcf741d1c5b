// What: tries every address near a block instead of a selection: each byte inside the block, and each multiple of 16 in
// the 64 KiB around it. Only the addresses of live blocks may be accepted by free.
//
// Who: each attempt is a forked child (its stderr is discarded) that must end by SIGABRT.
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/misuse/case.h"

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

enum deed { FREE, REALLOC, USABLE_SIZE };
static const char *const deed_names[] = {"free", "realloc", "usable-size"};

static void commit(enum deed deed, void *p) {
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, 2);
    if (deed == FREE) free(p);
    else if (deed == REALLOC) hide(realloc(p, 200));
    else (void)malloc_usable_size(p);
    _exit(0);
}

static bool survives(enum deed deed, void *p) {
    int status;
    pid_t child = fork();
    if (child < 0) give_up("fork failed");
    if (child == 0) commit(deed, hide(p));
    if (waitpid(child, &status, 0) != child) give_up("waitpid failed");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) give_up("ended otherwise than by SIGABRT");
    return false;
}

static void complain(const struct misuse_case *c, size_t offset) {
    char line[96];
    snprintf(line, sizeof line, "%s passed at offset %zu of %zu", deed_names[(uintptr_t)c->what], offset, c->n);
    give_up(line);
}

static void every_byte(const struct misuse_case *c) {
    char *p = block(c->n);
    enum deed deed = (enum deed)(uintptr_t)c->what;
    size_t step = c->n <= 128 ? 1 : c->n / 128 | 1;
    for (size_t i = step; i < c->n; i += step)
        if (survives(deed, p + i)) complain(c, i);
    if (!survives(deed, p)) give_up("the block itself did not pass");
}

// Three live blocks are far apart; all else in the unit is free, never handed out, or inside one of them.
static void every_place(const struct misuse_case *c) {
    char *p = block(c->n), *q = block(c->n), *r = block(c->n);
    free(q);
    char *unit = (char *)((uintptr_t)p & ~(uintptr_t)0xffff);
    enum deed deed = (enum deed)(uintptr_t)c->what;
    for (char *at = unit; at < unit + 65536; at += 80)
        if (at != p && at != r && survives(deed, at)) complain(c, (size_t)(at - unit));
}

void sweep_cases(misuse_emit *emit) {
    static const size_t sizes[] = {16, 48, 80, 112, 640, 1000, 8192, 20000, 32768, 200000, 3 << 20};
    for (uintptr_t deed = FREE; deed <= USABLE_SIZE; deed++) {
        struct misuse_case c = {.end = END_LIVES, .what = (const void *)deed, .options = deed == USABLE_SIZE ? "sized=abort" : NULL};
        for (size_t i = 0; i < COUNT(sizes); i++) {
            c.run = every_byte;
            c.n = sizes[i];
            name_case(&c, "sweep/%s-bytes-%zu", deed_names[deed], c.n);
            emit(&c);
        }
        c.run = every_place;
        c.n = 80;
        name_case(&c, "sweep/%s-unit-%zu", deed_names[deed], c.n);
        emit(&c);
    }
}
