// What: implements stepped.h: executes the tracer's commands, one at a time; workers and children do the rest.
#include "tests/fork/stepped.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fork/api.h"
#include "tests/fork/live.h"
#include "tests/fork/protocol.h"
#include "tests/fork/scenario.h"
#include "tests/fork/ways.h"

enum { CHILD_SECONDS = 100, NESTED_EVERY = 10 };

static struct shared *shared;
static pthread_t worker;
static _Atomic int worker_id;
static struct adopt_plan plan;
static bool in_child, answered_by_child; // SCENARIO_IN_CHILD
static unsigned forks;

static void do_nothing(void) {}

// --- the worker ------------------------------------------------------------------------------------------------------

static void tell_tracer(int sig) { syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), sig); }

static void *worker_main(void *arg) {
    const struct scenario *s = arg;
    char go;
    atomic_store(&worker_id, (int)syscall(SYS_gettid));
    if (read(FD_GO, &go, 1) != 1) return NULL;
    s->setup();
    tell_tracer(BODY_BEGINS);
    s->body();
    if (s->kind != SCENARIO_EXIT) tell_tracer(BODY_ENDS);
    return NULL;
}

static void prepare(const struct scenario *s) {
    scenario_clean();
    api.trim();
    plan = (struct adopt_plan){.focus_bytes = s->focus_bytes,
                               .check_leak = true,
                               .base_bytes = api.live_bytes(),
                               .base_anonymous = adopt_anonymous_bytes(),
                               .in_flight_max = s->in_flight_bytes};
    scenario_prepare_main();
}

static void *run_setup(void *s) {
    ((const struct scenario *)s)->setup();
    return NULL;
}

static bool start_worker(void *(*main)(void *), const struct scenario *s) {
    return pthread_create(&worker, NULL, main, (void *)(uintptr_t)s) == 0;
}

static int worker_to_step(const struct scenario *s) {
    atomic_store(&worker_id, 0);
    if (!start_worker(worker_main, s)) return -1;
    while (atomic_load(&worker_id) == 0) usleep(100);
    return atomic_load(&worker_id);
}

// The one thread that is neither the main thread nor the peer. It may only just have been started.
static int find_helper(void) {
    int id = 0;
    for (int tries = 0; tries < 2000 && id == 0; tries++) {
        DIR *tasks = opendir("/proc/self/task");
        for (struct dirent *e; tasks != NULL && (e = readdir(tasks)) != NULL;) {
            int other = atoi(e->d_name);
            if (other > 0 && other != getpid() && other != scenario_peer_id()) id = other;
        }
        if (tasks != NULL) closedir(tasks);
        if (id == 0) usleep(1000);
    }
    return id;
}

static int helper_to_step(const struct scenario *s) {
    if (!start_worker(run_setup, s)) return -1;
    pthread_join(worker, NULL);
    return find_helper();
}

// The child continues with the commands, while the parent waits for it. Only the main thread exists in the child, so
// the worker that it starts is the first to allocate.
static int child_to_step(const struct scenario *s) {
    int status = 0;
    scenario_setup_by_peer(s);
    pid_t child = fork();
    if (child < 0) return -1;
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        in_child = true;
        return worker_to_step(&(struct scenario){.setup = do_nothing, .body = s->body, .kind = SCENARIO_BODY});
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    answered_by_child = true;
    return status;
}

static int start(const struct scenario *s) {
    prepare(s);
    if (s->kind == SCENARIO_HELPER) return helper_to_step(s);
    return s->kind == SCENARIO_IN_CHILD ? child_to_step(s) : worker_to_step(s);
}

static int join(const struct scenario *s) { return s->kind == SCENARIO_HELPER ? 0 : pthread_join(worker, NULL); }

// --- the child -------------------------------------------------------------------------------------------------------

// Before the child has done anything, a child of its own inherits the same.
static void adopt_in_grandchild(enum way way) {
    int status = 0;
    pid_t grandchild = fork_by(way);
    if (grandchild == 0) {
        alarm(CHILD_SECONDS);
        _exit(adopt_and_check(&plan, &shared->report) ? 0 : 1);
    }
    while (waitpid(grandchild, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) _exit(WIFEXITED(status) ? 2 : 3);
}

static int fork_and_check(enum way way) {
    int status = -1;
    memset(&shared->report, 0, sizeof shared->report);
    plan.start_thread = way == WAY_FORK;
    pid_t child = fork_by(way);
    if (child == 0) {
        alarm(CHILD_SECONDS);
        if (++forks % NESTED_EVERY == 0) adopt_in_grandchild(way);
        _exit(adopt_and_check(&plan, &shared->report) ? 0 : 1);
    }
    forks++;
    if (child < 0) return -errno;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

// --- where the allocator's code is -----------------------------------------------------------------------------------

static int find_text(struct dl_phdr_info *info, size_t size, void *address) {
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + h->p_vaddr;
        if (h->p_type != PT_LOAD || (h->p_flags & PF_X) == 0) continue;
        if ((uintptr_t)address < from || (uintptr_t)address >= from + h->p_memsz) continue;
        shared->text_from = from;
        shared->text_to = from + h->p_memsz;
        shared->load_bias = info->dlpi_addr;
        strncpy(shared->library, info->dlpi_name, sizeof shared->library - 1);
        return 1;
    }
    return 0;
}

// --- commands --------------------------------------------------------------------------------------------------------

static int obey(struct command c) {
    switch (c.op) {
    case OP_START: return start(&scenarios[c.argument]);
    case OP_FORK: return fork_and_check((enum way)c.argument);
    case OP_JOIN: return join(&scenarios[c.argument]);
    default: return 0;
    }
}

int stepped_main(void) {
    struct command c = {0};
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, FD_SHARED, 0);
    if (shared == MAP_FAILED) return 1;
    dl_iterate_phdr(find_text, dlsym(RTLD_DEFAULT, "malloc"));
    scenario_start();
    while (c.op != OP_QUIT && read(FD_COMMANDS, &c, sizeof c) == sizeof c) {
        answered_by_child = false;
        struct answer a = {obey(c)};
        if (!answered_by_child && write(FD_ANSWERS, &a, sizeof a) != sizeof a) return 1;
        if (in_child && c.op == OP_JOIN) _exit(0);
    }
    scenario_clean();
    return 0;
}
