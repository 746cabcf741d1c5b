#include "tests/fork/stepped.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fork/api.h"
#include "tests/fork/live.h"
#include "tests/fork/protocol.h"
#include "tests/fork/scenario.h"
#include "tests/fork/ways.h"

enum { CHILD_SECONDS = 20 };

static struct shared *shared;
static pthread_t worker;
static _Atomic int worker_id;
static struct adopt_plan plan;

// --- the worker -------------------------------------------------------------------------------------------------------

static void tell_tracer(int sig) { syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), sig); }

static void *worker_main(void *arg) {
    const struct scenario *s = arg;
    char go;
    atomic_store(&worker_id, (int)syscall(SYS_gettid));
    if (read(FD_GO, &go, 1) != 1) return NULL;
    s->setup();
    tell_tracer(BODY_BEGINS);
    s->body();
    if (!s->until_exit) tell_tracer(BODY_ENDS);
    return NULL;
}

static int start(const struct scenario *s) {
    scenario_clean();
    api.trim();
    plan = (struct adopt_plan){.focus_bytes = s->focus_bytes, .check_leak = true, .base_bytes = api.live_bytes(),
        .in_flight_max = s->in_flight_bytes};
    scenario_prepare_main();
    atomic_store(&worker_id, 0);
    if (pthread_create(&worker, NULL, worker_main, (void *)(uintptr_t)s) != 0) return -1;
    while (atomic_load(&worker_id) == 0) usleep(100);
    return atomic_load(&worker_id);
}

// --- the child --------------------------------------------------------------------------------------------------------

static int fork_and_check(enum way way) {
    int status = -1;
    memset(&shared->report, 0, sizeof shared->report);
    plan.start_thread = way == WAY_FORK;
    pid_t child = fork_by(way);
    if (child == 0) {
        alarm(CHILD_SECONDS);
        _exit(adopt_and_check(&plan, &shared->report) ? 0 : 1);
    }
    if (child < 0) return -errno;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return status;
}

// --- where the allocator's code is ------------------------------------------------------------------------------------

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

// --- commands ---------------------------------------------------------------------------------------------------------

static int obey(struct command c) {
    switch (c.op) {
    case OP_START: return start(&scenarios[c.argument]);
    case OP_FORK: return fork_and_check((enum way)c.argument);
    case OP_JOIN: return pthread_join(worker, NULL);
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
        struct answer a = {obey(c)};
        if (write(FD_ANSWERS, &a, sizeof a) != sizeof a) return 1;
    }
    scenario_clean();
    return 0;
}
