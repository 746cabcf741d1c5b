// What: forks at every instruction, as tests/fork/step.c does, where ptrace is not available. A worker is stopped by
// breakpoints in every path of malloc and free (step.h); while it waits in the signal handler the main thread forks,
// and the child must be able to use, free and count everything that it inherited (tests/fork/adopt.h).
//
//   fork_step_aarch64 SCENARIO|--list [VISITED]   preloaded; VISITED: a file that marks the places where earlier scenarios have forked
//
// Forks after each instruction that may have written memory: at the first visit of the instruction, and at every
// STRIDE-th later visit while there is time. MB_TEST_LONG=1: at the first visit in each scenario, and at every
// LONG_STRIDE-th. Not tested: the helper thread, which is not stopped here, and the recovery in a child, which relies
// on the kernel wiping a page; qemu-user does not do that.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/aarch64/insn.h"
#include "tests/aarch64/step.h"
#include "tests/fork/adopt.h"
#include "tests/fork/api.h"
#include "tests/fork/scenario.h"
#include "tests/fork/ways.h"

enum { CHILD_SECONDS = 60, TEXT_MAX = 1 << 21, STRIDE = 400, LONG_STRIDE = 40, LONG_VISITS = 3, FAULTS_MAX = 3 };

static const double SECONDS = 8, LONG_SECONDS = 600;

static const struct scenario *scenario;
static struct adopt_plan plan;
static struct adopt_report *report; // shared with children
static uint8_t *visits;             // by offset in the code
static uint64_t text_from, text_to, load_bias, entries[STEP_ENTRIES];
static int to_main[2], to_worker[2];
static long steps, points, distinct, forks, faults;
static bool take_all;
static double started_s;

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// --- the worker ------------------------------------------------------------------------------------------------------

static bool is_chosen(uint64_t at) {
    uint8_t *seen = &visits[at - text_from];
    double budget_s = take_all ? LONG_SECONDS : SECONDS;
    if (*seen == 0) distinct++;
    if (*seen < (take_all ? LONG_VISITS : 1)) {
        ++*seen;
        return true;
    }
    return points % (take_all ? LONG_STRIDE : STRIDE) == 0 && now_s() - started_s < budget_s;
}

// In the handler of the breakpoint: the main thread forks, and the worker waits for the child's status.
static void stopped(uint64_t before, uint64_t at) {
    int status = 0;
    steps++;
    if (before != 0 && !insn_may_write(*(const uint32_t *)(uintptr_t)before)) return;
    points++;
    if (faults >= FAULTS_MAX || !is_chosen(at)) return;
    if (write(to_main[1], &at, sizeof at) != sizeof at || read(to_worker[0], &status, sizeof status) != sizeof status) abort();
}

static void *worker_main(void *unused) {
    scenario->setup();
    step_begin();
    scenario->body();
    if (scenario->kind != SCENARIO_EXIT) step_end();
    return unused;
}

// --- the main thread -------------------------------------------------------------------------------------------------

// qemu-user accepts MADV_WIPEONFORK and does nothing. What the kernel would have done to the page that the library has
// asked for, before anything of the library runs in the child (MB_WIPED: where it keeps that page's address, in the
// file).
static void wipe_as_kernel(void) {
    const char *offset = getenv("MB_WIPED");
    void **page = offset == NULL || load_bias == 0 ? NULL : (void **)(uintptr_t)(load_bias + strtoul(offset, NULL, 16));
    if (page != NULL && *page != NULL) memset(*page, 0, sizeof(uint32_t));
}

