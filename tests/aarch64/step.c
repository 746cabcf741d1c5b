// What: implements step.h.
#include "tests/aarch64/step.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/aarch64/insn.h"

static const uint32_t BREAKPOINT = 0xd4200000; // brk #0

enum { ARMED_MAX = STEP_ENTRIES + INSN_NEXT_MAX };

static struct {
    uint64_t from, to, entries[STEP_ENTRIES];
    void (*stopped)(uint64_t before, uint64_t at);
    _Atomic int thread; // that is stepped; 0: none
    uint64_t before;
    struct {
        uint64_t at;
        uint32_t word;
    } armed[ARMED_MAX];
    unsigned count;
} step;

static bool is_in_range(uint64_t at) { return at >= step.from && at < step.to; }

static void write_word(uint64_t at, uint32_t word) {
    atomic_store_explicit((_Atomic uint32_t *)(uintptr_t)at, word, memory_order_relaxed);
    __builtin___clear_cache((char *)(uintptr_t)at, (char *)(uintptr_t)at + sizeof word);
}

static uint32_t read_word(uint64_t at) { return atomic_load_explicit((_Atomic uint32_t *)(uintptr_t)at, memory_order_relaxed); }

static void arm(uint64_t at) {
    if (!is_in_range(at) || read_word(at) == BREAKPOINT || step.count == ARMED_MAX) return;
    step.armed[step.count].at = at;
    step.armed[step.count++].word = read_word(at);
    write_word(at, BREAKPOINT);
}

static void disarm(void) {
    while (step.count > 0) {
        step.count--;
        write_word(step.armed[step.count].at, step.armed[step.count].word);
    }
}

static void arm_entries(void) {
    for (unsigned i = 0; i < STEP_ENTRIES; i++) arm(step.entries[i]);
}

// The code outside the range returns: from a call to the instruction after it, from a jump (of the procedure linkage
// table) to the caller.
static void arm_next(const struct insn_state *state) {
    uint64_t next[INSN_NEXT_MAX], returns;
    unsigned count = insn_next(state, next, &returns);
    bool leaves = count == 1 && !is_in_range(next[0]);
    for (unsigned i = 0; i < count; i++) arm(next[i]);
    step.before = leaves ? 0 : state->pc;
    if (!leaves) return;
    uint64_t back = returns != 0 ? returns : state->regs[30];
    if (is_in_range(back))
        arm(back);
    else
        arm_entries();
}

static void on_trap(int sig, siginfo_t *info, void *context) {
    const mcontext_t *machine = &((ucontext_t *)context)->uc_mcontext;
    struct insn_state state = {.pc = machine->pc, .pstate = machine->pstate};
    (void)sig, (void)info;
    memcpy(state.regs, machine->regs, sizeof state.regs);
    if (atomic_load(&step.thread) != (int)syscall(SYS_gettid)) {
        while (read_word(state.pc) == BREAKPOINT) sched_yield();
        return;
    }
    disarm();
    step.stopped(step.before, state.pc);
    arm_next(&state);
}

void step_prepare(uint64_t from, uint64_t to, const uint64_t entries[STEP_ENTRIES], void (*stopped)(uint64_t before, uint64_t at)) {
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), start = from & ~(page - 1);
    step.from = from, step.to = to, step.stopped = stopped;
    memcpy(step.entries, entries, sizeof step.entries);
    if (mprotect((void *)(uintptr_t)start, to - start, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) abort();
    sigaction(SIGTRAP, &action, NULL);
}

void step_begin(void) {
    step.before = 0;
    atomic_store(&step.thread, (int)syscall(SYS_gettid));
    arm_entries();
}

void step_end(void) {
    disarm();
    atomic_store(&step.thread, 0);
}
