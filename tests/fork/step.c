// What: forks at every instruction. A worker thread is single-stepped through every path of malloc and free. While it
// is stopped between two instructions of the allocator, another thread of its process forks, and the child must be able
// to use, free and count everything that it inherited (adopt.h). A fork that hangs is a failure, too.
//
//   fork_step [SCENARIO...]        (`fork_step --stepped` is the process that it starts)
//
// The default forks after every instruction that may have written memory at its first visits, and at as many later
// visits as fit into the time (each scenario is first walked once to count them). MB_TEST_LONG=1 forks after all of
// them, at all visits, and after every other instruction at the first visits, in two ways each. Where ptrace is not
// permitted the test is skipped.
//
// Who: one thread; traces only the worker. Everything runs on one CPU, which makes a step three times faster.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/fork/insn.h"
#include "tests/fork/protocol.h"
#include "tests/fork/scenario.h"
#include "tests/fork/stepped.h"

enum { SKIPPED = 77, ANSWER_MS = 150000, FAULTS_PER_SCENARIO = 3, TEXT_MAX = 1 << 21, FIRST_VISITS = 2 };

static const double HELPER_WAIT_S = 0.025; // half a tick at purge_delay_ms=100

static struct shared *shared;
static pid_t process, worker;
static int to_process, from_process, go_worker;
static uint8_t may_write[TEXT_MAX]; // by offset in the text: 0 not looked at, 1 no, 2 yes
static uint8_t visits[TEXT_MAX];    // forks at this offset in this scenario
static bool take_all, process_lost;
static unsigned way_turn;
static long phase; // where the sampling begins; MB_TEST_SEED, else 0

struct walk {
    bool forking;
    long stride; // of the points that have had their first visits, every how-manieth is taken
    long steps, points, distinct, forks, faults, most_left, most_grown;
    double budget_s, started_s;
};

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void stop(int status, const char *why) {
    printf("%s%s\n", status == SKIPPED ? "SKIP: " : "", why);
    fflush(stdout);
    if (process > 0) kill(process, SIGKILL);
    _exit(status);
}

// --- the process -----------------------------------------------------------------------------------------------------

static void become_stepped(const int fds[4]) {
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < 4; i++) dup2(fds[i], FD_COMMANDS + i);
    setenv("LD_PRELOAD", getenv("MBMALLOC_SO"), 1);
    setenv("MBMALLOC_OPTIONS", "purge_delay_ms=100", 1);
    // A stepped `rep movsb` stops at every byte.
    setenv("GLIBC_TUNABLES", "glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.cpu.x86_rep_stosb_threshold=1000000000", 1);
    execl("/proc/self/exe", "fork_step", "--stepped", (char *)NULL);
    _exit(127);
}

static void use_one_cpu(void) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
}

// Drops the page of the process before, if there is one.
static void share_page(int fd) {
    if (shared != NULL) munmap(shared, sizeof *shared);
    if (fd < 0 || ftruncate(fd, sizeof *shared) != 0) stop(1, "no shared page");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED) stop(1, "no shared page");
}

