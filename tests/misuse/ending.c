// What: how the process ends after a fatal mistake. The line is written and SIGABRT is raised, whatever the program has
// done to its signals, its stderr and itself; a handler for SIGABRT runs and may allocate.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/misuse/case.h"

static void *victim;

static void twice(void) {
    victim = block(64);
    free(victim);
    announce(victim);
    free(victim);
    give_up("the second free was not caught");
}

static void blocked(const struct misuse_case *c) {
    sigset_t all;
    (void)c;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    twice();
}

static void ignored(const struct misuse_case *c) {
    (void)c;
    signal(SIGABRT, SIG_IGN);
    twice();
}

// Handles SIGABRT as a crash reporter does. Only the handler announces the address, so the case fails if it does not
// run.
static void report(int sig) {
    static void *v[1000];
    for (size_t i = 0; i < 1000; i++) v[i] = block(16 + i * 10);
    release(v, 1000);
    announce(victim);
    signal(sig, SIG_DFL);
}

static void handled(const struct misuse_case *c) {
    (void)c;
    signal(SIGABRT, report);
    victim = block(64);
    free(victim);
    free(victim);
    give_up("the second free was not caught");
}

static void in_handler(int sig) {
    (void)sig;
    twice();
}

static void from_a_handler(const struct misuse_case *c) {
    (void)c;
    signal(SIGUSR1, in_handler);
    raise(SIGUSR1);
}

static void *thread_main(void *unused) {
    (void)unused;
    twice();
    return NULL;
}

static void small_stack(const struct misuse_case *c) {
    pthread_attr_t attr;
    pthread_t t;
    (void)c;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 16384);
    if (pthread_create(&t, &attr, thread_main, NULL) != 0) give_up("pthread_create failed");
    pthread_join(t, NULL);
}

static void in_child(const struct misuse_case *c) {
    int status;
    (void)c;
    pid_t child = fork();
    if (child == 0) twice();
    if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status)) give_up("the child was not ended");
    kill(getpid(), WTERMSIG(status));
}

static void in_vfork_child(const struct misuse_case *c) {
    int status;
    (void)c;
    pid_t child = vfork();
    if (child == 0) twice();
    if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status)) give_up("the child was not ended");
    kill(getpid(), WTERMSIG(status));
}

static void stderr_closed(const struct misuse_case *c) {
    (void)c;
    close(2);
    twice();
}

static void stderr_full(const struct misuse_case *c) {
    (void)c;
    dup2(open("/dev/full", O_WRONLY | O_CLOEXEC), 2);
    twice();
}

static void stderr_unread(const struct misuse_case *c) {
    int ends[2];
    (void)c;
    if (pipe(ends) != 0) give_up("no pipe");
    close(ends[0]);
    dup2(ends[1], 2);
    twice();
}

static void at_exit(void) { twice(); }

static void after_main(const struct misuse_case *c) {
    (void)c;
    atexit(at_exit);
    exit(0);
}

void ending_cases(misuse_emit *emit) {
    static const struct {
        const char *name;
        enum case_end end;
        void (*run)(const struct misuse_case *);
    } ways[] = {
        {"signals-blocked", END_DIES, blocked},
        {"signal-ignored", END_DIES, ignored},
        {"handler-allocates", END_DIES, handled},
        {"from-a-handler", END_DIES, from_a_handler},
        {"small-stack", END_DIES, small_stack},
        {"forked-child", END_DIES, in_child},
        {"vforked-child", END_DIES, in_vfork_child},
        {"after-main", END_DIES, after_main},
        {"stderr-closed", END_SILENT, stderr_closed},
        {"stderr-full", END_SILENT, stderr_full},
        {"stderr-unread", END_SILENT, stderr_unread},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct misuse_case c = {.end = ways[i].end, .run = ways[i].run};
        name_case(&c, "ending/%s", ways[i].name);
        if (c.end == END_DIES) text_case(&c, "double free");
        emit(&c);
    }
}