static int fork_and_check(enum way way) {
    int status = -1;
    memset(report, 0, sizeof *report);
    plan.start_thread = way == WAY_FORK;
    pid_t child = fork_by(way);
    if (child == 0) {
        alarm(CHILD_SECONDS);
        wipe_as_kernel();
        _exit(adopt_and_check(&plan, report) ? 0 : 1);
    }
    if (child < 0) return -errno;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

static void fork_at(uint64_t at) {
    static const enum way ways[8] = {WAY_FORK, WAY_FORK, WAY_FORK, WAY_UNDERSCORE_FORK, WAY_FORK, WAY_FORK, WAY_FORK, WAY_RAW_CLONE};
    enum way way = ways[forks++ % 8];
    int status = fork_and_check(way);
    if (status != 0) {
        printf("FAIL %s: step %ld: at libmbmalloc+0x%lx, way %d: status %x %s\n", scenario->name, steps, (unsigned long)(at - load_bias),
               (int)way, (unsigned)status, report->fault);
        fflush(stdout);
        faults++;
    }
    if (write(to_worker[1], &status, sizeof status) != sizeof status) abort();
}

static void serve_until_it_ends(pthread_t worker) {
    struct pollfd wait = {.fd = to_main[0], .events = POLLIN};
    uint64_t at;
    while (pthread_tryjoin_np(worker, NULL) != 0)
        if (poll(&wait, 1, 10) == 1 && read(to_main[0], &at, sizeof at) == sizeof at) fork_at(at);
    step_end();
}

static void walk(void) {
    pthread_t worker;
    started_s = now_s();
    if (pthread_create(&worker, NULL, worker_main, NULL) != 0) abort();
    serve_until_it_ends(worker);
    printf("%-30s %7ld steps %6ld points %5ld new places %5ld forks, %6.2f s, %ld faults\n", scenario->name, steps, points, distinct, forks,
           now_s() - started_s, faults);
    if (steps == 0) printf("FAIL %s never entered the allocator\n", scenario->name);
}

static void prepare(void) {
    scenario_start();
    scenario_clean();
    api.trim();
    plan = (struct adopt_plan){.focus_bytes = scenario->focus_bytes,
                               .check_leak = true,
                               .base_bytes = api.live_bytes(),
                               .in_flight_max = scenario->in_flight_bytes};
    scenario_prepare_main();
}

// --- the start -------------------------------------------------------------------------------------------------------

static int find_text(struct dl_phdr_info *info, size_t size, void *address) {
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        uint64_t from = info->dlpi_addr + h->p_vaddr;
        if (h->p_type != PT_LOAD || (h->p_flags & PF_X) == 0 || (uint64_t)(uintptr_t)address - from >= h->p_memsz) continue;
        text_from = from, text_to = from + h->p_memsz, load_bias = info->dlpi_addr;
        return strstr(info->dlpi_name, "libmbmalloc") != NULL;
    }
    return 0;
}

static void *shared_bytes(const char *path, size_t bytes) {
    int file = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), anonymous = file < 0 ? MAP_ANONYMOUS : 0;
    if (file >= 0 && ftruncate(file, (off_t)bytes) != 0) abort();
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | anonymous, file, 0);
    if (p == MAP_FAILED) abort();
    return p;
}

// MB_EXITS: where the library has the function that the libc calls at a thread's end.
static void find_entries(void) {
    static const char *const names[] = {"malloc",      "free",     "calloc", "realloc", "memalign", "malloc_usable_size",
                                        "malloc_trim", "mallinfo2"};
    unsigned count = 0;
    for (; count < sizeof names / sizeof names[0]; count++) entries[count] = (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, names[count]);
    if (getenv("MB_EXITS") != NULL) entries[count] = load_bias + strtoul(getenv("MB_EXITS"), NULL, 16);
}

static const struct scenario *find_scenario(const char *name) {
    for (int i = 0; i < scenario_count; i++)
        if (strcmp(scenarios[i].name, name) == 0) return &scenarios[i];
    return NULL;
}

int main(int argc, char **argv) {
    const char *all = getenv("MB_TEST_LONG");
    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        for (int i = 0; i < scenario_count; i++)
            if (scenarios[i].kind == SCENARIO_BODY || scenarios[i].kind == SCENARIO_EXIT) puts(scenarios[i].name);
        return 0;
    }
    scenario = argc > 1 ? find_scenario(argv[1]) : NULL;
    if (scenario == NULL) return 2;
    take_all = all != NULL && strcmp(all, "1") == 0;
    if (dl_iterate_phdr(find_text, dlsym(RTLD_DEFAULT, "malloc")) == 0 || text_to - text_from > TEXT_MAX) return 2;
    visits = shared_bytes(take_all || argc < 3 ? NULL : argv[2], TEXT_MAX);
    report = shared_bytes(NULL, sizeof *report);
    if (pipe(to_main) != 0 || pipe(to_worker) != 0) return 2;
    find_entries();
    step_prepare(text_from, text_to, entries, stopped);
    prepare();
    walk();
    return steps > 0 && faults == 0 ? 0 : 1;
}