static void start_process(void) {
    int commands[2], answers[2], go[2], page = memfd_create("fork-step", MFD_CLOEXEC);
    share_page(page);
    if (pipe2(commands, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0 || pipe2(go, O_CLOEXEC) != 0) stop(1, "no pipes");
    process = fork();
    if (process == 0) {
        // Above the numbers to which become_stepped moves them.
        int high[4] = {fcntl(commands[0], F_DUPFD_CLOEXEC, 20), fcntl(answers[1], F_DUPFD_CLOEXEC, 20), fcntl(go[0], F_DUPFD_CLOEXEC, 20),
                       fcntl(page, F_DUPFD_CLOEXEC, 20)};
        become_stepped(high);
    }
    close(commands[0]);
    close(answers[1]);
    close(go[0]);
    close(page);
    to_process = commands[1];
    from_process = answers[0];
    go_worker = go[1];
}

// False when no answer comes in time.
static bool ask(int op, int argument, int *value) {
    struct command c = {op, argument};
    struct answer a = {0};
    struct pollfd wait = {.fd = from_process, .events = POLLIN};
    if (write(to_process, &c, sizeof c) != sizeof c) return false;
    if (poll(&wait, 1, ANSWER_MS) != 1 || read(from_process, &a, sizeof a) != sizeof a) return false;
    *value = a.value;
    return true;
}

// A killed process is gone when its traced thread has been waited for, too.
static void end_process(void) {
    int unused, status;
    pid_t gone;
    if (process_lost || !ask(OP_QUIT, 0, &unused)) kill(process, SIGKILL);
    close(to_process);
    close(from_process);
    close(go_worker);
    do {
        gone = waitpid(-1, &status, __WALL);
    } while (gone != process && (gone > 0 || errno == EINTR));
    process = 0;
}

// --- where it stands -------------------------------------------------------------------------------------------------

static bool in_text(uint64_t at) { return at >= shared->text_from && at < shared->text_to; }

static bool look_up_may_write(uint64_t at) {
    uint8_t *known = &may_write[at - shared->text_from];
    uint8_t bytes[INSN_BYTES] = {0};
    struct iovec here = {bytes, sizeof bytes}, there = {(void *)(uintptr_t)at, sizeof bytes};
    if (*known == 0) {
        bool read_all = process_vm_readv(process, &here, 1, &there, 1, 0) == INSN_BYTES;
        *known = read_all && !insn_may_write(bytes) ? 1 : 2;
    }
    return *known == 2;
}

// The function and line, if the machine has addr2line and the library has debug information.
static void print_place(uint64_t at) {
    char command[700], line[300];
    printf("  at libmbmalloc+0x%lx ", (unsigned long)(at - shared->load_bias));
    snprintf(command, sizeof command, "addr2line -s -p -i -f -e '%s' 0x%lx 2>/dev/null", shared->library,
             (unsigned long)(at - shared->load_bias));
    FILE *f = popen(command, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) printf("%.*s; ", (int)strcspn(line, "\n"), line);
    if (f != NULL) pclose(f);
    printf("\n");
}

// --- one fork --------------------------------------------------------------------------------------------------------

static void complain(struct walk *w, const struct scenario *s, uint64_t at, const char *what, int status) {
    static const char *const how[] = {"exit status", "signal"};
    bool signalled = WIFSIGNALED(status);
    printf("FAIL %s: step %ld: %s (%s %d) %s\n", s->name, w->steps, what, how[signalled],
           signalled ? WTERMSIG(status) : WEXITSTATUS(status), shared->report.fault);
    print_place(at);
    fflush(stdout);
    w->faults++;
}

static const char *way_name(enum way way) {
    static const char *const names[] = {"child of fork", "child of _Fork", "child of clone"};
    return names[way];
}

static void fork_here(struct walk *w, const struct scenario *s, uint64_t at, enum way way) {
    int status = 0;
    w->forks++;
    if (!ask(OP_FORK, (int)way, &status)) {
        process_lost = true;
        complain(w, s, at, "fork hangs or the process has ended", 0);
    } else if (status != 0) {
        complain(w, s, at, way_name(way), status);
    }
    if (shared->report.left_bytes > w->most_left) w->most_left = shared->report.left_bytes;
    if (shared->report.grown_bytes > w->most_grown) w->most_grown = shared->report.grown_bytes;
}

static void fork_here_in_turn(struct walk *w, const struct scenario *s, uint64_t at) {
    unsigned turn = way_turn++ % 8;
    if (take_all) fork_here(w, s, at, WAY_FORK);
    if (take_all && !process_lost) fork_here(w, s, at, turn % 2 == 0 ? WAY_UNDERSCORE_FORK : WAY_RAW_CLONE);
    if (!take_all) fork_here(w, s, at, turn == 3 ? WAY_UNDERSCORE_FORK : turn == 7 ? WAY_RAW_CLONE : WAY_FORK);
}

// --- stepping --------------------------------------------------------------------------------------------------------

// Memory may have changed since the stop before. After all other instructions a child would be the same.
static bool is_news(uint64_t before) { return !in_text(before) || look_up_may_write(before); }

// When the time is used up on a busy machine, places that were not seen before are still tested.
static bool is_chosen(struct walk *w, uint64_t at, bool news) {
    uint8_t *seen = &visits[at - shared->text_from];
    double spent_s = now_s() - w->started_s;
    if (*seen == 0) w->distinct++;
    if (*seen < (spent_s > w->budget_s ? 1 : FIRST_VISITS)) {
        ++*seen;
        return true;
    }
    if (take_all) return news;
    return (w->points + phase) % (spent_s > w->budget_s ? 16 * w->stride : w->stride) == 0;
}

static void stand_still(struct walk *w, const struct scenario *s, uint64_t before, uint64_t at) {
    if (!in_text(at)) return;
    bool news = is_news(before);
    if (!news && !take_all) return;
    w->points++;
    if (!is_chosen(w, at, news) || !w->forking) return;
    fork_here_in_turn(w, s, at);
}

// Waits for the worker's next stop: its signal, or 0 when the thread has ended.
static int next_stop(void) {
    int status;
    while (waitpid(worker, &status, __WALL) != worker)
        if (errno != EINTR) stop(1, "the worker is lost");
    return WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
}

// The helper thread never ends: it is stepped through two full rounds between its waits.
static bool has_waited_enough(const struct scenario *s, double step_s) {
    static int waits;
    if (s->kind != SCENARIO_HELPER || step_s < HELPER_WAIT_S) return false;
    waits = (waits + 1) % 4;
    return waits == 0;
}

static void step_through(struct walk *w, const struct scenario *s) {
    uint64_t before = 0;
    for (;;) {
        double from = now_s();
        if (ptrace(PTRACE_SINGLESTEP, worker, 0, 0) != 0) stop(1, "cannot step the worker");
        int sig = next_stop();
        if (sig == 0 || sig == BODY_ENDS || has_waited_enough(s, now_s() - from)) return;
        uint64_t at = insn_pointer(worker);
        if (sig != SIGTRAP) {
            complain(w, s, at, "the worker got a signal", sig);
            stop(1, "the worker cannot go on");
        }
        w->steps++;
        stand_still(w, s, before, at);
        before = at;
        if (process_lost || w->faults >= FAULTS_PER_SCENARIO) return;
    }
}

static void seize_worker(int id) {
    worker = id;
    if (ptrace(PTRACE_SEIZE, worker, 0, 0) == 0) return;
    if (errno == EPERM || errno == ENOSYS) stop(SKIPPED, "ptrace is not permitted here");
    stop(1, "cannot attach to the worker");
}

static void check_library(void) {
    if (shared->text_to == 0 || shared->text_to - shared->text_from > TEXT_MAX) stop(1, "the allocator's code was not found");
    if (strcmp(getenv("MBMALLOC_SO"), shared->library) != 0) stop(1, "the preloaded library does not serve malloc");
}

// Where the stepping begins: at the worker's own signal, or wherever the helper is.
static void go_to_start(const struct scenario *s) {
    if (s->kind == SCENARIO_HELPER) {
        if (ptrace(PTRACE_INTERRUPT, worker, 0, 0) != 0 || next_stop() != SIGTRAP) stop(1, "the helper cannot be stopped");
        return;
    }
    if (write(go_worker, "g", 1) != 1) stop(1, "the worker cannot be told to go");
    if (next_stop() != BODY_BEGINS) stop(1, "the worker did not reach its body");
}

static void walk_worker(struct walk *w, int number) {
    const struct scenario *s = &scenarios[number];
    int id = 0, unused;
    if (!ask(OP_START, number, &id) || id <= 0) stop(1, "there is no worker, or no helper thread of the allocator");
    check_library();
    seize_worker(id);
    go_to_start(s);
    step_through(w, s);
    if (process_lost) return;
    ptrace(PTRACE_DETACH, worker, 0, 0);
    if (!ask(OP_JOIN, number, &unused)) process_lost = true;
}

// Each walk has a process of its own: some paths are walked only once in a process's life.
static void walk_scenario(struct walk *w, int number) {
    w->started_s = now_s();
    memset(visits, 0, sizeof visits);
    start_process();
    walk_worker(w, number);
    end_process();
}

// --- all scenarios ---------------------------------------------------------------------------------------------------

static bool is_wanted(const struct scenario *s, int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], s->name) == 0) return true;
    return argc <= 1;
}

// How many of the points can be taken: a counting walk first, then the stride follows from time and cost of a fork.
static long choose_stride(int number, double budget_s, double fork_s) {
    struct walk count = {.stride = 1, .budget_s = 1e9};
    walk_scenario(&count, number);
    if (take_all) return 1;
    double affordable = budget_s / fork_s - (double)(FIRST_VISITS * count.distinct);
    if (affordable < 10) affordable = 10;
    return 1 + (long)((double)count.points / affordable);
}

static bool run_scenario(int number, double budget_s) {
    static double fork_s = 0.002;
    struct walk w = {.forking = true, .budget_s = take_all ? 1e9 : budget_s};
    w.stride = choose_stride(number, budget_s, fork_s);
    walk_scenario(&w, number);
    double taken = now_s() - w.started_s;
    if (w.forks > 0) fork_s = taken / (double)w.forks;
    printf("%-30s %7ld steps %6ld points %5ld places %6ld forks, every %ld. further, %5.2f s; in a child at most "
           "%ld KiB left alive, %ld KiB grown; %ld faults\n",
           scenarios[number].name, w.steps, w.points, w.distinct, w.forks, w.stride, taken, w.most_left / 1024, w.most_grown / 1024,
           w.faults);
    fflush(stdout);
    if (w.forks == 0) printf("FAIL %s never entered the allocator\n", scenarios[number].name);
    return w.forks > 0 && w.faults == 0 && !process_lost;
}

int main(int argc, char **argv) {
    const char *all = getenv("MB_TEST_LONG"), *seed = getenv("MB_TEST_SEED");
    const double seconds = 30;
    bool right = true;
    int chosen = 0;
    if (argc == 2 && strcmp(argv[1], "--stepped") == 0) return stepped_main();
    if (getenv("MBMALLOC_SO") == NULL) stop(1, "MBMALLOC_SO is not set");
    take_all = all != NULL && strcmp(all, "1") == 0;
    phase = seed != NULL ? atol(seed) : 0;
    printf("MB_TEST_SEED=%ld\n", phase);
    use_one_cpu();
    for (int i = 0; i < scenario_count; i++) chosen += is_wanted(&scenarios[i], argc, argv);
    for (int i = 0; i < scenario_count && !process_lost; i++) {
        if (!is_wanted(&scenarios[i], argc, argv)) continue;
        right &= run_scenario(i, seconds / chosen);
    }
    return right && chosen > 0 ? 0 : 1;
}
